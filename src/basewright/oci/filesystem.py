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
    """The final tree, and the bytes of regular files in lower layers that nothing in it shows, a hard link once.

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


class _Content:
    """The bytes of one regular file: the layer that brought them, and how many names show them."""

    __slots__ = ("layer", "names", "size")

    def __init__(self, layer: int, size: int) -> None:
        self.layer, self.size, self.names = layer, size, 0


class _Stack:
    """Entries by path, the names in every directory, and whose content every file shows."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.wasted_bytes = 0
        self._children: dict[str, set[str]] = {}
        self._contents: dict[str, _Content] = {}
        self._landed: dict[str, str] = {}
        """Folder → where its names land; forgotten when a symbolic link comes or goes."""
        self._layer = -1

    def put(self, layer: Sequence[Entry]) -> None:
        """Whiteouts first: they hide lower layers only, wherever they stand in their own."""
        self._layer += 1
        for entry in layer:
            name = entry.path.rpartition("/")[2]
            if name.startswith(_WHITEOUT):
                self._hide(entry.path, name)
        for entry in layer:
            if entry.path and not entry.path.rpartition("/")[2].startswith(_WHITEOUT):
                self._place(entry)

    def _hide(self, path: str, name: str) -> None:
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise HostileInputError(f"the whiteout {path} hides no name")
        parent = self._through_links(path).rpartition("/")[0]
        for child in tuple(self._children.get(parent, ())) if name == _OPAQUE else (hidden,):
            self._drop(_join(parent, child))

    def _drop(self, path: str) -> None:
        """Removes a name with what is below it."""
        parent, _, name = path.rpartition("/")
        self._children.get(parent, set()).discard(name)
        todo = [path]
        while todo:
            path = todo.pop()
            todo.extend(_join(path, child) for child in self._children.pop(path, ()))
            gone = self.entries.pop(path, None)
            if gone is not None and gone.type is FileType.SYMLINK:
                self._landed.clear()
            content = self._contents.pop(path, None)
            if content is not None:
                content.names -= 1
                if not content.names and content.layer < self._layer:
                    self.wasted_bytes += content.size

    def _place(self, entry: Entry) -> None:
        """Puts an entry over what is there."""
        path = self._through_links(entry.path)
        content = _Content(self._layer, entry.size) if entry.is_file else None
        if entry.type is FileType.HARDLINK:
            target = self._through_links(entry.link)
            found = self.entries.get(target)
            if found is None or found.is_directory:
                raise HostileInputError(f"the hard link {entry.path} leads to {entry.link}, which is no file there")
            if target == path:
                return
            entry, content = found, self._contents.get(target)
        before = self.entries.get(path)
        if before is not None and not (before.is_directory and entry.is_directory):
            self._drop(path)
        self._make_parents(path)
        self._keep(msgspec.structs.replace(entry, path=path))
        if content is not None:
            content.names += 1
            self._contents[path] = content

    def _make_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        missing = []
        while parent and parent not in self.entries:
            missing.append(parent)
            parent = parent.rpartition("/")[0]
        if parent and not self.entries[parent].is_directory:
            raise HostileInputError(f"{path} lies below {parent}, which is no folder")
        for above in reversed(missing):
            self._keep(directory(above))

    def _keep(self, entry: Entry) -> None:
        self.entries[entry.path] = entry
        if entry.type is FileType.SYMLINK:
            self._landed.clear()
        parent, _, name = entry.path.rpartition("/")
        self._children.setdefault(parent, set()).add(name)

    def _through_links(self, path: str) -> str:
        """Where a name lands when a directory above it is a symbolic link: inside the root, always."""
        parent, _, name = path.rpartition("/")
        landed = self._landed.get(parent)
        if landed is None:
            landed = self._landed[parent] = self._follow(parent)
        return _join(landed, name)

    def _follow(self, path: str) -> str:
        todo, done, hops = path.split("/"), list[str](), 0
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
        return "/".join(done)


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name
