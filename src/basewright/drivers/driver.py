"""What a driver is: a headline measure, its reference points, and a pure function from evidence to a measurement."""

import datetime
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from basewright.facts import Also, Evidence, Measurement, NotMeasured, Unmeasured
from basewright.fargate import FargateFacts
from basewright.strategy import Bench, DriverName, ValueFunction


class Better(StrEnum):
    """Which way is better."""

    LESS = "less"
    MORE = "more"


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """A numeric measure beside the headline, which a strategy may choose in its place. `means` is a phrase."""

    unit: str
    means: str


class DriverContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver must know beyond one candidate's evidence. `as_of` is the day that is judged at."""

    as_of: datetime.date
    fargate: FargateFacts | NotMeasured
    bench: Bench


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """One decision driver. `value` holds its reference points: the measure worth 1, and the one worth 0.

    `bounded`: its interval holds the ends of what is known, the value at one of them, so that a requirement between
    the ends cannot be told.
    """

    name: DriverName
    headline: str
    unit: str
    better: Better
    value: ValueFunction
    docs: str
    further: Mapping[str, Further]
    measure: Callable[[Evidence, DriverContext], Measurement | Unmeasured]
    bounded: bool = False

    def unit_of(self, measure: str | None) -> str | None:
        """The unit of the headline (None) or of a further measure; None where there is no such measure."""
        if measure is None or measure == self.headline:
            return self.unit
        further = self.further.get(measure)
        return None if further is None else further.unit


def choose_measure(
    driver: Driver, found: Measurement | Unmeasured, measure: str | None, better: Better
) -> Measurement | Unmeasured:
    """What was measured, with `measure` (a name of `driver.further`) as the headline; None leaves it as it is."""
    if measure is None or measure == driver.headline:
        return found
    chosen = found.also.get(measure)
    if chosen is None or not isinstance(chosen.value, (int, float)):
        reason = found.reason if isinstance(found, Unmeasured) else f"{measure.replace('_', ' ')} is not known"
        return Unmeasured(driver=driver.name, reason=reason, also=found.also)
    also = {name: each for name, each in found.also.items() if name != measure}
    if isinstance(found, Measurement):
        also = {
            driver.headline: Also(
                value=found.value,
                unit=found.unit,
                interval=found.interval,
                basis=found.basis,
                samples=found.samples,
            ),
            **also,
        }
    return Measurement(
        driver=driver.name,
        measure=measure,
        value=float(chosen.value),
        unit=chosen.unit,
        better=better,
        basis=chosen.basis,
        interval=chosen.interval,
        samples=chosen.samples,
        also=also,
    )
