"""Numbers from rounds: candidates compare by their ratio to the round's median, and intervals need six rounds.

The 95 % interval of a median is that of the sign test, between two order statistics: exact at any sample size for any
distribution, without a seed. Six samples are the fewest that have one (smallest to largest, 96.9 %).
https://www.itl.nist.gov/div898/software/dataplot/refman1/auxillar/mediancl.htm
"""

import math
import statistics
from collections.abc import Iterable, Sequence

from basewright.facts import Also, Basis

MIN_ROUNDS = 6
CONFIDENCE = 0.95


def normalised(ratios: Sequence[float], round_median: float | None, plain: Iterable[float | None]) -> tuple[float, ...]:
    """Samples in the measure's unit: ratios to the round's median times the grand median, so that what a whole round
    had in common leaves no trace; the plain samples where no ratios are known, or where a candidate stood alone in its
    rounds: it is its own median then, and its ratios would hide how it varied. What was not measured is left out."""
    alone = all(ratio == 1.0 for ratio in ratios)
    if not alone and round_median is not None and round_median > 0:
        return tuple(ratio * round_median for ratio in ratios)
    return tuple(each for each in plain if each is not None)


def median_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median; None from fewer than six samples."""
    count = len(samples)
    if count < MIN_ROUNDS:
        return None
    ordered = sorted(samples)
    below, tail = 0, 0.5**count
    while 2 * (tail + math.comb(count, below + 1) * 0.5**count) <= 1 - CONFIDENCE:
        below += 1
        tail += math.comb(count, below) * 0.5**count
    return ordered[below], ordered[count - 1 - below]


def median_also(samples: Sequence[float], unit: str) -> Also:
    """A further measure from its rounds: median, interval, samples; no value where there is no sample."""
    if not samples:
        return Also(value=None, unit=unit)
    return Also(
        value=statistics.median(samples),
        unit=unit,
        interval=median_interval(samples),
        basis=(Basis.MEASURED,),
        samples=tuple(samples),
    )


def exact_also(value: float | str | None, unit: str = "", basis: Basis = Basis.MEASURED) -> Also:
    """A further measure that is exact; without a basis where there is none."""
    return Also(value=value, unit=unit, basis=() if value is None else (basis,))
