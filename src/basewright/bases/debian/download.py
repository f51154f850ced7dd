"""The .debs of a lock: from the cache, a mirror, or the snapshot archive, each checked against the lock."""

import hashlib
import re
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from basewright._disk import write_atomically
from basewright._http import Http, NotFoundError
from basewright.bases.debian.mirrors import Mirror, Mirrors
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.lock import LockedDeb, LockedDebian
from basewright.parallel import map_parallel
from basewright.progress import Progress

MAX_DEB_BYTES = 1 << 30
MAX_CACHE_BYTES = 4 << 30
CONNECTIONS = 8
STALE_SECONDS = 3600.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of each package, in the lock's order, and what it took to get those that were not here."""

    debs: tuple[bytes, ...]
    seconds: float
    downloaded_bytes: int


def missing_debs(locked: LockedDebian, cache: Path) -> tuple[LockedDeb, ...]:
    """What is not in the cache yet: what download_debs will ask for."""
    return tuple(each for each in locked.packages if not _place(cache, each).is_file())


def missing_bytes(locked: LockedDebian, cache: Path) -> int:
    """How many bytes those are."""
    return sum(each.size for each in missing_debs(locked, cache))


def download_debs(locked: LockedDebian, *, mirrors: Mirrors, http: Http, cache: Path, progress: Progress) -> Download:
    """Gets every package. Raises OutOfReachError, InputError where nobody holds one any more, HostileInputError where
    one has other bytes than its lock."""
    for each in locked.packages:
        _check_lock(each)
    missing = missing_bytes(locked, cache)
    if missing:
        progress(f"downloading {len(locked.packages)} Debian packages ({missing / 1e6:.1f} MB)")
    started = time.monotonic()
    results = map_parallel(
        lambda each: _get(each, locked, mirrors=mirrors, http=http, cache=cache), locked.packages, workers=CONNECTIONS
    )
    fetched = sum(len(data) for data, is_new in results if is_new)
    seconds = time.monotonic() - started if fetched else 0.0
    if fetched:
        _tidy(cache)
    return Download(debs=tuple(data for data, _ in results), seconds=seconds, downloaded_bytes=fetched)


def _check_lock(package: LockedDeb) -> None:
    """A lock is a file that somebody may have edited."""
    parts = package.pool_path.split("/")
    if not _SHA256.fullmatch(package.sha256) or ".." in parts or "" in parts or package.size < 0:
        raise InputError(f"the lock's entry of {package.name} is damaged", hint="resolve anew with --update-lock")
    if package.size > MAX_DEB_BYTES:
        raise HostileInputError(f"{package.name} is larger than {MAX_DEB_BYTES:,} bytes")


def _place(cache: Path, package: LockedDeb) -> Path:
    return cache / "debian" / "packages" / f"{package.sha256}.deb"


def _get(package: LockedDeb, locked: LockedDebian, *, mirrors: Mirrors, http: Http, cache: Path) -> tuple[bytes, bool]:
    """The bytes of one package, and whether they had to be fetched."""
    path = _place(cache, package)
    with suppress(OSError):
        data = path.read_bytes()
        if _is_right(data, package):
            path.touch()
            return data, False
        path.unlink()  # damaged on this machine: fetched anew
    data = _fetch(package, locked, mirrors=mirrors, http=http)
    write_atomically(path, data)
    return data, True


def _is_right(data: bytes, package: LockedDeb) -> bool:
    return len(data) == package.size and hashlib.sha256(data).hexdigest() == package.sha256


def _fetch(package: LockedDeb, locked: LockedDebian, *, mirrors: Mirrors, http: Http) -> bytes:
    asked = [*mirrors.of(package.archive), *_snapshots(package, locked, mirrors)]
    gone, fault = 0, None
    for mirror in asked:
        try:
            data = mirror.read(http, package.pool_path, max_bytes=package.size)
        except NotFoundError:
            gone += 1
            continue
        except OutOfReachError as error:
            fault = fault or error
            continue
        if _is_right(data, package):
            return data
        raise HostileInputError(
            f"{mirror.url}/{package.pool_path} has the wrong contents: {len(data):,} bytes with the SHA-256 "
            f"{hashlib.sha256(data).hexdigest()[:16]}…, expected {package.size:,} with {package.sha256[:16]}…",
            hint="the mirror is broken, or something changes what it sends: name another one",
        )
    if fault is not None and gone == 0:
        raise fault
    raise OutOfReachError(
        f"no mirror holds {package.name} {package.version} any more, and the snapshot archive could not give it",
        hint="resolve anew with --update-lock",
    )


def _snapshots(package: LockedDeb, locked: LockedDebian, mirrors: Mirrors) -> list[Mirror]:
    """The snapshot archive as it stood half a day after the Release file that the package came from: it takes what it
    keeps a few hours later."""
    if mirrors.snapshot is None:
        return []
    is_security = package.archive == "security"
    dates = [each.date for each in locked.releases if each.suite.endswith("-security") == is_security]
    try:
        moments = sorted({datetime.fromisoformat(each) + timedelta(hours=12) for each in dates}, reverse=True)
    except ValueError:
        return []
    root = f"{mirrors.snapshot.rstrip('/')}/{'debian-security' if is_security else 'debian'}"
    return [Mirror(url=f"{root}/{moment:%Y%m%dT%H%M%SZ}") for moment in moments[:1]]


def _tidy(cache: Path) -> None:
    """Keeps the folder below its bound, the least recently used packages go first; and what an interrupted run left."""
    files = []
    now = time.time()
    with suppress(OSError):
        for path in (cache / "debian" / "packages").iterdir():
            with suppress(OSError):
                facts = path.stat()
                if path.name.startswith(".") and now - facts.st_mtime > STALE_SECONDS:
                    path.unlink()
                elif path.suffix == ".deb":
                    files.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= MAX_CACHE_BYTES:
            break
        total -= size
        with suppress(OSError):
            path.unlink()
