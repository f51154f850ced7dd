"""Why two images with the same content are not the same image: times, order, archives, compression, words. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from basewright.evidence.tree_difference import Aspect, compare_entries
from basewright.oci.layer_index import LayerIndex
from basewright.oci.manifest import Descriptor
from basewright.oci.reading import ImageReading, LayerReading
from basewright.oci.tree import Entry

_MAX_EXAMPLES = 3
_PACKINGS = (("zstd", "zstd"), ("gzip", "gzip"))


class Why(StrEnum):
    """What two images can differ in. The first two are differences of content, the others are of the build."""

    FILES = "files"
    CONFIG = "config"
    TIMES = "times"
    LAYERS = "layers"
    ORDER = "order"
    ARCHIVE = "archive"
    COMPRESSION = "compression"
    HISTORY = "history"
    NOTES = "notes"
    ANNOTATIONS = "annotations"
    MEDIA_TYPES = "media types"
    MANIFEST = "manifest"
    ENCODING = "encoding"
    INDEX = "index"

    @property
    def is_content(self) -> bool:
        return self in (Why.FILES, Why.CONFIG)


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which they differ. `count` is of what `why` counts (names, fields, layers); `examples` are paths,
    fields or `before → after`, a few."""

    why: Why
    count: int = 1
    examples: tuple[str, ...] = ()


def reason(why: Why, names: Sequence[str]) -> Iterator[Reason]:
    """One where there are names, none where there are none."""
    if names:
        yield Reason(why=why, count=len(names), examples=tuple(names[:_MAX_EXAMPLES]))


def compare_layers(before: Sequence[LayerReading], after: Sequence[LayerReading]) -> Iterator[Reason]:
    """Compares layer by layer where there are as many, else says that there are not."""
    if len(before) != len(after):
        yield Reason(why=Why.LAYERS, count=abs(len(before) - len(after)), examples=(f"{len(before)} → {len(after)}",))
        return
    seen = _Seen()
    for number, (one, two) in enumerate(zip(before, after, strict=True), 1):
        if one.diff_id != two.diff_id:
            seen.compare(number, one.index, two.index)
        elif one.descriptor.digest != two.descriptor.digest:
            seen.packed.append(packing_change(one.descriptor, two.descriptor))
    yield from seen.reasons()


class _Seen:
    """What differs inside pairs of layers, collected."""

    def __init__(self) -> None:
        self.times: list[str] = []
        self.names: list[str] = []
        self.order: list[str] = []
        self.archive: list[str] = []
        self.packed: list[str] = []

    def reasons(self) -> Iterator[Reason]:
        yield from reason(Why.TIMES, self.times)
        yield from reason(Why.LAYERS, self.names)
        yield from reason(Why.ORDER, self.order)
        yield from reason(Why.ARCHIVE, self.archive)
        if self.packed:
            examples = tuple(dict.fromkeys(self.packed))[:_MAX_EXAMPLES]
            yield Reason(why=Why.COMPRESSION, count=len(self.packed), examples=examples)

    def compare(self, number: int, before: LayerIndex, after: LayerIndex) -> None:
        one, two = ({each.path: each for each in index.entries} for index in (before, after))
        found = [*(one.keys() ^ two.keys())]
        times = []
        for path in one.keys() & two.keys():
            aspects = compare_entries(one[path], two[path])
            if aspects == (Aspect.TIME,):
                times.append(path)
            elif aspects:
                found.append(path)
        self.times += sorted(times)
        self.names += sorted(found)
        order = _order(before.entries, two) != _order(after.entries, one)
        if order:
            self.order.append(f"layer {number}")
        if not (found or times or order):
            self.archive.append(f"layer {number}")


def _order(entries: Iterable[Entry], others: dict[str, Entry]) -> list[str]:
    """The names that both have, as one has them."""
    return [each.path for each in entries if each.path in others]


def packing_change(before: Descriptor, after: Descriptor) -> str:
    """`gzip → zstd`, or `gzip` where another compressor or level made it."""
    one, two = packing(before), packing(after)
    return one if one == two else f"{one} → {two}"


def packing(descriptor: Descriptor) -> str:
    """`gzip`, `zstd` or `uncompressed`, as the media type says."""
    return next((word for end, word in _PACKINGS if descriptor.media_type.endswith(end)), "uncompressed")


def compare_manifests(before: ImageReading, after: ImageReading) -> Iterator[Reason]:
    """Annotations, media types, and what else stands in a manifest."""
    one, two = _annotations(before), _annotations(after)
    yield from reason(Why.ANNOTATIONS, sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key)))
    kinds = zip(_kinds(before), _kinds(after), strict=True)
    yield from reason(Why.MEDIA_TYPES, [f"{first} → {second}" for first, second in kinds if first != second])
    first, second = _rest(before), _rest(after)
    names = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
    yield from reason(Why.MANIFEST, names)


def _annotations(image: ImageReading) -> dict[str, str]:
    """The manifest's own, and those of layers under the layer's number."""
    found = dict(image.manifest.annotations)
    for number, layer in enumerate(image.manifest.layers, 1):
        found |= {f"layer {number}: {key}": value for key, value in layer.annotations.items()}
    return found


def _kinds(image: ImageReading) -> tuple[str, str]:
    """The media types of manifest and config; a layer's follows its compression."""
    return image.manifest.media_type or "no media type", image.manifest.config.media_type


def _rest(image: ImageReading) -> dict[str, object]:
    document: dict[str, object] = json.loads(image.manifest_bytes)
    known = ("schemaVersion", "mediaType", "config", "layers", "annotations")
    return {key: value for key, value in document.items() if key not in known and value}
