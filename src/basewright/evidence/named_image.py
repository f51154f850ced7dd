"""An image by the name that a user gives it, read from wherever it is."""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from basewright.ecosystems.picks import PICKS
from basewright.oci.layer import LayerLimits, read_layer
from basewright.oci.layer_index import LayerIndexes
from basewright.oci.platform import host_platform, parse_platform
from basewright.oci.pull import resolve, resolve_any
from basewright.oci.reading import ImageReading, LayerReading, layer_place, read_image
from basewright.oci.span import checked
from basewright.oci.transports.catalog import Doors, open_source, parse_name
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
    """Reads one platform's image; indexes of its layers are kept in the user's cache. Without `platform` it is linux on
    this machine's processor, or the only other one that there is. With `hashed` files have their SHA-256.
    Raises InputError, HostileInputError, OutOfReachError."""
    wanted = host_platform() if platform is None else parse_platform(platform)
    settings = world.settings
    doors = Doors(
        http=world.http,
        process=world.process,
        registries=settings.registries,
        created=world.created,
        limits=settings.limits,
    )
    name = parse_name(text)
    with open_source(name, doors, platform=wanted) as source:
        resolved = (resolve_any if platform is None else resolve)(source, platform=wanted)
        reading = read_image(
            source,
            resolved,
            picks=PICKS,
            hashed=hashed,
            indexes=LayerIndexes(world.cache / "indexes"),
            limits=settings.limits,
            progress=world.progress,
        )
        yield OpenImage(reading=msgspec.structs.replace(reading, name=str(name)), source=source, limits=settings.limits)


def read_named_image(text: str, world: World, *, platform: str | None, hashed: bool) -> ImageReading:
    """As `open_named_image`, for who needs nothing more."""
    with open_named_image(text, world, platform=platform, hashed=hashed) as image:
        return image.reading
