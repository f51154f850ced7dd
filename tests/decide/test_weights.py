"""Weights are uniform where they are said to be."""

import itertools
import random

import pytest

from basewright.decide.weights import Weights, normalised_weights, restricted_weights, simplex_weights

DRAWS = 20_000


def _mean(vectors: list[Weights], at: int) -> float:
    return sum(vector[at] for vector in vectors) / len(vectors)


@pytest.mark.parametrize("weights", [(1,), (1, 1), (3, 1, 1), (1,) * 7, (1000, 1, 1, 0.01), (5, 4, 3, 2, 1)])
def test_within_half_to_double_and_summing_to_one(weights: tuple[float, ...]) -> None:
    wanted = normalised_weights(weights)
    for vector in restricted_weights(weights, 500, random.Random(1)):
        assert sum(vector) == pytest.approx(1)
        for each, weight in zip(vector, wanted, strict=True):
            assert weight / 2 - 1e-12 <= each <= 2 * weight + 1e-12


def test_two_weights_are_uniform_on_their_segment() -> None:
    """Of (0.6, 0.4): the first is between 0.3 and 1.2, the second between 0.2 and 0.8, so the first from 0.3 to 0.8."""
    first = sorted(vector[0] for vector in restricted_weights((3, 2), DRAWS, random.Random(2)))
    for share in (0.1, 0.25, 0.5, 0.9):
        assert first[int(share * DRAWS)] == pytest.approx(0.3 + 0.5 * share, abs=0.01)


@pytest.mark.parametrize("weights", [(1, 1, 1), (3, 2, 1), (6, 1, 1)])
def test_three_weights_are_uniform_on_their_polygon(weights: tuple[float, float, float]) -> None:
    """Against the simplex sampled by another method and cut by the same bounds: shares of a grid of cells."""
    wanted = normalised_weights(weights)
    everywhere = simplex_weights(3, 3 * DRAWS, random.Random(3))
    inside = [
        vector
        for vector in everywhere
        if all(weight / 2 <= each <= 2 * weight for each, weight in zip(vector, wanted, strict=True))
    ]
    assert len(inside) > 2000
    drawn = restricted_weights(weights, len(inside), random.Random(4))
    distance = 0.0
    for cell in itertools.product(range(4), repeat=2):
        one, other = (sum(_cell(vector, wanted) == cell for vector in vectors) for vectors in (inside, drawn))
        if one + other:
            distance += (one - other) ** 2 / (one + other)
    assert distance < 40  # chi square of up to 15 degrees of freedom: 37.7 is exceeded once in a thousand


def _cell(vector: Weights, wanted: Weights) -> tuple[int, int]:
    low = [each / 2 for each in wanted]
    first, second = (min(3, int(4 * (vector[at] - low[at]) / (1.5 * wanted[at]))) for at in (0, 1))
    return first, second


def test_the_whole_simplex_is_uniform() -> None:
    """Moments of the flat Dirichlet distribution of four: mean 1/4, variance 3/80; P(first > 1/2) is 1/8."""
    vectors = simplex_weights(4, DRAWS, random.Random(5))
    for at in range(4):
        assert _mean(vectors, at) == pytest.approx(0.25, abs=0.006)
    variance = sum((vector[0] - 0.25) ** 2 for vector in vectors) / DRAWS
    assert variance == pytest.approx(3 / 80, abs=0.001)
    assert sum(vector[0] > 0.5 for vector in vectors) / DRAWS == pytest.approx(1 / 8, abs=0.01)


class _Counting(random.Random):
    """Counts the numbers that were taken."""

    taken = 0

    def random(self) -> float:
        self.taken += 1
        return super().random()


@pytest.mark.parametrize("weights", [(1,) * 2, (1,) * 7, (1,) * 8, (10, 10, 1, 1, 1, 1, 1), (2, 2, 2, 1, 1, 1)])
def test_few_draws_are_thrown_away(weights: tuple[float, ...]) -> None:
    stream = _Counting(6)
    restricted_weights(weights, 1000, stream)
    assert stream.taken / (len(weights) - 1) / 1000 < 12
