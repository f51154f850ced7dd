"""Rebuilds after an edit."""

import time

from basewright.bench import build_trial
from basewright.bench.build_trial import EditTimes, EditTrial, time_edits
from basewright.errors import BuildFailedError, OutOfReachError
from basewright.facts import Failure, FailureKind


def _trial(name: str, log: list[str], *, seconds: float = 0.0, dependencies: bool = True) -> EditTrial:
    def note(what: str, pause: float = 0.0) -> None:
        log.append(f"{what} {name}")
        time.sleep(pause)

    return EditTrial(
        name=name,
        edit_application=lambda: note("edit app", 0.01),
        rebuild_application=lambda: note("build app", seconds),
        edit_dependency=(lambda: note("edit dep")) if dependencies else None,
        rebuild_dependency=lambda: note("build dep", 2 * seconds),
    )


def test_every_candidate_once_a_round_in_an_order_of_its_own() -> None:
    log: list[str] = []
    trials = [
        _trial("slow", log, seconds=0.04),
        _trial("quick", log, seconds=0.02),
        _trial("bare", log, dependencies=False),
    ]
    times = time_edits(trials, rounds=4, seed=3, progress=lambda text: None)
    slow, quick, bare = times["slow"], times["quick"], times["bare"]
    assert isinstance(slow, EditTimes) and isinstance(quick, EditTimes) and isinstance(bare, EditTimes)
    assert len(slow.application_seconds) == len(slow.dependency_seconds) == 4
    assert bare.dependency_seconds == ()
    assert min(slow.application_seconds) >= 0.04  # the edit itself is not timed
    assert max(quick.application_ratios) < min(slow.application_ratios)
    assert slow.dependency_round_median is not None
    builds = [line for line in log if line.startswith("build app")][3:]
    orders = {tuple(builds[start : start + 3]) for start in range(0, 12, 3)}
    assert len(orders) > 1
    again: list[str] = []
    time_edits(
        [_trial("slow", again, seconds=0.0), _trial("quick", again), _trial("bare", again, dependencies=False)],
        rounds=4,
        seed=3,
        progress=lambda text: None,
    )
    assert again == log


def test_long_dependency_edits_run_three_rounds(monkeypatch: object) -> None:
    log: list[str] = []
    assert isinstance(monkeypatch, object)
    before = build_trial._LONG_SECONDS
    build_trial._LONG_SECONDS = 0.01
    try:
        time_edits([_trial("a", log, seconds=0.02)], rounds=6, seed=1, progress=lambda text: None)
    finally:
        build_trial._LONG_SECONDS = before
    assert log.count("build dep a") == 3
    assert log.count("build app a") == 7


def test_time_is_bounded_and_one_round_always_runs() -> None:
    log: list[str] = []
    time_edits([_trial("a", log, seconds=0.02)], rounds=50, seed=1, progress=lambda text: None, max_seconds=0.0)
    assert log.count("build app a") == 2


def test_one_that_breaks_harms_no_other() -> None:
    log: list[str] = []
    good = _trial("good", log)

    def broken() -> None:
        raise BuildFailedError("it does not compile", output=("line 1",))

    def away() -> None:
        raise OutOfReachError("the index is out of reach")

    times = time_edits(
        [
            good,
            EditTrial(
                name="broken",
                edit_application=lambda: None,
                rebuild_application=broken,
                edit_dependency=None,
                rebuild_dependency=lambda: None,
            ),
            EditTrial(
                name="away",
                edit_application=lambda: None,
                rebuild_application=lambda: None,
                edit_dependency=lambda: None,
                rebuild_dependency=away,
            ),
        ],
        rounds=2,
        seed=1,
        progress=lambda text: None,
    )
    assert isinstance(times["good"], EditTimes)
    assert times["broken"] == Failure(
        kind=FailureKind.FAILED, reason="could not be rebuilt after an edit: it does not compile", output=("line 1",)
    )
    away_times = times["away"]
    assert isinstance(away_times, Failure)
    assert away_times.kind is FailureKind.INCOMPLETE
