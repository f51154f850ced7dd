"""What an inspection says, as rows of printable text that the terminal and Markdown share. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from basewright.evidence.inspected import Foundation, InspectedLayer, Inspection, KnownBy, PackageKind, WastedFile
from basewright.facts import Owner
from basewright.printable import printable
from basewright.view.number import format_bytes, format_count, format_share

MAX_WASTED = 10
MAX_UNEXPLAINED = 6
MAX_VALUE = 300
"""Characters of a value that is shown."""
OWNERS = {
    Owner.SYSTEM: "system packages",
    Owner.RUNTIME: "runtime",
    Owner.DEPENDENCIES: "dependencies",
    Owner.APPLICATION: "application",
    Owner.UNEXPLAINED: "unexplained",
}
_KINDS = {PackageKind.DEBIAN: "deb", PackageKind.ALPINE: "apk", PackageKind.PYTHON: "Python"}
_SHELLS = ("/bin/sh -c #(nop) ", "RUN /bin/sh -c ", "/bin/sh -c ", "RUN ")
Row = tuple[str, ...]


class LayerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One layer; `number` counts from 1."""

    number: int
    pulled: str
    unpacked: str
    added: str
    changed: str
    removed: str
    made_by: str


def summary(inspection: Inspection) -> str:
    """What is pulled, what is in it, what of it is wasted, in one or two sentences."""
    layers = format_count(len(inspection.layers), "layer")
    text = (
        f"{format_bytes(inspection.compressed_bytes)} to pull, {format_bytes(inspection.uncompressed_bytes)} unpacked "
        f"in {layers}; {format_count(inspection.files, 'file')} of {format_bytes(inspection.file_bytes)} in the end."
    )
    if not inspection.waste:
        return f"{text} Nothing is wasted{_efficiency(inspection)}."
    share = inspection.wasted_bytes / (inspection.wasted_bytes + inspection.file_bytes)
    wasted = f"{format_bytes(inspection.wasted_bytes)}, {format_share(share)} of what the layers hold"
    return f"{text} Wasted: {wasted}{_efficiency(inspection)}."


def _efficiency(inspection: Inspection) -> str:
    """As dive has it."""
    return f"; efficiency {inspection.efficiency * 100:.1f} %" if inspection.efficiency < 1 else ""


def facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """What the image is: a word, and what there is to it; what is not there has no row."""
    yield "platform", platform_text(inspection)
    yield "digest", inspection.digest
    if inspection.top_digest != inspection.digest:
        yield "index", inspection.top_digest
    created = inspection.config.created
    if created:
        yield "created", shown(created)
    yield "based on", foundation_text(inspection.foundation, len(inspection.layers))
    yield from _contents(inspection)
    yield from _run(inspection)


def platform_text(inspection: Inspection) -> str:
    """The platform, and that it is the only one where another was asked for."""
    platform = shown(str(inspection.platform))
    if inspection.wanted is None:
        return platform
    return f"{platform}, the only one that there is; asked for was {inspection.wanted}"


def _contents(inspection: Inspection) -> Iterator[tuple[str, str]]:
    runtime = inspection.runtime
    libc = f"{runtime.libc} {runtime.libc_version or ''}".strip() if runtime.libc else ""
    system = [each for each in (inspection.distribution, libc) if each]
    if system:
        yield "system", shown(", ".join(system))
    if runtime.interpreter:
        yield "runtime", shown(f"Python {runtime.python_version or ''} ({runtime.interpreter})".replace("  ", " "))
    if inspection.packages:
        yield "packages", ", ".join(f"{number:,} {_KINDS[kind]}" for kind, number in inspection.packages.items())


def _run(inspection: Inspection) -> Iterator[tuple[str, str]]:
    config = inspection.config.config
    if config.entrypoint:
        yield "entrypoint", _words(config.entrypoint)
    if config.cmd:
        yield ("arguments" if config.entrypoint else "command"), _words(config.cmd)
    yield "user", shown(config.user) or "not set, so root"
    if config.working_dir:
        yield "folder", shown(config.working_dir)
    if config.exposed_ports:
        yield "ports", shown(", ".join(config.exposed_ports))
    if inspection.volumes:
        yield "volumes", shown(", ".join(inspection.volumes))
    if config.stop_signal:
        yield "stop signal", shown(config.stop_signal)


def settings(inspection: Inspection) -> Iterator[tuple[str, str, str]]:
    """Environment and labels: the kind (once), the name, the value."""
    kind = "env"
    for each in inspection.config.config.env or ():
        name, _, value = each.partition("=")
        yield kind, shown(name), shown(value)
        kind = ""
    kind = "label"
    for name, value in sorted((inspection.config.config.labels or {}).items()):
        yield kind, shown(name), shown(value)
        kind = ""


def _words(words: Sequence[str]) -> str:
    import shlex

    return shown(" ".join(shlex.quote(word) if word.isprintable() else word for word in words))


def foundation_text(foundation: Foundation | None, layers: int) -> str:
    """The base and how it is known."""
    if foundation is None:
        return "not known: no annotation, no known layers, no telling history, no os-release"
    name = shown(foundation.name)
    of = f", {foundation.layers} of {format_count(layers, 'layer')}" if foundation.layers else ""
    match foundation.by:
        case KnownBy.ANNOTATION:
            digest = shown(foundation.digest or "").partition(":")[2][:12]
            return f"{name}, by an annotation" + (f" that names {digest}…" if digest else "")
        case KnownBy.LAYERS:
            return f"{name}, by layer digests{of}"
        case KnownBy.HISTORY:
            return f"{name}, by the history{of}"
        case KnownBy.OS_RELEASE:
            return f"{name}, by os-release alone"


def owner_rows(inspection: Inspection) -> list[tuple[str, int, str, float]]:
    """Owner, bytes, bytes as text, share of all; those without bytes are left out."""
    total = inspection.file_bytes or 1
    owned = inspection.owner_bytes
    return [
        (name, owned[owner], format_bytes(owned[owner]), owned[owner] / total)
        for owner, name in OWNERS.items()
        if owned[owner]
    ]


def unexplained_rows(inspection: Inspection) -> tuple[list[Row], int]:
    """Bytes and path of the largest of what nothing explains, and how many more there are."""
    found = inspection.unexplained
    kept = few(len(found), MAX_UNEXPLAINED)
    return [(format_bytes(size), f"/{shown(path)}") for path, size in found[:kept]], len(found) - kept


def layer_rows(inspection: Inspection) -> list[LayerRow]:
    """Every layer, the lowest first."""
    return [_layer_row(number, layer) for number, layer in enumerate(inspection.layers, 1)]


def _layer_row(number: int, layer: InspectedLayer) -> LayerRow:
    return LayerRow(
        number=number,
        pulled=format_bytes(layer.compressed_bytes),
        unpacked=format_bytes(layer.uncompressed_bytes),
        added=f"{layer.added:,}",
        changed=f"{layer.changed:,}",
        removed=f"{layer.removed:,}",
        made_by=made_by(layer),
    )


def made_by(layer: InspectedLayer) -> str:
    """The history line, without what every line of its kind has; else the digest."""
    if layer.history is None or not (layer.history.created_by or layer.history.comment):
        return layer.digest[:19]
    line = " ".join((layer.history.created_by or layer.history.comment).split()).removesuffix(" # buildkit")
    line = next((line.removeprefix(each) for each in _SHELLS if line.startswith(each)), line)
    return shown(line.removeprefix("/bin/sh -c "))


def wasted_rows(inspection: Inspection) -> tuple[list[Row], int]:
    """Bytes, path and what became of the largest wasted files, and how many more there are."""
    kept = few(len(inspection.waste), MAX_WASTED)
    return [wasted_row(each) for each in inspection.waste[:kept]], len(inspection.waste) - kept


def wasted_row(each: WastedFile) -> Row:
    """`4.10 MB`, the path, `layers 1, 2; gone in 3`."""
    words = "layer" if len(each.written) == 1 else "layers"
    gone = f"; gone in {_numbers(each.removed)}" if each.removed else ""
    return format_bytes(each.bytes), f"/{shown(each.path)}", f"{words} {_numbers(each.written)}{gone}"


def _numbers(layers: Sequence[int]) -> str:
    """`1`, `1, 2, 3`, the middle of a long list left out; counted from 1."""
    words = [str(each + 1) for each in layers]
    return ", ".join(words if len(words) < 5 else [*words[:2], "…", words[-1]])


def shown(text: str) -> str:
    """Text from the image, printable and of a bounded length."""
    text = printable(text[: MAX_VALUE + 1])
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def few(number: int, limit: int) -> int:
    """How many of `number` to show where there is room for `limit`: "and 1 more" takes the same line."""
    return number if number <= limit + 1 else limit
