"""The only door for writing: atomic files, and the folder of the cache."""

import errno
import os
import tempfile
from pathlib import Path

from basewright.errors import InputError, OutOfReachError


def cache_directory() -> Path:
    """`BASEWRIGHT_CACHE`, else `basewright` in the user's cache folder (XDG)."""
    named = os.environ.get("BASEWRIGHT_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "basewright"


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` beside `path` and moves it there; a file that already has these bytes is left alone.

    A full disk or a folder that may not be written raises OutOfReachError or InputError, and leaves what was there.
    """
    try:
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise disk_error(path, error) from None
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except OSError as error:
        raise disk_error(path, error) from None
    finally:
        partial.unlink(missing_ok=True)


def disk_error(path: Path, error: OSError) -> InputError | OutOfReachError:
    """What an operating system's error about `path` is for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfReachError(f"no space left to write {path}", hint="free some, or set BASEWRIGHT_CACHE elsewhere")
    return InputError(f"{path} cannot be written: {error.strerror}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
