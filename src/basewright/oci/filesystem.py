"""A stack of layers as one root filesystem: whiteouts, opaque directories, hard links across layers.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from collections.abc import Iterable, Sequence

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.tree import Entry, FileType, Tree, directory

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
"""aufs kept books in the root under such names: no part of the tree for docker, containerd and podman."""
_AUFS_LINKED = ".wh..wh.plnk"
"""A folder of them, with what hard links of the same layer lead to."""
_MAX_HOPS = 40


class LayerChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one layer did to the filesystem below it, by path. A folder that comes again as it was is no change; a file
    that comes again is one, whatever its content; what a whiteout hides and the same layer brings again is changed."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class WastedPath(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A regular file of lower layers that nothing in the final tree shows: the bytes of all its lost contents."""

    path: str
    bytes: int


class Origins(dict[str, int]):
    """Path in the final tree → the number of its layer. Those of the lowest layer that has any are not stored: most
    images have most of their paths there."""

    def __init__(self) -> None:
        super().__init__()
        self.lowest = -1

    def __missing__(self, path: str) -> int:
        return self.lowest

    def get(self, path: str, default: object = None) -> int:
        return self[path]

    def note(self, path: str, layer: int) -> None:
        """Lets a path come from `layer`; the first that is noted is the lowest."""
        if self.lowest < 0:
            self.lowest = layer
        if layer != self.lowest:
            self[path] = layer
        elif self:
            self.pop(path, None)


class Flattened(msgspec.Struct, frozen=True, kw_only=True):
    """The final tree, and how it came to be. `origins`: the number of the layer (from 0) that brought a path or changed
    it last. `changes`: one a layer. `waste`: the largest first, a hard link once.

    A hard link is in the tree as a file of its own that shares `spool` and `offset` with its other names.
    """

    tree: Tree
    origins: Origins
    changes: tuple[LayerChanges, ...]
    waste: tuple[WastedPath, ...]

    @property
    def wasted_bytes(self) -> int:
        return sum(each.bytes for each in self.waste)


def flatten(layers: Iterable[Iterable[Entry]]) -> Flattened:
    """Stacks layers, the lowest first. Raises HostileInputError for a hard link to what is not there, a name below what
    is no folder or below a link that loops, and a whiteout that hides no name."""
    stack = _Stack()
    changes = []
    for number, layer in enumerate(layers, start=1):
        try:
            changes.append(stack.put(layer if isinstance(layer, tuple) else tuple(layer)))
        except HostileInputError as error:
            raise HostileInputError(f"layer {number}: {error.message}", hint=error.hint) from None
    waste = (WastedPath(path=path, bytes=size) for path, size in stack.waste.items())
    return Flattened(
        tree=Tree(stack.entries),
        origins=stack.origins,
        changes=tuple(changes),
        waste=tuple(sorted(waste, key=lambda each: (-each.bytes, each.path))),
    )


class _Content:
    """The bytes of a regular file with several names: the layer that brought them, and how many names show them."""

    __slots__ = ("layer", "names", "size")

    def __init__(self, layer: int, size: int) -> None:
        self.layer, self.size, self.names = layer, size, 1


class _Stack:
    """Entries by path, and what it takes to hide them and to count what was hidden."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.origins = Origins()
        self.waste: dict[str, int] = {}
        self._layer = -1
        self._before: dict[str, Entry | None] | None = None
        """What the layer at hand found where it changed something; None where it found nothing at all."""
        self._linked: dict[str, _Content] = {}
        self._children: dict[str, set[str]] | None = None
        """The names in every folder, kept from when a folder is hidden first: most images hide none."""
        self._landed: dict[str, str] = {}
        """Folder → where its names land, there by now; forgotten when anything but a file goes."""
        self._aufs_linked: dict[str, Entry] = {}
        """The files of the layer at hand that only hard links show, by their last names, as the engines do."""

    def put(self, layer: Sequence[Entry]) -> LayerChanges:
        """Whiteouts first: they hide lower layers only, wherever they stand in their own."""
        self._layer += 1
        self._before = {} if self.entries else None
        self._aufs_linked.clear()
        for entry in layer:
            if _WHITEOUT in entry.path:
                self._mark(entry)
        self._landed.clear()  # whiteouts look where nothing may be yet
        for entry in layer:
            if entry.path and not (_WHITEOUT in entry.path and _is_marker(entry.path)):
                self._place(entry)
        return self._changes()

    def _mark(self, entry: Entry) -> None:
        """Obeys a whiteout; an entry that is none, though it looks a little like one, is passed over."""
        name = entry.path.rpartition("/")[2]
        if not entry.path.startswith(_AUFS) or entry.path == _OPAQUE:
            if name.startswith(_WHITEOUT):
                self._hide(entry.path, name)
        elif entry.path.startswith(_AUFS_LINKED) and entry.is_file:
            self._aufs_linked[name] = entry

    def _changes(self) -> LayerChanges:
        if self._before is None:
            return LayerChanges(added=tuple(self.entries), changed=(), removed=())
        added, changed, removed = [], [], []
        for path, before in self._before.items():
            now = self.entries.get(path)
            if now is None:
                if before is not None:
                    removed.append(path)
            elif before is None:
                added.append(path)
            elif not _is_same_folder(before, now):
                changed.append(path)
        return LayerChanges(added=tuple(added), changed=tuple(changed), removed=tuple(removed))

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
            if self._before is not None:
                self._before.setdefault(path, gone)
            if gone.is_directory:
                todo.extend(_join(path, child) for child in self._names_in(path))
                if self._children is not None:
                    self._children.pop(path, None)
            elif gone.is_file:
                self._count(path, gone)
            if not gone.is_file:
                self._landed.clear()
            self.origins.pop(path, None)

    def _count(self, path: str, gone: Entry) -> None:
        """Counts the bytes of a file of a lower layer whose last name went."""
        content = self._linked.pop(path, None)
        layer = self.origins[path]
        if content is not None:
            layer = content.layer
            content.names -= 1
            if content.names:
                return
        if layer < self._layer and gone.size:
            self.waste[path] = self.waste.get(path, 0) + gone.size

    def _place(self, entry: Entry) -> None:
        """Puts an entry over what is there."""
        path = self._through_links(entry.path)
        content = None
        if entry.type is FileType.HARDLINK and entry.link.startswith(_AUFS_LINKED):
            found = self._aufs_linked.get(entry.link.rpartition("/")[2])
            if found is None:
                raise HostileInputError(f"the hard link {entry.path} leads to {entry.link}, which is no file there")
            entry = found
        elif entry.type is FileType.HARDLINK:
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

    def _shared(self, path: str, entry: Entry) -> _Content | None:
        """The content of a file that gets one more name."""
        if not entry.is_file:
            return None
        content = self._linked.get(path)
        if content is None:
            content = self._linked[path] = _Content(self.origins[path], entry.size)
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
        path, before = entry.path, self.entries.get(entry.path)
        if self._before is not None:
            self._before.setdefault(path, before)
        self.entries[path] = entry
        if before is None or not _is_same_folder(before, entry):
            self.origins.note(path, self._layer)
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
        todo, here, hops = path.split("/")[::-1], "", 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            there = _join(here, part)
            entry = self.entries.get(there)
            if entry is None or entry.type is not FileType.SYMLINK:
                here = there
                continue
            hops += 1
            if hops > _MAX_HOPS:
                raise HostileInputError(f"{path} lies below a symbolic link that loops")
            here = "" if entry.link.startswith("/") else here
            todo.extend(entry.link.split("/")[::-1])
        return here


def _is_marker(path: str) -> bool:
    """Whether an entry is nothing by itself: a whiteout, or what aufs kept."""
    return path.startswith(_AUFS) or path.rpartition("/")[2].startswith(_WHITEOUT)


def _is_same_folder(before: Entry, now: Entry) -> bool:
    """Layers list the folders above what they bring, changed or not."""
    return (
        before.is_directory
        and now.is_directory
        and (before.mode, before.uid, before.gid) == (now.mode, now.uid, now.gid)
    )


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name
