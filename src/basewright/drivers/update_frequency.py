"""update_frequency: how long a fix waits for the next rebuild of the base, and for how long there will be fixes."""

import datetime
import itertools
import statistics
from collections.abc import Iterable

import msgspec

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also
from basewright.facts import Also, Basis, CadenceFacts, Evidence, LifecycleFact, Measurement, NotMeasured, Unmeasured
from basewright.strategy import DriverName, ValueFunction

_HEADLINE = "days_between_rebuilds"
_YEAR = datetime.timedelta(days=365)
_ROLES = ("distribution", "interpreter", "toolchain")


class _Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """Days: the gap still open at the horizon, and the median of the gaps that closed in the year before it."""

    open_gap: int
    median_gap: float | None
    changes: int
    """In that year."""

    @property
    def days(self) -> float:
        return max(float(self.open_gap), self.median_gap or 0.0)


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    lifecycles = _lifecycles(evidence.lifecycles, context.as_of)
    cadence = evidence.cadence
    if isinstance(cadence, NotMeasured):
        return Unmeasured(driver=DriverName.UPDATE_FREQUENCY, reason=cadence.reason, also=lifecycles)
    horizon = _horizon(cadence, context.as_of)
    fuller, own = _rhythm(cadence.change_dates, horizon), _rhythm(cadence.own_change_dates, horizon)
    also = _also(cadence, context.as_of, fuller, own) | lifecycles
    if fuller is None:
        reason = f"no change of {cadence.subject} is known up to {horizon}"
        return Unmeasured(driver=DriverName.UPDATE_FREQUENCY, reason=reason, also=also)
    ends = sorted((fuller.days, (own or fuller).days))
    return Measurement(
        driver=DriverName.UPDATE_FREQUENCY,
        measure=_HEADLINE,
        value=fuller.days,
        unit="days",
        better=Better.LESS,
        basis=(cadence.basis,),
        interval=(ends[0], ends[1]) if ends[0] < ends[1] else None,
        samples=(fuller.days,) if ends[0] == ends[1] else (),
        also=also,
    )


def _horizon(cadence: CadenceFacts, as_of: datetime.date) -> datetime.date:
    """The last day of which it is known whether something changed. What ended is known not to change any more."""
    return as_of if cadence.ended else min(as_of, cadence.known_until)


def _rhythm(dates: Iterable[datetime.date], horizon: datetime.date) -> _Rhythm | None:
    days = sorted({day for day in dates if day <= horizon})
    if not days:
        return None
    closed = [(later - earlier).days for earlier, later in itertools.pairwise(days) if later > horizon - _YEAR]
    return _Rhythm(
        open_gap=(horizon - days[-1]).days,
        median_gap=float(statistics.median(closed)) if closed else None,
        changes=sum(day > horizon - _YEAR for day in days),
    )


def _also(cadence: CadenceFacts, as_of: datetime.date, fuller: _Rhythm | None, own: _Rhythm | None) -> dict[str, Also]:
    basis = cadence.basis
    also = {
        "subject": exact_also(cadence.subject, basis=basis),
        "source": exact_also(cadence.source, basis=basis),
        "known_until": exact_also(cadence.known_until.isoformat(), basis=basis),
    }
    if fuller is not None:
        also["open_gap_days"] = exact_also(fuller.open_gap, "days", basis)
        also["median_gap_days"] = exact_also(fuller.median_gap, "days", basis)
        also["changes_in_a_year"] = exact_also(fuller.changes, "", basis)
    if own is not None:
        also["own_days_between_rebuilds"] = exact_also(own.days, "days", basis)
    if cadence.ended:
        also["ended"] = exact_also("no longer rebuilt", basis=basis)
    if cadence.base_created is not None:
        also["base_age_days"] = exact_also((as_of - cadence.base_created).days, "days", basis)
    return also


def _lifecycles(lifecycles: Iterable[LifecycleFact], as_of: datetime.date) -> dict[str, Also]:
    """By role; where one role has several (two distributions in one image), the one that ends first."""
    also: dict[str, Also] = {}
    ordered = sorted(lifecycles, key=lambda fact: (fact.eol or datetime.date.max, fact.subject), reverse=True)
    for fact in ordered:
        also |= _lifecycle(fact, as_of)
    return also


def _lifecycle(fact: LifecycleFact, as_of: datetime.date) -> dict[str, Also]:
    role = fact.role.replace("-", "_").replace(" ", "_")
    left = None if fact.eol is None else (fact.eol - as_of).days
    extended = None if fact.extended_until is None else fact.extended_until.isoformat()
    return {
        role: exact_also(fact.subject, basis=Basis.PUBLISHED),
        f"{role}_eol": exact_also(
            "no end is announced" if fact.eol is None else fact.eol.isoformat(), basis=Basis.PUBLISHED
        ),
        f"{role}_support_left_days": exact_also(left, "days", Basis.PUBLISHED),
        f"{role}_extended_until": exact_also(extended, basis=Basis.PUBLISHED),
    }


UPDATE_FREQUENCY = Driver(
    name=DriverName.UPDATE_FREQUENCY,
    headline=_HEADLINE,
    unit="days",
    better=Better.LESS,
    value=ValueFunction(one=7, zero=180, scale="log"),
    docs="Days between rebuilds of the base: the larger of the last year's median gap and the gap that is still open "
    "at the day of the evaluation. A gap is open as far as the data reach; to that day where rebuilds have ended. The "
    "value counts changes of the base's own base too (the fuller account); the other end of the interval is its own "
    "changes alone. Where both agree there is no interval.",
    further={
        "open_gap_days": Further(unit="days", means="since the last change, as far as the data reach"),
        "median_gap_days": Further(unit="days", means="median gap between changes in the last year of the data"),
        "changes_in_a_year": Further(unit="", means="changes in the last year of the data"),
        "own_days_between_rebuilds": Further(unit="days", means="the headline from the base's own changes alone"),
        "base_age_days": Further(unit="days", means="since the base was made"),
        **{
            f"{role}_support_left_days": Further(unit="days", means=f"until the {role}'s end of life, negative past it")
            for role in _ROLES
        },
    },
    measure=_measure,
)
