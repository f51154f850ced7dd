"""An image by the name that a user gives it, read from wherever it is."""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from basewright.ecosystems.picks import PICKS
from basewright.evidence.found_image import FoundImage, find_named_image
from basewright.oci.layer import read_layer
from basewright.oci.layer_index import LayerIndexes
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.reading import ImageReading, LayerReading, layer_place, read_image
from basewright.oci.span import checked
from basewright.oci.transports.transport import Source
from basewright.oci.tree import Entry
from basewright.world import World


class OpenImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was read, and can be asked for more."""

    reading: ImageReading
    source: Source
    limits: LayerLimits

    def contents(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """The contents of files of the reading, in no order; their layers are read once more."""
        wanted: dict[str, set[int]] = {}
        for entry in entries:
            wanted.setdefault(entry.spool, set()).add(entry.offset)
        for layer in {each.diff_id: each for each in self.reading.layers}.values():
            offsets = wanted.get(layer_place(layer.diff_id))
            if offsets:
                yield from self._layer_contents(layer, offsets)

    def _layer_contents(self, layer: LayerReading, offsets: Container[int]) -> Iterator[bytes]:
        index = read_layer(
            checked(self.source.blob(layer.descriptor), layer.descriptor, name=self.source.name),
            name=f"the layer {layer.descriptor.checked_digest.short} of {self.source.name}",
            compressed_bytes=layer.descriptor.size,
            keep=lambda entry: entry.offset in offsets,
            limits=self.limits,
        )
        return (entry.data for entry in index.entries if entry.data is not None)


@contextmanager
def open_named_image(text: str, world: World, *, platform: str | None, hashed: bool) -> Iterator[OpenImage]:
    """Finds one platform's image (found_image.py) and reads it. With `hashed` files have their SHA-256. Raises
    InputError, HostileInputError, OutOfReachError."""
    with find_named_image(text, world, platform=platform) as image:
        reading = read_found_image(image, world, hashed=hashed)
        yield OpenImage(reading=reading, source=image.source, limits=image.limits)


def read_found_image(image: FoundImage, world: World, *, hashed: bool) -> ImageReading:
    """Reads an image; indexes of its layers are kept in the user's cache. With `hashed` files have their SHA-256.
    Raises InputError, HostileInputError, OutOfReachError."""
    reading = read_image(
        image.source,
        image.resolved,
        picks=PICKS,
        hashed=hashed,
        indexes=LayerIndexes(world.cache / "indexes"),
        limits=image.limits,
        progress=world.progress,
    )
    return msgspec.structs.replace(reading, name=image.name)
