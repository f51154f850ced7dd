"""A root filesystem as values: what a layer is written from, and what a stack of layers looks like."""

from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec

from basewright.errors import HostileInputError

MAX_PATH_BYTES = 4096
DEFAULT_EPOCH = 1_704_067_200
"""2024-01-01: the one date of everything where SOURCE_DATE_EPOCH is not set, so that no commit changes a layer."""
_ODD = ("", ".", "/")
"""What no clean path begins with."""


class FileType(StrEnum):
    """What a name in a filesystem is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    FIFO = "fifo"


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One name. `path` is relative to the root, without `.`, `..` and doubled slashes; bytes that are not UTF-8 are
    surrogate-escaped. `mode` is the twelve permission bits. `link` is a symlink's text or a hard link's path.
    `data` is the content of a file, or None where a reader did not keep it; `size` is in bytes."""

    path: str
    type: FileType
    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    link: str = ""
    data: bytes | None = None
    capabilities: bytes = b""
    """The `security.capability` extended attribute."""
    spool: str = ""
    """The uncompressed archive that holds the content at `offset`, where a reader kept one (layer.py). Two names with
    the same of both are one file."""
    offset: int = 0
    mtime: int = 0
    """Seconds since 1970 as the archive has them; a writer gives every file one date of its own."""
    sha256: bytes = b""
    """Of a file's content, 32 bytes, where a reader was asked for it."""
    head: bytes = b""
    """The first 64 bytes of a file that begins as ELF files do, 4,096 of one that Go's linker made, where a reader kept
    them."""

    @property
    def is_file(self) -> bool:
        return self.type is FileType.FILE

    @property
    def is_directory(self) -> bool:
        return self.type is FileType.DIRECTORY


def file(path: str, data: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Entry:
    """A regular file."""
    return Entry(
        path=clean_path(path), type=FileType.FILE, mode=mode, uid=uid, gid=gid, size=len(data), data=bytes(data)
    )


def directory(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """A directory."""
    return Entry(path=clean_path(path), type=FileType.DIRECTORY, mode=mode, uid=uid, gid=gid)


def symlink(path: str, target: str, *, uid: int = 0, gid: int = 0) -> Entry:
    """A symbolic link; `target` is kept as it is."""
    return Entry(path=clean_path(path), type=FileType.SYMLINK, mode=0o777, uid=uid, gid=gid, link=target)


def clean_path(path: str) -> str:
    """`path` relative to the root and normalised as text; one that climbs out of the root, holds a NUL or is longer
    than MAX_PATH_BYTES raises HostileInputError."""
    short = path[2 if path[:2] == "./" else 0 : -1 if path[-1:] == "/" else None]
    if (  # most need no second look
        short[:1] not in _ODD
        and "//" not in short
        and "/." not in short
        and "\0" not in short
        and short[-1] != "/"
        and len(short) < 1000
    ):
        return short
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise HostileInputError(f"the path {path[:200]!r} leaves the root")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    cleaned = "/".join(parts)
    if "\0" in cleaned:
        raise HostileInputError(f"the path {path[:200]!r} holds a NUL")
    if len(cleaned) > MAX_PATH_BYTES // 4 and len(cleaned.encode("utf-8", "surrogateescape")) > MAX_PATH_BYTES:
        raise HostileInputError(f"the path {path[:80]!r}… is longer than {MAX_PATH_BYTES:,} bytes")
    return cleaned


class Tree:
    """Entries by path. Adding one makes the directories above it (0755 root) where they are missing."""

    def __init__(self, entries: dict[str, Entry] | None = None) -> None:
        """`entries`, if any, are by path and whole: every directory above one is there."""
        self._entries: dict[str, Entry] = {} if entries is None else entries
        self._order: list[str] = []
        """The paths sorted, until one comes or goes: a tree that is looked at is looked at many times."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[Entry]:
        """In the order a layer has them: sorted by path as bytes, so a directory stands before what is in it."""
        self._order = self._order or list(self._sorted())
        for path in self._order:
            yield self._entries[path]

    def _sorted(self) -> Iterator[str]:
        """Folder by folder, which needs no second copy of all paths at once."""
        names: dict[str, list[str]] = {}
        for path in self._entries:
            names.setdefault(path.rpartition("/")[0], []).append(path)
        todo = sorted(names.pop("", ()), key=_sort_key, reverse=True)
        while todo:
            path = todo.pop()
            yield path
            if path in names:
                todo.extend(sorted(names.pop(path), key=_sort_key, reverse=True))

    def get(self, path: str) -> Entry | None:
        return self._entries.get(path)

    def add(self, entry: Entry, *, implied_directory: Callable[[str], Entry] = directory) -> None:
        """Adds or replaces; a directory that replaces a directory changes its mode and owner only."""
        self._order = []
        parent = entry.path.rpartition("/")[0]
        while parent and parent not in self._entries:
            self._entries[parent] = implied_directory(parent)
            parent = parent.rpartition("/")[0]
        self._entries[entry.path] = entry

    def remove(self, path: str) -> None:
        """Removes a name with everything below it."""
        self._order = []
        self._entries.pop(path, None)
        below = path + "/"
        for name in [name for name in self._entries if name.startswith(below)]:
            del self._entries[name]

    def resolve(self, path: str, *, follow_last: bool = True) -> str | None:
        """The path after following symbolic links inside the root (absolute ones start at the root again, `..` stops
        there); None where nothing is there or the links loop."""
        todo = [part for part in path.split("/") if part not in ("", ".")]
        done: list[str] = []
        hops = 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                done[-1:] = []
                continue
            entry = self._entries.get("/".join([*done, part]))
            if entry is None:
                return None
            if entry.type is FileType.SYMLINK and (todo or follow_last):
                hops += 1
                if hops > 40:
                    return None
                if entry.link.startswith("/"):
                    done = []
                todo = [piece for piece in entry.link.split("/") if piece not in ("", ".")] + todo
                continue
            done.append(part)
        return "/".join(done)

    def find(self, path: str) -> Entry | None:
        """The entry that `path` leads to, through symbolic and hard links; None where nothing is there."""
        resolved = self.resolve(path)
        entry = None if resolved is None else self._entries.get(resolved)
        if entry is not None and entry.type is FileType.HARDLINK:
            return self._entries.get(entry.link)
        return entry


def _sort_key(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
