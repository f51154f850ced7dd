"""An image by the name that a user gives it, read from wherever it is."""

import msgspec

from basewright.ecosystems.picks import PICKS
from basewright.oci.layer_index import LayerIndexes
from basewright.oci.platform import host_platform, parse_platform
from basewright.oci.pull import resolve, resolve_any
from basewright.oci.reading import ImageReading, read_image
from basewright.oci.transports.catalog import Doors, open_source, parse_name
from basewright.world import World


def read_named_image(text: str, world: World, *, platform: str | None, hashed: bool) -> ImageReading:
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
    return msgspec.structs.replace(reading, name=str(name))
