"""SMAA-2: how often each candidate takes each rank when measurements and weights are not known exactly.

Definitions and the treatment of equal values as in Tervonen and Figueira 2008 (https://doi.org/10.1002/mcda.407) and
the R package smaa: a rank is one more than the number of strictly better candidates, so that equals share the better.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import gt, mul

import msgspec

from basewright.decide.criterion import Criterion
from basewright.decide.value import value_of
from basewright.decide.weights import Weights, normalised_weights, restricted_weights, simplex_weights
from basewright.facts import Measurement

Column = float | list[float]
"""One driver's values of one candidate: a constant, or one a draw."""
Columns = Mapping[str, Sequence[Column]]
"""Candidate → one column a driver."""
Values = Mapping[str, Sequence[float]]
"""Candidate → its value in each draw."""


class Robustness(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the draws. `acceptability`: candidate → share of rank 1, 2, … with weights from half to double each.

    `pairwise`: candidate → other → share in which it is strictly better, at the strategy's weights.
    `central_weights`: candidate → the mean of the weights, of all there are, that make it first; only who can be first.
    """

    acceptability: dict[str, tuple[float, ...]]
    pairwise: dict[str, dict[str, float]]
    central_weights: dict[str, Weights]


def robustness(
    measured: Mapping[str, Sequence[Measurement]], criteria: Sequence[Criterion], *, seed: int, draws: int
) -> Robustness:
    """Of candidates by their measurements, one a criterion. Each stream of numbers is named after the seed and its
    purpose, so that a candidate's draws do not depend on the order or the number of the others."""
    shared = {criterion.driver: _stream(seed, "ends", criterion.driver) for criterion in criteria}
    quantiles = {driver: [stream.random() for _ in range(draws)] for driver, stream in shared.items()}
    columns: Columns = {
        name: [
            column(each, criterion, quantiles[criterion.driver], _stream(seed, "samples", name, criterion.driver))
            for each, criterion in zip(measurements, criteria, strict=True)
        ]
        for name, measurements in measured.items()
    }
    weights = [criterion.weight for criterion in criteria]
    near = restricted_weights(weights, draws, _stream(seed, "restricted weights"))
    anywhere = simplex_weights(len(weights), draws, _stream(seed, "weights"))
    return Robustness(
        acceptability=rank_acceptability(values(columns, near)),
        pairwise=pairwise_winning(values(columns, [normalised_weights(weights)] * draws)),
        central_weights=central_weights(values(columns, anywhere), anywhere),
    )


def column(measurement: Measurement, criterion: Criterion, quantiles: Sequence[float], stream: random.Random) -> Column:
    """The values of one measurement in each draw: of one of its samples, each as likely; of a point between the known
    ends, triangular with its peak at the value, where it has ends and no samples; else constant.

    Known ends are two accounts of the same facts, so all candidates take the same quantile in a draw: where the one
    account is right about one base, it is right about the others.
    """
    function = criterion.value
    if len(measurement.samples) > 1:
        scores = [value_of(function, sample) for sample in measurement.samples]
        if len(set(scores)) > 1:
            count, draw = len(scores), stream.random
            return [scores[int(draw() * count)] for _ in quantiles]
        return scores[0]
    if not measurement.samples and measurement.interval is not None and _spread(measurement.interval):
        low, high = measurement.interval
        peak = min(high, max(low, measurement.value))
        return [value_of(function, triangular(low, high, peak, quantile)) for quantile in quantiles]
    return value_of(function, measurement.value)


def triangular(low: float, high: float, peak: float, quantile: float) -> float:
    """The quantile of the triangular distribution between `low` and `high`, low < high."""
    width = high - low
    if quantile * width < peak - low:
        return low + math.sqrt(quantile * width * (peak - low))
    return high - math.sqrt((1 - quantile) * width * (high - peak))


def values(columns: Columns, weights: Sequence[Weights]) -> dict[str, list[float]]:
    """The additive value of each candidate in each draw."""
    found = {}
    for name, parts in columns.items():
        rows: Iterable[tuple[float, ...]] = zip(
            *(repeat(part) if isinstance(part, float) else part for part in parts), strict=False
        )
        found[name] = [sum(map(mul, vector, row)) for vector, row in zip(weights, rows, strict=False)]
    return found


def rank_acceptability(found: Values) -> dict[str, tuple[float, ...]]:
    """Candidate → the share of draws in which it takes rank 1, 2, …"""
    names = list(found)
    counts = [[0] * len(names) for _ in names]
    draws = 0
    for row in zip(*found.values(), strict=True):
        draws += 1
        ordered = sorted(row, reverse=True)
        for count, value in zip(counts, row, strict=True):
            count[ordered.index(value)] += 1
    return {name: tuple(each / draws for each in count) for name, count in zip(names, counts, strict=True)}


def pairwise_winning(found: Values) -> dict[str, dict[str, float]]:
    """Candidate → other → the share of draws in which it is strictly better."""
    return {
        name: {
            other: sum(map(gt, mine, theirs)) / max(1, len(mine)) for other, theirs in found.items() if other != name
        }
        for name, mine in found.items()
    }


def central_weights(found: Values, weights: Sequence[Weights]) -> dict[str, Weights]:
    """Candidate → the mean of the weights with which it is first; nothing of one that never is."""
    best = [max(row) for row in zip(*found.values(), strict=True)]
    central = {}
    for name, mine in found.items():
        first = [vector for vector, value, top in zip(weights, mine, best, strict=True) if value == top]
        if first:
            central[name] = tuple(sum(part) / len(first) for part in zip(*first, strict=True))
    return central


def _spread(interval: tuple[float, float]) -> bool:
    return math.isfinite(interval[0]) and math.isfinite(interval[1]) and interval[0] < interval[1]


def _stream(seed: int, *purpose: str) -> random.Random:
    return random.Random("/".join((str(seed), *purpose)))
