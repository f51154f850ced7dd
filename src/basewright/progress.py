"""How long work tells what it is doing."""

from typing import Protocol

SUPPOSED_BYTES_PER_SECOND = 10e6


class Progress(Protocol):
    """Told what is being done, in a few words."""

    def __call__(self, text: str) -> None: ...


def about_seconds(size: float) -> str:
    """How long `size` bytes take on a line that is not slow, in words."""
    seconds = max(1, round(size / SUPPOSED_BYTES_PER_SECOND))
    return f"about {seconds} s at {SUPPOSED_BYTES_PER_SECOND / 1e6:.0f} MB/s"
