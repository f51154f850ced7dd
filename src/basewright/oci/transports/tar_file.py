"""One tar file that is written in parts: what stands in it has its place before its bytes come, several at a time."""

import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from basewright._disk import partial_file
from basewright.errors import InputError
from basewright.oci.tar import BLOCK, render_end, render_header
from basewright.oci.tree import Entry, FileType, directory

_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
_OCTAL_LIMIT = 8**11


class TarFile:
    """Appears at `path` whole, with `finish`, or not at all. Everything in it has one date: 1970."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise InputError(f"{path} is a folder", hint="an archive is one file; a name without .tar is a folder")
        self._stack = ExitStack()
        self._partial = self._stack.enter_context(partial_file(path.parent))
        self._end = 0
        self._lock = threading.Lock()

    def folder(self, path: str) -> None:
        header = render_header(directory(path), epoch=0)
        with self._lock:
            self._partial.write_at(self._end, header)
            self._end += len(header)

    def add(self, path: str, data: bytes) -> None:
        self.fill(self.reserve(path, len(data)), (data,))

    def reserve(self, path: str, size: int) -> int:
        """Room for a file of `size` bytes; returns where its content goes."""
        header = render_header(_file(path, size), epoch=0)
        with self._lock:
            self._partial.write_at(self._end, header)
            start = self._end + len(header)
            self._end = start + size + -size % BLOCK
        return start

    def fill(self, start: int, chunks: Iterable[bytes]) -> int:
        """Writes content where its room is; returns how many bytes."""
        at = start
        for chunk in chunks:
            self._partial.write_at(at, chunk)
            at += len(chunk)
        return at - start

    def append(self, chunks: Iterable[bytes]) -> int:
        """Content whose name and size are not known yet, for `settle` to come next; returns how many bytes."""
        return self.fill(self._end + BLOCK, chunks)

    def settle(self, path: str, size: int) -> None:
        """Gives what `append` wrote its header, of one block whatever the size."""
        header = bytearray(render_header(_file(path, 0), epoch=0))
        header[_SIZE] = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
        header[_CHECKSUM] = b" " * 8
        header[_CHECKSUM] = b"%06o\0 " % sum(header)
        self._partial.write_at(self._end, bytes(header))
        self._end += BLOCK + size + -size % BLOCK

    def finish(self) -> None:
        self._partial.write_at(self._end, render_end())
        self._partial.become(self.path)

    def close(self) -> None:
        """What was not finished leaves nothing."""
        self._stack.close()


def _file(path: str, size: int) -> Entry:
    return Entry(path=path, type=FileType.FILE, mode=0o644, size=size)
