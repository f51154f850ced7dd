"""Evidence to decision: measures, judges, ranks, asks how robust the ranking is, and says what would flip it. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from basewright.decide.comparable import compare_alike
from basewright.decide.criterion import Criterion, criteria_of
from basewright.decide.flip import Flip, flips_of
from basewright.decide.ranking import could_still_win, dominators, ranked
from basewright.decide.smaa import Robustness, robustness
from basewright.decide.standing import RequirementResult, Standing, Status, stand
from basewright.drivers.catalog import DRIVERS
from basewright.drivers.driver import DriverContext, choose_measure
from basewright.facts import Evidence, Measurement, Unmeasured
from basewright.strategy import DriverName, Strategy

DRAWS = 10_000
TIE_BELOW = 0.95
"""A pairwise winning index over the second below this is a tie."""

Key = tuple[str, str]
"""Candidate and platform."""


class CandidateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate on one platform. `total` where it was evaluated, `bounds` where it is incomplete."""

    name: str
    platform: str
    status: Status
    reason: str
    could_still_win: bool
    bounds: tuple[float, float] | None
    requirements: tuple[RequirementResult, ...]
    measurements: dict[DriverName, Measurement | Unmeasured]
    scores: dict[DriverName, float]
    total: float | None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The whole decision. `winner` is None in a tie, which `tie` then names, the best first, and without any ranking.

    Ranking and robustness are of one `platform`, which is where most candidates could be evaluated.
    """

    platform: str
    candidates: tuple[CandidateResult, ...]
    winner: str | None
    tie: tuple[str, ...]
    ranking: tuple[tuple[str, float], ...]
    acceptability: dict[str, tuple[float, ...]]
    pairwise: dict[str, dict[str, float]]
    central_weights: dict[str, dict[DriverName, float]]
    flips: tuple[Flip, ...]
    dominated_by: dict[str, tuple[str, ...]]
    could_overturn: tuple[str, ...]
    seed: int
    draws: int

    @property
    def stands(self) -> bool:
        """Whether there is a winner or a declared tie."""
        return bool(self.ranking)


def decide(
    evidence: Sequence[Evidence],
    strategy: Strategy,
    context: DriverContext,
    *,
    seed: int,
    draws: int = DRAWS,
) -> Decision:
    """Decides among candidates, each named once a platform. Raises InputError where strategy and drivers do not fit."""
    criteria = criteria_of(strategy)
    table = compare_alike(evidence, _measure(evidence, context, criteria), criteria, strategy.bytecode)
    standings = {_key(each): stand(each, table[_key(each)], criteria) for each in evidence}
    platform = _deciding_platform(standings)
    standings = _fail_everywhere(standings, platform)
    here = {name: standing for (name, where), standing in standings.items() if where == platform}
    ranking = ranked(here)
    weighed = [each for each in criteria if each.weight > 0]
    measured = {name: _known(table[name, platform]) for name, _ in ranking}
    robust = _robustness(measured, weighed, seed=seed, draws=draws)
    scores = {name: here[name].scores for name, _ in ranking}
    tie = _tie(ranking, robust.pairwise)
    results = tuple(_result(each, standings, table[_key(each)]) for each in evidence)
    return Decision(
        platform=platform,
        candidates=results,
        winner=ranking[0][0] if ranking and not tie else None,
        tie=tie,
        ranking=ranking,
        acceptability=robust.acceptability,
        pairwise=robust.pairwise,
        central_weights={
            name: {each.driver: weight for each, weight in zip(weighed, weights, strict=True)}
            for name, weights in robust.central_weights.items()
        },
        flips=flips_of(ranking[0][0], scores, measured, weighed) if ranking else (),
        dominated_by=dominators(scores, [each.driver for each in weighed]),
        could_overturn=tuple(each.name for each in results if each.could_still_win and each.platform == platform),
        seed=seed,
        draws=draws,
    )


def _key(evidence: Evidence) -> Key:
    return evidence.candidate, evidence.platform


def _measure(
    evidence: Sequence[Evidence], context: DriverContext, criteria: Sequence[Criterion]
) -> dict[Key, dict[DriverName, Measurement | Unmeasured]]:
    return {
        _key(each): {
            criterion.driver: choose_measure(
                DRIVERS[criterion.driver],
                DRIVERS[criterion.driver].measure(each, context),
                criterion.measure,
                criterion.better,
            )
            for criterion in criteria
        }
        for each in evidence
    }


def _deciding_platform(standings: Mapping[Key, Standing]) -> str:
    """Where most candidates were evaluated (images of other processors are built, not run); the first among equals."""
    counts: dict[str, int] = {}
    for (_, platform), standing in standings.items():
        counts[platform] = counts.get(platform, 0) + (standing.status is Status.EVALUATED)
    return max(counts, key=counts.__getitem__, default="")


def _fail_everywhere(standings: Mapping[Key, Standing], platform: str) -> dict[Key, Standing]:
    """What failed or is disqualified on one target platform is so where it is decided: it must ship on all."""
    found = dict(standings)
    for (name, where), standing in standings.items():
        own = found.get((name, platform))
        if own is None or where == platform or standing.status not in (Status.FAILED, Status.DISQUALIFIED):
            continue
        if own.status is Status.FAILED or (
            own.status is Status.DISQUALIFIED and standing.status is Status.DISQUALIFIED
        ):
            continue
        found[name, platform] = msgspec.structs.replace(
            own, status=standing.status, reason=f"on {where}: {standing.reason}"
        )
    return found


def _known(row: Mapping[DriverName, Measurement | Unmeasured]) -> dict[DriverName, Measurement]:
    return {driver: found for driver, found in row.items() if isinstance(found, Measurement)}


def _robustness(
    measured: Mapping[str, Mapping[DriverName, Measurement]],
    weighed: Sequence[Criterion],
    *,
    seed: int,
    draws: int,
) -> Robustness:
    if not measured:
        return Robustness(acceptability={}, pairwise={}, central_weights={})
    rows = {name: [known[each.driver] for each in weighed] for name, known in measured.items()}
    return robustness(rows, weighed, seed=seed, draws=draws)


def _tie(ranking: Sequence[tuple[str, float]], pairwise: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """The leader and all whom it is not ahead of in enough draws, where the second is one of them; else empty.

    All who have the second's total are second."""
    if len(ranking) < 2:
        return ()
    ahead = pairwise[ranking[0][0]]
    if all(ahead[name] >= TIE_BELOW for name, total in ranking[1:] if total == ranking[1][1]):
        return ()
    return (ranking[0][0], *(name for name, _ in ranking[1:] if ahead[name] < TIE_BELOW))


def _result(
    evidence: Evidence, standings: Mapping[Key, Standing], measurements: dict[DriverName, Measurement | Unmeasured]
) -> CandidateResult:
    standing = standings[_key(evidence)]
    alike = [other.total for (_, where), other in standings.items() if where == evidence.platform]
    best = max((total for total in alike if total is not None), default=None)
    return CandidateResult(
        name=evidence.candidate,
        platform=evidence.platform,
        status=standing.status,
        reason=standing.reason,
        could_still_win=could_still_win(standing, best),
        bounds=standing.bounds if standing.status is Status.INCOMPLETE else None,
        requirements=standing.requirements,
        measurements=measurements,
        scores=standing.scores,
        total=standing.total,
    )
