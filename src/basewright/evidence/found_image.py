"""An image by the name that a user gives it, found wherever it is: manifest and config are known, no layer was read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import ImagePlatform
from basewright.oci.platform import host_platform, parse_platform
from basewright.oci.resolution import Resolved, resolve, resolve_any
from basewright.oci.transports.catalog import open_source
from basewright.oci.transports.image_name import parse_name, told_apart
from basewright.oci.transports.transport import LocalSource, Source

if TYPE_CHECKING:
    from basewright.world import World


class FoundImage(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. `wanted` is the platform that was asked for; the source is open as long as the block that
    found it lasts."""

    name: str
    wanted: ImagePlatform
    source: Source
    resolved: Resolved
    limits: LayerLimits


@contextmanager
def find_named_image(text: str, world: "World", *, platform: str | None) -> Iterator[FoundImage]:
    """Without `platform` it is linux on this machine's processor, or the only other one that there is. Raises
    InputError, HostileInputError, OutOfReachError."""
    wanted = host_platform() if platform is None else parse_platform(platform)
    name = parse_name(text)
    if word := told_apart(text):
        world.notice(word)
    with open_source(name, world.doors, platform=wanted) as source:
        resolved = (resolve_any if platform is None else resolve)(source, platform=wanted)
        _require_layers(source, resolved)
        yield FoundImage(name=str(name), wanted=wanted, source=source, resolved=resolved, limits=world.settings.limits)


def _require_layers(source: Source, resolved: Resolved) -> None:
    """What is kept of an earlier look needs no layer read, and yet a layout that has lost one is refused."""
    if isinstance(source, LocalSource):
        for each in resolved.manifest.layers:
            source.require(each)
