"""A folder of one run, gone when it ends; what a killed run left is removed by the next one."""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from basewright._disk import disk_error

_SETTLED_SECONDS = 60.0
"""A folder younger than this may belong to a run that has not locked it yet."""


class Scratch:
    """`path` is held by a lock as long as this process lives. Raises OutOfReachError or InputError where the disk
    refuses."""

    def __init__(self, parent: Path) -> None:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _sweep(parent)
            self.path = Path(tempfile.mkdtemp(dir=parent))
            self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._handle, fcntl.LOCK_SH)
        except OSError as error:
            raise disk_error(parent, error) from None

    def remove(self) -> None:
        """Removes the folder with all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)


def _sweep(parent: Path) -> None:
    for path in parent.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _SETTLED_SECONDS:
                continue
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)
