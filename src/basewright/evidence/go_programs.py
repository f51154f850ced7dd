"""Modules of the Go programs that differ between two images: the packages that no database lists. Pure."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from basewright.ecosystems.golang import is_go_program, parse_go_binary
from basewright.evidence.difference import Difference
from basewright.evidence.inspected import PackageKind
from basewright.evidence.packages import Package, compare_packages, ordered
from basewright.evidence.tree_difference import FileChange
from basewright.oci.tree import Entry

MAX_PROGRAM_BYTES = 64 << 20
MAX_LAYER_BYTES = 128 << 20
"""Of the programs of one layer, since they are held at once. What is beyond either limit is not looked at."""


def differing_programs(difference: Difference) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The Go programs of either side that are not the same in the other, as far as their heads tell."""
    files = difference.files
    changes = (*files.changed, *files.added, *files.removed)
    before, after = (list(_programs(changes, side)) for side in ("before", "after"))
    same = {each.sha256 for each in before} & {each.sha256 for each in after}
    return _bounded(before, same), _bounded(after, same)


def _programs(changes: Sequence[FileChange], side: str) -> Iterator[Entry]:
    for change in changes:
        entry = change.before if side == "before" else change.after
        if entry is not None and entry.is_file and len(entry.head) > 64 and is_go_program(entry.head):
            yield entry


def _bounded(programs: Iterable[Entry], same: set[bytes]) -> tuple[Entry, ...]:
    """One of each content, small ones first."""
    kept, held = list[Entry](), dict[str, int]()
    found = {each.sha256: each for each in programs if each.sha256 not in same and each.size <= MAX_PROGRAM_BYTES}
    for each in sorted(found.values(), key=lambda each: (each.size, each.path)):
        held[each.spool] = held.get(each.spool, 0) + each.size
        if held[each.spool] <= MAX_LAYER_BYTES:
            kept.append(each)
    return tuple(kept)


def with_go_modules(difference: Difference, before: Iterable[bytes], after: Iterable[bytes]) -> Difference:
    """The comparison with what the programs' contents say: their modules, and `stdlib` for the release of Go."""
    changes = compare_packages(_modules(before), _modules(after))
    return msgspec.structs.replace(difference, packages=ordered((*difference.packages, *changes)))


def _modules(programs: Iterable[bytes]) -> Iterator[Package]:
    for data in programs:
        binary = parse_go_binary(data)
        if binary is None:
            continue
        yield Package(kind=PackageKind.GO, name="stdlib", version=binary.go_version.removeprefix("go"))
        main = (binary.main,) if binary.main is not None else ()
        for module in (*main, *binary.modules):
            yield Package(kind=PackageKind.GO, name=module.path, version=module.version)
