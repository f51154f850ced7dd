"""What would flip a decision, by hand."""

import pytest

from basewright.decide.criterion import Criterion
from basewright.decide.flip import flips_of
from basewright.decide.value import value_of
from basewright.drivers.driver import Better
from basewright.facts import Basis, Measurement
from basewright.strategy import DriverName, ValueFunction

SIZE, POSTURE = DriverName.IMAGE_SIZE, DriverName.SECURITY_POSTURE
SIZES = ValueFunction(one=1, zero=100, scale="log")
POINTS = ValueFunction(one=0, zero=10)


def _criteria(size: float = 1, posture: float = 1) -> list[Criterion]:
    return [
        Criterion(driver=SIZE, weight=size, value=SIZES, better=Better.LESS),
        Criterion(driver=POSTURE, weight=posture, value=POINTS, better=Better.LESS),
    ]


def _measurement(driver: DriverName, value: float, unit: str) -> Measurement:
    return Measurement(driver=driver, measure="m", value=value, unit=unit, better="less", basis=(Basis.MEASURED,))


def _measured(table: dict[str, tuple[float, float]]) -> dict[str, dict[DriverName, Measurement]]:
    return {
        name: {SIZE: _measurement(SIZE, size, "MB"), POSTURE: _measurement(POSTURE, points, "points")}
        for name, (size, points) in table.items()
    }


def _scores(measured: dict[str, dict[DriverName, Measurement]]) -> dict[str, dict[DriverName, float]]:
    functions = {SIZE: SIZES, POSTURE: POINTS}
    return {
        name: {driver: value_of(functions[driver], found.value) for driver, found in row.items()}
        for name, row in measured.items()
    }


def test_by_hand() -> None:
    """A: 10 MB (0.5), 0 points (1). B: 1 MB (1), 8 points (0.2). A leads by 0.3.

    Size: A falls behind at a score of 0.2, 39.8 MB; B is clamped at 1 already. Posture: A at 0.7, 3 points, B at 0.5,
    5 points: both are 0.3 away and A's comes first. Weight of size: 0.8 in posture against 0.5 in size, at 1.6;
    weight of posture: at 0.5 / 0.8.
    """
    measured = _measured({"A": (10, 0), "B": (1, 8)})
    size, posture = flips_of("A", _scores(measured), measured, _criteria())
    assert size.measurement is not None
    assert (size.measurement.candidate, size.measurement.winner, size.measurement.unit) == ("A", "B", "MB")
    assert size.measurement.threshold == pytest.approx(100**0.8)
    assert posture.measurement is not None
    assert posture.measurement.threshold in (pytest.approx(3), pytest.approx(5))
    assert size.weight is not None
    assert (size.weight.weight, size.weight.winner) == (1, "B")
    assert size.weight.threshold == pytest.approx(1.6)
    assert posture.weight is not None
    assert posture.weight.threshold == pytest.approx(0.625)


def test_none_where_no_change_can() -> None:
    """A dominates B, and leads by more than any one driver gives."""
    measured = _measured({"A": (1, 0), "B": (100, 10)})
    for flip in flips_of("A", _scores(measured), measured, _criteria()):
        assert (flip.measurement, flip.weight) == (None, None)


def test_a_candidate_alone_cannot_lose() -> None:
    measured = _measured({"A": (1, 0)})
    for flip in flips_of("A", _scores(measured), measured, _criteria()):
        assert (flip.measurement, flip.weight) == (None, None)


def test_a_single_driver_keeps_its_weight() -> None:
    measured = _measured({"A": (1, 0), "B": (2, 0)})
    (flip,) = flips_of("A", _scores(measured), measured, _criteria()[:1])
    assert flip.weight is None
    assert flip.measurement is not None


def test_a_third_candidate_may_be_the_nearest_by_weight() -> None:
    """B is second, but only C is better than A in posture."""
    measured = _measured({"A": (1, 5), "B": (1.2, 5), "C": (5, 0)})
    size, posture = flips_of("A", _scores(measured), measured, _criteria(3, 1))
    assert size.weight is not None
    assert size.weight.winner == "C"
    assert posture.weight is not None
    assert posture.weight.winner == "C"
    assert size.measurement is not None
    assert size.measurement.winner == "B"
