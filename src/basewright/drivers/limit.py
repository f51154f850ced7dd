"""A requirement's limit in the unit of its driver: `<= 150 MB`, `< 500 ms`, `>= 95 %`."""

import math
import operator
from collections.abc import Callable

from basewright.drivers.catalog import DRIVERS
from basewright.drivers.driver import Driver
from basewright.errors import InputError
from basewright.quantity import split_quantity
from basewright.strategy import DriverName, Requirement

_UNITS: dict[str, dict[str, float]] = {
    "MB": {"MB": 1.0, "kB": 1e-3, "GB": 1e3, "B": 1e-6, "KiB": 2**10 / 1e6, "MiB": 2**20 / 1e6, "GiB": 2**30 / 1e6},
    "s": {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0},
    "ms": {"ms": 1.0, "s": 1e3},
    "days": {"days": 1.0, "day": 1.0, "d": 1.0, "weeks": 7.0},
    "%": {"%": 1.0},
    "points": {"points": 1.0, "point": 1.0},
    "USD": {"USD": 1.0},
    "requests/s": {"requests/s": 1.0, "req/s": 1.0},
    "vCPU": {"vCPU": 1.0},
    "": {"": 1.0},
}
"""Unit of a measure → the units that a limit may be written in, and how much of the measure's each is."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_SAME = 1e-9
"""Relative difference below which two numbers are the same one, written in two units."""


def parse_limit(
    driver: DriverName, requirement: Requirement, *, measure: str | None = None, file_name: str = "basewright.toml"
) -> float:
    """The limit in the unit of the driver's headline, or of `measure`. Raises InputError for a unit that is not its."""
    definition = DRIVERS[driver]
    own_unit = definition.unit_of(measure)
    units = _UNITS[definition.unit if own_unit is None else own_unit]
    where = f"{file_name}: drivers.{driver}.require"
    try:
        number, unit = split_quantity(requirement.limit)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    if unit not in units:
        raise InputError(f"{where}: {_misfit(definition, unit)}", hint=_hint(units, requirement))
    return number * units[unit]


def meets(requirement: Requirement, limit: float, value: float) -> bool:
    """Whether `value` keeps to the limit, both in the measure's unit."""
    same = math.isclose(value, limit, rel_tol=_SAME, abs_tol=1e-12)
    if requirement.operator == "==":
        return same
    if same:
        return requirement.operator in ("<=", ">=")
    return _OPERATORS[requirement.operator](value, limit)


def _misfit(driver: Driver, unit: str) -> str:
    what = driver.name.replace("_", " ")
    return f"{unit!r} is no unit of {what}" if unit else f"the limit of {what} has no unit"


def _hint(units: dict[str, float], requirement: Requirement) -> str:
    if list(units) == [""]:
        return f"a number alone, such as `{requirement.operator} 10`"
    return f"one of {', '.join(units)}, such as `{requirement.operator} 10 {next(iter(units))}`"
