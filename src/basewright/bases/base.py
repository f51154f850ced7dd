"""A base: the layers that a candidate starts from, and what an application must know of them."""

import msgspec

from basewright.facts import CadenceFacts, NotMeasured, RuntimeFacts, SizePart
from basewright.oci.image import Layer
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Tree

NONROOT = 65532
"""The uid and gid of the user that an image without one of its own runs as, as distroless names it."""


class BaseImage(msgspec.Struct, frozen=True, kw_only=True):
    """A base whose bytes are here. Layers are in the build's blob store, the lowest first."""

    name: str
    """For people."""
    layers: tuple[Layer, ...]
    tree: Tree
    """The flattened filesystem; `data` is kept for small files that apps and inventories ask for."""
    runtime: RuntimeFacts
    run_config: RunConfig
    """Env, and the user where it is not root; entry point and command are the candidate's."""
    digest: str | None = None
    packages: tuple[str, ...] = ()
    """Names of the distribution packages in it."""
    notes: tuple[str, ...] = ()
    cadence: CadenceFacts | NotMeasured
    wasted_bytes: int = 0
    download_seconds: float = 0.0
    runtime_paths: frozenset[str] = frozenset()
    """Paths that packages of the interpreter own, where packages tell."""


class UnreachableBase(msgspec.Struct, frozen=True, kw_only=True):
    """A base whose bytes are out of reach: what is published of it, and why."""

    name: str
    reason: str
    hint: str = ""
    """What would bring it into reach, where that is known."""
    runtime: RuntimeFacts
    size: SizePart | None
    layers: int = 0
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cadence: CadenceFacts | NotMeasured
