"""Laws of deciding, whatever is measured."""

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from basewright.decide.criterion import criteria_of
from basewright.decide.decision import Decision, decide
from basewright.decide.flip import Flip
from basewright.decide.standing import weighted
from basewright.decide.value import measure_at, value_of
from basewright.drivers.catalog import DRIVERS
from basewright.facts import Evidence, NotMeasured
from basewright.strategy import DriverName, DriverSettings, Strategy, ValueFunction
from tests.doubles.candidates import build, cadence, check, context, evidence, posture, run, size, weighing

DRAWS = 150
LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PASSED = st.sampled_from([True, False, None])
ROUNDS = st.lists(st.floats(0.7, 1.4), min_size=1, max_size=7).map(tuple)


@st.composite
def candidates(draw: st.DrawFn, *, whole: bool = False) -> tuple[Evidence, ...]:
    """Up to five, of everyday and of extreme figures, some of them not run."""
    return tuple(_candidate(draw, f"c{each}", whole=whole) for each in range(draw(st.integers(1, 5))))


def _candidate(draw: st.DrawFn, name: str, *, whole: bool) -> Evidence:
    rounds = draw(ROUNDS)
    days = draw(st.lists(st.integers(0, 900), min_size=1, max_size=6))
    own = draw(st.lists(st.integers(0, 900), max_size=3))
    was_run = whole or draw(st.booleans())
    return evidence(
        name,
        size=size(draw(st.floats(0, 900))),
        posture=posture(*(check(f"check-{each}", draw(PASSED)) for each in range(3)), check("made", True)),
        build=build(draw(st.floats(0, 100)), rounds=rounds),
        run=run(draw(st.floats(0, 9)), rounds=rounds) if was_run else NotMeasured(reason="it was not run"),
        cadence=cadence(*days, own=own),
    )


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    """Some weights; one driver at least counts."""
    weights = draw(st.lists(st.one_of(st.just(0.0), st.floats(0.01, 1000)), min_size=7, max_size=7).filter(any))
    drivers = {name: DriverSettings(weight=weight) for name, weight in zip(DriverName, weights, strict=True)}
    return msgspec.structs.replace(weighing(), drivers=drivers)


def _decide(facts: tuple[Evidence, ...], strategy: Strategy) -> Decision:
    return decide(facts, strategy, context(), seed=11, draws=DRAWS)


@LAWS
@given(candidates(), strategies())
def test_scores_shares_and_bounds_are_what_they_are_called(facts: tuple[Evidence, ...], strategy: Strategy) -> None:
    decision = _decide(facts, strategy)
    evaluated = [each.name for each in decision.candidates if each.status == "evaluated"]
    assert sorted(evaluated) == sorted(name for name, _ in decision.ranking)
    for result in decision.candidates:
        assert all(0 <= score <= 1 for score in result.scores.values())
        assert result.total is None or 0 <= result.total <= 1
        if result.bounds is not None:
            assert 0 <= result.bounds[0] <= result.bounds[1] <= 1
    for shares in decision.acceptability.values():
        assert len(shares) == len(evaluated)
        assert sum(shares) == pytest.approx(1)
    for name, row in decision.pairwise.items():
        for other, share in row.items():
            assert share + decision.pairwise[other][name] <= 1 + 1e-9
    for weights in decision.central_weights.values():
        assert sum(weights.values()) == pytest.approx(1)
    totals = [total for _, total in decision.ranking]
    assert totals == sorted(totals, reverse=True)
    assert decision.stands is bool(evaluated)
    assert (decision.winner is not None) is (bool(evaluated) and not decision.tie)


@LAWS
@given(candidates(), strategies(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(
    facts: tuple[Evidence, ...], strategy: Strategy, shuffled: random.Random
) -> None:
    order = list(facts)
    shuffled.shuffle(order)
    first, second = _decide(facts, strategy), _decide(tuple(order), strategy)
    assert (first.winner, set(first.tie), first.ranking) == (second.winner, set(second.tie), second.ranking)
    assert (first.acceptability, first.pairwise, first.flips) == (second.acceptability, second.pairwise, second.flips)


@LAWS
@given(candidates(whole=True), candidates(whole=True), strategies())
def test_adding_a_candidate_reorders_nobody(
    facts: tuple[Evidence, ...], more: tuple[Evidence, ...], strategy: Strategy
) -> None:
    added = msgspec.structs.replace(more[0], candidate="added")
    before, after = _decide(facts, strategy), _decide((*facts, added), strategy)
    assert before.ranking == tuple(pair for pair in after.ranking if pair[0] != "added")
    for name, row in before.pairwise.items():
        assert row == {other: share for other, share in after.pairwise[name].items() if other != "added"}


@LAWS
@given(candidates(whole=True), strategies())
def test_a_duplicate_ties_or_neither_leads(facts: tuple[Evidence, ...], strategy: Strategy) -> None:
    decision = _decide(facts, strategy)
    first = decision.ranking[0][0]
    twin = msgspec.structs.replace(next(each for each in facts if each.candidate == first), candidate="twin")
    doubled = _decide((*facts, twin), strategy)
    assert dict(doubled.ranking)["twin"] == dict(doubled.ranking)[first]
    assert doubled.winner is None
    assert {first, "twin"} <= set(doubled.tie)


@LAWS
@given(candidates(whole=True), strategies(), st.floats(0.01, 1))
def test_a_smaller_image_never_falls_behind(facts: tuple[Evidence, ...], strategy: Strategy, factor: float) -> None:
    """Monotony: the better of two images, all else the same, is no worse in score, rank and first places."""
    improved = msgspec.structs.replace(facts[0], size=size(factor * _megabytes(facts[0])))
    before, after = _decide(facts, strategy), _decide((improved, *facts[1:]), strategy)
    name = facts[0].candidate
    assert dict(after.ranking)[name] >= dict(before.ranking)[name]
    assert _rank(after, name) <= _rank(before, name)
    assert after.acceptability[name][0] >= before.acceptability[name][0]


@LAWS
@given(candidates(), strategies())
def test_what_could_not_still_win_does_not_whatever_is_measured(
    facts: tuple[Evidence, ...], strategy: Strategy
) -> None:
    decision = _decide(facts, strategy)
    best = run(0.0001, rounds=(1,), peak=1)
    for result, each in zip(decision.candidates, facts, strict=True):
        if result.status == "incomplete" and not result.could_still_win:
            completed = msgspec.structs.replace(each, run=best)
            other = _decide(tuple(completed if fact is each else fact for fact in facts), strategy)
            assert other.ranking[0][0] != each.candidate


@LAWS
@given(candidates(whole=True), strategies())
def test_a_flip_flips(facts: tuple[Evidence, ...], strategy: Strategy) -> None:
    """Just beyond the threshold of a weight or of a measure the named one is ahead; just before it the leader is."""
    decision = _decide(facts, strategy)
    leader = decision.ranking[0][0]
    for flip in decision.flips:
        if flip.weight is not None:
            past = flip.weight.threshold + 1e-6 * (1 if flip.weight.threshold > flip.weight.weight else -1)
            if past > 0:
                assert _lead_at(decision, strategy, flip.driver, past, leader, flip.weight.winner) <= 1e-6
        if flip.measurement is not None:
            function = DRIVERS[flip.driver].value
            moved = value_of(function, flip.measurement.threshold)
            assert _lead_with(decision, strategy, flip, moved, leader) == pytest.approx(0, abs=1e-6)


@given(
    st.floats(1e-6, 1e6),
    st.floats(1e-6, 1e6),
    st.sampled_from(["linear", "log", "log1p"]),
    st.floats(0, 1),
)
def test_values_and_their_inverse(one: float, zero: float, scale: str, value: float) -> None:
    if abs(one - zero) < 1e-3 * max(one, zero):
        return
    function = ValueFunction(one=one, zero=zero, scale=scale)
    assert value_of(function, measure_at(function, value)) == pytest.approx(value, abs=1e-6)


def _megabytes(facts: Evidence) -> float:
    assert not isinstance(facts.size, NotMeasured)
    return facts.size.parts[0].compressed_bytes / 1e6


def _rank(decision: Decision, name: str) -> int:
    totals = dict(decision.ranking)
    return sum(total > totals[name] for total in totals.values())


def _scores(decision: Decision, name: str) -> dict[DriverName, float]:
    return next(each.scores for each in decision.candidates if each.name == name)


def _lead_at(
    decision: Decision, strategy: Strategy, driver: DriverName, weight: float, leader: str, other: str
) -> float:
    changed = msgspec.structs.replace(
        strategy, drivers={**strategy.drivers, driver: DriverSettings(weight=min(weight, 1000))}
    )
    criteria = criteria_of(changed)
    one, two = (weighted(_scores(decision, name), criteria, 0) for name in (leader, other))
    return one - two


def _lead_with(decision: Decision, strategy: Strategy, flip: Flip, moved: float, leader: str) -> float:
    assert flip.measurement is not None
    criteria = [each for each in criteria_of(strategy) if each.weight > 0]
    scores = {name: dict(_scores(decision, name)) for name, _ in decision.ranking}
    scores[flip.measurement.candidate][flip.driver] = moved
    return weighted(scores[leader], criteria, 0) - weighted(scores[flip.measurement.winner], criteria, 0)
