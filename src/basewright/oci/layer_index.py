"""What a layer holds, kept by its diff id, so that a layer shared by a thousand images is read once."""

from collections.abc import Callable

import msgspec

from basewright.oci.digest import Digest
from basewright.oci.tree import Entry


class Picks(msgspec.Struct, frozen=True, kw_only=True):
    """Which files keep their content while a layer is read: what the ecosystems ask for. A kept index answers for the
    same `version` only."""

    version: int
    wants: Callable[[Entry], bool]


class LayerIndex(msgspec.Struct, frozen=True, kw_only=True):
    """One layer's entries in the archive's order, whiteouts among them. `hashed`: files carry their SHA-256."""

    diff_id: Digest
    uncompressed_bytes: int
    hashed: bool
    entries: tuple[Entry, ...]
