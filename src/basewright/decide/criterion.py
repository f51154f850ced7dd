"""What a strategy asks of each driver: weight, value function, measure, limits. Checked before anything is built."""

import msgspec

from basewright.decide.value import value_fault
from basewright.drivers.catalog import DRIVERS
from basewright.drivers.driver import Better, Driver
from basewright.drivers.limit import parse_limit
from basewright.errors import InputError
from basewright.strategy import DriverName, DriverSettings, Requirement, Strategy, ValueFunction


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement with its limit as a number in the measure's unit."""

    requirement: Requirement
    value: float


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """One driver as the strategy asks for it. `measure` is None for the driver's own headline."""

    driver: DriverName
    weight: float
    value: ValueFunction
    better: Better
    measure: str | None = None
    limits: tuple[Limit, ...] = ()


def criteria_of(strategy: Strategy) -> tuple[Criterion, ...]:
    """Every driver that the strategy weighs or requires something of, in the drivers' order.

    Raises InputError where a limit's unit, a measure or a pair of reference points does not fit its driver.
    """
    criteria = []
    for name, driver in DRIVERS.items():
        settings = strategy.drivers.get(name, DriverSettings())
        required = [each for each in strategy.requirements if each.driver is name]
        if settings.weight > 0 or required:
            criteria.append(_criterion(strategy, driver, settings, required))
    return tuple(criteria)


def _criterion(strategy: Strategy, driver: Driver, settings: DriverSettings, required: list[Requirement]) -> Criterion:
    where = f"{strategy.file_name}: drivers.{driver.name}"
    measure = None if settings.measure == driver.headline else settings.measure
    _check_measure(where, driver, measure, settings)
    value, better = driver.value, driver.better
    if settings.value is not None:
        value = settings.value
        fault = value_fault(value)
        if fault:
            raise InputError(f"{where}.value: {fault}")
        better = Better.MORE if value.one > value.zero else Better.LESS
    if measure is None and better is not driver.better:
        order = "below" if driver.better is Better.LESS else "above"
        raise InputError(f"{where}.value: {driver.better} is better here, so `one` lies {order} `zero`")
    limits = tuple(
        Limit(
            requirement=each,
            value=parse_limit(driver.name, each, measure=measure, file_name=strategy.file_name),
        )
        for each in required
    )
    return Criterion(
        driver=driver.name, weight=settings.weight, value=value, better=better, measure=measure, limits=limits
    )


def _check_measure(where: str, driver: Driver, measure: str | None, settings: DriverSettings) -> None:
    if measure is None:
        return
    if measure not in driver.further:
        raise InputError(
            f"{where}.measure: {measure!r} cannot rank", hint=f"one of {driver.headline}, {', '.join(driver.further)}"
        )
    if settings.value is None:
        unit = driver.further[measure].unit
        raise InputError(
            f"{where}.measure: {measure} needs reference points of its own{f' in {unit}' if unit else ''}",
            hint=f'such as [drivers.{driver.name}] value = {{ one = 1, zero = 100, scale = "log" }}',
        )
