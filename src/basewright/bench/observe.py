"""One start of one service: time to health, rest, load in two modes, and what it used meanwhile."""

import re
from pathlib import Path

import msgspec

from basewright._process import Process
from basewright.facts import RunSample
from basewright.runner.runner import BesideAnswer, Ending, Health, Healthy, Limits, Runner, RunningService
from basewright.strategy import Bench, Service

_LOAD_SCRIPT = Path(__file__).with_name("load_script.py")
REST_SECONDS = 0.25
WARM_UP_SECONDS = 0.3
_QUALIFYING_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0
_SHORTEST_SECRET = 4
_DRAIN_SECONDS = 60.0
"""What the load script may take beyond its phases: answers that are still to come, and a late rate."""
GENERATOR_LIMIT = 0.7
"""Share of a core above which the generator is the bottleneck."""
_READ_ONLY = re.compile(r"Read-only file system|EROFS|\[Errno 30\]")
_ABSOLUTE_PATH = re.compile(r"(?<![\w./])/[\w.+@-]+(?:/[\w.+@-]+)*")


class ServiceUnderTest(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's image as it is run: `root` is its root filesystem on disk, `env` all of its variables. `secrets`
    are values of those that are masked in everything that the service printed."""

    name: str
    root: Path
    argv: tuple[str, ...]
    env: dict[str, str]
    user: str = ""
    cwd: str = "/"
    bytecode: bool | None = None
    secrets: tuple[str, ...] = ()

    def mask(self, text: str) -> str:
        """`text` without the secrets; those of fewer than four characters are no secrets, and stand everywhere."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """What the load script says of one mode."""

    seconds: float
    good: int
    bad: int
    examples: tuple[str, ...]
    generator_cpu_share: float
    p50_seconds: float | None
    p99_seconds: float | None

    @property
    def requests(self) -> int:
        return self.good + self.bad


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """Both modes; qualifying runs have the closed loop only."""

    closed: Phase
    rate: Phase | None = None


class Qualified(msgspec.Struct, frozen=True, kw_only=True):
    """A service that lives, and on which kind of root."""

    read_only_root: bool
    writable_paths: tuple[str, ...]
    counters_from: str


class Bed:
    """What every start of every service has in common."""

    def __init__(self, settings: Bench, service: Service, *, runner: Runner, process: Process) -> None:
        self.settings = settings
        self.service = service
        self.runner = runner
        self.process = process

    def start(self, tested: ServiceUnderTest, *, writable_root: bool) -> RunningService:
        return self.runner.start_service(
            tested.root,
            tested.argv,
            process=self.process,
            env=tested.env,
            health=Health(
                port=self.service.port,
                path=self.service.health,
                timeout_seconds=self.service.start_timeout_seconds,
            ),
            user=tested.user,
            cwd=tested.cwd,
            writable_root=writable_root,
            limits=Limits(memory_bytes=self.settings.memory_bytes, processes=self.settings.processes),
        )

    def load(
        self, running: RunningService, healthy: Healthy, *, seconds: float, rest: float, warm_up: float, rate: float
    ) -> tuple[BesideAnswer, Phases] | Ending:
        """Runs the load script to its end."""
        order = {
            "address": healthy.address,
            "port": self.service.port,
            "paths": self.service.load_paths,
            "concurrency": self.settings.concurrency,
            "seconds": seconds,
            "rest": rest,
            "warm_up": warm_up,
            "rate": rate,
            "patience": _PATIENCE_SECONDS,
        }
        answer = running.run_beside(
            _LOAD_SCRIPT,
            msgspec.json.encode(order).decode(),
            timeout_seconds=rest + warm_up + 2 * seconds + _DRAIN_SECONDS,
        )
        if isinstance(answer, Ending):
            return answer
        try:
            return answer, msgspec.json.decode(answer.output, type=Phases)
        except msgspec.DecodeError:
            ending = running.stop()
            why = "it did not end in time" if answer.timed_out else f"it ended with status {answer.status}"
            return msgspec.structs.replace(ending, reason=f"could not be loaded: {why}", by_machine=True)


def qualify(bed: Bed, tested: ServiceUnderTest) -> Qualified | Ending:
    """Starts it once, unmeasured, and asks for every load path: on a read-only root, and where it does not live or
    answer well there, on a writable one. The page cache is warm from then on."""
    first = _try(bed, tested, writable_root=False)
    if isinstance(first, Qualified):
        return first
    refused = any(_READ_ONLY.search(line) for line in first.output)
    if first.by_machine or (first.answered and not refused):
        return first
    second = _try(bed, tested, writable_root=True)
    if isinstance(second, Ending):
        return second
    named = _paths_refused(first.output)
    return msgspec.structs.replace(second, writable_paths=named or second.writable_paths)


def _try(bed: Bed, tested: ServiceUnderTest, *, writable_root: bool) -> Qualified | Ending:
    with bed.start(tested, writable_root=writable_root) as running:
        healthy = running.wait_until_healthy()
        if isinstance(healthy, Ending):
            return healthy
        loaded = bed.load(running, healthy, seconds=_QUALIFYING_SECONDS, rest=0, warm_up=0, rate=0)
        if isinstance(loaded, Ending):
            return loaded
        counters_from = running.counters_from
        ending = running.stop()
    bad = bad_answers(loaded[1].closed.good, loaded[1].closed.bad, loaded[1].closed.examples)
    if bad:
        return msgspec.structs.replace(ending, reason=bad, answered=True)
    return Qualified(read_only_root=not writable_root, writable_paths=ending.written, counters_from=counters_from)


def observe(bed: Bed, tested: ServiceUnderTest, *, writable_root: bool) -> RunSample | Ending:
    """One measured start."""
    settings = bed.settings
    with bed.start(tested, writable_root=writable_root) as running:
        healthy = running.wait_until_healthy()
        if isinstance(healthy, Ending):
            return healthy
        loaded = bed.load(
            running,
            healthy,
            seconds=settings.duration_seconds,
            rest=REST_SECONDS,
            warm_up=WARM_UP_SECONDS,
            rate=settings.rate,
        )
        if isinstance(loaded, Ending):
            return loaded
        ending = running.stop()
    answer, phases = loaded
    if phases.closed.good == 0:
        reason = bad_answers(0, phases.closed.bad, phases.closed.examples)
        return msgspec.structs.replace(ending, reason=reason or "answered nothing under load", answered=True)
    return _sample(healthy, answer, phases)


def _sample(healthy: Healthy, answer: BesideAnswer, phases: Phases) -> RunSample:
    marks, closed, rate = answer.marks, phases.closed, phases.rate
    begins, ends = marks["closed begins"], marks["closed ends"]
    rest_begins, rest_ends = marks["rest begins"], marks["rest ends"]
    limited = closed.generator_cpu_share > GENERATOR_LIMIT
    rated = (rate,) if rate is not None else ()
    return RunSample(
        start_seconds=healthy.start_seconds,
        cpu_seconds_per_1000=(ends.cpu_seconds - begins.cpu_seconds) / closed.requests * 1000,
        requests_per_second=None if limited else closed.requests / closed.seconds,
        p50_ms=_milliseconds(rate.p50_seconds if rate else None),
        p99_ms=_milliseconds(rate.p99_seconds if rate else None),
        idle_bytes=rest_ends.memory_bytes,
        peak_bytes=max(mark.peak_bytes for mark in marks.values()),
        idle_cpu_share=(rest_ends.cpu_seconds - rest_begins.cpu_seconds) / (rest_ends.at - rest_begins.at),
        good=closed.good + sum(phase.good for phase in rated),
        bad=closed.bad + sum(phase.bad for phase in rated),
        bad_examples=(*closed.examples, *(example for phase in rated for example in phase.examples))[:5],
    )


def bad_answers(good: int, bad: int, examples: tuple[str, ...]) -> str:
    """A sentence's end where over 1 % of the answers were bad, else nothing."""
    if bad == 0 or bad <= (good + bad) / 100:
        return ""
    share = f"{bad:,} of {good + bad:,} requests under load got no good answer"
    return f"failed under load: {share} ({examples[0]})" if examples else f"failed under load: {share}"


def _paths_refused(output: tuple[str, ...]) -> tuple[str, ...]:
    """Paths that stand in the lines which complain of a read-only filesystem."""
    lines = [line for line in output if _READ_ONLY.search(line)]
    found = {path for line in lines for path in _ABSOLUTE_PATH.findall(line)}
    return tuple(sorted(found))[:20]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
