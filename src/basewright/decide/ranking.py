"""The additive value model's ranking (MAVT), who could still overturn it, and who dominates whom."""

from collections.abc import Mapping, Sequence

from basewright.decide.standing import Standing, Status
from basewright.strategy import DriverName

Scores = Mapping[DriverName, float]


def ranked(standings: Mapping[str, Standing]) -> tuple[tuple[str, float], ...]:
    """Evaluated candidates with their totals, the best first; equal totals in the order of their names."""
    totals = [(name, standing.total) for name, standing in standings.items()]
    known = [(name, total) for name, total in totals if total is not None]
    return tuple(sorted(known, key=lambda pair: (-pair[1], pair[0])))


def could_still_win(standing: Standing, best: float | None) -> bool:
    """Whether an incomplete candidate could reach the best total, were what was not measured of value 1."""
    return standing.status is Status.INCOMPLETE and (best is None or standing.bounds[1] >= best)


def dominators(scores: Mapping[str, Scores], drivers: Sequence[DriverName]) -> dict[str, tuple[str, ...]]:
    """For each candidate those that are at least as good in every driver and better in one: no weights make it win."""
    return {
        name: tuple(other for other in scores if _dominates(scores[other], mine, drivers))
        for name, mine in scores.items()
    }


def _dominates(first: Scores, second: Scores, drivers: Sequence[DriverName]) -> bool:
    pairs = [(first[driver], second[driver]) for driver in drivers]
    return all(one >= other for one, other in pairs) and any(one > other for one, other in pairs)
