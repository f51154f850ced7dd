"""Runs a program inside an image's root: the protocol that every way to run answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from basewright._process import Completed, Process


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether programs can be run here. `description` names the way (`sandbox (user namespace, root)`), or says in one
    line why there is none; `hint` says what mends that."""

    ok: bool
    description: str
    hint: str = ""


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory of the host that is shown at `target` in the image, where one exists or below /tmp."""

    source: Path
    target: str
    writable: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may use."""

    memory_bytes: int = 2 << 30
    processes: int = 512


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's tree of processes has used at a moment (`at`, monotonic seconds)."""

    at: float
    cpu_seconds: float
    memory_bytes: int
    """Proportional set size."""
    peak_bytes: int
    """The largest that was seen since the moment before."""
    processes: int


class Healthy(msgspec.Struct, frozen=True, kw_only=True):
    """The first 2xx answer at the health path. `start_seconds` counts from exec, `address` is where it answered."""

    start_seconds: float
    address: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a service ended, or why it never became healthy."""

    reason: str
    """Such as `exited with status 1`, `was killed: it needed more than 512 MiB of memory`."""
    output: tuple[str, ...] = ()
    """The last lines that it printed, twenty at most."""
    written: tuple[str, ...] = ()
    """Paths that it wrote to a writable root."""
    answered: bool = False
    """It lived, and answered something else than 2xx at its health path."""
    by_machine: bool = False
    """This machine refused something; the image is not at fault."""


class BesideAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a program of ours beside the service printed, its CPU seconds, and the counters at its marks."""

    output: str
    marks: dict[str, Counters]
    cpu_seconds: float
    timed_out: bool = False
    status: int = 0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Where health is asked, and for how long."""

    port: int
    path: str
    timeout_seconds: float


class RunningService(Protocol):
    """A service that was started. Leaving the context ends it with everything that it started."""

    def wait_until_healthy(self) -> Healthy | Ending:
        """Waits for the first healthy answer, the end of the service or of its time."""
        ...

    def counters(self) -> Counters | Ending: ...

    def run_beside(self, script: Path, request: str, *, timeout_seconds: float) -> BesideAnswer | Ending:
        """Runs a Python script of ours in the service's network; `request` is one line for its standard input."""
        ...

    def stop(self) -> Ending:
        """Ends it, and says what it printed and wrote."""
        ...

    @property
    def counters_from(self) -> str:
        """Where its CPU time is read: `cgroup v1`, `cgroup v2` or `proc`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Runner(Protocol):
    """A way to run an image's programs. Raises OutOfReachError where this machine refuses."""

    def available(self, process: Process) -> Availability: ...

    def run_program(
        self,
        root: Path,
        argv: Sequence[str],
        *,
        process: Process,
        env: Mapping[str, str],
        timeout_seconds: float,
        user: str = "",
        cwd: str = "/",
        stdin: bytes = b"",
        binds: Sequence[Bind] = (),
        limits: Limits = Limits(),
        max_bytes: int = 64 << 20,
    ) -> Completed:
        """Runs to the end on a read-only root, without a network. `user` is as an image names it: `65532:65532`, `app`,
        empty for root. Raises InputError where the image lacks the program or the user."""
        ...

    def start_service(
        self,
        root: Path,
        argv: Sequence[str],
        *,
        process: Process,
        env: Mapping[str, str],
        health: Health,
        user: str = "",
        cwd: str = "/",
        writable_root: bool = False,
        limits: Limits = Limits(),
    ) -> RunningService: ...
