"""The only door for writing: files that appear whole or not at all, and the folder of the cache."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from basewright.errors import InputError, OutOfReachError

PARTIAL = ".basewright-partial-"
_SCRATCH = "basewright-run-"
_STALE_SECONDS = 60.0
_PROBE_BYTES = 1 << 16
"""Larger than any buffer between a write and the disk."""


def cache_directory() -> Path:
    """`BASEWRIGHT_CACHE`, else `basewright` in the user's cache folder (XDG)."""
    named = os.environ.get("BASEWRIGHT_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "basewright"


class Partial:
    """A file that is being written under a name of its own, until it is moved to its place."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file

    def write(self, data: bytes) -> None:
        """Raises OutOfReachError on a full disk, InputError where writing is refused."""
        try:
            self._file.write(data)
        except OSError as error:
            raise disk_error(self._path.parent, error) from None

    def write_at(self, offset: int, data: bytes) -> None:
        """As `write`, at a place of its own; several threads may write at once. Not to be mixed with `write`."""
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise disk_error(self._path.parent, error) from None

    def become(self, path: Path) -> None:
        """Takes the place of `path`, in the same folder; whoever reads that sees the old file or the new one whole."""
        try:
            self._file.flush()
            self._path.replace(path)
        except OSError as error:
            raise disk_error(path, error) from None

    def discard(self) -> None:
        """Removes the file, while another thread may still be writing it."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextmanager
def partial_file(folder: Path) -> Iterator[Partial]:
    """A new file in `folder`, made where it is missing; what did not become another file in the block is removed.

    The mode follows the umask. What a killed process left here earlier is removed as well.
    """
    path = folder / f"{PARTIAL}{os.urandom(8).hex()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        file = path.open("xb")
    except OSError as error:
        raise disk_error(folder, error) from None
    try:
        with suppress(OSError):  # a filesystem without locks: nobody removes what is in use before it is stale
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Partial(path, file)
    finally:
        with suppress(OSError):  # what was to be kept has been flushed by now
            file.close()
        path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Partial files whose writer is gone: old enough to be locked, and not locked."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _STALE_SECONDS:
                continue
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


class ScratchFolder:
    """A folder in the system's temporary one, gone when it is closed; what killed runs left goes when one is made."""

    def __init__(self) -> None:
        import tempfile

        parent = Path(tempfile.gettempdir())
        _remove_abandoned_scratch(parent)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise disk_error(parent, error) from None
        with suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Removes it with everything in it."""
        remove_tree(self.path)
        os.close(self._lock)


def _remove_abandoned_scratch(parent: Path) -> None:
    """Our own scratch folders whose process is gone: old enough to be locked, and not locked."""
    for path in parent.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                facts = os.fstat(descriptor)
                if facts.st_uid == os.geteuid() and time.time() - facts.st_mtime >= _STALE_SECONDS:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_tree(path)
            finally:
                os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Removes a folder with everything in it, whatever its modes."""
    import shutil

    for folder, _, _ in os.walk(path):
        with suppress(OSError):  # Go's module folders are read-only
            Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Whether files can be written in `folder`, or in what there is of the folders above it: before work whose result
    goes there. Leaves nothing. Raises InputError, and OutOfReachError on a full disk."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    with partial_file(there) as partial:
        partial.write(bytes(_PROBE_BYTES))


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` beside `path` and moves it there; a file that already has these bytes is left alone.

    A full disk or a folder that may not be written raises OutOfReachError or InputError, and leaves what was there.
    """
    try:
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    except OSError as error:
        raise disk_error(path, error) from None
    with partial_file(path.parent) as partial:
        partial.write(data)
        partial.become(path)


def disk_error(path: Path, error: OSError) -> InputError | OutOfReachError:
    """What an operating system's error about `path` is for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfReachError(f"no space left to write {path}", hint=f"free some, or {_elsewhere(path)}")
    return InputError(f"{path} cannot be written: {error.strerror or error}")


def _elsewhere(path: Path) -> str:
    """How a user writes where there is more room."""
    if any(part.startswith(_SCRATCH) for part in path.parts):
        return "set TMPDIR elsewhere"
    return "set BASEWRIGHT_CACHE elsewhere" if path.is_relative_to(cache_directory()) else "write elsewhere"
