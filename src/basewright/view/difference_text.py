"""A comparison as text for a terminal. Pure.

Colour repeats what a mark or a word says already. rich's widths are imported here, so import this module late.
"""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from basewright.evidence.difference import Difference, Side, Verdict
from basewright.printable import printable
from basewright.view.difference_lines import (
    ADDED,
    CHANGED,
    REMOVED,
    Section,
    build_reasons,
    measures,
    sections,
    verdict_sentence,
)

MIN_WIDTH = 60
_COLORS = {ADDED: "32", REMOVED: "31", CHANGED: "33"}
_VERDICT_COLORS = {Verdict.IDENTICAL: "32", Verdict.SAME_CONTENT: "32", Verdict.DIFFERENT: "33"}
_BOLD, _DIM = "1", "2"


def render_difference_text(difference: Difference, *, width: int, color: bool) -> str:
    """Lines of at most `width` columns; ANSI sequences only where `color`."""
    pen = _Pen(max(width, MIN_WIDTH), color)
    lines = [pen.paint(pen.fit(verdict_sentence(difference), 0), f"{_BOLD};{_VERDICT_COLORS[difference.verdict]}"), ""]
    lines += pen.columns([_side("A", difference.before), _side("B", difference.after)], elastic=1)
    for section in sections(difference):
        lines += ["", pen.paint(f"{section.title}  {section.count}", _BOLD), *_section_lines(section, pen)]
    reasons = build_reasons(difference)
    if reasons:
        lines += ["", pen.paint("Why not the same build", _BOLD)]
        lines += pen.columns([("", *each) for each in reasons], elastic=2)
    lines += ["", pen.paint("Sizes", _BOLD)]
    rows = [("", "", "A", "B", "change"), *(("", m.name, m.before, m.after, m.change) for m in measures(difference))]
    lines += pen.columns(rows, elastic=4, right=(2, 3))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _side(letter: str, side: Side) -> tuple[str, ...]:
    return letter, printable(side.name), printable(str(side.platform)), f"{side.digest[:19]}…"


def _section_lines(section: Section, pen: "_Pen") -> Iterator[str]:
    rows = [(each.mark, each.kind, each.name, each.detail) for each in section.lines]
    if not any(each.kind for each in section.lines):
        rows = [(mark, "", name, detail) for mark, _, name, detail in rows]
    for line, row in zip(pen.columns(rows, elastic=2), section.lines, strict=True):
        yield line.replace(row.mark, pen.paint(row.mark, _COLORS[row.mark]), 1)
    if section.more:
        yield pen.paint(f"  and {section.more:,} more (--format json has them all)", _DIM)


class _Pen:
    """Columns and colour."""

    def __init__(self, width: int, color: bool) -> None:
        self._width, self._color = width, color

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and text else text

    def fit(self, text: str, taken: int) -> str:
        """`text` cut at its end to the room that is left."""
        return _cut(text, max(self._width - taken, 8))

    def columns(self, rows: Sequence[Sequence[str]], *, elastic: int, right: Sequence[int] = ()) -> list[str]:
        """Rows side by side, two columns in. The elastic column is cut where there is no room, at its start, since
        a path's end tells more; the last one at its end."""
        count = max(map(len, rows), default=0)
        widths = [max(cell_len(row[at]) for row in rows) for at in range(count)]
        used = [at for at in range(count) if widths[at]]
        gaps = 2 * len(used)
        last = used[-1] if used else 0
        room = self._width - gaps - sum(widths[at] for at in used if at not in (elastic, last))
        if elastic == last:
            widths[last] = min(widths[last], max(room, 8))
        elif widths[elastic] + widths[last] > room:
            kept = min(widths[last], max(room - widths[elastic], room // 3))
            widths[elastic], widths[last] = min(widths[elastic], room - kept), kept
        return [
            "  " + "  ".join(self._cell(row, at, widths, at == elastic != last, at in right) for at in used)
            for row in rows
        ]

    def _cell(self, row: Sequence[str], at: int, widths: Sequence[int], from_start: bool, right: bool) -> str:
        text = _cut_start(row[at], widths[at]) if from_start else _cut(row[at], widths[at])
        padding = " " * (widths[at] - cell_len(text))
        return padding + text if right else text + padding


def _cut(text: str, room: int) -> str:
    return text if cell_len(text) <= room else f"{set_cell_size(text, room - 1).rstrip()}…"


def _cut_start(text: str, room: int) -> str:
    while cell_len(text) > room:
        text = f"…{text[max(2, cell_len(text) - room + 1) :]}" if text[0] != "…" else f"…{text[2:]}"
    return text
