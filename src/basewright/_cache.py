"""The cache folder, shared by processes: who uses it, what takes how much of it, and what goes when that is too much.

A running process has a lease (a locked file), and marks what it relies on with the time. Sweeping takes nothing that
was used since the oldest lease began, and goes by one lock, so that nothing is marked and removed at once.
"""
# Tens of thousands of files a cache: pathlib doubles the time.
# ruff: noqa: PTH100, PTH104, PTH108, PTH118

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from basewright._disk import PARTIAL, disk_error, remove_tree

_LEASES = ".in-use"
_LOCK = "lock"
_SWEPT = "swept"
_BYTES = "bytes"
"""In a locked folder: what it takes, so that nobody has to count."""
_DOOMED = ".doomed-"
_CLOCK_NS = 3600 * 10**9
"""A clock may be set back by so much while a process runs."""


class Way(StrEnum):
    """How a kind of files is used, and what that asks of a sweep."""

    MARKED = "marked"
    """Each file is marked by whoever relies on it, or is read at once and made again where it is gone."""
    IDLE = "idle"
    """Single files, used without a mark: they go only while no other process runs."""
    WHOLE = "whole"
    """A folder that makes sense as a whole, used without a mark."""
    LOCKED = "locked"
    """Folders that are locked (flock) by whoever uses them."""


class Kind(msgspec.Struct, frozen=True):
    """What is kept in one folder of the cache."""

    name: str
    folder: str
    way: Way


KINDS = (
    Kind("image blobs", "store", Way.MARKED),
    Kind("layer indexes", "indexes", Way.MARKED),
    Kind("inspections", "inspections", Way.MARKED),
    Kind("unpacked layers", "layers", Way.MARKED),
    Kind("root filesystems", "roots", Way.LOCKED),
    Kind("wheels", "wheels", Way.MARKED),
    Kind("bytecode", "bytecode", Way.MARKED),
    Kind("Debian packages", "debian", Way.IDLE),
    Kind("Go modules", "go/modules", Way.WHOLE),
    Kind("Go builds", "go/builds", Way.WHOLE),
)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind takes on the disk."""

    kind: Kind
    bytes: int
    files: int


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep removed, what is left, and how much of that could not go because it is used."""

    removed_bytes: int = 0
    left_bytes: int = 0
    in_use_bytes: int = 0


_held: dict[str, int] = {}
_guard = threading.Lock()


def hold(cache: Path) -> None:
    """Lets nothing that this process uses of `cache` be swept until it ends. Where the folder cannot be written or
    locked, nothing sweeps it either."""
    with _guard, suppress(OSError):
        name = os.path.abspath(cache)
        if name in _held:
            return
        (cache / _LEASES).mkdir(parents=True, exist_ok=True)
        with _locked(cache, fcntl.LOCK_SH):
            path = cache / _LEASES / os.urandom(8).hex()
            lease = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(lease, fcntl.LOCK_SH)
            _held[name] = lease


def use(path: Path) -> bool:
    """Whether there is a regular file; it counts as used now, and stays as long as a process that holds the cache."""
    text = os.path.abspath(path)
    cache = next((each for each in _held if text.startswith(each + os.sep)), None)
    if cache is None:
        return path.is_file()
    try:
        with _locked(Path(cache), fcntl.LOCK_SH):
            return path.is_file() and mark(path)
    except OSError:
        return path.is_file()


def mark(path: Path) -> bool:
    """Lets a file or folder count as used now, where that may be written."""
    with suppress(OSError):
        os.utime(path)
    return True


@contextmanager
def _locked(cache: Path, kind: int) -> Iterator[None]:
    """Raises OSError where there is no such folder, or no locks."""
    lock = os.open(cache / _LEASES / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, kind)
        yield
    finally:
        os.close(lock)


def measure(cache: Path) -> tuple[Usage, ...]:
    """What each kind takes, in the order of KINDS; what is no kind's comes last, as `other`."""
    kinds = {kind.folder: kind for kind in KINDS}
    other = Kind("other", "", Way.IDLE)
    found = {kind: [0, 0] for kind in (*KINDS, other)}
    for _, size, path in _files(cache):
        words = os.path.relpath(path, cache).split(os.sep, 2)
        kind = kinds.get(words[0]) or kinds.get("/".join(words[:2])) or other
        found[kind][0] += size
        found[kind][1] += 1
    return tuple(Usage(kind=kind, bytes=size, files=files) for kind, (size, files) in found.items())


def _files(folder: Path) -> Iterator[tuple[int, int, str]]:
    """When each file was used last (nanoseconds), its bytes on the disk, its path; none that is being written."""
    for where, names, files in os.walk(folder):
        if _LEASES in names:
            names.remove(_LEASES)
        for name in files:
            if name.startswith(PARTIAL):
                continue
            path = os.path.join(where, name)
            with suppress(OSError):  # another process is at it
                facts = os.lstat(path)
                yield max(facts.st_atime_ns, facts.st_mtime_ns), facts.st_blocks * 512, path


class _Unit(msgspec.Struct, order=True, frozen=True):
    """What goes at once."""

    used_ns: int
    path: str
    size: int
    way: Way


def _units(cache: Path) -> Iterator[_Unit]:
    for kind in KINDS:
        folder = cache / kind.folder
        if kind.way in (Way.MARKED, Way.IDLE):
            yield from (_Unit(used, path, size, kind.way) for used, size, path in _files(folder))
            continue
        wholes = [folder] if kind.way is Way.WHOLE else [each for each in _children(folder) if each.is_dir()]
        for whole in wholes:
            with suppress(OSError):
                used, size = whole.stat().st_mtime_ns, _told_bytes(whole) if kind.way is Way.LOCKED else None
                if size is None:
                    files = list(_files(whole))
                    size = sum(size for _, size, _ in files)
                    used = max([used, *(used for used, _, _ in files)])
                yield _Unit(used, str(whole), size, kind.way)


def _told_bytes(folder: Path) -> int | None:
    try:
        return int((folder / _BYTES).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def sweep(cache: Path, *, max_bytes: int, every_seconds: float = 0) -> Swept:
    """Removes what was used longest ago until all takes at most `max_bytes`, and nothing that a process uses; not at
    all where that was done within `every_seconds`.

    The caller's own lease protects what it marked; of what nobody marks it says by calling that it is done with it.
    Raises InputError where the folder cannot be written or locked.
    """
    swept = cache / _LEASES / _SWEPT
    try:
        if not cache.is_dir() or (every_seconds and _age_seconds(swept) < every_seconds):
            return Swept()
        (cache / _LEASES).mkdir(exist_ok=True)
        with _locked(cache, fcntl.LOCK_EX):
            done = _sweep(cache, max_bytes)
            swept.touch()
        _clear_away(cache)
    except OSError as error:
        raise disk_error(cache, error) from None
    return done


def _age_seconds(path: Path) -> float:
    try:
        return abs(time.time() - path.stat().st_mtime)
    except OSError:
        return float("inf")


def _sweep(cache: Path, max_bytes: int) -> Swept:
    oldest, others = _oldest_lease(cache)
    units = sorted(_units(cache))
    total = sum(unit.size for unit in units)
    removed = in_use = 0
    for unit in units:
        if total <= max_bytes:
            break
        is_used = unit.used_ns >= oldest if unit.way is Way.MARKED else others and unit.way is not Way.LOCKED
        if is_used or not _remove(cache, unit):
            in_use += unit.size
            continue
        total -= unit.size
        removed += unit.size
    return Swept(removed_bytes=removed, left_bytes=total, in_use_bytes=in_use)


def _oldest_lease(cache: Path) -> tuple[int, bool]:
    """Since when a living process may have relied on what it marked, and whether one but this lives. Leases of those
    that died go."""
    own = [os.fstat(lease) for lease in _held.values()]
    oldest, others = 1 << 63, False
    for path in _children(cache / _LEASES):
        if path.name in (_LOCK, _SWEPT) or path.name.startswith(_DOOMED):
            continue
        with suppress(FileNotFoundError):
            lease = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                facts = os.fstat(lease)
                if not any(os.path.samestat(facts, each) for each in own):
                    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    continue
                oldest = min(oldest, facts.st_mtime_ns - _CLOCK_NS)
            except BlockingIOError:
                oldest, others = min(oldest, facts.st_mtime_ns - _CLOCK_NS), True
            finally:
                os.close(lease)
    return oldest, others


def _remove(cache: Path, unit: _Unit) -> bool:
    """Removes a file; a folder is moved out of the way at once, and cleared away without the lock."""
    try:
        if unit.way in (Way.MARKED, Way.IDLE):
            os.unlink(unit.path)
            return True
        folder = os.open(unit.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if unit.way is Way.LOCKED:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(unit.path, cache / _LEASES / f"{_DOOMED}{os.urandom(8).hex()}")
        finally:
            os.close(folder)
    except OSError:
        return False
    return True


def _clear_away(cache: Path) -> None:
    """Also what a killed sweep left."""
    for path in _children(cache / _LEASES):
        if path.name.startswith(_DOOMED):
            remove_tree(path)
