"""Runs whole processes side by side, round by round, and takes what the kernel counted for each.

Wall seconds are the harness's clock. CPU seconds and peak memory are wait4's: CPU of the process and of every child
that it waited for, memory of the largest one. A child begins as a copy of this program, so that its peak is never less
than this program's (`own_bytes`).
"""

import os
import resource
import shutil
import signal
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Attempt:
    """One run: an empty folder that is removed afterwards, and what is closed then."""

    scratch: Path
    stack: ExitStack
    env: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Command:
    """What is measured. `argv` is asked before each run, untimed; `missing` says why there is nothing to run."""

    label: str
    argv: Callable[[Attempt], Sequence[str | Path]] = lambda attempt: ()
    missing: str = ""
    rounds: int | None = None
    """Fewer than the others' rounds, for what takes minutes."""
    accepts: tuple[int, ...] = (0,)
    """Exit codes that are no failure."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run's figures."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(kw_only=True)
class Measured:
    """A command's samples by round, or why there are none."""

    command: Command
    samples: dict[int, Sample] = field(default_factory=dict)
    failure: str = ""

    def median(self, value: Callable[[Sample], float]) -> float | None:
        return statistics.median(map(value, self.samples.values())) if self.samples else None

    def times_slower_than(self, other: "Measured") -> float | None:
        """The median over the rounds that both ran in: what disturbs a round disturbs both."""
        common = self.samples.keys() & other.samples.keys()
        ratios = [self.samples[each].wall_seconds / other.samples[each].wall_seconds for each in common]
        return statistics.median(ratios) if ratios else None


class RunFailedError(Exception):
    """A measured program ended with a status that is not accepted; the message is the end of what it said."""


def measure(
    commands: Sequence[Command], *, rounds: int, work: Path, env: Mapping[str, str], tell: Callable[[str], None]
) -> list[Measured]:
    """One run of each that is thrown away, then `rounds` in which each runs once, beginning with another each time."""
    measured = [Measured(command=each, failure=each.missing) for each in commands]
    for number in range(-1, rounds):
        turn = number % len(measured)
        for each in (*measured[turn:], *measured[:turn]):
            few = each.command.rounds
            if each.failure or (few is not None and not 0 <= number < few):
                continue
            tell(f"  {each.command.label}")
            try:
                sample = _attempt(each.command, work, env)
            except RunFailedError as error:
                each.failure = f"failed: {error}"
                tell(f"    {each.failure}")
                continue
            if number >= 0:
                each.samples[number] = sample
    return measured


def _attempt(command: Command, work: Path, env: Mapping[str, str]) -> Sample:
    scratch = work / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in ("home", "tmp"):
        (scratch / folder).mkdir(parents=True)
    own = {**env, "HOME": str(scratch / "home"), "TMPDIR": str(scratch / "tmp")}
    own["BASEWRIGHT_CACHE"] = str(scratch / "cache")
    try:
        with ExitStack() as stack:
            attempt = Attempt(scratch, stack, own)
            argv = [str(word) for word in command.argv(attempt)]
            os.sync()  # what others left to be written is not written on this one's time
            return run(argv, env=attempt.env, log=scratch / "log", accepts=command.accepts)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def own_bytes() -> int:
    """This program's peak memory: a peak up to it says nothing more."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(
    argv: list[str],
    *,
    env: Mapping[str, str],
    log: Path,
    accepts: Sequence[int] = (0,),
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Sample:
    """Runs a program to its end, what it says kept in `log`. Raises RunFailedError."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, f"{log}.stdout", write, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, str(log), write, 0o600),
    ]
    started = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setpgroup=0)
    timer = threading.Timer(timeout_seconds, os.killpg, (pid, signal.SIGKILL))
    timer.start()
    try:
        _, status, used = os.wait4(pid, 0)
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) not in accepts:
        if wall >= timeout_seconds:
            raise RunFailedError(f"stopped after {timeout_seconds:.0f} s")
        said = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        said = [line for line in said if not line.startswith("hint:")]
        raise RunFailedError(said[-1][-200:] if said else f"exit status {os.waitstatus_to_exitcode(status)}")
    return Sample(wall_seconds=wall, cpu_seconds=used.ru_utime + used.ru_stime, peak_bytes=used.ru_maxrss * 1024)
