"""An evaluation in a terminal: a matrix that folds to the width, and the sentences under it.

Colour repeats what a word or a mark says already. rich is imported here, so import this module late.
"""

import io
import re
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from basewright.facts import Basis
from basewright.printable import one_line
from basewright.strategy import DriverName
from basewright.view.evaluation import Cell, EvaluationView, Row
from basewright.view.number import DASH, format_score, format_share
from basewright.view.sentence import (
    Numbers,
    could_overturn,
    flips,
    hints,
    not_ranked,
    notes,
    provenance,
    unmeasured,
    unmeasured_numbers,
    urgent_ends,
    verdict,
)
from basewright.view.wording import column_unit, driver_title

_ANY_HEIGHT = 25
"""rich takes a width only together with one where TERM is dumb."""
MIN_WIDTH = 60
MAX_UNIT = 10
"""Columns that a unit may take under a shorter title: all drivers then stand side by side on 120."""
MAX_NAME = 32
"""Columns of a candidate's name, so that numbers find room beside it."""
_PADDING = 2
_STATUS_STYLES = {"incomplete": "yellow", "disqualified": "red", "failed": "red"}
_BASIS_SHORT = {Basis.MEASURED: "meas", Basis.PUBLISHED: "publ", Basis.MODELLED: "mod"}
_Lines = tuple[tuple[str, str], ...]
"""A cell's lines, each with its style."""
_Column = tuple[_Lines, list[_Lines]]
"""A header, and a cell for each row."""


def render_terminal(view: EvaluationView, *, width: int, color: bool) -> str:
    """The whole evaluation as text of at most `width` columns; ANSI sequences only where `color`."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=max(width, MIN_WIDTH),
        height=_ANY_HEIGHT,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    console.print(_page(view, console.width))
    return "\n".join(line.rstrip() for line in file.getvalue().split("\n"))


def render_svg(view: EvaluationView, *, width: int, title: str) -> str:
    """A picture of the terminal for a README: without notes, flips and paths, and with the reader's own fonts."""
    console = Console(file=io.StringIO(), width=width, record=True, force_terminal=True, highlight=False)
    console.print(_page(view, width, titles=("Not ranked", "Not measured, because", "End of life")))
    svg = console.export_svg(title=title, unique_id="basewright")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts from other people's servers


def _page(view: EvaluationView, width: int, *, titles: Sequence[str] | None = None) -> RenderableType:
    """All sections, or those of `titles`."""
    parts: list[RenderableType] = [Text(""), _headline(view), Text("")]
    for table in _matrix(view, width - 2):
        parts += [table, Text("")]
    parts += [_legend(view), Text("")]
    parts += list(_sections(view, titles))
    return Padding(Group(*parts), (0, 1))


def _headline(view: EvaluationView) -> Text:
    text = Text(one_line(verdict(view)), style="bold")
    if view.winner is not None:
        text.highlight_words([view.winner], "green")
    overturned = could_overturn(view)
    if overturned:
        text.append(f"\nBut {overturned}", style="yellow not bold")
    return text


def _matrix(view: EvaluationView, width: int) -> Iterator[Table]:
    """The matrix in as many tables as the width asks for, the candidates' column repeated in each."""
    numbers = unmeasured_numbers(view)
    first = [_name_lines(view, row) for row in view.ordered]
    columns = [
        (_header(view, driver), [_cell_lines(view, row, driver, numbers) for row in view.ordered])
        for driver in view.drivers
    ]
    for block in _blocks(columns, width - _breadth(first) - _PADDING):
        yield _table(view, first, block)


def _blocks(columns: Sequence[_Column], room: int) -> list[Sequence[_Column]]:
    """As few blocks as the room asks for, of even size where that fits too."""
    needs = [_breadth([header, *cells]) + _PADDING for header, cells in columns]
    starts, taken = [0], 0
    for at, need in enumerate(needs):
        if at > starts[-1] and taken + need > room:
            starts.append(at)
            taken = 0
        taken += need
    size = -(-len(columns) // len(starts))
    even = range(0, len(columns), size)
    if all(sum(needs[at : at + size]) <= room for at in even):
        starts = list(even)
    return [columns[start:end] for start, end in zip(starts, [*starts[1:], len(columns)], strict=True)]


def _table(view: EvaluationView, first: Sequence[_Lines], block: Sequence[_Column]) -> Table:
    table = Table(box=None, padding=(0, _PADDING, 0, 0), collapse_padding=True, pad_edge=False)
    table.add_column(_text((("Candidate", "bold"),)), no_wrap=True, vertical="top", justify="left")
    for header, _ in block:
        table.add_column(_text(header), no_wrap=True, justify="right")
    for at, name in enumerate(first):
        table.add_row(_text(name), *(_text(cells[at]) for _, cells in block))
        if at + 1 < len(first):
            table.add_row("")
    return table


def _header(view: EvaluationView, driver: DriverName) -> _Lines:
    lines = driver_title(driver).split(" ", 1)
    cell = view.measured_cell(driver)
    unit = ""
    if cell is not None:
        arrow = "↑" if cell.better == "more" else "↓"
        unit = f"{column_unit(driver, cell.measure, cell.unit)} {arrow}"
    weight = view.weights.get(driver, 1.0)
    styled = [(line, "bold") for line in lines]
    if weight != 1:
        styled.append((f"weight {weight:g}", ""))
    return (*styled, *_unit_lines(unit, max(MAX_UNIT, *map(len, lines))))


def _unit_lines(unit: str, room: int) -> _Lines:
    """The unit under a column's name, folded where it is long: `CPU s per` / `1,000` / `requests ↓`."""
    head, _, arrow = unit.rpartition(" ")
    words, lines = [each for each in head.split(" ") if each], [""]
    for word in [*words[:-1], f"{''.join(words[-1:])} {arrow}".strip()]:
        if lines[-1] and len(lines[-1]) + len(word) + 1 > room:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return tuple((line, "dim") for line in lines)


def _name_lines(view: EvaluationView, row: Row) -> _Lines:
    platform = ((f"  {row.platform}", "dim"),) if view.several_platforms else ()
    base = (_clip(f"  {one_line(row.base)}"), "dim")
    if row.rank is None:
        bounds = "" if row.bounds is None or row.status != "incomplete" else f", {_bounds(row.bounds)}"
        status = (f"  {row.status}{bounds}", _STATUS_STYLES.get(row.status, ""))
        return ((_clip(f"– {row.name}"), "bold"), base, status, *platform)
    tied = "=" if row.name in view.tie else ""
    style = "bold green" if row.name == view.winner or tied else "bold"
    shares = view.acceptability.get(row.name, ())
    first = f"  {format_score(row.score or 0)}" + (f", first in {_share(shares[0])}" if shares else "")
    return ((_clip(f"{row.rank}{tied} {row.name}"), style), base, (first, ""), *platform)


def _clip(text: str) -> str:
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"


def _bounds(bounds: tuple[float, float]) -> str:
    return f"{format_score(bounds[0])}{DASH}{format_score(bounds[1])}"


def _share(share: float) -> str:
    """`61 %`, `<1 %`, `>99 %`."""
    return format_share(share).replace("under ", "<").replace("over ", ">")


def _cell_lines(view: EvaluationView, row: Row, driver: DriverName, numbers: Numbers) -> _Lines:
    cell = row.cells[driver]
    if cell.not_measured is not None:
        return (("–", "dim"), (f"not [{numbers[row.name, row.platform, driver]}]", "dim"))
    best = _is_best(view, cell)
    value = (f"{'*' if best else ''}{cell.number}", "green" if best else "")
    interval = ((cell.interval_text, ""),) if cell.interval_text else ()
    return (value, *interval, (_basis_short(cell), "dim"))


def _basis_short(cell: Cell) -> str:
    """One word in full, several cut short: `measured`, `publ+meas`."""
    words = list(dict.fromkeys(cell.basis))
    return words[0].value if len(words) == 1 else "+".join(_BASIS_SHORT[word] for word in words)


def _is_best(view: EvaluationView, cell: Cell) -> bool:
    """Whether no measured candidate is better, and one is worse."""
    values = [each.value for each in (row.cells[cell.driver] for row in view.rows) if each.not_measured is None]
    best = max(values) if cell.better == "more" else min(values)
    return cell.value == best and any(value != best for value in values)


def _legend(view: EvaluationView) -> Text:
    parts = ["↓ less is better, ↑ more is better, * best measured"]
    if any(cell.interval_text for row in view.rows for cell in row.cells.values()):
        parts.append("second line: 95 % interval or known ends")
    if any(cell.not_measured is not None for row in view.rows for cell in row.cells.values()):
        parts.append("not [n]: not measured, see n below")
    mixed = {_basis_short(cell): cell for row in view.rows for cell in row.cells.values() if len(set(cell.basis)) > 1}
    for short, cell in sorted(mixed.items()):
        *words, last = (word.value for word in dict.fromkeys(cell.basis))
        parts.append(f"{short}: {', '.join(words)} and {last} parts")
    if any(row.status == "incomplete" and row.bounds for row in view.rows):
        parts.append(f"incomplete, a{DASH}b: the score if what is missing were worst, or best")
    return Text("; ".join(parts) + ".", style="dim")


def _sections(view: EvaluationView, titles: Sequence[str] | None) -> Iterator[RenderableType]:
    missing = [(f"[{each.number}]", f"{each.subject}: {each.reason}") for each in unmeasured(view)]
    sections: tuple[tuple[str, list[tuple[str, str]]], ...] = (
        ("Not ranked", [("·", text) for _, text in not_ranked(view)]),
        ("Not measured, because", missing),
        ("What would help", [("·", text) for text in hints(view)]),
        ("Notes", [("·", text) for text in notes(view)]),
        ("End of life", [("·", text) for text in urgent_ends(view)]),
        ("What would flip it", [("·", text) for text in flips(view)]),
        ("Last lines of what failed", [(name, line) for name, line in _outputs(view)]),
        ("Wrote", [("·", path) for path in view.wrote]),
    )
    for title, items in sections:
        if items and (titles is None or title in titles):
            yield Text(title, style="bold")
            yield _list(items)
            yield Text("")
    yield Text(provenance(view), style="dim")


def _outputs(view: EvaluationView) -> Iterator[tuple[str, str]]:
    for row in view.ordered:
        for line in row.output[-5:]:
            yield row.name, line


def _list(items: Sequence[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for mark, text in items:
        grid.add_row(Text(mark, style="dim"), Text(one_line(text)))
    return grid


def _text(lines: _Lines) -> Text:
    text = Text()
    for number, (line, style) in enumerate(lines):
        text.append("\n" if number else "").append(line, style=style or None)
    return text


def _breadth(cells: Sequence[_Lines]) -> int:
    return max(Text(line).cell_len for lines in cells for line, _ in lines)
