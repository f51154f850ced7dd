"""Runs programs in Linux namespaces, without an engine and without a daemon: basewright's side of the supervisor."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from basewright._process import Completed, Process
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
from basewright.runner.session import (
    ANSWER_SECONDS,
    Answer,
    Checked,
    Counted,
    Events,
    Finished,
    Probed,
    Refused,
    Session,
    Started,
    Streams,
    python_command,
)

_PROBE = Path(__file__).with_name("probe_script.py")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOREVER_SECONDS = 1e8
_LAST_LINES = 20


class _Heard(msgspec.Struct, frozen=True, kw_only=True):
    healthy_ns: int | None
    address: str = ""
    heard: str = ""


class Sandbox:
    """The `Runner` on Linux. Without `use_cgroup`, a watchdog keeps the limits even where a control group could;
    counters then come from /proc."""

    def __init__(self, *, use_cgroup: bool = True) -> None:
        self._use_cgroup = use_cgroup
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
        limits: Limits = Limits(),
        max_bytes: int = 64 << 20,
    ) -> Completed:
        self._require(process)
        program = _program(root, argv, env=env, user=user, cwd=cwd, binds=binds, limits=limits, writable=False)
        streams = Streams(stdin, max_bytes)
        with streams, Session(process, pass_fds=streams.theirs) as session:
            session.send(
                do="run",
                user_namespace=self._user_namespace,
                use_cgroup=self._use_cgroup,
                program=program,
                stdio=streams.theirs,
                timeout=timeout_seconds,
                probe=None,
            )
            streams.begin()
            event = session.next_event(timeout_seconds + ANSWER_SECONDS)
            while isinstance(event, Started):
                event = session.next_event(timeout_seconds + ANSWER_SECONDS)
        if isinstance(event, Refused):
            raise (OutOfReachError if event.by_machine else InputError)(f"{argv[0]} could not be run: {event.reason}")
        assert isinstance(event, Finished)
        if event.killed == "time":
            raise OutOfReachError(f"{argv[0]} did not end within {timeout_seconds:g} s in the image")
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
        limits: Limits = Limits(),
    ) -> RunningService:
        self._require(process)
        program = _program(root, argv, env=env, user=user, cwd=cwd, binds=(), limits=limits, writable=writable_root)
        request = {"port": health.port, "path": health.path, "timeout": health.timeout_seconds}
        probe = {
            "argv": python_command(_PROBE),
            "request": msgspec.json.encode(request).decode(),
            "timeout": health.timeout_seconds,
        }
        session = Session(process)
        try:
            session.send(
                do="serve",
                user_namespace=self._user_namespace,
                use_cgroup=self._use_cgroup,
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

    def __init__(self, session: "Session", health: Health, limits: Limits) -> None:
        self._session = session
        self._health = health
        self._limits = limits
        self._counters_from = ""
        self._number = 0
        self._ended: Ending | None = None

    @property
    def counters_from(self) -> str:
        return self._counters_from

    def wait_until_healthy(self) -> Healthy | Ending:
        while self._ended is None:
            event = self._session.next_event(self._health.timeout_seconds + ANSWER_SECONDS)
            match event:
                case Started():
                    self._counters_from = event.counters
                case Probed():
                    return self._probed(event)
                case Finished() | Refused():
                    return self._ending(event)
                case _:
                    continue
        return self._ended

    def _probed(self, event: Probed) -> Healthy | Ending:
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
        if self._ended is not None:
            return self._ended
        event = self._ask(do="counters")
        if isinstance(event, Counted):
            return Counters(**msgspec.structs.asdict(event))
        return self._ending(event)

    def run_beside(self, script: Path, request: str, *, timeout_seconds: float) -> BesideAnswer | Ending:
        if self._ended is not None:
            return self._ended
        self._number += 1
        event = self._ask(
            do="beside", number=self._number, argv=python_command(script), request=request, timeout=timeout_seconds
        )
        if not isinstance(event, Answer):
            return self._ending(event)
        return BesideAnswer(
            output=event.output,
            marks=event.marks,
            cpu_seconds=event.cpu_seconds,
            timed_out=event.timed_out,
            status=event.status,
        )

    def _ask(self, **command: object) -> Events:
        seconds = command.get("timeout")
        self._session.send(**command)
        return self._session.next_event((seconds if isinstance(seconds, int | float) else 0.0) + ANSWER_SECONDS)

    def stop(self) -> Ending:
        if self._ended is not None:
            return self._ended
        self._session.send(do="stop")
        event = self._session.next_event(ANSWER_SECONDS)
        while not isinstance(event, Finished | Refused):
            event = self._session.next_event(ANSWER_SECONDS)
        return self._ending(event)

    def _ending(self, event: Events) -> Ending:
        self._session.close()
        match event:
            case Refused():
                self._ended = Ending(
                    reason=f"could not be started: {event.reason}",
                    output=_last_lines(event.output),
                    by_machine=event.by_machine,
                )
            case Finished():
                self._ended = Ending(
                    reason=_how(event, self._limits), output=_last_lines(event.output), written=event.written
                )
            case _:
                raise OutOfReachError("the sandbox answered out of turn")
        return self._ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()


def _ask_supervisor(process: Process, *, user_namespace: bool) -> str:
    """What is refused here; empty where all is permitted."""
    try:
        with Session(process) as session:
            session.send(do="check", user_namespace=user_namespace)
            event = session.next_event(30)
    except OutOfReachError as error:
        return f"sandbox: {error.message} {error.hint}".strip()
    return event.refused if isinstance(event, Checked) else "sandbox: it answered out of turn"


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


def _how(event: Finished, limits: Limits) -> str:
    if event.killed == "memory" or (event.out_of_memory and event.code != 0):
        return f"was killed: it needed more than {limits.memory_bytes / 2**20:,.0f} MiB of memory"
    if event.killed == "stop":
        return "was stopped"
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
