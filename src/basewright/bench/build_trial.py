"""Times rebuilds after an edit, in randomised, interleaved rounds."""

import os
import random
import time
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from basewright.bench.ratio import ratios_to_median
from basewright.errors import BasewrightError, BuildFailedError, OutOfReachError
from basewright.facts import Failure, FailureKind
from basewright.progress import Progress

_LONG_SECONDS = 0.5
_ROUNDS_OF_LONG = 3


class EditTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate to edit and rebuild. Edits change a copy of its sources, each time to something new; rebuilds go as
    far as the written layer. Only the rebuild is timed. `edit_dependency` None: it has no dependencies."""

    name: str
    edit_application: Callable[[], None]
    rebuild_application: Callable[[], None]
    edit_dependency: Callable[[], None] | None
    rebuild_dependency: Callable[[], None]


class EditTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Wall and CPU seconds, one a round; ratios are each sample over the median of its round."""

    application_seconds: tuple[float, ...]
    dependency_seconds: tuple[float, ...]
    application_ratios: tuple[float, ...]
    dependency_ratios: tuple[float, ...]
    application_cpu_seconds: float
    """The median."""
    application_round_median: float | None
    dependency_round_median: float | None


def time_edits(
    candidates: Sequence[EditTrial],
    *,
    rounds: int,
    seed: int,
    progress: Progress,
    max_seconds: float = 120.0,
) -> dict[str, EditTimes | Failure]:
    """Rebuilds every candidate once unmeasured (warm caches), then once a round, in an order drawn from `seed`.

    Dependency edits run three rounds where one takes over 0.5 s. No round begins after `max_seconds`, but one is run.
    """
    trials = _Edits(progress, time.monotonic() + max_seconds)
    chance = random.Random(seed)
    living = {candidate.name: candidate for candidate in candidates}
    for candidate in candidates:
        trials.rebuild(candidate, dependency=False, measured=False)
    for number in range(rounds):
        if number and time.monotonic() > trials.until:
            break
        trials.begin_round()
        for name in chance.sample(sorted(living), len(living)):
            trials.progress(f"rebuilding {name}, round {number + 1} of {rounds}")
            trials.rebuild(living[name], dependency=False)
            if trials.wants_dependency(name):
                trials.rebuild(living[name], dependency=True)
    return {candidate.name: trials.outcome(candidate.name) for candidate in candidates}


class _Edits:
    def __init__(self, progress: Progress, until: float) -> None:
        self.progress = progress
        self.until = until
        self._failures: dict[str, Failure] = {}
        self._application: list[dict[str, float | None]] = []
        self._dependency: list[dict[str, float | None]] = []
        self._cpu: dict[str, list[float]] = {}

    def begin_round(self) -> None:
        self._application.append({})
        self._dependency.append({})

    def wants_dependency(self, name: str) -> bool:
        """All rounds where it is quick, three where it is not."""
        before = [seconds for each in self._dependency if (seconds := each.get(name)) is not None]
        return len(before) < _ROUNDS_OF_LONG or max(before) <= _LONG_SECONDS

    def rebuild(self, candidate: EditTrial, *, dependency: bool, measured: bool = True) -> None:
        """One edit and its rebuild; a candidate that cannot be rebuilt is left out from then on."""
        edit = candidate.edit_dependency if dependency else candidate.edit_application
        build = candidate.rebuild_dependency if dependency else candidate.rebuild_application
        name = candidate.name
        if edit is None or name in self._failures:
            return
        try:
            edit()
            cpu, begin = _cpu_seconds(), time.perf_counter()
            build()
            seconds, cpu = time.perf_counter() - begin, _cpu_seconds() - cpu
        except BasewrightError as error:
            self._failures[name] = _failure(error)
            return
        if measured:
            (self._dependency if dependency else self._application)[-1][name] = seconds
            if not dependency:
                self._cpu.setdefault(name, []).append(cpu)

    def outcome(self, name: str) -> EditTimes | Failure:
        if name in self._failures:
            return self._failures[name]
        application, application_median = ratios_to_median(self._without_failures(self._application))
        dependency, dependency_median = ratios_to_median(self._without_failures(self._dependency))
        return EditTimes(
            application_seconds=_samples(self._application, name),
            dependency_seconds=_samples(self._dependency, name),
            application_ratios=application.get(name, ()),
            dependency_ratios=dependency.get(name, ()),
            application_cpu_seconds=median(self._cpu.get(name, [0.0])),
            application_round_median=application_median,
            dependency_round_median=dependency_median,
        )

    def _without_failures(self, rounds: list[dict[str, float | None]]) -> list[dict[str, float | None]]:
        return [{name: value for name, value in each.items() if name not in self._failures} for each in rounds]


def _samples(rounds: list[dict[str, float | None]], name: str) -> tuple[float, ...]:
    return tuple(seconds for each in rounds if (seconds := each.get(name)) is not None)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _failure(error: BasewrightError) -> Failure:
    kind = FailureKind.INCOMPLETE if isinstance(error, OutOfReachError) else FailureKind.FAILED
    output = error.output if isinstance(error, BuildFailedError) else ()
    return Failure(kind=kind, reason=f"could not be rebuilt after an edit: {error.message}", output=output)
