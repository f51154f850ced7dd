"""The frames of a zstd stream, followed without unpacking them, so that it is known whether the stream is whole.

https://www.rfc-editor.org/rfc/rfc8878#name-zstandard-frames
"""

from collections.abc import Callable, Generator

_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50
_REPEATED_BYTE = 1


class FrameWalk:
    """Hands on what `read` returns and follows its frames. What is none is left for the decompressor to refuse."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._steps = _steps()
        self._skip, self._need, self._inside = next(self._steps)
        self._field = b""
        self._lost = False

    @property
    def is_whole(self) -> bool:
        """Whether what was read so far ends where a frame ends."""
        return self._lost or not (self._inside or self._skip or self._field)

    def read(self, count: int = -1) -> bytes:
        data = self._read(count)
        if not self._lost:
            self._follow(data)
        return data

    def _follow(self, data: bytes) -> None:
        at = 0
        while True:
            step = min(self._skip, len(data) - at)
            self._skip, at = self._skip - step, at + step
            taken = data[at : at + self._need - len(self._field)]
            self._field, at = self._field + taken, at + len(taken)
            if self._skip or len(self._field) < self._need:
                return
            try:
                self._skip, self._need, self._inside = self._steps.send(self._field)
            except StopIteration:
                self._lost = True
                return
            self._field = b""


def _steps() -> Generator[tuple[int, int, bool], bytes, None]:
    """Yields how many bytes to skip, how many to read after them, and whether that is inside a frame; is sent them."""
    skip = 0
    while True:
        magic = int.from_bytes((yield skip, 4, False), "little")
        if magic & 0xFFFFFFF0 == _SKIPPABLE:
            skip = int.from_bytes((yield 0, 4, True), "little")
            continue
        if magic != _MAGIC:
            return
        descriptor = (yield 0, 1, True)[0]
        single = descriptor >> 5 & 1
        content_size = (single, 2, 4, 8)[descriptor >> 6]
        skip, last = (1 - single) + (0, 1, 2, 4)[descriptor & 3] + content_size, False
        while not last:
            block = int.from_bytes((yield skip, 3, True), "little")
            last = bool(block & 1)
            skip = 1 if block >> 1 & 3 == _REPEATED_BYTE else block >> 3
        skip += 4 * (descriptor >> 2 & 1)
