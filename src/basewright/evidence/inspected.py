"""What an inspection says, as records. Nothing here computes: a kept inspection is shown without what made it."""

from enum import StrEnum

import msgspec

from basewright.ecosystems.machine import ForeignProgram
from basewright.facts import Owner, RuntimeFacts
from basewright.oci.digest import Digest
from basewright.oci.filesystem import LayerChanges
from basewright.oci.manifest import History, ImageConfig, ImagePlatform
from basewright.oci.tree import Tree


class KnownBy(StrEnum):
    """How a base is known."""

    ANNOTATION = "annotation"
    LAYERS = "layer digests"
    HISTORY = "history"
    OS_RELEASE = "os-release"


class Foundation(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is based on. `layers`: how many of its lowest layers are the base's, None where that is not known.
    `source` says where it was found."""

    name: str
    by: KnownBy
    digest: str | None = None
    layers: int | None = None
    source: str = ""


class PackageKind(StrEnum):
    """Whose package it is."""

    DEBIAN = "deb"
    ALPINE = "apk"
    PYTHON = "python"
    GO = "go"


class InspectedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, the history line that made it (None where history and layers do not fit), and how many names it added,
    changed and removed."""

    digest: Digest
    diff_id: Digest
    media_type: str
    compressed_bytes: int
    uncompressed_bytes: int
    history: History | None
    added: int
    changed: int
    removed: int


class WastedFile(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a path that nothing shows any more. `written`: the layers (from 0) that brought the path or changed
    it; `removed`: those that took it away."""

    path: str
    bytes: int
    written: tuple[int, ...]
    removed: tuple[int, ...]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The final tree, to be browsed. `origins`: the layer (from 0) that brought a path or changed it last. `owners`: of
    regular files that have one. `changes`: one a layer."""

    tree: Tree
    origins: dict[str, int]
    owners: dict[str, Owner]
    changes: tuple[LayerChanges, ...]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is shown of one image. `files` are names of regular files, `file_bytes` what they take in the
    final tree, `owner_bytes` the same by owner."""

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
    owner_bytes: dict[Owner, int]
    unexplained: tuple[tuple[str, int], ...]
    """Where the most of what nothing explains lies: (path, bytes), folders end in `/`, the largest first."""
    waste: tuple[WastedFile, ...]
    efficiency: float
    foundation: Foundation | None
    distribution: str
    """os-release's name, empty where there is none."""
    runtime: RuntimeFacts
    packages: dict[PackageKind, int]
    foreign: tuple[ForeignProgram, ...]
    warnings: tuple[str, ...]
    contents: Contents | None
    """None in an inspection that was kept (kept_inspections.py)."""

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

    @property
    def browsed(self) -> Contents:
        """The contents, where they are needed. Raises ValueError for an inspection that was kept without them."""
        if self.contents is None:
            raise ValueError(f"{self.name} was inspected without its contents")
        return self.contents
