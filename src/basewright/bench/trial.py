"""Runs all candidates in randomised, interleaved rounds, and says what each used, or why it failed."""

import random
from collections.abc import Sequence

import msgspec

from basewright._process import Process
from basewright.bench.contention import Contention
from basewright.bench.observe import Bed, Qualified, ServiceUnderTest, bad_answers, observe, qualify
from basewright.bench.ratio import ratios_to_median
from basewright.facts import Failure, FailureKind, RunFacts, RunSample
from basewright.parallel import map_parallel
from basewright.progress import Progress
from basewright.runner.identity import resolve_user
from basewright.runner.runner import Ending, Runner
from basewright.strategy import Bench, Service

CONTENTION_LIMIT = 0.1
"""A round in which other work took more of the CPU is repeated."""
_QUALIFIED_AT_ONCE = 2
"""Nothing is measured of these starts, and most of one is waiting; more would make a slow start a late one."""
_COMPARED = (
    "start_seconds",
    "cpu_seconds_per_1000",
    "requests_per_second",
    "p50_ms",
    "p99_ms",
    "idle_bytes",
    "peak_bytes",
    "idle_cpu_share",
)


def run_trials(
    services: Sequence[ServiceUnderTest],
    settings: Bench,
    service: Service,
    *,
    runner: Runner,
    process: Process,
    seed: int,
    progress: Progress,
) -> dict[str, RunFacts | Failure]:
    """Measures `services` against each other: `settings.rounds` rounds, each with one start of every service in an
    order drawn from `seed`. At most a third of the rounds are repeated because of other work on the machine.

    Raises OutOfReachError where programs cannot be run here at all (ask `runner.available` first).
    """
    trials = _Trials(Bed(settings, service, runner=runner, process=process), progress)
    map_parallel(trials.qualify, services, workers=_QUALIFIED_AT_ONCE)
    chance = random.Random(seed)
    repeats = max(1, settings.rounds // 3)
    while len(trials.rounds) < settings.rounds and trials.living:
        order = chance.sample(sorted(trials.living), len(trials.living))
        contention = Contention()
        samples = trials.run_round(order)
        if contention.share() > CONTENTION_LIMIT and trials.repeated < repeats:
            trials.repeated += 1
            continue
        trials.rounds.append(samples)
    return {tested.name: trials.outcome(tested) for tested in services}


class _Trials:
    def __init__(self, bed: Bed, progress: Progress) -> None:
        self._bed = bed
        self._progress = progress
        self._description = bed.runner.available(bed.process).description
        self.living: dict[str, tuple[ServiceUnderTest, Qualified]] = {}
        self._failures: dict[str, Failure] = {}
        self.rounds: list[dict[str, RunSample]] = []
        self.repeated = 0

    def qualify(self, tested: ServiceUnderTest) -> None:
        self._progress(f"starting {tested.name}")
        qualified = qualify(self._bed, tested)
        if isinstance(qualified, Ending):
            self._failures[tested.name] = _failure(tested, qualified)
        else:
            self.living[tested.name] = (tested, qualified)

    def run_round(self, order: Sequence[str]) -> dict[str, RunSample]:
        """One start of each; one that fails takes no part from then on."""
        number = len(self.rounds) + 1
        samples: dict[str, RunSample] = {}
        for name in order:
            self._progress(f"measuring {name}, round {number} of {self._bed.settings.rounds}")
            tested, qualified = self.living[name]
            sample = observe(self._bed, tested, writable_root=not qualified.read_only_root)
            if isinstance(sample, Ending):
                del self.living[name]
                self._failures[name] = _failure(
                    tested, sample, where=f" (round {number} of {self._bed.settings.rounds})"
                )
            else:
                samples[name] = sample
        return samples

    def outcome(self, tested: ServiceUnderTest) -> RunFacts | Failure:
        """What is known in the end. Candidates that failed are left out of every median."""
        name = tested.name
        if name in self._failures:
            return self._failures[name]
        _, qualified = self.living[name]
        samples = self._samples(name)
        good, bad = sum(sample.good for sample in samples), sum(sample.bad for sample in samples)
        examples = tuple(example for sample in samples for example in sample.bad_examples)
        if reason := bad_answers(good, bad, examples):
            return Failure(kind=FailureKind.FAILED, reason=f"the service {tested.mask(reason)}")
        ratios, medians = self._ratios(name)
        return RunFacts(
            runner=self._description,
            counters=f"{qualified.counters_from} (CPU), PSS (memory)",
            samples=samples,
            concurrency=self._bed.settings.concurrency,
            arrival_rate=self._bed.settings.rate,
            read_only_root=qualified.read_only_root,
            user=str(resolve_user(tested.root, tested.user)),
            bytecode=tested.bytecode,
            writable_paths=() if qualified.read_only_root else qualified.writable_paths,
            ratios=ratios,
            round_medians=medians,
            repeated_rounds=self.repeated,
        )

    def _samples(self, name: str) -> tuple[RunSample, ...]:
        return _without_throughput(tuple(each[name] for each in self.rounds))

    def _ratios(self, name: str) -> tuple[dict[str, tuple[float, ...]], dict[str, float]]:
        settings = {tested.bytecode for tested, _ in self.living.values() if tested.bytecode is not None}
        ratios: dict[str, tuple[float, ...]] = {}
        medians: dict[str, float] = {}
        for field in _COMPARED:
            if field == "start_seconds" and len(settings) > 1:
                continue  # with and without bytecode are two different things to start
            columns = {other: [_number(sample, field) for sample in self._samples(other)] for other in self.living}
            rounds = [
                {other: values[number] for other, values in columns.items()} for number in range(len(self.rounds))
            ]
            by_name, middle = ratios_to_median(rounds)
            if middle is not None and name in by_name:
                ratios[field], medians[field] = by_name[name], middle
        return ratios, medians


def _number(sample: RunSample, field: str) -> float | None:
    value: float | None = getattr(sample, field)
    return value


def _failure(tested: ServiceUnderTest, ending: Ending, *, where: str = "") -> Failure:
    return Failure(
        kind=FailureKind.INCOMPLETE if ending.by_machine else FailureKind.FAILED,
        reason=f"the service {tested.mask(ending.reason)}{where}",
        output=tuple(tested.mask(line) for line in ending.output),
    )


def _without_throughput(samples: tuple[RunSample, ...]) -> tuple[RunSample, ...]:
    """Where the generator was the bottleneck in one round, the other rounds were the slow ones: alone they would be
    too low a throughput."""
    if all(sample.requests_per_second is not None for sample in samples):
        return samples
    return tuple(msgspec.structs.replace(sample, requests_per_second=None) for sample in samples)
