"""What speaks for and against an option, from measured facts only. Pure."""

from collections.abc import Iterator

from basewright.strategy import DriverName
from basewright.view.evaluation import Cell, EvaluationView, Row
from basewright.view.lifecycle import EndOfLife
from basewright.view.markdown import escape_text
from basewright.view.number import format_count
from basewright.view.wording import days_between, driver_noun, headline_words, join_words


def option_section(view: EvaluationView, row: Row) -> Iterator[str]:
    """`Good, because …`, `Neutral, because …` and `Bad, because …`, in this order, as Markdown."""
    for driver in view.drivers:
        standing = _standing(view, row, driver)
        if standing is not None and standing[0]:
            yield f"Good, because {standing[1]}"
    if row.status == "incomplete":
        yield f"Neutral, because it could not be compared: {escape_text(row.reason)}"
    for driver in view.drivers:
        standing = _standing(view, row, driver)
        if standing is not None and not standing[0]:
            yield f"Bad, because {standing[1]}"
    yield from _drawbacks(view, row)
    if row.status in ("disqualified", "failed"):
        word = "it is disqualified" if row.status == "disqualified" else "it failed"
        yield f"Bad, because {word}: {escape_text(row.reason)}"


def consequences(view: EvaluationView, winner: Row) -> Iterator[str]:
    """What choosing the winner brings, and what it costs against the best of the other options."""
    for driver in view.drivers:
        standing = _standing(view, winner, driver)
        if standing is not None and standing[0]:
            yield f"Good, because {standing[1]}"
    for driver in view.drivers:
        better = _better(view, winner, driver)
        if better is not None:
            other, cell = better
            yield (
                f"Bad, because {driver_noun(driver)} is {_quantity(winner.cells[driver])}, "
                f"where {other.name} has {_quantity(cell)}"
            )
    yield from _drawbacks(view, winner)


def _drawbacks(view: EvaluationView, row: Row) -> Iterator[str]:
    dominators = view.dominated_by.get(row.name, ()) if row.rank is not None else ()
    if dominators:
        verb = "is" if len(dominators) == 1 else "are"
        yield f"Bad, because {join_words(dominators)} {verb} at least as good in every driver: no weights make it win"
    if row.failed_checks:
        yield f"Bad, because these posture checks fail: {escape_text('; '.join(row.failed_checks))}"
    for end in view.ends:
        if row.name in end.candidates and (end.passed(view.as_of) or end.soon(view.as_of)):
            yield f"Bad, because {escape_text(_end(end, view))}"


def _end(end: EndOfLife, view: EvaluationView) -> str:
    if end.date is None:
        return end.subject
    days = days_between(end.date, view.as_of)
    if days >= 0:
        return f"{end.subject} has been past its end of life since {end.date}"
    return f"{end.subject} reaches its end of life on {end.date}, in {format_count(-days, 'day')}"


def _standing(view: EvaluationView, row: Row, driver: DriverName) -> tuple[bool, str] | None:
    """Whether the option is the best (True) or the worst (False) of those measured, in words; None in between.

    Options whose intervals overlap are told apart by nobody, so that none of them is called the best alone.
    """
    cell = row.cells[driver]
    others = [each.cells[driver] for each in _others(view, row, driver)]
    if cell.not_measured is not None or not others:
        return None
    ahead = [_ahead(cell, other) for other in others]
    behind = [_ahead(other, cell) for other in others]
    words = headline_words(driver, cell.measure)
    if not any(behind) and any(ahead):
        alone = words is not None and all(ahead)
        text = words.good if words is not None and alone else f"it is among the best in {driver_noun(driver)}"
        return True, f"{text}: {_quantity(cell)}"
    if not any(ahead) and any(behind):
        alone = words is not None and all(behind)
        text = words.bad if words is not None and alone else f"it is among the worst in {driver_noun(driver)}"
        return False, f"{text}: {_quantity(cell)}"
    return None


def _better(view: EvaluationView, winner: Row, driver: DriverName) -> tuple[Row, Cell] | None:
    """The best other option, where it is better than the winner beyond their intervals."""
    mine = winner.cells[driver]
    found = [(row, row.cells[driver]) for row in _others(view, winner, driver) if mine.not_measured is None]
    found = [(row, cell) for row, cell in found if _ahead(cell, mine)]
    if not found:
        return None
    return min(found, key=lambda pair: -pair[1].value if mine.better == "more" else pair[1].value)


def _others(view: EvaluationView, row: Row, driver: DriverName) -> list[Row]:
    """The other options on the same platform with a number for the driver, the best ranked first."""
    return [
        each
        for each in view.ordered
        if each.platform == row.platform and each.name != row.name and each.cells[driver].not_measured is None
    ]


def _ahead(cell: Cell, other: Cell) -> bool:
    """Whether the first is better than the second, beyond both intervals."""
    if cell.unit != other.unit:
        return False
    low, high = cell.interval or (cell.value, cell.value)
    other_low, other_high = other.interval or (other.value, other.value)
    return low > other_high if cell.better == "more" else high < other_low


def _quantity(cell: Cell) -> str:
    interval = f" ({cell.interval_text})" if cell.interval_text else ""
    return f"{escape_text(cell.text)}{interval}, {cell.basis_text}"
