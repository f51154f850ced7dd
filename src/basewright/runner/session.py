"""One supervisor and what it says: the host's end of the sandbox."""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from basewright._process import Process, kill_group
from basewright.errors import OutOfReachError
from basewright.runner.runner import Counters

_SCRIPT = Path(__file__).with_name("sandbox_script.py")
ANSWER_SECONDS = 90.0
"""How long the supervisor may take for anything that depends on nothing but this machine."""


class Checked(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="checked"):
    """What the supervisor can do here: `refused` says why not, empty where it can."""

    refused: str
    cgroup: str


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="started"):
    """The image runs; `counters` says where its numbers come from."""

    counters: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="answer"):
    """A program in the sandbox ended, with the counters at its marks."""

    status: int
    timed_out: bool
    output: str
    marks: dict[str, Counters]
    cpu_seconds: float


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="probed"):
    """The probe's answer, and what was listening."""

    answer: Answer
    executed_ns: int | None
    listening: tuple[str, ...]


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="counters"):
    """The counters at one moment."""

    at: float
    cpu_seconds: float
    memory_bytes: int
    peak_bytes: int
    processes: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="refused"):
    """The order could not be carried out; `by_machine`: whatever the image."""

    reason: str
    by_machine: bool
    output: str = ""


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="ended"):
    """The image ended, with what it printed last and where it wrote."""

    code: int
    killed: str
    out_of_memory: int
    output: str
    written: tuple[str, ...]


Events = Checked | Started | Answer | Probed | Counted | Refused | Finished
_EVENTS: msgspec.json.Decoder[Events] = msgspec.json.Decoder(Events)


def python_command(script: Path) -> list[str]:
    """Runs a script with this interpreter, and nothing of the user's or the site's."""
    return [sys.executable, "-I", "-S", str(script)]


class Session:
    """One supervisor process. Closing its input ends it and everything below it."""

    def __init__(self, process: Process, *, pass_fds: Sequence[int] = ()) -> None:
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        # Nothing else of this process's environment: variables that are secret go through the pipe, to the image only.
        self._child: subprocess.Popen[bytes] = process.start(
            python_command(_SCRIPT), cwd=Path("/"), env={"LC_ALL": "C.UTF-8", **kept}, pass_fds=pass_fds
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

    def next_event(self, timeout_seconds: float) -> Events:
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
        return _EVENTS.decode(self._lines.pop(0))

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
            self._child.wait(ANSWER_SECONDS)
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


class Streams:
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
