"""Bytes by owner: which of an image's files are the system's, the runtime's, the dependencies', the application's."""

from collections.abc import Callable

from basewright.facts import Owner, SizeFacts, SizePart
from basewright.oci.tree import Tree


def size_facts(
    parts: tuple[SizePart, ...],
    *,
    layers: int,
    base: Tree,
    is_runtime: Callable[[str], bool],
    dependencies: Tree,
    application: Tree,
    wasted_bytes: int = 0,
) -> SizeFacts:
    """Sizes of an image whose bytes are here. A file of a higher tree hides the one of the same path below it."""
    owners = dict.fromkeys((Owner.SYSTEM, Owner.RUNTIME, Owner.DEPENDENCIES, Owner.APPLICATION), 0)
    seen: set[tuple[str, int]] = set()
    files = 0
    for tree, owner in ((application, Owner.APPLICATION), (dependencies, Owner.DEPENDENCIES), (base, Owner.SYSTEM)):
        for entry in tree:
            if not entry.is_file or (tree is not application and _hidden(entry.path, tree, application, dependencies)):
                continue
            files += 1
            if entry.spool and (entry.spool, entry.offset) in seen:
                continue  # a further name of the same file
            seen.add((entry.spool, entry.offset))
            whose = Owner.RUNTIME if owner is Owner.SYSTEM and is_runtime(entry.path) else owner
            owners[whose] += entry.size
    wasted = wasted_bytes + sum(
        entry.size for entry in base if entry.is_file and (entry.path in dependencies or entry.path in application)
    )
    return SizeFacts(
        parts=parts,
        layers=layers,
        uncompressed_bytes=sum(owners.values()),
        files=files,
        owner_bytes=owners,
        wasted_bytes=wasted,
    )


def _hidden(path: str, tree: Tree, application: Tree, dependencies: Tree) -> bool:
    return path in application or (tree is not dependencies and path in dependencies)
