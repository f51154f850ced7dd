"""Columns and colour for text in a terminal, without a library that takes longer to import than an image to look at.

Texts that come here are printable already (printable.py).
"""

import unicodedata
from collections.abc import Sequence

MIN_WIDTH = 60
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"
"""ANSI codes; several are joined by `;`."""


class Pen:
    """Writes lines of at most `width` columns (60 at least), ANSI sequences only where `color`."""

    def __init__(self, width: int, color: bool) -> None:
        self.width, self._color = max(width, MIN_WIDTH), color

    def paint(self, text: str, code: str) -> str:
        """`text` in a colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and text else text

    def fit(self, text: str, taken: int) -> str:
        """`text` cut at its end to the room that is left."""
        return cut(text, max(self.width - taken, 8))

    def columns(self, rows: Sequence[Sequence[str]], *, elastic: int, right: Sequence[int] = ()) -> list[str]:
        """Rows side by side, two columns in. The elastic column is cut where there is no room, at its start, since
        a path's end tells more; the last one at its end."""
        count = max(map(len, rows), default=0)
        widths = [max(display_width(row[at]) for row in rows) for at in range(count)]
        used = [at for at in range(count) if widths[at]]
        gaps = 2 * len(used)
        last = used[-1] if used else 0
        room = self.width - gaps - sum(widths[at] for at in used if at not in (elastic, last))
        if elastic == last:
            widths[last] = min(widths[last], max(room, 4))
        elif widths[elastic] + widths[last] > room:
            kept = min(widths[last], max(room - widths[elastic], room * 2 // 5))
            widths[elastic], widths[last] = min(widths[elastic], room - kept), kept
        return [
            "  " + "  ".join(self._cell(row, at, widths, at == elastic != last, at in right) for at in used)
            for row in rows
        ]

    def _cell(self, row: Sequence[str], at: int, widths: Sequence[int], from_start: bool, right: bool) -> str:
        text = cut_start(row[at], widths[at]) if from_start else cut(row[at], widths[at])
        padding = " " * (widths[at] - display_width(text))
        return padding + text if right else text + padding


def cut(text: str, room: int) -> str:
    """`text` in at most `room` columns, the end left out where it is longer."""
    if display_width(text) <= room:
        return text
    text = text[:room]
    while display_width(text) >= room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def cut_start(text: str, room: int) -> str:
    """`text` in at most `room` columns, its start left out where it is longer."""
    if display_width(text) <= room:
        return text
    text = text[-room:]
    while display_width(text) >= room:
        text = text[1:]
    return f"…{text}"


def display_width(text: str) -> int:
    """Columns that `text` takes in a monospaced font."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )
