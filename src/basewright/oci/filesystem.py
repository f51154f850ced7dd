"""A stack of layers as one root filesystem: whiteouts, opaque directories, hard links across layers.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from collections.abc import Iterable, Sequence

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.tree import Entry, FileType, Tree, directory

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MAX_HOPS = 40


class Flattened(msgspec.Struct, frozen=True, kw_only=True):
    """The final tree, and the bytes of regular files in lower layers that it no longer shows.

    A hard link is in the tree as a file of its own that shares `spool` and `offset` with its other names.
    """

    tree: Tree
    wasted_bytes: int


def flatten(layers: Sequence[Iterable[Entry]]) -> Flattened:
    """Stacks layers, the lowest first. Raises HostileInputError for a hard link to what is not there."""
    stack = _Stack()
    for layer in layers:
        stack.put(tuple(layer))
    tree = Tree()
    for path in sorted(stack.entries):
        tree.add(stack.entries[path])
    return Flattened(tree=tree, wasted_bytes=stack.wasted_bytes)


class _Stack:
    """Entries by path, and the names in every directory."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.children: dict[str, set[str]] = {}
        self.wasted_bytes = 0

    def put(self, layer: Sequence[Entry]) -> None:
        """Whiteouts first: they hide lower layers only, wherever they stand in their own."""
        for entry in layer:
            parent, _, name = entry.path.rpartition("/")
            if name.startswith(_WHITEOUT):
                parent = self._through_links(entry.path).rpartition("/")[0]
                hidden = self.children.get(parent, set()) if name == _OPAQUE else {name.removeprefix(_WHITEOUT)}
                for child in tuple(hidden):
                    self.wasted_bytes += self._drop(_join(parent, child))
        written: set[str] = set()
        for entry in layer:
            if entry.path and not entry.path.rpartition("/")[2].startswith(_WHITEOUT):
                freed = self._place(entry)
                self.wasted_bytes += 0 if entry.path in written else freed
                written.add(entry.path)

    def _drop(self, path: str) -> int:
        """Removes a name with what is below it; returns the bytes of the files that were there."""
        freed = 0
        for child in self.children.pop(path, ()):
            freed += self._drop(_join(path, child))
        entry = self.entries.pop(path, None)
        if entry is None:
            return freed
        parent, _, name = path.rpartition("/")
        self.children.get(parent, set()).discard(name)
        return freed + (entry.size if entry.is_file else 0)

    def _place(self, entry: Entry) -> int:
        """Puts an entry over what is there; returns the bytes that it hides."""
        path = self._through_links(entry.path)
        if entry.type is FileType.HARDLINK:
            target = self.entries.get(self._through_links(entry.link))
            if target is None or target.is_directory:
                raise HostileInputError(f"the hard link {entry.path} leads to {entry.link}, which is not there")
            if target.path == path:
                return 0
            entry = target
        before = self.entries.get(path)
        freed = 0
        if before is not None and not (before.is_directory and entry.is_directory):
            freed = self._drop(path)
        parent = path.rpartition("/")[0]
        missing = []
        while parent and parent not in self.entries:
            missing.append(parent)
            parent = parent.rpartition("/")[0]
        for above in reversed(missing):
            self._keep(directory(above))
        self._keep(msgspec.structs.replace(entry, path=path))
        return freed

    def _keep(self, entry: Entry) -> None:
        self.entries[entry.path] = entry
        parent, _, name = entry.path.rpartition("/")
        self.children.setdefault(parent, set()).add(name)

    def _through_links(self, path: str) -> str:
        """Where a name lands when a directory above it is a symbolic link: inside the root, always."""
        parent, _, name = path.rpartition("/")
        todo, done, hops = parent.split("/"), list[str](), 0
        while todo:
            part = todo.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                done[-1:] = []
                continue
            entry = self.entries.get("/".join([*done, part]))
            if entry is None or entry.type is not FileType.SYMLINK:
                done.append(part)
                continue
            hops += 1
            if hops > _MAX_HOPS:
                raise HostileInputError(f"{path} lies below a symbolic link that loops")
            done = [] if entry.link.startswith("/") else done
            todo = [*entry.link.split("/"), *todo]
        return "/".join([*done, name])


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name
