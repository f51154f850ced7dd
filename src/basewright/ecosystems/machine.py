"""Which machine programs are for: an image's executables against the architecture that its config states."""

from collections.abc import Iterator

import msgspec

from basewright.oci.tree import Tree

_RUNS: dict[str, tuple[str, ...]] = {
    "386": ("i386",),
    "amd64": ("x86_64", "i386"),
    "arm": ("arm",),
    "arm64": ("aarch64", "arm"),
    "loong64": ("loong64",),
    "ppc64le": ("ppc64",),
    "riscv64": ("riscv64",),
    "s390x": ("s390x",),
}
"""Architecture → its machine as ELF names it, then others whose programs its kernels run: 32-bit ones beside 64-bit
ones are no mistake."""
_ANY_EXECUTE = 0o111


class ForeignProgram(msgspec.Struct, frozen=True, kw_only=True):
    """An executable for a machine that its image's architecture does not run."""

    path: str
    machine: str


def foreign_programs(tree: Tree, architecture: str) -> Iterator[ForeignProgram]:
    """The executables of a root filesystem that `architecture` (as a config states it) does not run, by path. Needs the
    files' heads. Nothing where the architecture is not known here; test data of compilers is no program."""
    runs = _RUNS.get(architecture)
    if runs is None:
        return
    found = list(_programs(tree))
    native = any(each.machine == runs[0] for each in found)
    yield from (each for each in found if each.machine not in (runs if native else runs[:1]))


def _programs(tree: Tree) -> Iterator[ForeignProgram]:
    from basewright.ecosystems.elf import parse_machine

    for entry in tree:
        head = entry.head or (entry.data or b"")[:64]
        if head and entry.is_file and entry.mode & _ANY_EXECUTE and "/testdata/" not in entry.path:
            machine = parse_machine(head)
            if machine is not None:
                yield ForeignProgram(path=entry.path, machine=machine)
