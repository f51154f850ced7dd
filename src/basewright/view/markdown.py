"""Text from outside as Markdown that GitHub, MkDocs and log4brains read alike, and flat pipe tables. Pure."""

import re
from collections.abc import Sequence

from basewright.printable import one_line
from basewright.view.columns import display_width

MAX_COLUMNS = 6
"""Wider tables are cut off or scroll away in at least one of the three."""

_SPECIAL = re.compile(r"[\\`*\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BLOCK_START = re.compile(r"^(?:([#>+-])|(\d+)([.)]))(?=\s|$|-|#|>)")


def escape_text(text: str) -> str:
    """Any text as one line of plain Markdown prose: nothing in it starts a block, a link, a tag or a comment."""
    line = one_line(text)
    # Python-Markdown (MkDocs) has no backslash escape for `<`, `&`, `~` and `$`; entities are read by all.
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace("~~", "&#126;&#126;")
    if line.count("$") > 1:
        line = line.replace("$", "&#36;")
    line = _SPECIAL.sub(r"\\\g<0>", line)
    return _BLOCK_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", line)


def code(text: str) -> str:
    """Any text as one code span, its fence longer than any run of backticks in it."""
    line = one_line(text)
    runs = re.findall(r"`+", line)
    fence = "`" * (max((len(run) for run in runs), default=0) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """A pipe table of cells that are Markdown already, columns padded; `right` names the columns aligned right.

    Raises ValueError for more than six columns or a row of another length: both are faults of the caller.
    """
    if len(header) > MAX_COLUMNS or any(len(row) != len(header) for row in rows):
        raise ValueError(f"a table has at most {MAX_COLUMNS} columns, and rows as long as its header")
    cells = [[_cell(each) for each in row] for row in (header, *rows)]
    widths = [max(3, *(display_width(row[column]) for row in cells)) for column in range(len(header))]
    lines = [_line(row, widths, right) for row in cells]
    rule = ["-" * (width - 1) + ":" if at in right else "-" * width for at, width in enumerate(widths)]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return "\n".join(lines) + "\n"


def _line(row: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    padded = []
    for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - display_width(cell))
        padded.append(space + cell if at in right else cell + space)
    return "| " + " | ".join(padded) + " |"


def _cell(text: str) -> str:
    # GFM wants `|` escaped inside code spans of a table too, and takes the backslash away again.
    return re.sub(r"(?<!\\)\|", r"\\|", one_line(text)) or " "
