"""An inspection as text for a terminal: the first screen answers why the image is so large. Pure.

Colour repeats what a word or a number says already.
"""

import textwrap
from collections.abc import Iterator

from basewright.evidence.inspected import Inspection
from basewright.printable import printable
from basewright.view.columns import BOLD, DIM, YELLOW, Pen, display_width
from basewright.view.inspection_lines import (
    LayerRow,
    facts,
    layer_rows,
    owner_rows,
    settings,
    summary,
    unexplained_rows,
    wasted_rows,
)
from basewright.view.number import format_share

_BAR = 24
_LABEL = 11


def render_inspection_text(inspection: Inspection, *, width: int, color: bool) -> str:
    """Lines of at most `width` columns; ANSI sequences only where `color`."""
    pen = Pen(width, color)
    lines = [*headline(inspection, pen), ""]
    for section in (_facts, _owners, _layers, _waste, _settings):
        found = list(section(inspection, pen))
        if found:
            lines += [*found, ""]
    return "\n".join(line.rstrip() for line in lines[:-1]) + "\n"


def headline(inspection: Inspection, pen: Pen) -> Iterator[str]:
    """The name, what it comes to, and what a reader is warned of."""
    for line in _wrapped(printable(inspection.name), pen.width):
        yield pen.paint(line, BOLD)
    yield from _wrapped(summary(inspection), pen.width)
    for each in inspection.warnings:
        for line in _wrapped(f"warning: {printable(each)}", pen.width):
            yield pen.paint(line, YELLOW)


def _facts(inspection: Inspection, pen: Pen) -> Iterator[str]:
    for label, value in facts(inspection):
        room = pen.width - _LABEL - 4
        if display_width(value) > room and " " not in value and display_width(f"  {label} {value}") <= pen.width:
            yield f"  {pen.paint(label, DIM)} {value}"  # a digest on 80 columns
            continue
        first = label
        for line in _wrapped(value, room):
            yield f"  {pen.paint(first.ljust(_LABEL), DIM)}  {line}"
            first = ""


def _owners(inspection: Inspection, pen: Pen) -> Iterator[str]:
    rows = owner_rows(inspection)
    if not rows:
        return
    yield pen.paint("Whose bytes they are", BOLD)
    told = [(name, text, format_share(share)) for name, _, text, share in rows]
    taken = sum(max(map(display_width, column)) + 2 for column in zip(*told, strict=True))
    room = max(1, min(_BAR, pen.width - 2 - taken))
    cells = [(*each, _bar(share, room)) for each, (*_, share) in zip(told, rows, strict=True)]
    yield from pen.columns(cells, elastic=3, right=(1, 2))
    paths, more = unexplained_rows(inspection)
    if paths:
        yield pen.paint("  unexplained, the largest first:", DIM)
        yield from (f"  {line}" for line in pen.columns(paths, elastic=1, right=(0,)))
        yield from _more(more, pen, indent=4)


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip() or "▏"


def _layers(inspection: Inspection, pen: Pen) -> Iterator[str]:
    rows = layer_rows(inspection)
    if not rows:
        return
    yield pen.paint("Layers", BOLD)
    header = ("", "pulled", "unpacked", "added", "changed", "removed", "made by")
    first, *lines = pen.columns([header, *map(_layer_cells, rows)], elastic=6, right=(0, 1, 2, 3, 4, 5))
    yield pen.paint(first, DIM)
    yield from lines


def _layer_cells(row: LayerRow) -> tuple[str, ...]:
    changes = (each if each != "0" else "–" for each in (row.added, row.changed, row.removed))
    return (str(row.number), row.pulled, row.unpacked, *changes, row.made_by)


def _waste(inspection: Inspection, pen: Pen) -> Iterator[str]:
    rows, more = wasted_rows(inspection)
    if rows:
        yield pen.paint("Wasted: written, then hidden or rewritten", BOLD)
        yield from pen.columns(rows, elastic=1, right=(0,))
        yield from _more(more, pen, indent=2)


def _settings(inspection: Inspection, pen: Pen) -> Iterator[str]:
    rows = list(settings(inspection))
    if rows:
        yield pen.paint("Environment and labels", BOLD)
        yield from pen.columns(rows, elastic=2)


def _more(number: int, pen: Pen, *, indent: int) -> Iterator[str]:
    if number:
        yield pen.paint(f"{' ' * indent}and {number:,} more (--format json has them all)", DIM)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns; a word without a place to break is cut anywhere."""
    if display_width(text) <= width:
        return [text]
    return textwrap.wrap(text, width if text.isascii() else width // 2, break_on_hyphens=False) or [""]
