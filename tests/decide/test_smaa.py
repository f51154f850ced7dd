"""SMAA-2 against worked examples: those that the R package smaa is tested with, and ones computed by hand."""

import math
import random

import pytest

from basewright.decide.criterion import Criterion
from basewright.decide.smaa import (
    central_weights,
    column,
    pairwise_winning,
    rank_acceptability,
    robustness,
    triangular,
    values,
)
from basewright.drivers.driver import Better
from basewright.facts import Basis, Measurement
from basewright.strategy import DriverName, ValueFunction

PERCENT = ValueFunction(one=1, zero=0)
SIZE, POSTURE, BUILD = DriverName.IMAGE_SIZE, DriverName.SECURITY_POSTURE, DriverName.BUILD_PERFORMANCE


def _criterion(driver: DriverName, weight: float = 1) -> Criterion:
    return Criterion(driver=driver, weight=weight, value=PERCENT, better=Better.MORE)


def _measurement(
    value: float,
    samples: tuple[float, ...] = (),
    interval: tuple[float, float] | None = None,
    driver: DriverName = SIZE,
) -> Measurement:
    return Measurement(
        driver=driver,
        measure="m",
        value=value,
        unit="",
        better="more",
        basis=(Basis.MEASURED,),
        samples=samples,
        interval=interval,
    )


def test_pairwise_winning_indices_as_in_the_r_packages_own_test() -> None:
    found = {"a1": [0.0] + [1.0] * 9, "a2": [1.0] + [0.0] * 9}
    assert pairwise_winning(found) == {"a1": {"a2": 0.9}, "a2": {"a1": 0.1}}
    assert rank_acceptability(found) == {"a1": (0.9, 0.1), "a2": (0.1, 0.9)}


def test_no_central_weights_for_what_is_never_first_as_in_the_r_packages_own_test() -> None:
    weights = [(1 / 3, 1 / 3, 1 / 3)] * 10
    found = values({"A": (1.0, 1.0, 1.0), "B": (0.0, 0.0, 0.0)}, weights)
    assert central_weights(found, weights) == {"A": pytest.approx((1 / 3, 1 / 3, 1 / 3))}
    once = [0.0] + [1.0] * 9
    other = [1 - each for each in once]
    found = values({"A": (once,) * 3, "B": (other,) * 3}, weights)
    assert central_weights(found, weights)["B"] == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_three_candidates_by_hand() -> None:
    """Two criteria, weights (w, 1 - w): A is (1, 0), B (0, 1), C (0.7, 0.7). A is first for w over 0.7, B for w under
    0.3, C between. C is never last; A is last for w under one half. On an even grid of w the shares are exact."""
    grid = [(at + 0.5) / 100 for at in range(100)]
    weights = [(w, 1 - w) for w in grid]
    found = values({"A": (1.0, 0.0), "B": (0.0, 1.0), "C": (0.7, 0.7)}, weights)
    assert rank_acceptability(found) == {"A": (0.3, 0.2, 0.5), "B": (0.3, 0.2, 0.5), "C": (0.4, 0.6, 0.0)}
    assert pairwise_winning(found)["A"] == {"B": 0.5, "C": 0.3}
    central = central_weights(found, weights)
    assert central["A"] == pytest.approx((0.85, 0.15))
    assert central["B"] == pytest.approx((0.15, 0.85))
    assert central["C"] == pytest.approx((0.5, 0.5))


def test_drawn_weights_agree_with_the_same_example() -> None:
    """Restricted to half to double of (0.5, 0.5), w is between 0.25 and 0.75, so that A is first in a tenth."""
    rows = {"A": (1.0, 0.0), "B": (0.0, 1.0), "C": (0.7, 0.7)}
    measured = {
        name: [_measurement(value, (value,), driver=driver) for value, driver in zip(row, (SIZE, POSTURE), strict=True)]
        for name, row in rows.items()
    }
    found = robustness(measured, [_criterion(SIZE), _criterion(POSTURE)], seed=3, draws=10_000)
    assert found.acceptability["A"] == pytest.approx((0.1, 0.4, 0.5), abs=0.02)
    assert found.acceptability["C"] == pytest.approx((0.8, 0.2, 0.0), abs=0.02)
    assert found.pairwise["C"] == {"A": 1.0, "B": 1.0}
    assert found.central_weights["A"] == pytest.approx((0.85, 0.15), abs=0.01)


def test_samples_are_drawn_each_as_likely() -> None:
    """A is 0.2, 0.5 or 0.8, B always 0.6: ahead in a third."""
    measured = {"A": [_measurement(0.5, (0.2, 0.5, 0.8))], "B": [_measurement(0.6, (0.6,))]}
    found = robustness(measured, [_criterion(SIZE)], seed=1, draws=9000)
    assert found.pairwise["A"]["B"] == pytest.approx(1 / 3, abs=0.02)
    assert found.acceptability["B"] == pytest.approx((2 / 3, 1 / 3), abs=0.02)


def test_equals_share_the_better_rank_and_beat_each_other_never() -> None:
    found = {"A": [0.5, 0.5], "B": [0.5, 0.5], "C": [0.1, 0.1]}
    assert rank_acceptability(found) == {"A": (1, 0, 0), "B": (1, 0, 0), "C": (0, 0, 1)}
    assert pairwise_winning(found)["A"] == {"B": 0, "C": 1}


def test_the_triangular_distribution() -> None:
    """Its distribution function is the inverse of the quantile: from 2 to 10 with the peak at 4."""
    for quantile in (0.0, 0.1, 0.25, 0.6, 1.0):
        x = triangular(2, 10, 4, quantile)
        share = (x - 2) ** 2 / 16 if x < 4 else 1 - (10 - x) ** 2 / 48
        assert share == pytest.approx(quantile)
    assert triangular(2, 10, 2, 0) == 2
    assert triangular(2, 10, 10, 1) == 10


def test_known_ends_are_drawn_between_them_with_the_peak_at_the_value() -> None:
    stream = random.Random(1)
    quantiles = [stream.random() for _ in range(5000)]
    drawn = column(_measurement(0.2, (), (0.2, 0.8)), _criterion(SIZE), quantiles, stream)
    assert isinstance(drawn, list)
    assert 0.2 <= min(drawn) <= max(drawn) <= 0.8
    assert sum(drawn) / len(drawn) == pytest.approx((0.2 + 0.2 + 0.8) / 3, abs=0.01)


def test_candidates_on_the_same_base_stay_level_where_only_the_account_is_open() -> None:
    same = [_measurement(0.2, (), (0.2, 0.8))]
    found = robustness({"A": same, "B": same}, [_criterion(SIZE)], seed=1, draws=500)
    assert found.pairwise["A"]["B"] == found.pairwise["B"]["A"] == 0


@pytest.mark.parametrize("end", [math.inf, 0.2])
def test_an_open_end_or_none_is_constant(end: float) -> None:
    drawn = column(_measurement(0.2, (), (0.2, end)), _criterion(SIZE), [0.5], random.Random(1))
    assert drawn == pytest.approx(0.2)


def test_the_seed_is_all_that_the_draws_depend_on() -> None:
    measured = {name: [_measurement(0.5, (0.4, 0.5, 0.6))] for name in ("A", "B")}
    criteria = [_criterion(SIZE)]
    first = robustness(measured, criteria, seed=1, draws=300)
    assert robustness(dict(reversed(measured.items())), criteria, seed=1, draws=300) == first
    assert robustness(measured, criteria, seed=2, draws=300) != first
    assert first.pairwise["A"]["B"] == 0.3333333333333333 or first.pairwise["A"]["B"] > 0.2
