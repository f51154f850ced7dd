"""What an image is, told from its bytes: why it is so large, who owns the bytes, what is wasted, what it is based on.

Pure: an image that was read goes in, a record comes out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from basewright.bases.look import os_release, runtime_of
from basewright.ecosystems.machine import ForeignProgram, foreign_programs
from basewright.evidence.foundation import Foundation, find_foundation
from basewright.evidence.ownership import Ownership, find_owners
from basewright.evidence.packages import PackageKind, read_packages
from basewright.facts import RuntimeFacts
from basewright.oci.digest import Digest
from basewright.oci.efficiency import efficiency
from basewright.oci.filesystem import Flattened, LayerChanges, flatten
from basewright.oci.manifest import History, ImageConfig, ImagePlatform
from basewright.oci.platform import distance
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


class InspectedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, the history line that made it (None where history and layers do not fit), and what it did."""

    digest: Digest
    diff_id: Digest
    media_type: str
    compressed_bytes: int
    uncompressed_bytes: int
    history: History | None
    changes: LayerChanges


class WastedFile(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a path that nothing shows any more. `written`: the layers (from 0) that brought the path or changed
    it; `removed`: those that took it away."""

    path: str
    bytes: int
    written: tuple[int, ...]
    removed: tuple[int, ...]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is shown of one image. `files` are names of regular files, `file_bytes` what they take in the
    final tree. `origins`: the layer (from 0) that brought a path or changed it last."""

    name: str
    top_digest: Digest
    digest: Digest
    platform: ImagePlatform
    wanted: ImagePlatform | None
    """The platform that was asked for, where the image exists for this other one only."""
    config: ImageConfig
    volumes: tuple[str, ...]
    layers: tuple[InspectedLayer, ...]
    files: int
    file_bytes: int
    ownership: Ownership
    waste: tuple[WastedFile, ...]
    efficiency: float
    foundation: Foundation | None
    distribution: str
    """os-release's name, empty where there is none."""
    runtime: RuntimeFacts
    packages: dict[PackageKind, int]
    foreign: tuple[ForeignProgram, ...]
    warnings: tuple[str, ...]
    tree: Tree
    origins: dict[str, int]

    @property
    def compressed_bytes(self) -> int:
        """Of the layers as they are pulled."""
        return sum(layer.compressed_bytes for layer in self.layers)

    @property
    def uncompressed_bytes(self) -> int:
        """Of the layers' archives."""
        return sum(layer.uncompressed_bytes for layer in self.layers)

    @property
    def wasted_bytes(self) -> int:
        """In lower layers, of what nothing in the final tree shows."""
        return sum(each.bytes for each in self.waste)


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
        wanted=wanted if distance(wanted, platform) is None else None,
        config=config,
        volumes=_volumes(reading.config_bytes),
        layers=tuple(_layers(reading.layers, config.history, flattened.changes)),
        files=sum(ownership.owner_files.values()),
        file_bytes=sum(ownership.owner_bytes.values()),
        ownership=ownership,
        waste=tuple(_waste(flattened)),
        efficiency=stored_once,
        foundation=find_foundation(reading, distribution),
        distribution=distribution,
        runtime=runtime_of(tree, config.config.env or ()),
        packages=dict(sorted(packages.items())),
        foreign=foreign,
        warnings=tuple(_warnings(reading, tree, foreign)),
        tree=tree,
        origins=flattened.origins,
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
            changes=change,
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
