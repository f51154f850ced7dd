"""The evidence of a record as flat tables of at most six columns. Pure."""

from collections.abc import Iterator, Sequence

from basewright.strategy import DriverName
from basewright.view.evaluation import EvaluationView, Row
from basewright.view.markdown import MAX_COLUMNS, code, escape_text, render_table
from basewright.view.number import DASH, format_score, format_share
from basewright.view.sentence import Numbers, unmeasured_numbers
from basewright.view.wording import column_unit, driver_title

SHORT_DIGEST = 12


def ranking_table(view: EvaluationView) -> str:
    """Rank, option, score, how often first, status and image; what is not ranked comes last."""
    rows = []
    for row in view.ordered:
        shares = view.acceptability.get(row.name, ())
        rows.append(
            [
                DASH if row.rank is None else f"{row.rank}{' (tie)' if row.name in view.tie else ''}",
                view.label(row),
                _score(row),
                format_share(shares[0]) if shares and row.rank is not None else DASH,
                _status(row),
                code(row.digest.partition(":")[2][:SHORT_DIGEST]) if row.digest else "not built",
            ]
        )
    return render_table(["Rank", "Option", "Score", "First in draws", "Status", "Image"], rows)


def driver_tables(view: EvaluationView) -> Iterator[str]:
    """What was measured: value, unit, interval and basis in each cell; as few tables as six columns allow."""
    numbers = unmeasured_numbers(view)
    for drivers in _shares(view.drivers, MAX_COLUMNS - 1):
        rows = [[view.label(row), *(_cell(row, driver, numbers) for driver in drivers)] for row in view.ordered]
        yield render_table(["Option", *(_heading(view, driver) for driver in drivers)], rows)


def _shares(drivers: Sequence[DriverName], most: int) -> list[Sequence[DriverName]]:
    """Even shares: seven drivers are four and three, not five and two."""
    count = -(-len(drivers) // most)
    size = -(-len(drivers) // count) if count else 1
    return [drivers[at : at + size] for at in range(0, len(drivers), size)]


def _heading(view: EvaluationView, driver: DriverName) -> str:
    cell = view.measured_cell(driver)
    if cell is None:
        return driver_title(driver)
    return (
        f"{driver_title(driver)} ({escape_text(column_unit(driver, cell.measure, cell.unit))}), {cell.better} is better"
    )


def _score(row: Row) -> str:
    if row.score is not None and row.rank is not None:
        return format_score(row.score)
    if row.bounds is not None and row.status == "incomplete":
        return f"{format_score(row.bounds[0])} to {format_score(row.bounds[1])}"
    return DASH


def _status(row: Row) -> str:
    if row.status != "incomplete":
        return row.status
    return "incomplete, could still win" if row.could_still_win else "incomplete, could not win"


def _cell(row: Row, driver: DriverName, numbers: Numbers) -> str:
    cell = row.cells[driver]
    if cell.not_measured is not None:
        return f"not measured ({numbers[row.name, row.platform, driver]})"
    interval = f" ({cell.interval_text})" if cell.interval_text else ""
    return f"{escape_text(cell.text)}{interval}, {cell.basis_text}"
