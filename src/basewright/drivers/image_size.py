"""image_size: what has to be pulled before the service can start."""

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also
from basewright.facts import Also, Evidence, Measurement, NotMeasured, Owner, SizeFacts, SizePart, Unmeasured
from basewright.quantity import megabytes
from basewright.strategy import DriverName, ValueFunction

_HEADLINE = "compressed_size"
_OWNERS = {owner: f"{owner.value}_size" for owner in Owner if owner is not Owner.UNEXPLAINED}
"""What is built here has no bytes that nobody owns."""


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    size = evidence.size
    if isinstance(size, NotMeasured):
        return Unmeasured(driver=DriverName.IMAGE_SIZE, reason=size.reason)
    if not size.parts:
        return Unmeasured(driver=DriverName.IMAGE_SIZE, reason="no layer of the image is known")
    value = megabytes(sum(part.compressed_bytes for part in size.parts))
    return Measurement(
        driver=DriverName.IMAGE_SIZE,
        measure=_HEADLINE,
        value=value,
        unit="MB",
        better=Better.LESS,
        basis=tuple(dict.fromkeys(part.basis for part in size.parts)),
        samples=(value,),
        also=_also(size),
    )


def _also(size: SizeFacts) -> dict[str, Also]:
    also = {
        "uncompressed_size": _size(size.uncompressed_bytes),
        "layers": exact_also(size.layers),
        "files": exact_also(size.files),
        "wasted_size": _size(size.wasted_bytes),
    }
    if size.uncompressed_bytes is not None:
        also |= {name: _size(size.owner_bytes.get(owner, 0)) for owner, name in _OWNERS.items()}
    for part in size.parts:
        also |= _part(part)
    return also


def _size(count: int | None) -> Also:
    return exact_also(None if count is None else megabytes(count), "MB")


def _part(part: SizePart) -> dict[str, Also]:
    """Compressed, by part; and what a published size stands for."""
    name = "_".join(part.name.lower().split()).replace("-", "_")
    size = exact_also(megabytes(part.compressed_bytes), "MB", part.basis)
    if not part.source:
        return {f"{name}_part_size": size}
    return {f"{name}_part_size": size, f"{name}_part_source": exact_also(part.source, basis=part.basis)}


IMAGE_SIZE = Driver(
    name=DriverName.IMAGE_SIZE,
    headline=_HEADLINE,
    unit="MB",
    better=Better.LESS,
    value=ValueFunction(one=5, zero=500, scale="log"),
    docs="Compressed bytes that a host without any of the layers pulls for its platform. Where the base's bytes are "
    "out of reach, its published size is added to the measured layers of the application, and the basis says so.",
    further={
        "uncompressed_size": Further(unit="MB", means="bytes of regular files in the final tree"),
        "layers": Further(unit="", means="layers of the image"),
        "files": Further(unit="", means="regular files in the final tree"),
        "wasted_size": Further(unit="MB", means="bytes in lower layers that nothing in the final tree shows"),
        **{
            name: Further(unit="MB", means=f"uncompressed bytes of the {owner.value}")
            for owner, name in _OWNERS.items()
        },
    },
    measure=_measure,
)
