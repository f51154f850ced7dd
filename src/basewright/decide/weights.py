"""Weights drawn uniformly: from the simplex between half and double each weight, and from the whole simplex."""

import math
import random
from collections.abc import Sequence

LOW, HIGH = 0.5, 2.0
"""How far from the strategy's weights the draws go."""
Weights = tuple[float, ...]


def normalised_weights(weights: Sequence[float]) -> Weights:
    """The same weights with the sum 1. They are all above 0."""
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def restricted_weights(weights: Sequence[float], draws: int, stream: random.Random) -> list[Weights]:
    """`draws` vectors, uniform on {v : sum v = 1, w/2 <= v <= 2w} for the normalised weights w.

    All coordinates but the largest are drawn uniformly from their ranges and the largest makes up the sum; what leaves
    its range is drawn again. Leaving one coordinate out is an affine map, so that what is kept is uniform. For up to
    eight weights about one draw in ten is kept at the least, whatever they are.
    """
    w = normalised_weights(weights)
    largest = max(range(len(w)), key=w.__getitem__)
    rest = [each for at, each in enumerate(w) if at != largest]
    ranges = [(LOW * each, (HIGH - LOW) * each) for each in rest]
    low, high = LOW * w[largest], HIGH * w[largest]
    draw = stream.random
    vectors: list[Weights] = []
    while len(vectors) < draws:
        others = [start + width * draw() for start, width in ranges]
        last = 1.0 - sum(others)
        if low <= last <= high:
            others.insert(largest, last)
            vectors.append(tuple(others))
    return vectors


def simplex_weights(count: int, draws: int, stream: random.Random) -> list[Weights]:
    """`draws` vectors, uniform on {v : sum v = 1, v >= 0}: exponential variates over their sum."""
    draw, log = stream.random, math.log
    vectors: list[Weights] = []
    for _ in range(draws):
        parts = [-log(1.0 - draw()) for _ in range(count)]
        total = sum(parts)
        vectors.append(tuple(part / total for part in parts) if total > 0 else (1.0 / count,) * count)
    return vectors
