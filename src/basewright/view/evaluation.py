"""An evaluation as every output shows it: rows and cells, as records. Pure."""

import datetime
import math

import msgspec

from basewright.decide.flip import Flip
from basewright.facts import Also, Basis, Machine
from basewright.strategy import DriverName
from basewright.view.lifecycle import EndOfLife
from basewright.view.number import format_interval, format_quantity
from basewright.view.wording import basis_text


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One driver of one candidate: a number, or the reason why there is none (`not_measured`)."""

    driver: DriverName
    not_measured: str | None = None
    measure: str = ""
    value: float = math.nan
    unit: str = ""
    better: str = ""
    interval: tuple[float, float] | None = None
    basis: tuple[Basis, ...] = ()
    samples: tuple[float, ...] = ()
    score: float | None = None
    also: dict[str, Also] = {}

    @property
    def number(self) -> str:
        """The value without its unit: `41.2`, `≥ 649`."""
        return format_quantity(self.value, "", self.interval)

    @property
    def text(self) -> str:
        """The value with its unit."""
        return format_quantity(self.value, self.unit, self.interval)

    @property
    def interval_text(self) -> str:
        """`40.9–42.3`, empty where the value is exact or from one sample."""
        return format_interval(self.value, self.interval)

    @property
    def basis_text(self) -> str:
        return basis_text(self.basis)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate. `rank` counts from 1, None where it is not ranked; `cells` holds every driver of the view."""

    name: str
    platform: str
    base: str
    option: str
    status: str
    rank: int | None
    score: float | None
    reason: str
    could_still_win: bool
    bounds: tuple[float, float] | None
    requirements: tuple["RequirementView", ...]
    digest: str | None
    notes: tuple[str, ...]
    output: tuple[str, ...]
    cells: dict[DriverName, Cell]
    sources: tuple[str, ...] = ()
    hint: str = ""
    """What would mend a failed or incomplete candidate, empty where nobody knows."""
    failed_checks: tuple[str, ...] = ()
    """What posture checks found, such as `No shell (/usr/bin/dash)`."""


class RequirementView(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement as it was judged. `met`: None where it could not be told."""

    driver: DriverName
    text: str
    value: float | None
    unit: str
    met: bool | None


class EvaluationView(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown. `rows` are in the strategy's order; `ranking` is the order of the decision."""

    version: str
    service: str
    evaluated_at: datetime.datetime
    as_of: datetime.date
    runner: str
    machine: Machine
    lock: str
    region: str
    platform: str
    """Where the ranking holds."""
    drivers: tuple[DriverName, ...]
    weights: dict[DriverName, float]
    rows: tuple[Row, ...]
    winner: str | None
    tie: tuple[str, ...]
    ranking: tuple[tuple[str, float], ...]
    acceptability: dict[str, tuple[float, ...]]
    pairwise: dict[str, dict[str, float]]
    central_weights: dict[str, dict[DriverName, float]]
    flips: tuple[Flip, ...]
    dominated_by: dict[str, tuple[str, ...]]
    could_overturn: tuple[str, ...]
    seed: int
    draws: int
    ends: tuple[EndOfLife, ...]
    supersedes: str | None
    previous_date: datetime.date | None
    wrote: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether there is a decision: a winner, or a declared tie."""
        return self.winner is not None or bool(self.tie)

    @property
    def previous(self) -> tuple[str, datetime.date] | None:
        """The record that this decision answers, and its date, where both are known."""
        if self.previous_date is None:
            return None
        return (self.supersedes or "the decision before", self.previous_date)

    @property
    def ordered(self) -> tuple[Row, ...]:
        """Rows for reading: ranked first, then incomplete, disqualified and failed ones in the strategy's order."""
        order = {"evaluated": 0, "incomplete": 1, "disqualified": 2, "failed": 3}
        return tuple(sorted(self.rows, key=lambda row: (order.get(row.status, 4), row.rank or 0)))

    @property
    def several_platforms(self) -> bool:
        """Whether a row must say its platform to be told from another."""
        return len({row.platform for row in self.rows}) > 1

    def measured_cell(self, driver: DriverName) -> Cell | None:
        """The first of a driver that has a number: its measure, unit and direction are those of all."""
        cells = (row.cells[driver] for row in self.rows)
        return next((cell for cell in cells if cell.not_measured is None), None)

    def label(self, row: Row) -> str:
        """A row's name, with its platform where there are several."""
        return f"{row.name} ({row.platform})" if self.several_platforms else row.name

    def row(self, name: str) -> Row:
        """The row of a candidate where the ranking holds. Raises KeyError."""
        for row in self.rows:
            if row.name == name and row.platform == self.platform:
                return row
        raise KeyError(name)
