"""What a service wrote to its root. Standard library only: this runs in the sandbox script."""
# System calls by name: pathlib costs the script start-up time.
# ruff: noqa: PTH208

import os
import stat
from contextlib import suppress

MAX_PATHS = 50
_CACHES = ("__pycache__",)
"""Directories that a program fills where it can, and does without where it cannot."""


def written_paths(upper: tuple[int, bool] | None, root: str) -> list[str]:
    """Absolute paths that appeared or changed: `upper` is an open directory, and whether it is an overlay's upper layer
    (all that is in it was written) or a copy of `root` (compared by size and time)."""
    if upper is None:
        return []
    descriptor, overlay = upper
    found: list[str] = []
    with suppress(OSError):  # it went away with its namespace
        _walk(descriptor, "", None if overlay else root, found)
    return sorted(found)[:MAX_PATHS]


def _walk(directory: int, prefix: str, root: str | None, found: list[str]) -> None:
    for name in os.listdir(directory):
        if len(found) >= 10 * MAX_PATHS:
            return
        path = f"{prefix}/{name}"
        if name in _CACHES:
            continue
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            if root is None and not os.listdir(inner):
                found.append(path)  # made, and left empty
            _walk(inner, path, root, found)
            os.close(inner)
        elif root is None or _differs(root + path, status):
            found.append(path)


def _differs(path: str, status: os.stat_result) -> bool:
    try:
        original = os.lstat(path)
    except OSError:
        return True
    return (original.st_size, original.st_mtime_ns) != (status.st_size, status.st_mtime_ns)
