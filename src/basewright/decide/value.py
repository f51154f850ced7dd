"""Value functions: a measure to [0, 1] by fixed reference points, so that adding a candidate reorders nobody."""

import math

from basewright.strategy import ValueFunction

_SCALES = ("linear", "log", "log1p")


def value_fault(function: ValueFunction) -> str:
    """Why the reference points cannot be used, in words that follow a key; empty where they can."""
    if function.scale not in _SCALES:
        return f"`scale` is one of {', '.join(_SCALES)}"
    if not (math.isfinite(function.one) and math.isfinite(function.zero)):
        return "`one` and `zero` are finite numbers"
    if function.one == function.zero:
        return "`one` and `zero` must differ"
    if function.scale == "log" and min(function.one, function.zero) <= 0:
        return "on a log scale `one` and `zero` are above 0"
    if function.scale == "log1p" and min(function.one, function.zero) < 0:
        return "on a log1p scale `one` and `zero` are 0 or more"
    return ""


def position(function: ValueFunction, measure: float) -> float:
    """Where a measure lies on the function's scale, 0 at `zero` and 1 at `one`, not clamped; infinite where the scale
    has no such point (zero on a log scale)."""
    zero, one = _scaled(function, function.zero), _scaled(function, function.one)
    return (_scaled(function, measure) - zero) / (one - zero)


def value_of(function: ValueFunction, measure: float) -> float:
    """The value of a measure, 0 to 1, clamped outside the reference points."""
    return min(1.0, max(0.0, position(function, measure)))


def measure_at(function: ValueFunction, value: float) -> float:
    """The measure that has this value (0 to 1): the inverse between the reference points."""
    zero, one = _scaled(function, function.zero), _scaled(function, function.one)
    scaled = zero + value * (one - zero)
    match function.scale:
        case "log":
            return math.exp(scaled)
        case "log1p":
            return math.expm1(scaled)
        case _:
            return scaled


def _scaled(function: ValueFunction, measure: float) -> float:
    match function.scale:
        case "log":
            return math.log(measure) if measure > 0 else -math.inf
        case "log1p":
            return math.log1p(measure) if measure > -1 else -math.inf
        case _:
            return measure
