"""Writes a root filesystem to disk, once per key, so that programs can run in it.

Safe between processes and after kill -9: a root appears whole or not at all, is locked (flock) while a process uses it,
and the least recently used ones go when all of them together take too much room.
"""
# Thousands of files a root: pathlib doubles the time.
# ruff: noqa: PTH101, PTH102, PTH114, PTH118, PTH211

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from basewright._disk import disk_error
from basewright.errors import HostileInputError
from basewright.oci.filesystem import flatten
from basewright.oci.tree import Entry, FileType, Tree, directory, file

DEFAULT_MAX_BYTES = 6 << 30
_VERSION = 3
_PARTIAL, _DOOMED = ".new-", ".old-"
_MOUNT_POINTS = (("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("tmp", 0o1777))
_TIME = 1704067200
"""One date for all files, as in the layers that are written here. Files of foreign layers keep theirs: Python compiles
anew what is not as old as its bytecode says."""
_MAX_TIME = 1 << 33

Read = Callable[[Entry], bytes]


def read_spooled(spool_directory: Path) -> Read:
    """A reader of contents that were left in uncompressed layers (`Entry.spool`, `Entry.offset`)."""

    def read(entry: Entry) -> bytes:
        if entry.data is not None or not entry.size:
            return entry.data or b""
        path = spool_directory / entry.spool
        try:
            with path.open("rb") as spool:
                spool.seek(entry.offset)
                data = spool.read(entry.size)
        except OSError as error:
            raise disk_error(path, error) from None
        if len(data) != entry.size:
            raise HostileInputError(f"{entry.path} is cut short")
        return data

    return read


class RootStore:
    """Root filesystems under one directory. Those that were asked for stay until this is closed."""

    def __init__(self, roots_directory: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.directory = roots_directory
        self._max_bytes = max_bytes
        self._held: dict[str, int] = {}

    def materialise(
        self,
        trees: Sequence[Iterable[Entry]],
        *,
        key: str,
        read: Read | None = None,
        directories: Sequence[str] = (),
    ) -> Path:
        """The directory of the root that `key` (a digest of its contents) stands for, written where it is not there.

        `trees` are stacked, the lowest first; a file's content is its `data`, else what `read` answers. Owners are kept
        where this user may set them, setuid bits never, devices are not made. What an engine adds to any root is added:
        mount points, an empty /etc/hosts, and `directories` (the working directory).
        Raises HostileInputError, OutOfReachError.
        """
        who = "root" if os.geteuid() == 0 else f"user-{os.geteuid()}"
        text = "\0".join((str(_VERSION), who, key, *directories))
        name = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._hold(name):
                self._sweep()
                self._write(name, _with_mount_points(flatten(_in_order(trees)).tree, directories), read)
        except OSError as error:
            raise disk_error(self.directory / name, error) from None
        return self.directory / name / "root"

    def _hold(self, name: str) -> bool:
        """Takes a shared lock of a root that is there."""
        if name in self._held:
            return True
        path = self.directory / name
        while True:
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    os.utime(descriptor)
                    self._held[name] = descriptor
                    return True
            os.close(descriptor)  # removed between opening and locking

    def _write(self, name: str, tree: Tree, read: Read | None) -> None:
        partial, lock = self._begin()
        try:
            size = write_tree(tree, partial / "root", read=read)
            (partial / "bytes").write_text(str(size), encoding="ascii")
            with suppress(OSError):  # another process was first, and its root is as good
                partial.rename(self.directory / name)
        finally:
            os.close(lock)
            if partial.exists():
                remove_tree(partial)
        if not self._hold(name):
            raise FileNotFoundError(2, "it was removed while it was being used")

    def _begin(self) -> tuple[Path, int]:
        """A new directory, and the lock that keeps other processes from sweeping it."""
        while True:
            partial = self.directory / f"{_PARTIAL}{secrets.token_hex(8)}"
            partial.mkdir(mode=0o700)
            with suppress(FileNotFoundError):  # swept before it was locked
                lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(lock, fcntl.LOCK_SH)
                if partial.exists():
                    return partial, lock
                os.close(lock)

    def _sweep(self) -> None:
        """Removes what interrupted runs left, and the least recently used roots above the limit."""
        whole: list[tuple[float, int, Path]] = []
        for path in self.directory.iterdir():
            if path.name.startswith((_PARTIAL, _DOOMED)):
                _remove_unused(path)
                continue
            with suppress(OSError, ValueError):
                size = int((path / "bytes").read_text(encoding="ascii"))
                whole.append((path.stat().st_mtime, size, path))
        total = sum(size for _, size, _ in whole)
        for _, size, path in sorted(whole):
            if total <= self._max_bytes:
                break
            if path.name not in self._held and _remove_unused(path):
                total -= size

    def close(self) -> None:
        """Lets go of every root; they stay on disk."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_tree(tree: Tree, root: Path, *, read: Read | None = None) -> int:
    """Writes a flattened tree into the new directory `root`, and returns the bytes of its files. No symbolic link is
    followed: the tree has a directory above every entry. Raises OSError, HostileInputError."""
    owns = os.geteuid() == 0
    base = os.fspath(root)
    names: dict[tuple[str, int], str] = {}
    directories: list[tuple[str, Entry]] = []
    total = 0
    os.mkdir(base, 0o755)
    os.chmod(base, 0o755)
    for entry in tree:
        path = f"{base}/{entry.path}"
        match entry.type:
            case FileType.DIRECTORY:
                os.mkdir(path, 0o700)
                directories.append((path, entry))
                continue
            case FileType.FILE:
                first = names.setdefault((entry.spool, entry.offset), path) if entry.spool else path
                if first != path:
                    os.link(first, path)
                    continue
                total += _write_file(path, entry, read, owns=owns)
            case FileType.SYMLINK:
                os.symlink(entry.link, path)
            case FileType.HARDLINK:
                _link(tree, entry, base)
                continue
            case FileType.FIFO:
                os.mkfifo(path, 0o600)
                os.chmod(path, entry.mode & 0o777)
            case FileType.CHARACTER_DEVICE | FileType.BLOCK_DEVICE:
                continue
        _own(path, entry, owns=owns)
    for path, entry in reversed(directories):
        _own(path, entry, owns=owns)
        os.chmod(path, entry.mode & 0o1777 | (0 if owns else 0o700))
        os.utime(path, (_TIME, _TIME))
    return total


def _write_file(path: str, entry: Entry, read: Read | None, *, owns: bool) -> int:
    data = entry.data
    if data is None:
        data = read(entry) if read is not None and entry.size else b""
    if len(data) != entry.size:
        raise HostileInputError(f"{entry.path} should have {entry.size:,} bytes and has {len(data):,}")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if owns and (entry.uid or entry.gid):
            with suppress(OSError):  # an id that is not mapped here
                os.chown(descriptor, entry.uid, entry.gid)
        os.chmod(descriptor, entry.mode & 0o777 | (0 if owns else 0o400))
        time = min(max(entry.mtime, 0), _MAX_TIME) if entry.spool else _TIME
        os.utime(descriptor, (time, time))
    finally:
        os.close(descriptor)
    return len(data)


def _link(tree: Tree, entry: Entry, base: str) -> None:
    target = tree.get(entry.link)
    if target is None or target.is_directory:
        raise HostileInputError(f"the hard link {entry.path} leads to {entry.link}, which is not there")
    os.link(f"{base}/{entry.link}", f"{base}/{entry.path}", follow_symlinks=False)


def _own(path: str, entry: Entry, *, owns: bool) -> None:
    if owns and (entry.uid or entry.gid):
        with suppress(OSError):  # an id that is not mapped here
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)


def remove_tree(path: Path) -> None:
    """Removes a directory with all in it, whatever its modes; follows no symbolic link."""
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = os.path.join(folder, name)
            if not os.path.islink(inner):
                with suppress(OSError):
                    os.chmod(inner, 0o700)
    shutil.rmtree(path, ignore_errors=True)


def _remove_unused(path: Path) -> bool:
    """Removes a root that no process holds; False where one does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        doomed = path.with_name(f"{_DOOMED}{secrets.token_hex(8)}")
        path.rename(doomed)
        remove_tree(doomed)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _in_order(trees: Sequence[Iterable[Entry]]) -> list[list[Entry]]:
    """A tree is sorted by path, where a hard link may stand before the file that it leads to."""
    return [sorted(tree, key=lambda entry: entry.type is FileType.HARDLINK) for tree in trees]


def _with_mount_points(tree: Tree, directories: Sequence[str]) -> Tree:
    """Adds what an engine adds to any image's root when it starts a container."""
    for name, mode in _MOUNT_POINTS:
        if name not in tree:
            tree.add(directory(name, mode=mode))
    for path in directories:
        wanted = directory(path)
        if wanted.path and tree.resolve(wanted.path) is None:
            tree.add(wanted)
    etc = tree.get("etc")
    for path in ("etc/hosts", "etc/resolv.conf"):
        if (etc is None or etc.is_directory) and path not in tree:
            tree.add(file(path, b""))
    return tree
