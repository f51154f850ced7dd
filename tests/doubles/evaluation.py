"""The view of the example's evaluation, made by hand: outputs are tested with it, whatever drivers measure."""

import datetime
import math

from basewright.decide.flip import Flip, MeasurementFlip, WeightFlip
from basewright.facts import Also, Basis
from basewright.strategy import DriverName
from basewright.view.evaluation import Cell, EvaluationView, Row
from basewright.view.lifecycle import ends_of_life
from basewright.view.wording import base_label, option_text
from tests.doubles.evidence import (
    AS_OF,
    EVALUATED_AT,
    LOCK,
    MACHINE,
    OUT_OF_REACH,
    PLATFORM,
    RUNNER,
    seven_candidates,
    strategy,
)

_EVIDENCE = {each.candidate: each for each in seven_candidates()}
_CANDIDATES = {each.name: each for each in strategy().candidates}
_MEASURED, _MIXED = (Basis.MEASURED,), (Basis.PUBLISHED, Basis.MEASURED)
_UNITS = {
    DriverName.IMAGE_SIZE: ("compressed_size", "MB", "less"),
    DriverName.SECURITY_POSTURE: ("failed_checks_weighted", "points", "less"),
    DriverName.BUILD_PERFORMANCE: ("application_edit_seconds", "s", "less"),
    DriverName.RUNTIME_PERFORMANCE: ("cpu_seconds_per_1000_requests", "s", "less"),
    DriverName.PACKAGE_AVAILABILITY: ("installable_without_compiler", "%", "more"),
    DriverName.UPDATE_FREQUENCY: ("days_between_rebuilds", "days", "less"),
    DriverName.RESOURCE_EFFICIENCY: ("monthly_price", "USD", "less"),
}


def cell(
    driver: DriverName,
    value: float,
    interval: tuple[float, float] | None = None,
    basis: tuple[Basis, ...] = _MEASURED,
    also: dict[str, Also] | None = None,
) -> Cell:
    """A number in the driver's unit."""
    measure, unit, better = _UNITS[driver]
    samples = (value,) if interval is None else (interval[0], value, interval[1])
    return Cell(
        driver=driver,
        measure=measure,
        value=value,
        unit=unit,
        better=better,
        interval=interval,
        basis=basis,
        samples=tuple(each for each in samples if math.isfinite(each)),
        score=0.5,
        also=also or {},
    )


def row(
    name: str,
    *,
    size: float,
    edit: float,
    days: tuple[float, float, float],
    cpu: float | None = None,
    price: float | None = None,
    points: float | None = None,
    rank: int | None = None,
    score: float | None = None,
    bounds: tuple[float, float] | None = None,
    could_still_win: bool = False,
) -> Row:
    """A candidate with its run measured, or incomplete where `cpu` is None."""
    evidence, candidate = _EVIDENCE[name], _CANDIDATES[name]
    base = base_label(candidate.base)
    reason = f"the bytes of {base} are not here: {OUT_OF_REACH}"
    cells = {
        DriverName.IMAGE_SIZE: cell(
            DriverName.IMAGE_SIZE,
            size,
            basis=_MEASURED if cpu is not None else _MIXED,
            also={"layers": Also(value=3, unit="", basis=_MEASURED)},
        ),
        DriverName.BUILD_PERFORMANCE: cell(DriverName.BUILD_PERFORMANCE, edit, (edit * 0.97, edit * 1.03)),
        DriverName.PACKAGE_AVAILABILITY: cell(DriverName.PACKAGE_AVAILABILITY, 100),
        DriverName.UPDATE_FREQUENCY: cell(DriverName.UPDATE_FREQUENCY, days[0], (days[1], days[2]), (Basis.PUBLISHED,)),
    }
    measured = {
        DriverName.SECURITY_POSTURE: (points, None, _MEASURED),
        DriverName.RUNTIME_PERFORMANCE: (cpu, 0.021, _MEASURED),
        DriverName.RESOURCE_EFFICIENCY: (price, None, (Basis.MEASURED, Basis.PUBLISHED, Basis.MODELLED)),
    }
    for driver, (value, spread, basis) in measured.items():
        if value is None:
            cells[driver] = Cell(driver=driver, not_measured=reason)
        else:
            interval = None if spread is None else (value * (1 - spread), value * (1 + spread))
            cells[driver] = cell(driver, value, interval, basis)
    whole = cpu is not None
    return Row(
        name=name,
        platform=evidence.platform,
        base=base,
        option=option_text(candidate),
        status="evaluated" if whole else "incomplete",
        rank=rank,
        score=score,
        reason="" if evidence.failure is None else evidence.failure.reason,
        could_still_win=could_still_win,
        bounds=bounds,
        requirements=(),
        digest=evidence.image.digest if evidence.image else None,
        notes=() if whole else (f"the size of {base} is published, and stands for the tag of 2026-07-01",),
        sources=("docker-library/official-images to 2026-07-01",) if not whole else (),
        output=(),
        cells={driver: cells[driver] for driver in DriverName},
        failed_checks=("No shell (/usr/bin/bash, /usr/bin/dash)", "No package manager (/usr/bin/apt)")
        if points
        else (),
    )


def _flip(driver: DriverName, threshold: float | None, weight: float | None) -> Flip:
    measurement = None
    if threshold is not None:
        unit = _UNITS[driver][1]
        measurement = MeasurementFlip(
            candidate="go-static", value=2.41, threshold=threshold, unit=unit, winner="debian-minimal"
        )
    return Flip(
        driver=driver,
        measurement=measurement,
        weight=None if weight is None else WeightFlip(weight=1.0, threshold=weight, winner="debian-minimal"),
    )


def evaluation(*, tie: bool = False) -> EvaluationView:
    """Seven candidates: go-static wins, or ties with debian-minimal; four bases were out of reach."""
    first = 0.71 if tie else 0.97
    return EvaluationView(
        version="0.1.0",
        service="calendar-api",
        evaluated_at=EVALUATED_AT,
        as_of=AS_OF,
        runner=RUNNER,
        machine=MACHINE,
        lock=LOCK,
        region="us-east-1",
        platform=PLATFORM,
        drivers=tuple(DriverName),
        weights=dict.fromkeys(DriverName, 1.0),
        rows=(
            row(
                "go-alpine",
                size=7.94,
                edit=2.44,
                days=(649, 649, math.inf),
                bounds=(0.34, 0.87),
                could_still_win=True,
            ),
            row("python-slim", size=60.02, edit=0.3, days=(14, 9, 21), bounds=(0.49, 0.91), could_still_win=True),
            row("python-full", size=399.5, edit=0.3, days=(14, 9, 21), bounds=(0.37, 0.79)),
            row("python-alpine", size=30.72, edit=0.3, days=(14, 9, 21), bounds=(0.53, 0.95), could_still_win=True),
            row(
                "debian-minimal",
                size=33.62,
                edit=0.29,
                days=(9, 9, 12),
                cpu=3.71,
                price=18.02,
                points=0,
                rank=2,
                score=0.643,
            ),
            row(
                "debian-apt",
                size=66.22,
                edit=0.31,
                days=(7, 7, 12),
                cpu=3.74,
                price=18.02,
                points=4,
                rank=3,
                score=0.512,
            ),
            row(
                "go-static",
                size=4.81,
                edit=2.41,
                days=(42, 42, 42),
                cpu=0.162,
                price=9.01,
                points=0,
                rank=1,
                score=0.83,
            ),
        ),
        winner=None if tie else "go-static",
        tie=("go-static", "debian-minimal") if tie else (),
        ranking=(("go-static", 0.83), ("debian-minimal", 0.643), ("debian-apt", 0.512)),
        acceptability={
            "go-static": (first, 1 - first, 0.0),
            "debian-minimal": (1 - first, first - 0.002, 0.002),
            "debian-apt": (0.0, 0.002, 0.998),
        },
        pairwise={
            "go-static": {"debian-minimal": first, "debian-apt": 1.0},
            "debian-minimal": {"go-static": 1 - first, "debian-apt": 0.998},
            "debian-apt": {"go-static": 0.0, "debian-minimal": 0.002},
        },
        central_weights={"go-static": dict.fromkeys(DriverName, 1 / 7)},
        flips=(
            _flip(DriverName.IMAGE_SIZE, None, 9.2),
            _flip(DriverName.SECURITY_POSTURE, None, None),
            _flip(DriverName.BUILD_PERFORMANCE, 31.2, 4.1),
            _flip(DriverName.UPDATE_FREQUENCY, None, 3.0),
        ),
        dominated_by={"go-static": (), "debian-minimal": (), "debian-apt": ("debian-minimal",)},
        could_overturn=("go-alpine", "python-slim", "python-alpine"),
        seed=20261124,
        draws=10_000,
        ends=ends_of_life(tuple(_EVIDENCE.values()), _CANDIDATES),
        supersedes="ADR-007",
        previous_date=datetime.date(2025, 6, 6),
    )
