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
    return Flattened(tree=Tree(stack.entries), wasted_bytes=stack.wasted_bytes)


class _Content:
    """The bytes of a regular file with several names: the layer that brought them, and how many names show them."""

    __slots__ = ("layer", "names", "size")

    def __init__(self, layer: int, size: int) -> None:
        self.layer, self.size, self.names = layer, size, 1


class _Stack:
    """Entries by path, and what it takes to hide them and to count what was hidden."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.wasted_bytes = 0
        self._layer = -1
        self._fresh: set[str] = set()
        """The files that the layer at hand brought itself."""
        self._linked: dict[str, _Content] = {}
        self._children: dict[str, set[str]] | None = None
        """The names in every folder, kept from when a folder is hidden first: most images hide none."""
        self._landed: dict[str, str] = {}
        """Folder → where its names land; forgotten when a symbolic link comes or goes."""

    def put(self, layer: Sequence[Entry]) -> None:
        """Whiteouts first: they hide lower layers only, wherever they stand in their own."""
        self._layer += 1
        self._fresh.clear()
        for entry in layer:
            if _WHITEOUT in entry.path and (name := entry.path.rpartition("/")[2]).startswith(_WHITEOUT):
                self._hide(entry.path, name)
        for entry in layer:
            if entry.path and not (_WHITEOUT in entry.path and entry.path.rpartition("/")[2].startswith(_WHITEOUT)):
                self._place(entry)

    def _hide(self, path: str, name: str) -> None:
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise HostileInputError(f"the whiteout {path} hides no name")
        parent = self._through_links(path).rpartition("/")[0]
        for child in tuple(self._names_in(parent)) if name == _OPAQUE else (hidden,):
            self._drop(_join(parent, child))

    def _names_in(self, folder: str) -> set[str]:
        if self._children is None:
            self._children = {}
            for path in self.entries:
                parent, _, name = path.rpartition("/")
                self._children.setdefault(parent, set()).add(name)
        return self._children.get(folder, set())

    def _drop(self, path: str) -> None:
        """Removes a name with what is below it."""
        if self._children is not None:
            parent, _, name = path.rpartition("/")
            self._names_in(parent).discard(name)
        todo = [path]
        while todo:
            path = todo.pop()
            gone = self.entries.pop(path, None)
            if gone is None:
                continue
            if gone.is_directory:
                todo.extend(_join(path, child) for child in self._names_in(path))
                if self._children is not None:
                    self._children.pop(path, None)
            elif gone.is_file:
                self._count(path, gone)
            elif gone.type is FileType.SYMLINK:
                self._landed.clear()

    def _count(self, path: str, gone: Entry) -> None:
        """Counts the bytes of a file of a lower layer whose last name went."""
        content = self._linked.pop(path, None)
        if content is not None:
            content.names -= 1
            wasted = not content.names and content.layer < self._layer
        else:
            wasted = path not in self._fresh
        self._fresh.discard(path)
        self.wasted_bytes += gone.size if wasted else 0

    def _place(self, entry: Entry) -> None:
        """Puts an entry over what is there."""
        path = self._through_links(entry.path)
        content = None
        if entry.type is FileType.HARDLINK:
            target = self._through_links(entry.link)
            found = self.entries.get(target)
            if found is None or found.is_directory or target.startswith(path + "/"):
                raise HostileInputError(f"the hard link {entry.path} leads to {entry.link}, which is no file there")
            if target == path:
                return
            entry, content = found, self._shared(target, found)
        before = self.entries.get(path)
        if before is not None and not (before.is_directory and entry.is_directory):
            self._drop(path)
        self._make_parents(path)
        self._keep(entry if entry.path == path else msgspec.structs.replace(entry, path=path))
        if content is not None:
            self._linked[path] = content
        elif entry.is_file:
            self._fresh.add(path)

    def _shared(self, path: str, entry: Entry) -> _Content | None:
        """The content of a file that gets one more name."""
        if not entry.is_file:
            return None
        content = self._linked.get(path)
        if content is None:
            layer = self._layer if path in self._fresh else self._layer - 1
            content = self._linked[path] = _Content(layer, entry.size)
        content.names += 1
        return content

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
        if self._children is not None:
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
