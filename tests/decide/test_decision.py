"""Decisions: statuses, requirements, bounds, ties, and what may be compared."""

import time

import pytest

from basewright.decide.decision import CandidateResult, Decision, decide
from basewright.decide.standing import Status
from basewright.errors import InputError
from basewright.facts import Evidence, Failure, FailureKind, NotMeasured, PackageFacts, RequirementFact, Unmeasured
from basewright.strategy import DriverName
from tests.doubles.candidates import build, cadence, check, context, evidence, posture, run, size, weighing
from tests.doubles.evidence import seven_candidates

DRAWS = 400
OUT_OF_REACH = Failure(kind=FailureKind.INCOMPLETE, reason="the registry is out of reach")
BROKEN = Failure(kind=FailureKind.FAILED, reason="it exited with status 3")


def _decide(*facts: Evidence, toml: str = "", seed: int = 1) -> Decision:
    return decide(facts, weighing(toml), context(), seed=seed, draws=DRAWS)


def _result(decision: Decision, name: str) -> CandidateResult:
    return next(each for each in decision.candidates if each.name == name)


def test_the_better_one_wins_and_the_total_is_the_weighted_mean() -> None:
    decision = _decide(evidence("large", size=size(400)), evidence("small", size=size(20)))
    assert (decision.winner, decision.tie, decision.stands) == ("small", (), True)
    assert [name for name, _ in decision.ranking] == ["small", "large"]
    small = _result(decision, "small")
    assert small.status is Status.EVALUATED
    assert small.total == pytest.approx(sum(small.scores.values()) / 7)
    assert (small.bounds, small.could_still_win, small.reason) == (None, False, "")
    assert decision.dominated_by == {"large": ("small",), "small": ()}
    assert decision.pairwise["small"]["large"] == 1
    assert decision.acceptability["small"] == (1, 0)
    assert (decision.seed, decision.draws) == (1, DRAWS)


def test_weights_change_the_winner() -> None:
    candidates = (evidence("small", size=size(20)), evidence("quick", size=size(40), build=build(0.5)))
    assert _decide(*candidates).winner == "quick"
    assert _decide(*candidates, toml="[drivers.image_size]\nweight = 20").winner == "small"
    assert _decide(*candidates, toml="[drivers.build_performance]\nweight = 0").winner == "small"


def test_weight_zero_leaves_a_driver_out() -> None:
    decision = _decide(evidence("a", build=NotMeasured(reason="no")), toml="[drivers.build_performance]\nweight = 0")
    result = _result(decision, "a")
    assert result.status is Status.EVALUATED
    assert DriverName.BUILD_PERFORMANCE not in result.measurements
    assert DriverName.BUILD_PERFORMANCE not in decision.central_weights["a"]


def test_the_first_status_that_applies() -> None:
    toml = "[drivers.image_size]\nrequire = '<= 100 MB'"
    decision = _decide(
        evidence("failed", size=size(400), failure=BROKEN),
        evidence("disqualified", size=size(400), failure=OUT_OF_REACH),
        evidence("incomplete", size=size(40), failure=OUT_OF_REACH, run=NotMeasured(reason="no bytes")),
        evidence("evaluated", size=size(40)),
        toml=toml,
    )
    assert [each.status for each in decision.candidates] == [each.name for each in decision.candidates]
    assert [name for name, _ in decision.ranking] == ["evaluated"]
    assert set(decision.acceptability) == {"evaluated"}
    assert decision.winner == "evaluated"
    assert _result(decision, "failed").reason == BROKEN.reason
    assert _result(decision, "disqualified").reason == "image size is 400 MB, the strategy requires <= 100 MB"
    assert _result(decision, "incomplete").reason == OUT_OF_REACH.reason


def test_a_requirement_on_what_was_not_measured_never_disqualifies() -> None:
    decision = _decide(
        evidence("a", run=NotMeasured(reason="it was not run")),
        toml="[drivers.runtime_performance]\nweight = 0\nrequire = '<= 1 s'\n[drivers.resource_efficiency]\nweight = 0",
    )
    result = _result(decision, "a")
    assert result.status is Status.INCOMPLETE
    assert result.reason == "runtime performance was not measured: it was not run"
    (requirement,) = result.requirements
    assert (requirement.text, requirement.value, requirement.unit, requirement.met) == ("<= 1 s", None, "s", None)
    assert decision.winner is None
    assert decision.could_overturn == ("a",)


def test_a_requirement_between_the_ends_of_what_is_known_cannot_be_told() -> None:
    checks = posture(check("shell", False), check("read-only-root", None))
    for limit, status, met in (
        ("<= 4 points", Status.EVALUATED, True),
        ("<= 3 points", Status.INCOMPLETE, None),
        ("<= 1 points", Status.DISQUALIFIED, False),
    ):
        decision = _decide(evidence("a", posture=checks), toml=f"[drivers.security_posture]\nrequire = '{limit}'")
        result = _result(decision, "a")
        assert (result.status, result.requirements[0].met) == (status, met)


def test_every_broken_requirement_is_told() -> None:
    packages = PackageFacts(
        requirements=tuple(
            RequirementFact(name=f"p{each}", version="1", platforms={"linux/amd64": each > 0}) for each in range(3)
        )
    )
    decision = _decide(
        evidence("a", size=size(150.04), packages=packages),
        toml="[drivers.image_size]\nrequire = '<= 150 MB'\n[drivers.package_availability]\nrequire = '== 100 %'",
    )
    assert _result(decision, "a").reason == (
        "image size is 150.04 MB, the strategy requires <= 150 MB; "
        "package availability is 66.67 %, the strategy requires == 100 %"
    )
    assert decision.winner is None
    assert not decision.stands


def test_bounds_of_an_incomplete_candidate_and_whether_it_could_still_win() -> None:
    whole = evidence("whole", size=size(20))
    gone = NotMeasured(reason="it was not run")
    near = evidence("near", size=size(20), run=gone)
    far = evidence("far", size=size(500), build=build(60), run=gone, cadence=cadence(180))
    decision = _decide(whole, near, far)
    bounds = _result(decision, "near").bounds
    assert bounds is not None
    assert bounds[1] - bounds[0] == pytest.approx(2 / 7)
    assert _result(decision, "near").could_still_win
    assert not _result(decision, "far").could_still_win
    assert decision.could_overturn == ("near",)
    assert _result(decision, "near").reason == (
        "runtime performance and resource efficiency were not measured: it was not run"
    )


def test_a_tie_is_called_a_tie() -> None:
    noisy = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
    one, other = evidence("b", run=run(1, rounds=noisy)), evidence("a", run=run(1.02, rounds=noisy))
    decision = _decide(one, other, evidence("c", size=size(400)))
    assert decision.winner is None
    assert decision.tie == ("b", "a")
    assert decision.stands
    assert len(decision.flips) == 7


def test_candidates_that_are_the_same_tie() -> None:
    decision = _decide(evidence("b"), evidence("a"), evidence("c"))
    assert decision.tie == ("a", "b", "c")
    assert decision.pairwise["a"]["b"] < 0.6


def test_nothing_to_decide() -> None:
    assert not _decide().stands
    failed = _decide(evidence("a", failure=BROKEN))
    assert (failed.winner, failed.ranking, failed.flips, failed.could_overturn) == (None, (), (), ())


def test_a_candidate_alone_wins() -> None:
    decision = _decide(evidence("a"), evidence("b", failure=BROKEN))
    assert (decision.winner, decision.acceptability) == ("a", {"a": (1.0,)})


START = "[drivers.runtime_performance]\nmeasure = 'start_seconds'\nvalue = { one = 0.05, zero = 10, scale = 'log' }\n"


def test_start_up_is_not_compared_across_bytecode_settings() -> None:
    candidates = (
        evidence("compiled", run=run(bytecode=True)),
        evidence("none", run=run(bytecode=False, start=1.5)),
        evidence("go", run=run(bytecode=None, start=0.02)),
    )
    decision = _decide(*candidates, toml=START)
    assert [each.status for each in decision.candidates] == ["evaluated", "incomplete", "evaluated"]
    found = _result(decision, "none").measurements[DriverName.RUNTIME_PERFORMANCE]
    assert isinstance(found, Unmeasured)
    assert "start-up with bytecode none is not compared" in found.reason
    assert {each.status for each in _decide(*candidates).candidates} == {"evaluated"}
    alike = _decide(candidates[1], candidates[2], toml=START)
    assert {each.status for each in alike.candidates} == {"evaluated"}


def test_the_strategys_own_setting_is_the_one_that_is_compared() -> None:
    candidates = (evidence("compiled", run=run(bytecode=True)), evidence("none", run=run(bytecode=False)))
    strategy = weighing(START)
    assert strategy.bytecode == "compiled"
    decision = decide(candidates, strategy, context(), seed=1, draws=DRAWS)
    assert [name for name, _ in decision.ranking] == ["compiled"]


def test_another_measure_ranks_in_its_own_unit() -> None:
    toml = (
        "[drivers.runtime_performance]\nmeasure = 'p50_ms'\nrequire = '<= 20 ms'\n"
        "value = { one = 1, zero = 100, scale = 'log' }"
    )
    decision = _decide(evidence("slow", run=run(30)), evidence("quick", run=run(3)), toml=toml)
    assert decision.winner == "quick"
    assert _result(decision, "slow").reason == "runtime performance is 30 ms, the strategy requires <= 20 ms"


def test_ranking_is_of_the_platform_that_was_run() -> None:
    gone = NotMeasured(reason="linux/arm64 cannot be run here")
    arm = [evidence(name, platform="linux/arm64", run=gone) for name in ("a", "b")]
    amd = [evidence("a"), evidence("b", size=size(400))]
    decision = _decide(*arm, *amd)
    assert (decision.platform, decision.winner) == ("linux/amd64", "a")
    assert [each.status for each in decision.candidates] == ["incomplete", "incomplete", "evaluated", "evaluated"]
    assert decision.could_overturn == ()


def test_what_fails_on_one_target_platform_is_out() -> None:
    arm = evidence("a", platform="linux/arm64", failure=BROKEN)
    decision = _decide(evidence("a"), arm, evidence("b", size=size(400)))
    assert decision.winner == "b"
    assert decision.candidates[0].status is Status.FAILED
    assert decision.candidates[0].reason == "on linux/arm64: it exited with status 3"


def test_a_unit_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(InputError, match=r"drivers\.image_size\.require"):
        _decide(evidence("a"), toml="[drivers.image_size]\nrequire = '<= 3 s'")


def test_the_examples_seven_candidates_in_time() -> None:
    started = time.process_time()
    decision = decide(seven_candidates(), weighing(), context(), seed=1)
    assert time.process_time() - started < 3
    assert decision.winner == "go-static"
    assert {each.name for each in decision.candidates if each.status is Status.INCOMPLETE} == {
        "go-alpine",
        "python-slim",
        "python-full",
        "python-alpine",
    }
