"""What would change the winner: for every driver the smallest change of one measurement, and of one weight."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from basewright.decide.criterion import Criterion
from basewright.decide.value import measure_at, position
from basewright.facts import Measurement
from basewright.strategy import DriverName

MAX_WEIGHT = 1000.0
"""The largest weight that a strategy may give."""

Scores = Mapping[str, Mapping[DriverName, float]]


class MeasurementFlip(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond `threshold` instead of `value`, this measurement of `candidate` makes `winner` win. Both in `unit`."""

    candidate: str
    value: float
    threshold: float
    unit: str
    winner: str


class WeightFlip(msgspec.Struct, frozen=True, kw_only=True):
    """A weight beyond `threshold` instead of `weight`, the others as they are, makes `winner` win."""

    weight: float
    threshold: float
    winner: str


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest changes of one driver that change the winner; None where no change can."""

    driver: DriverName
    measurement: MeasurementFlip | None
    weight: WeightFlip | None


def flips_of(
    leader: str,
    scores: Scores,
    measured: Mapping[str, Mapping[DriverName, Measurement]],
    criteria: Sequence[Criterion],
) -> tuple[Flip, ...]:
    """One flip a criterion, in their order. `scores` and `measured` hold the evaluated, `leader` the best of them."""
    return tuple(
        Flip(
            driver=criterion.driver,
            measurement=_measurement_flip(leader, scores, measured, criteria, criterion),
            weight=_weight_flip(leader, scores, criteria, criterion),
        )
        for criterion in criteria
    )


def _measurement_flip(
    leader: str,
    scores: Scores,
    measured: Mapping[str, Mapping[DriverName, Measurement]],
    criteria: Sequence[Criterion],
    criterion: Criterion,
) -> MeasurementFlip | None:
    """Of the leader falling behind the second and of any other rising above the leader, the one that is the shortest
    way on the value function's own scale, clamped stretches included."""
    driver = criterion.driver
    others = sorted(name for name in scores if name != leader)
    found: list[tuple[float, MeasurementFlip]] = []
    for other in others:
        lead = _lead(scores, criteria, leader, other) / criterion.weight
        for candidate, wanted in ((leader, scores[leader][driver] - lead), (other, scores[other][driver] + lead)):
            if candidate == leader and other != _second(scores, criteria, leader):
                continue
            if 0 <= wanted <= 1:
                now = measured[candidate][driver]
                flip = MeasurementFlip(
                    candidate=candidate,
                    value=now.value,
                    threshold=measure_at(criterion.value, wanted),
                    unit=now.unit,
                    winner=other,
                )
                found.append((abs(position(criterion.value, now.value) - wanted), flip))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _weight_flip(leader: str, scores: Scores, criteria: Sequence[Criterion], criterion: Criterion) -> WeightFlip | None:
    """Where the leader's lead over one of the others, linear in the weight, comes to zero."""
    driver = criterion.driver
    if len(criteria) < 2:
        return None
    found: list[tuple[float, WeightFlip]] = []
    for other in sorted(name for name in scores if name != leader):
        slope = scores[leader][driver] - scores[other][driver]
        rest = _lead(scores, criteria, leader, other) - criterion.weight * slope
        if slope == 0:
            continue
        threshold = -rest / slope
        if math.isfinite(threshold) and 0 <= threshold <= MAX_WEIGHT:
            flip = WeightFlip(weight=criterion.weight, threshold=threshold, winner=other)
            found.append((abs(threshold - criterion.weight), flip))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _lead(scores: Scores, criteria: Sequence[Criterion], first: str, second: str) -> float:
    """The sum of weighted differences, not divided by the weights; never below zero for the leader."""
    mine, theirs = scores[first], scores[second]
    return max(0.0, sum(each.weight * (mine[each.driver] - theirs[each.driver]) for each in criteria))


def _second(scores: Scores, criteria: Sequence[Criterion], leader: str) -> str:
    return min(
        (name for name in scores if name != leader), key=lambda name: (_lead(scores, criteria, leader, name), name)
    )
