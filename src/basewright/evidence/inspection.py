"""What an image is, told from its bytes: why it is so large, who owns the bytes, what is wasted, what it is based on.

Pure: an image that was read goes in, a record comes out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from basewright.bases.look import os_release, runtime_of
from basewright.ecosystems.machine import ForeignProgram, foreign_programs
from basewright.evidence.foundation import find_foundation
from basewright.evidence.inspected import Contents, InspectedLayer, Inspection, WastedFile
from basewright.evidence.ownership import find_owners
from basewright.evidence.packages import read_packages
from basewright.oci.efficiency import efficiency
from basewright.oci.filesystem import Flattened, LayerChanges, flatten
from basewright.oci.manifest import History, ImagePlatform
from basewright.oci.platform import unmet
from basewright.oci.reading import ImageReading, LayerReading
from basewright.oci.tree import Tree

_MAX_NAMED = 10
_UNREAD_DATABASES = {
    "var/lib/rpm": "RPM",
    "usr/lib/sysimage/rpm": "RPM",
    "usr/share/rpm": "RPM",
    "var/lib/pacman/local": "pacman",
    "nix/store": "Nix",
    "var/lib/opkg": "opkg",
    "usr/lib/opkg": "opkg",
    "var/db/pkg": "Portage",
    "var/db/xbps": "XBPS",
}


def inspect_reading(reading: ImageReading, *, wanted: ImagePlatform) -> Inspection:
    """Looks at an image whose layers were read with the ecosystems' picks. `wanted` is the platform that was asked
    for."""
    entries = [layer.index.entries for layer in reading.layers]
    stored_once = efficiency(entries)  # first: the memory that it takes for a while is free for the tree then
    flattened = flatten(entries)
    tree, config = flattened.tree, reading.config
    ownership = find_owners(tree, config.config)
    release = os_release(tree)
    distribution = release.get("PRETTY_NAME") or " ".join(
        release[key] for key in ("NAME", "VERSION") if release.get(key)
    )
    packages = Counter(each.kind for each in read_packages(tree))
    foreign = tuple(foreign_programs(tree, config.architecture))
    platform = ImagePlatform(os=config.os, architecture=config.architecture, variant=config.variant)
    return Inspection(
        name=reading.name,
        top_digest=reading.top_digest,
        digest=reading.digest,
        platform=platform,
        wanted=unmet(wanted, platform),
        config=config,
        volumes=_volumes(reading.config_bytes),
        layers=tuple(_layers(reading.layers, config.history, flattened.changes)),
        files=sum(ownership.owner_files.values()),
        file_bytes=sum(ownership.owner_bytes.values()),
        owner_bytes=ownership.owner_bytes,
        unexplained=ownership.unexplained,
        waste=tuple(_waste(flattened)),
        efficiency=stored_once,
        foundation=find_foundation(reading, distribution),
        distribution=distribution,
        runtime=runtime_of(tree, config.config.env or ()),
        packages=dict(sorted(packages.items())),
        foreign=foreign,
        warnings=tuple(_warnings(reading, tree, foreign)),
        contents=Contents(tree=tree, origins=flattened.origins, owners=ownership.by_path, changes=flattened.changes),
    )


class _RunWithVolumes(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    volumes: dict[str, msgspec.Raw] | None = None


class _ConfigWithVolumes(msgspec.Struct, frozen=True, kw_only=True):
    config: _RunWithVolumes | None = None


def _volumes(config_bytes: bytes) -> tuple[str, ...]:
    """Folders whose content is no part of the image once it runs; none where the field is not as engines write it."""
    try:
        config = msgspec.json.decode(config_bytes, type=_ConfigWithVolumes).config
    except msgspec.DecodeError:
        return ()
    return tuple(sorted(config.volumes or ())) if config is not None else ()


def _layers(
    layers: Sequence[LayerReading], history: Sequence[History], changes: Sequence[LayerChanges]
) -> Iterator[InspectedLayer]:
    lines: list[History | None] = [each for each in history if not each.empty_layer]
    if len(lines) != len(layers):
        lines = [None] * len(layers)
    for layer, line, change in zip(layers, lines, changes, strict=True):
        yield InspectedLayer(
            digest=layer.descriptor.checked_digest,
            diff_id=layer.diff_id,
            media_type=layer.descriptor.media_type,
            compressed_bytes=layer.descriptor.size,
            uncompressed_bytes=layer.index.uncompressed_bytes,
            history=line,
            added=len(change.added),
            changed=len(change.changed),
            removed=len(change.removed),
        )


def _waste(flattened: Flattened) -> Iterator[WastedFile]:
    """With the layers that wrote and took away each path."""
    written: dict[str, list[int]] = {each.path: [] for each in flattened.waste}
    removed: dict[str, list[int]] = {each.path: [] for each in flattened.waste}
    for number, changes in enumerate(flattened.changes if flattened.waste else ()):
        for paths, found in ((changes.added, written), (changes.changed, written), (changes.removed, removed)):
            for path in paths:
                if path in found:
                    found[path].append(number)
    for each in flattened.waste:
        yield WastedFile(
            path=each.path, bytes=each.bytes, written=tuple(written[each.path]), removed=tuple(removed[each.path])
        )


def _warnings(reading: ImageReading, tree: Tree, foreign: Sequence[ForeignProgram]) -> Iterator[str]:
    for machine in dict.fromkeys(each.machine for each in foreign):
        paths = [f"/{each.path}" for each in foreign if each.machine == machine]
        named = ", ".join(paths[:_MAX_NAMED]) + (f" and {len(paths) - _MAX_NAMED:,} more" * (len(paths) > _MAX_NAMED))
        what = "1 executable is" if len(paths) == 1 else f"{len(paths):,} executables are"
        yield f"{what} for {machine}, and the config says {reading.config.architecture}: {named}"
    history = sum(not each.empty_layer for each in reading.config.history)
    if reading.config.history and history != len(reading.layers):
        layers = "1 layer" if history == 1 else f"{history:,} layers"
        yield f"the history tells of {layers}, and there are {len(reading.layers):,}"
    for name in dict.fromkeys(name for path, name in _UNREAD_DATABASES.items() if path in tree):
        yield f"the package database of {name} is not read here: what it installed is unexplained"
