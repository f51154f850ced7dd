"""How long work tells what it is doing."""

from typing import Protocol


class Progress(Protocol):
    """Told what is being done, in a few words."""

    def __call__(self, text: str) -> None: ...
