"""From evidence to what is shown: the whole way through drivers and decision, with the example's seven candidates."""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from basewright.adr.record import write_record
from basewright.decide.decision import decide
from basewright.drivers.driver import DriverContext
from basewright.facts import Evidence, FailureKind
from basewright.feeds.pricing import fargate_facts
from basewright.strategy import DriverName, Strategy
from basewright.view.compose import view_evaluation
from basewright.view.document import render_json
from basewright.view.evaluation import EvaluationView
from basewright.view.terminal import render_terminal
from tests.doubles.evidence import (
    AS_OF,
    EVALUATED_AT,
    LOCK,
    MACHINE,
    PLATFORM,
    RUNNER,
    STRATEGY,
    failed,
    seven_candidates,
    strategy,
)


def _view(evidence: Sequence[Evidence], asked: Strategy | None = None) -> EvaluationView:
    asked = asked or strategy()
    context = DriverContext(
        as_of=AS_OF,
        fargate=fargate_facts("us-east-1"),
        bench=asked.bench,
    )
    return view_evaluation(
        asked,
        evidence,
        decide(evidence, asked, context, seed=1, draws=500),
        evaluated_at=EVALUATED_AT,
        as_of=AS_OF,
        runner=RUNNER,
        machine=MACHINE,
        lock_digest=LOCK,
        version="0.1.0",
    )


def test_rows_come_in_the_order_of_the_strategy_and_read_in_that_of_the_ranking() -> None:
    view = _view(seven_candidates())
    assert [row.name for row in view.rows] == [candidate.name for candidate in strategy().candidates]
    assert view.winner == "go-static"
    assert view.ordered[0].name == "go-static"
    assert [row.rank for row in view.ordered] == [1, 2, 3, None, None, None, None]


def test_outputs_of_one_evaluation_say_the_same() -> None:
    view = _view(seven_candidates())
    document = json.loads(render_json(view))
    text = render_terminal(view, width=120, color=False)
    assert document["decision"]["winner"] == "go-static"
    assert text.startswith("\n go-static wins with ")
    score = next(each["score"] for each in document["decision"]["ranking"] if each["name"] == "go-static")
    assert f"go-static wins with {score:.2f}" in text
    assert "28 days before ADR-007 was decided" in " ".join(text.split())


def test_a_driver_of_weight_zero_is_left_out() -> None:
    asked = strategy(source=b"[drivers.build_performance]\nweight = 0\n" + STRATEGY)
    view = _view(seven_candidates(), asked)
    assert DriverName.BUILD_PERFORMANCE not in view.drivers
    assert "Build" not in render_terminal(view, width=120, color=False)


def test_requirements_are_judged_and_a_disqualified_candidate_says_why() -> None:
    asked = strategy(source=b'[drivers.image_size]\nrequire = "<= 50 MB"\n' + STRATEGY)
    view = _view(seven_candidates(), asked)
    row = view.row("debian-apt")
    assert row.status == "disqualified"
    assert row.requirements[0].met is False
    text = " ".join(render_terminal(view, width=100, color=False).split())
    assert "debian-apt is disqualified: image size is 66.22 MB, the strategy requires <= 50 MB." in text


def test_a_failed_candidate_is_shown_with_its_reason_and_what_it_printed() -> None:
    broken = failed("debian-apt", "it exited with status 1 before it was healthy", ("KeyError: 'X'", "\x1b[2J"))
    evidence = tuple(broken if each.candidate == "debian-apt" else each for each in seven_candidates())
    view = _view(evidence)
    text = " ".join(render_terminal(view, width=100, color=False).split())
    assert "debian-apt failed: it exited with status 1 before it was healthy." in text
    candidate = next(each for each in json.loads(render_json(view))["candidates"] if each["name"] == "debian-apt")
    assert candidate["status"] == "failed"
    assert candidate["output"][0] == "KeyError: 'X'"
    assert candidate["image"] is None
    assert all(set(each) == {"not_measured"} for each in candidate["measurements"].values())


def test_where_nothing_could_be_measured_there_is_no_decision_but_every_output() -> None:
    evidence = tuple(
        failed(candidate.name, "no network", kind=FailureKind.INCOMPLETE) for candidate in strategy().candidates
    )
    view = _view(evidence)
    assert not view.stands
    assert json.loads(render_json(view))["decision"]["winner"] is None
    assert "No decision" in render_terminal(view, width=80, color=False)
    assert write_record(view, strategy()) == ()


def test_long_and_hostile_words_are_cut_and_cleaned() -> None:
    evidence = (failed("go-alpine", "bad\n\x1b[31m" + "x" * 5000), *seven_candidates()[1:])
    reason = _view(evidence).rows[0].reason
    assert len(reason) <= 600
    assert "\x1b" not in reason
    assert "\n" not in reason


def test_a_second_platform_is_shown_by_name_and_ranked_nowhere() -> None:
    other = tuple(
        msgspec.structs.replace(each, platform="linux/arm64") for each in seven_candidates() if each.failure is None
    )
    view = _view((*seven_candidates(), *other))
    assert len(view.rows) == 10
    assert [row.rank for row in view.rows if row.platform == "linux/arm64"] == [None, None, None]
    text = render_terminal(view, width=120, color=False)
    assert "linux/arm64" in text
    assert "is evaluated" not in text
    assert len(json.loads(render_json(view))["candidates"]) == 10


def test_the_record_of_two_platforms_compares_on_one(tmp_path: Path) -> None:
    other = tuple(
        msgspec.structs.replace(each, platform="linux/arm64") for each in seven_candidates() if each.failure is None
    )
    text = write_record(_view((*seven_candidates(), *other)), strategy(tmp_path))[0].read_text(encoding="utf-8")
    assert "for linux/amd64 and linux/arm64" in text
    assert "| go-static (linux/arm64) " in text
    assert text.count("### go-static\n") == 1


@pytest.mark.parametrize("zone", [datetime.timezone(datetime.timedelta(hours=5)), datetime.UTC])
def test_the_time_is_told_in_utc(zone: datetime.timezone) -> None:
    view = msgspec.structs.replace(_view(seven_candidates()), evaluated_at=EVALUATED_AT)
    assert json.loads(render_json(view))["evaluated_at"] == "2026-11-24T10:42:07Z"
    assert EVALUATED_AT.astimezone(zone) == EVALUATED_AT
    assert view.rows[0].platform == PLATFORM
