"""Intervals of medians, against figures from tables of the sign test."""

import itertools
import random

import pytest

from basewright.drivers.rounds import MIN_ROUNDS, median_interval, normalised


@pytest.mark.parametrize(
    ("count", "below"), [(6, 0), (7, 0), (8, 0), (9, 1), (11, 1), (12, 2), (15, 3), (20, 5), (25, 7), (30, 9)]
)
def test_order_statistics_of_the_sign_test(count: int, below: int) -> None:
    assert median_interval(range(count)) == (below, count - 1 - below)


def test_fewer_than_six_have_none() -> None:
    assert median_interval([1.0] * (MIN_ROUNDS - 1)) is None
    assert median_interval([]) is None


def test_it_covers_the_median_as_often_as_it_says() -> None:
    stream = random.Random(7)
    covered = 0
    for _ in range(4000):
        interval = median_interval([stream.lognormvariate(0, 1) for _ in range(6)])
        assert interval is not None
        covered += interval[0] <= 1 <= interval[1]
    assert covered / 4000 == pytest.approx(1 - 2 * 0.5**6, abs=0.012)


def test_the_order_of_rounds_does_not_matter() -> None:
    samples = (3.0, 1.0, 2.0, 6.0, 5.0, 4.0)
    assert {median_interval(each) for each in itertools.islice(itertools.permutations(samples), 50)} == {(1.0, 6.0)}


def test_ratios_need_their_median() -> None:
    assert normalised((1.0, 2.0), 3.0, (9.0, None)) == (3.0, 6.0)
    assert normalised((1.0, 2.0), None, (9.0, None)) == (9.0,)
    assert normalised((), 3.0, (9.0, 8.0)) == (9.0, 8.0)


def test_a_candidate_alone_in_its_rounds_keeps_its_own_spread() -> None:
    assert normalised((1.0, 1.0, 1.0), 5.0, (4.0, 5.0, 6.0)) == (4.0, 5.0, 6.0)
