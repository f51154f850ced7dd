"""image_size from what is known of an image's parts."""

import pytest

from basewright.drivers.image_size import IMAGE_SIZE
from basewright.facts import Basis, Measurement, NotMeasured, Owner, SizeFacts, SizePart, Unmeasured
from tests.doubles.candidates import context, evidence

WHOLE = SizeFacts(
    parts=(
        SizePart(name="base", compressed_bytes=30_000_000, basis=Basis.MEASURED),
        SizePart(name="dependencies", compressed_bytes=12_500_000, basis=Basis.MEASURED),
    ),
    layers=2,
    uncompressed_bytes=120_000_000,
    files=900,
    owner_bytes={Owner.SYSTEM: 80_000_000, Owner.DEPENDENCIES: 40_000_000},
    wasted_bytes=0,
)


def test_parts_add_up_in_megabytes() -> None:
    found = IMAGE_SIZE.measure(evidence(size=WHOLE), context())
    assert isinstance(found, Measurement)
    assert (found.value, found.unit, found.better) == (42.5, "MB", "less")
    assert found.interval is None
    assert found.samples == (42.5,)
    assert found.basis == (Basis.MEASURED,)
    assert found.also["os_size"].value == 80
    assert found.also["application_size"].value == 0
    assert found.also["dependencies_part_size"].value == 12.5
    assert found.also["files"].value == 900


def test_published_base_and_measured_layers_are_both_named() -> None:
    size = SizeFacts(
        parts=(
            SizePart(name="base", compressed_bytes=3_400_000, basis=Basis.PUBLISHED, source="alpine:3.18, 2025-02-14"),
            SizePart(name="application", compressed_bytes=4_600_000, basis=Basis.MEASURED),
        ),
        layers=2,
    )
    found = IMAGE_SIZE.measure(evidence(size=size), context())
    assert isinstance(found, Measurement)
    assert found.value == pytest.approx(8.0)
    assert found.basis == (Basis.PUBLISHED, Basis.MEASURED)
    assert found.also["base_part_source"].value == "alpine:3.18, 2025-02-14"
    assert found.also["uncompressed_size"].value is None
    assert found.also["uncompressed_size"].basis == ()
    assert "os_size" not in found.also


@pytest.mark.parametrize("size", [NotMeasured(reason="no bytes"), SizeFacts(parts=(), layers=0)])
def test_nothing_known_is_not_zero(size: SizeFacts | NotMeasured) -> None:
    assert isinstance(IMAGE_SIZE.measure(evidence(size=size), context()), Unmeasured)
