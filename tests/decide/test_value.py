"""Value functions between fixed reference points."""

import math

import pytest

from basewright.decide.value import measure_at, position, value_fault, value_of
from basewright.strategy import ValueFunction

LOG = ValueFunction(one=5, zero=500, scale="log")
LOG1P = ValueFunction(one=0, zero=1000, scale="log1p")
LINEAR = ValueFunction(one=100, zero=80)


@pytest.mark.parametrize(
    ("function", "measure", "value"),
    [
        (LOG, 5, 1),
        (LOG, 500, 0),
        (LOG, 50, 0.5),
        (LOG, 1, 1),
        (LOG, 0, 1),
        (LOG, 9000, 0),
        (LINEAR, 95, 0.75),
        (LINEAR, 79, 0),
        (LINEAR, 100, 1),
        (LOG1P, 0, 1),
        (LOG1P, 1000, 0),
        (LOG1P, math.sqrt(1001) - 1, 0.5),
    ],
)
def test_values(function: ValueFunction, measure: float, value: float) -> None:
    assert value_of(function, measure) == pytest.approx(value)


@pytest.mark.parametrize("function", [LOG, LOG1P, LINEAR])
def test_the_inverse(function: ValueFunction) -> None:
    for value in (0, 0.2, 0.5, 0.99, 1):
        assert value_of(function, measure_at(function, value)) == pytest.approx(value)


def test_positions_are_not_clamped() -> None:
    assert position(LOG, 50_000) == pytest.approx(-1)
    assert position(LINEAR, 120) == pytest.approx(2)


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (LOG, ""),
        (LOG1P, ""),
        (LINEAR, ""),
        (ValueFunction(one=1, zero=1), "differ"),
        (ValueFunction(one=0, zero=10, scale="log"), "above 0"),
        (ValueFunction(one=-1, zero=10, scale="log1p"), "0 or more"),
        (ValueFunction(one=1, zero=math.inf), "finite"),
        (ValueFunction(one=math.nan, zero=1), "finite"),
        (ValueFunction(one=1, zero=2, scale="square"), "linear, log, log1p"),
    ],
)
def test_faults(function: ValueFunction, fault: str) -> None:
    assert fault in value_fault(function)
    assert bool(value_fault(function)) is bool(fault)
