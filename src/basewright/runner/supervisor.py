"""Watches one program in its namespaces and speaks with basewright: JSON lines on standard input and output.

Standard library only: this runs in the sandbox script. The end of its input is the end of everything: basewright asked
for it, or is no more.
"""

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from types import FrameType

from basewright.runner import cgroup, tally
from basewright.runner import namespaces as ns
from basewright.runner.beside import Beside
from basewright.runner.launch import Launched, launch, try_namespaces
from basewright.runner.orders import Lines, Order, tell
from basewright.runner.written import written_paths

_REAP_SECONDS = 1.0
_SETUP_SECONDS = 60.0
_SAMPLE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 60.0
_TAIL_BYTES = 1 << 16


class _Ended(BaseException):
    """A signal asked the supervisor to end."""


def main() -> int:
    """Reads one line that says what to run, and runs it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    commands = Lines(0)
    line = commands.wait()
    if line is None:
        return 1
    order = Order(line)
    try:
        if order.checks:
            _check(order)
        else:
            _Supervisor(order, commands).run()
    except (_Ended, BrokenPipeError):
        return 1
    return 0


def _check(order: Order) -> None:
    refused = try_namespaces(user_namespace=order.user_namespace)
    group = None if refused else cgroup.create_cgroup(1 << 30, 64)
    tell(event="checked", refused=refused, cgroup=group.kind if group else "")
    if group:
        group.remove()


class _Supervisor:
    def __init__(self, order: Order, commands: Lines) -> None:
        self._order = order
        self._commands = commands
        self._poll = select.poll()
        self._output = bytearray()
        self._beside: Beside | None = None
        self._probe: Beside | None = None
        self._namespaces: list[tuple[int, int]] = []
        self._status = bytearray()
        self._executed_ns: int | None = None
        self._deadline = time.monotonic() + _SETUP_SECONDS
        self._peak = 0
        self._next_sample = 0.0
        self._killed = ""
        self._upper: tuple[int, bool] | None = None
        self._group: cgroup.Cgroup | None = None
        self._launched: Launched | None = None
        self._init: int | None = None
        self._done = False

    def run(self) -> None:
        ns.prctl(ns.PR_SET_CHILD_SUBREAPER, 1)
        order = self._order
        try:
            if order.use_cgroup:
                self._group = cgroup.create_cgroup(order.program.memory_bytes, order.program.processes)
            self._launched = launch(
                order.program,
                user_namespace=order.user_namespace,
                stdio=order.stdio,
                entrances=self._group.open_entrances() if self._group else [],
            )
            for descriptor in (0, self._launched.status, self._launched.output):
                if descriptor is not None:
                    self._poll.register(descriptor, select.POLLIN)
            self._read_commands(self._commands.ready())
            while not self._done:
                self._turn()
        except OSError as error:
            tell(event="refused", reason=error.strerror or str(error), by_machine=True)
        finally:
            self._finish()

    def _turn(self) -> None:
        """Waits for the next thing to happen, and sees to it."""
        for descriptor, _ in self._poll.poll(self._pause() * 1000):
            self._attend(descriptor)
            if self._done:
                return
        self._watch()

    def _attend(self, descriptor: int) -> None:
        launched = self._launched
        assert launched is not None
        if descriptor == 0:
            self._read_commands(self._commands.read())
        elif descriptor == launched.status:
            self._read_status()
        elif descriptor == launched.output:
            self._read_output()
        else:
            for beside in (self._beside, self._probe):
                if beside is not None and beside.output == descriptor:
                    self._read_beside(beside)

    def _pause(self) -> float:
        """Seconds until something must be looked at unasked."""
        limits = [self._deadline, *(each.deadline for each in (self._beside, self._probe) if each is not None)]
        if self._samples():
            limits.append(self._next_sample)
        return min(max(min(limits) - time.monotonic(), 0.0), _LONGEST_PAUSE_SECONDS)

    def _samples(self) -> bool:
        """Whether memory is looked at now: for the peak under load, or because no cgroup keeps the limits."""
        if self._executed_ns is None or self._killed:
            return False
        loading = self._beside is not None and bool(self._beside.marks)
        return loading or self._group is None or not (self._group.limits_memory and self._group.limits_processes)

    def _watch(self) -> None:
        """Time limits, and the limits that no cgroup keeps."""
        now = time.monotonic()
        for beside in (self._beside, self._probe):
            if beside is not None and now > beside.deadline:
                beside.timed_out = True
                beside.kill()
        if now > self._deadline:
            self._kill("time" if self._executed_ns is not None else "setup")
        elif self._samples() and now >= self._next_sample:
            self._next_sample = now + _SAMPLE_SECONDS
            processes = self._processes()
            memory = tally.memory_bytes(processes)
            self._peak = max(self._peak, memory)
            if memory > self._order.program.memory_bytes:
                self._kill("memory")
            elif len(processes) > self._order.program.processes:
                self._kill("processes")

    def _kill(self, why: str) -> None:
        self._killed = self._killed or why
        assert self._launched is not None
        self._deadline = time.monotonic() + _SETUP_SECONDS
        os.kill(self._launched.middle, signal.SIGKILL)

    def _processes(self) -> list[int]:
        if self._group is not None:
            return self._group.processes()
        init = self._find_init()
        return [] if init is None else tally.descendants(init)

    def _find_init(self) -> int | None:
        """Process 1 of the pid namespace, by its id out here."""
        if self._init is None and self._launched is not None:
            self._init = next(iter(tally.children(self._launched.middle)), None)
        return self._init

    def _counters(self) -> dict[str, float]:
        processes = self._processes()
        memory = tally.memory_bytes(processes)
        self._peak = max(self._peak, memory)
        cpu = self._group.cpu_seconds() if self._group is not None else None
        if cpu is None:
            init = self._find_init()
            cpu = tally.cpu_seconds(init, processes) if init is not None else 0.0
        return {
            "at": time.monotonic(),
            "cpu_seconds": cpu,
            "memory_bytes": memory,
            "peak_bytes": self._peak,
            "processes": len(processes),
        }

    def _read_status(self) -> None:
        assert self._launched is not None
        chunk = os.read(self._launched.status, 4096)
        self._status += chunk
        *lines, rest = self._status.split(b"\n")
        self._status = bytearray(rest)
        for line in lines:
            word, _, value = line.decode("utf-8", "replace").partition(" ")
            match word:
                case "R":
                    self._get_ready()
                case "E":
                    self._executed_ns = int(value)
                    self._deadline = time.monotonic() + self._order.timeout_seconds
                    tell(event="started", counters=self._group.kind if self._group else "proc")
                case "F" | "O":
                    self._end(refused=value, by_machine=word == "O")
                case "X":
                    self._end(code=os.waitstatus_to_exitcode(int(value)))
                case _:
                    continue  # `U`: the maps are written by then
            if self._done:
                return
        if not chunk:
            self._end(code=-signal.SIGKILL)

    def _get_ready(self) -> None:
        """The program stands before exec: opens its namespaces for ours, and starts the probe, which lets it go."""
        assert self._launched is not None
        wanted = (("user", ns.CLONE_NEWUSER), ("net", ns.CLONE_NEWNET))
        for name, kind in wanted if self._order.user_namespace else wanted[1:]:
            path = f"/proc/{self._launched.middle}/ns/{name}"
            self._namespaces.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), kind))
        self._receive_upper()
        if self._order.probe is None:
            os.write(self._launched.go, b"g")
            return
        argv, request, seconds = self._order.probe
        self._probe = Beside(-1, argv, request, seconds + 5, self._namespaces)
        self._poll.register(self._probe.output, select.POLLIN)

    def _receive_upper(self) -> None:
        assert self._launched is not None
        if self._order.program.writable:
            with suppress(BlockingIOError):
                kind, descriptors, _, _ = socket.recv_fds(self._launched.upper, 1, 1, socket.MSG_DONTWAIT)
                self._upper = (descriptors[0], kind == b"o")

    def _read_output(self) -> None:
        assert self._launched is not None and self._launched.output is not None
        chunk = os.read(self._launched.output, 65536)
        if not chunk:
            self._poll.unregister(self._launched.output)
        self._output += chunk
        del self._output[:-_TAIL_BYTES]

    def _read_beside(self, beside: Beside) -> None:
        marks = beside.read()
        for name in marks or ():
            if beside is self._probe:
                assert self._launched is not None
                os.write(self._launched.go, b"g")
            else:
                beside.marks[name] = self._counters()
                self._peak = 0
            beside.say("go")
        if marks is None:
            self._poll.unregister(beside.output)
            answer = beside.close()
            if beside is self._probe:
                self._probe = None
                tell(event="probed", answer=answer, executed_ns=self._executed_ns, listening=self._listening())
            else:
                self._beside = None
                tell(**answer)

    def _read_commands(self, lines: list[bytes] | None) -> None:
        if lines is None:
            self._done = True
            return
        for line in lines:
            command = json.loads(line)
            match command["do"]:
                case "beside" if self._beside is None:
                    self._beside = Beside(
                        command["number"], command["argv"], command["request"], command["timeout"], self._namespaces
                    )
                    self._poll.register(self._beside.output, select.POLLIN)
                case "counters":
                    tell(event="counters", **self._counters())
                case _:
                    self._killed = self._killed or "stop"
                    self._end(code=0)

    def _listening(self) -> list[str]:
        assert self._launched is not None
        return tally.listening(self._launched.middle)

    def _end(self, *, code: int = 0, refused: str = "", by_machine: bool = False) -> None:
        """Stops what is left, collects the last words, and tells how it ended."""
        assert self._launched is not None
        self._done = True
        for beside in (self._beside, self._probe):
            if beside is not None:
                beside.kill()
        self._end_program(self._launched.middle)
        self._drain()
        tell(
            event="refused" if refused else "ended",
            reason=refused,
            by_machine=by_machine,
            code=code,
            killed=self._killed,
            out_of_memory=self._group.out_of_memory_kills() if self._group else 0,
            output=self._output.decode("utf-8", "replace"),
            written=written_paths(self._upper, self._order.program.root),
        )

    def _drain(self) -> None:
        output = self._launched.output if self._launched else None
        if output is None:
            return
        until = time.monotonic() + 2
        while time.monotonic() < until:
            if not select.select([output], [], [], 0.2)[0]:
                continue
            chunk = os.read(output, 65536)
            if not chunk:
                return
            self._output += chunk
            del self._output[:-_TAIL_BYTES]

    def _finish(self) -> None:
        """Leaves no process and no cgroup."""
        for beside in (self._beside, self._probe):
            if beside is not None:
                beside.kill()
        if self._launched is not None:
            self._end_program(self._launched.middle)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        if self._group is not None:
            self._group.remove()

    def _end_program(self, middle: int) -> None:
        """Kills the program and lets process 1 wait for it, so that its CPU time is counted here, as children's is."""
        init = self._find_init()
        for process in tally.descendants(init) if init is not None else ():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until = time.monotonic() + _REAP_SECONDS
        while init is not None and time.monotonic() < until:
            if os.waitid(os.P_PID, middle, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.002)
        with suppress(ProcessLookupError):
            os.kill(middle, signal.SIGKILL)


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended
