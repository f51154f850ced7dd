"""Runs programs in Linux namespaces, without an engine and without a daemon: basewright's side of the supervisor."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from basewright._process import Completed, Process, kill_group
from basewright.errors import InputError, OutOfReachError
from basewright.runner.identity import resolve_user
from basewright.runner.refusal import explain_refusal
from basewright.runner.runner import (
    Availability,
    BesideAnswer,
    Bind,
    Counters,
    Ending,
    Health,
    Healthy,
    Limits,
    RunningService,
)

_SCRIPT = Path(__file__).with_name("sandbox_script.py")
_PROBE = Path(__file__).with_name("probe_script.py")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOREVER_SECONDS = 1e8
_ANSWER_SECONDS = 90.0
_LAST_LINES = 20


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    pass


class _Checked(_Event, tag="checked"):
    refused: str
    cgroup: str


class _Started(_Event, tag="started"):
    counters: str


class _Answer(_Event, tag="answer"):
    status: int
    timed_out: bool
    output: str
    marks: dict[str, Counters]
    cpu_seconds: float


class _Probed(_Event, tag="probed"):
    answer: _Answer
    executed_ns: int | None
    listening: tuple[str, ...]


class _Counted(_Event, tag="counters"):
    at: float
    cpu_seconds: float
    memory_bytes: int
    peak_bytes: int
    processes: int


class _Refused(_Event, tag="refused"):
    reason: str
    by_machine: bool
    output: str = ""


class _Finished(_Event, tag="ended"):
    code: int
    killed: str
    out_of_memory: int
    output: str
    written: tuple[str, ...]


class _Heard(msgspec.Struct, frozen=True, kw_only=True):
    healthy_ns: int | None
    address: str = ""
    heard: str = ""


_Events = _Checked | _Started | _Answer | _Probed | _Counted | _Refused | _Finished


class Sandbox:
    """The `Runner` on Linux."""

    def __init__(self) -> None:
        self._user_namespace = True
        self._availability: Availability | None = None

    def available(self, process: Process) -> Availability:
        """Tries what a run needs, once; the answer is kept."""
        if self._availability is None:
            self._availability = self._check(process)
        return self._availability

    def _check(self, process: Process) -> Availability:
        if sys.platform != "linux":
            return explain_refusal("")
        refusal = _ask_supervisor(process, user_namespace=True)
        if not refusal:
            who = "root" if os.geteuid() == 0 else "ordinary user"
            return Availability(ok=True, description=f"sandbox (user namespace, {who})")
        if os.geteuid() == 0 and not _ask_supervisor(process, user_namespace=False):
            self._user_namespace = False
            return Availability(ok=True, description="sandbox (root, no user namespace)")
        return explain_refusal(refusal)

    def _require(self, process: Process) -> None:
        availability = self.available(process)
        if not availability.ok:
            raise OutOfReachError(availability.description, hint=availability.hint)

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
        limits: Limits = Limits(),  # noqa: B008
        max_bytes: int = 64 << 20,
    ) -> Completed:
        self._require(process)
        program = _program(root, argv, env=env, user=user, cwd=cwd, binds=binds, limits=limits, writable=False)
        streams = _Streams(stdin, max_bytes)
        with streams, _Session(process, pass_fds=streams.theirs) as session:
            session.send(
                do="run",
                user_namespace=self._user_namespace,
                program=program,
                stdio=streams.theirs,
                timeout=timeout_seconds,
                probe=None,
            )
            streams.begin()
            event = session.next_event(timeout_seconds + _ANSWER_SECONDS)
            while isinstance(event, _Started):
                event = session.next_event(timeout_seconds + _ANSWER_SECONDS)
        if isinstance(event, _Refused):
            raise (OutOfReachError if event.by_machine else InputError)(f"{argv[0]} could not be run: {event.reason}")
        assert isinstance(event, _Finished)
        if event.killed == "time":
            raise OutOfReachError(f"{argv[0]} did not end within {timeout_seconds:.0f} s in the image")
        if event.killed or event.out_of_memory:
            raise OutOfReachError(f"{argv[0]} {_how(event, limits)}")
        return Completed(argv, event.code, streams.stdout(), streams.stderr())

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
        limits: Limits = Limits(),  # noqa: B008
    ) -> RunningService:
        self._require(process)
        program = _program(root, argv, env=env, user=user, cwd=cwd, binds=(), limits=limits, writable=writable_root)
        request = {"port": health.port, "path": health.path, "timeout": health.timeout_seconds}
        probe = {
            "argv": _python(_PROBE),
            "request": msgspec.json.encode(request).decode(),
            "timeout": health.timeout_seconds,
        }
        session = _Session(process)
        try:
            session.send(
                do="serve",
                user_namespace=self._user_namespace,
                program=program,
                stdio=None,
                timeout=_FOREVER_SECONDS,
                probe=probe,
            )
        except BaseException:
            session.close()
            raise
        return _Service(session, health, limits)


class _Service:
    """A running service behind its supervisor."""

    def __init__(self, session: "_Session", health: Health, limits: Limits) -> None:
        self._session = session
        self._health = health
        self._limits = limits
        self._counters_from = ""
        self._number = 0

    @property
    def counters_from(self) -> str:
        return self._counters_from

    def wait_until_healthy(self) -> Healthy | Ending:
        while True:
            event = self._session.next_event(self._health.timeout_seconds + _ANSWER_SECONDS)
            match event:
                case _Started():
                    self._counters_from = event.counters
                case _Probed():
                    return self._probed(event)
                case _Finished() | _Refused():
                    return self._ending(event)
                case _:
                    continue

    def _probed(self, event: _Probed) -> Healthy | Ending:
        try:
            heard = msgspec.json.decode(event.answer.output, type=_Heard)
        except msgspec.DecodeError:
            heard = _Heard(healthy_ns=None, heard="could not be asked: the probe ended")
        if heard.healthy_ns is not None and event.executed_ns is not None:
            seconds = (heard.healthy_ns - event.executed_ns) / 1e9
            return Healthy(start_seconds=max(seconds, 0.0), address=heard.address)
        ending = self.stop()
        reason = f"was not healthy within {self._health.timeout_seconds:g} s: {self._heard(heard, event.listening)}"
        return msgspec.structs.replace(ending, reason=reason, answered=heard.heard.startswith("answered "))

    def _heard(self, heard: _Heard, listening: tuple[str, ...]) -> str:
        if heard.heard:
            return f"it {heard.heard} at {self._health.path}"
        nothing = f"nothing listens on port {self._health.port}"
        others = ", ".join(address.removeprefix("*:") for address in listening[:5])
        return f"{nothing}; it listens on {others}" if others else nothing

    def counters(self) -> Counters | Ending:
        event = self._ask(do="counters")
        if isinstance(event, _Counted):
            return Counters(**msgspec.structs.asdict(event))
        return self._ending(event)

    def run_beside(self, script: Path, request: str, *, timeout_seconds: float) -> BesideAnswer | Ending:
        self._number += 1
        event = self._ask(
            do="beside", number=self._number, argv=_python(script), request=request, timeout=timeout_seconds
        )
        if not isinstance(event, _Answer):
            return self._ending(event)
        return BesideAnswer(
            output=event.output,
            marks=event.marks,
            cpu_seconds=event.cpu_seconds,
            timed_out=event.timed_out,
            status=event.status,
        )

    def _ask(self, **command: object) -> _Events:
        seconds = command.get("timeout")
        self._session.send(**command)
        return self._session.next_event((seconds if isinstance(seconds, int | float) else 0.0) + _ANSWER_SECONDS)

    def stop(self) -> Ending:
        self._session.send(do="stop")
        event = self._session.next_event(_ANSWER_SECONDS)
        while not isinstance(event, _Finished | _Refused):
            event = self._session.next_event(_ANSWER_SECONDS)
        self._session.close()
        return self._ending(event)

    def _ending(self, event: _Events) -> Ending:
        self._session.close()
        match event:
            case _Refused():
                return Ending(
                    reason=f"could not be started: {event.reason}",
                    output=_last_lines(event.output),
                    by_machine=event.by_machine,
                )
            case _Finished():
                return Ending(
                    reason=_how(event, self._limits), output=_last_lines(event.output), written=event.written
                )
            case _:
                raise OutOfReachError("the sandbox answered out of turn")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()


class _Session:
    """One supervisor process. Closing its input ends it and everything below it."""

    def __init__(self, process: Process, *, pass_fds: Sequence[int] = ()) -> None:
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        # Nothing else of this process's environment: variables that are secret go through the pipe, to the image only.
        self._child: subprocess.Popen[bytes] = process.start(
            _python(_SCRIPT), cwd=Path("/"), env={"LC_ALL": "C.UTF-8", **kept}, pass_fds=pass_fds
        )
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._closed = False

    def send(self, **order: object) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(msgspec.json.encode(order) + b"\n")
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it has ended, and what it said last is still to be read

    def next_event(self, timeout_seconds: float) -> _Events:
        """The next thing that the supervisor tells. Raises OutOfReachError where it says nothing in time."""
        deadline = time.monotonic() + timeout_seconds
        assert self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        while not self._lines:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                kill_group(self._child)
                raise OutOfReachError("the sandbox did not answer in time")
            chunk = os.read(descriptor, 1 << 20)
            if not chunk:
                raise OutOfReachError("the sandbox ended unexpectedly", hint=self._last_words())
            self._rest += chunk
            *lines, rest = self._rest.split(b"\n")
            self._rest = bytearray(rest)
            self._lines = [bytes(line) for line in lines]
        return msgspec.json.decode(self._lines.pop(0), type=_Events)

    def _last_words(self) -> str:
        assert self._child.stderr is not None
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(5)
        if not select.select([self._child.stderr], [], [], 0)[0]:
            return ""
        lines = os.read(self._child.stderr.fileno(), 65536).decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """Ends the supervisor, and waits until it has left nothing behind."""
        if self._closed:
            return
        self._closed = True
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.close()
        try:
            self._child.wait(_ANSWER_SECONDS)
        except BaseException as error:
            kill_group(self._child)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        finally:
            for stream in (self._child.stdout, self._child.stderr):
                if stream is not None:
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Streams:
    """The three standard streams of a program, fed and drained by threads; outputs are kept up to `max_bytes`."""

    def __init__(self, stdin: bytes, max_bytes: int) -> None:
        self._stdin, self._max_bytes = stdin, max_bytes
        pipes = (os.pipe(), os.pipe(), os.pipe())
        self.theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
        self._ours = (pipes[0][1], pipes[1][0], pipes[2][0])
        self._kept = (bytearray(), bytearray())
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Once the supervisor has its ends."""
        for descriptor in self.theirs:
            os.close(descriptor)
        self._threads = [
            threading.Thread(target=self._feed, daemon=True),
            threading.Thread(target=self._drain, args=(self._ours[1], self._kept[0]), daemon=True),
            threading.Thread(target=self._drain, args=(self._ours[2], self._kept[1]), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _feed(self) -> None:
        view = memoryview(self._stdin)
        with suppress(OSError):
            while view:
                view = view[os.write(self._ours[0], view[: 1 << 20]) :]
        os.close(self._ours[0])

    def _drain(self, descriptor: int, into: bytearray) -> None:
        while chunk := os.read(descriptor, 1 << 20):
            into += chunk
            if len(into) > 2 * self._max_bytes:
                del into[: -self._max_bytes]
        del into[: -self._max_bytes]
        os.close(descriptor)

    def stdout(self) -> bytes:
        return bytes(self._kept[0])

    def stderr(self) -> bytes:
        return bytes(self._kept[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._threads:
            for descriptor in (*self.theirs, *self._ours):
                os.close(descriptor)
        for thread in self._threads:
            thread.join(timeout=10)


def _ask_supervisor(process: Process, *, user_namespace: bool) -> str:
    """What is refused here; empty where all is permitted."""
    try:
        with _Session(process) as session:
            session.send(do="check", user_namespace=user_namespace)
            event = session.next_event(30)
    except OutOfReachError as error:
        return f"sandbox: {error.message} {error.hint}".strip()
    return event.refused if isinstance(event, _Checked) else "sandbox: it answered out of turn"


def _python(script: Path) -> list[str]:
    return [sys.executable, "-I", "-S", str(script)]


def _program(
    root: Path,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    user: str,
    cwd: str,
    binds: Sequence[Bind],
    limits: Limits,
    writable: bool,
) -> dict[str, object]:
    if not argv:
        raise InputError("the image has no command to run")
    identity = resolve_user(root, user)
    return {
        "root": str(root.resolve()),
        "argv": list(argv),
        "env": {"PATH": _PATH, "HOME": identity.home, **env},
        "uid": identity.uid,
        "gid": identity.gid,
        "cwd": cwd or "/",
        "writable": writable,
        "binds": [(str(bind.source.resolve()), bind.target, bind.writable) for bind in binds],
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
    }


def _how(event: _Finished, limits: Limits) -> str:
    if event.killed == "memory" or (event.out_of_memory and event.code != 0):
        return f"was killed: it needed more than {limits.memory_bytes / 2**20:,.0f} MiB of memory"
    if event.killed == "processes":
        return f"was killed: it started more than {limits.processes} processes"
    if event.killed:
        return f"was killed: over its {event.killed} limit"
    if event.code < 0:
        try:
            name = signal.Signals(-event.code).name
        except ValueError:
            name = f"signal {-event.code}"
        return f"was ended by {name}"
    return f"exited with status {event.code}"


def _last_lines(text: str) -> tuple[str, ...]:
    return tuple(line.rstrip()[:2000] for line in text.splitlines() if line.strip())[-_LAST_LINES:]
