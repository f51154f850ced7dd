"""A comparison as text for a terminal. Pure.

Colour repeats what a mark or a word says already.
"""

import re
from collections.abc import Iterator

from basewright.evidence.difference import Difference, Side, Verdict
from basewright.printable import printable
from basewright.view.columns import BOLD, DIM, Pen
from basewright.view.difference_lines import (
    ADDED,
    CHANGED,
    REMOVED,
    Section,
    build_reasons,
    measures,
    reasons_title,
    sections,
    verdict_sentence,
)

_COLORS = {ADDED: "32", REMOVED: "31", CHANGED: "33"}
_LONG_DIGEST = re.compile(r"(@sha\d+:[0-9a-f]{12})[0-9a-f]+")
_VERDICT_COLORS = {Verdict.IDENTICAL: "32", Verdict.SAME_CONTENT: "32", Verdict.DIFFERENT: "33"}


def render_difference_text(difference: Difference, *, width: int, color: bool) -> str:
    """Lines of at most `width` columns; ANSI sequences only where `color`."""
    pen = Pen(width, color)
    lines = [pen.paint(pen.fit(verdict_sentence(difference), 0), f"{BOLD};{_VERDICT_COLORS[difference.verdict]}"), ""]
    lines += pen.columns([_side("A", difference.before), _side("B", difference.after)], elastic=1)
    for section in sections(difference):
        lines += ["", pen.paint(f"{section.title}  {section.count}", BOLD), *_section_lines(section, pen)]
    reasons = build_reasons(difference)
    if reasons:
        lines += ["", pen.paint(reasons_title(difference), BOLD)]
        lines += pen.columns([("", *each) for each in reasons], elastic=2)
    lines += ["", pen.paint("Sizes", BOLD)]
    rows = [("", "", "A", "B", "change"), *(("", m.name, m.before, m.after, m.change) for m in measures(difference))]
    lines += pen.columns(rows, elastic=4, right=(2, 3))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _side(letter: str, side: Side) -> tuple[str, ...]:
    name = _LONG_DIGEST.sub(r"\1…", printable(side.name))
    return letter, name, printable(str(side.platform)), f"{side.digest[:19]}…"


def _section_lines(section: Section, pen: Pen) -> Iterator[str]:
    rows = [(each.mark, each.kind, each.name, each.detail) for each in section.lines]
    for line, row in zip(pen.columns(rows, elastic=2), section.lines, strict=True):
        yield line.replace(row.mark, pen.paint(row.mark, _COLORS[row.mark]), 1)
    if section.more:
        yield pen.paint(f"  and {section.more:,} more (--format json has them all)", DIM)
