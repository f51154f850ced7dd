"""Which shared libraries the ELF files of a tree need that neither the tree nor its base has.

Search order: ld.so(8) — RPATH, RUNPATH with $ORIGIN, ld.so.conf or musl's path file, the default directories.
"""

from collections.abc import Iterable, Iterator
from posixpath import dirname, normpath

from basewright.ecosystems.elf import Elf, is_elf, parse_elf
from basewright.oci.tree import Entry, FileType, Tree

_TRIPLES = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_DEFAULT = ("lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib")
_MAX_FOUND = 200


def missing_libraries(tree: Tree, base_tree: Tree, *, machine: str) -> tuple[tuple[str, str], ...]:
    """(soname, path of the first file that needs it), sorted by soname.

    A library anywhere in `tree` under that name counts as present: wheels load their own ones by path, in an order
    that no header tells. `machine` is the target's, such as `x86_64`; files for others are left out.
    """
    files = tuple((entry, elf) for entry, elf in _elves(tree) if elf.machine == machine)
    own = {entry.path.rpartition("/")[2] for entry in tree if entry.type is not FileType.DIRECTORY}
    own |= {elf.soname for _, elf in files if elf.soname}
    directories = (*_configured(base_tree, machine), *_default(machine))
    missing: dict[str, str] = {}
    for entry, elf in files:
        for soname in elf.needed:
            if soname in own or soname in missing or len(missing) >= _MAX_FOUND:
                continue
            if not _found(soname, (*_origin(elf, entry.path), *directories), (tree, base_tree)):
                missing[soname] = entry.path
    return tuple(sorted(missing.items()))


def _elves(tree: Tree) -> Iterator[tuple[Entry, Elf]]:
    for entry in tree:
        if entry.is_file and entry.data is not None and is_elf(entry.data):
            elf = parse_elf(entry.data)
            if elf is not None:
                yield entry, elf


def _origin(elf: Elf, path: str) -> Iterator[str]:
    here = "/" + dirname(path)
    for directory in elf.runpath or elf.rpath:
        placed = directory.replace("${ORIGIN}", here).replace("$ORIGIN", here)
        if placed.startswith("/"):
            yield normpath(placed).lstrip("/")


def _default(machine: str) -> tuple[str, ...]:
    triple = _TRIPLES.get(machine, f"{machine}-linux-gnu")
    return (f"lib/{triple}", f"usr/lib/{triple}", f"usr/local/lib/{triple}", *_DEFAULT)


def _configured(base: Tree, machine: str) -> Iterator[str]:
    """Directories that the base's own loader is told of, where a reader kept the files."""
    names = ["etc/ld.so.conf", f"etc/ld-musl-{machine}.path"]
    names += [each.path for each in base if each.path.startswith("etc/ld.so.conf.d/") and each.path.endswith(".conf")]
    for name in names:
        entry = base.find(name)
        text = (entry.data or b"").decode("utf-8", "replace") if entry is not None else ""
        for word in text.replace(":", "\n").splitlines():
            if word.strip().startswith("/"):
                yield normpath(word.strip()).lstrip("/")


def _found(soname: str, directories: Iterable[str], trees: tuple[Tree, ...]) -> bool:
    if "/" in soname:
        return any(each.find(soname) is not None for each in trees)
    return any(tree.find(f"{directory}/{soname}") is not None for directory in directories for tree in trees)
