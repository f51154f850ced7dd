"""A program of ours in the service's network namespace and the host's mount namespace: the probe, the load generator.

Standard library only: this runs in the sandbox script. A line `mark NAME` on its standard output asks for the service's
counters to be noted; it is answered by a line `go`. Every other line is its answer.
"""

import os
import signal
import time
from contextlib import suppress

from basewright.runner import namespaces as ns

MAX_ANSWER_BYTES = 1 << 20


class Beside:
    """One such program. `marks`: name → what the supervisor noted then."""

    def __init__(
        self, number: int, argv: list[str], request: str, timeout_seconds: float, namespaces: list[tuple[int, int]]
    ) -> None:
        """Starts it in `namespaces`, pairs of an open descriptor and its kind. Raises OSError."""
        self.number = number
        self.deadline = time.monotonic() + timeout_seconds
        self.marks: dict[str, dict[str, float]] = {}
        self.timed_out = False
        self._line = bytearray()
        self._answer = bytearray()
        input_read, self._input = os.pipe()
        self.output, output_write = os.pipe()
        supervisor = os.getpid()
        self.process = os.fork()
        if self.process == 0:
            try:
                _run(argv, input_read, output_write, supervisor, namespaces)
            finally:
                os._exit(127)
        os.close(input_read)
        os.close(output_write)
        self.say(request)

    def say(self, line: str) -> None:
        """Sends it a line; one that has gone hears nothing."""
        with suppress(OSError):
            os.write(self._input, line.encode() + b"\n")

    def read(self) -> list[str] | None:
        """What it printed since: names of marks. None at its end."""
        chunk = os.read(self.output, 65536)
        if not chunk:
            return None
        self._line += chunk
        *lines, rest = self._line.split(b"\n")
        self._line = bytearray(rest[-MAX_ANSWER_BYTES:])
        marks: list[str] = []
        for line in lines:
            if line.startswith(b"mark "):
                marks.append(line[5:].decode("ascii", "replace"))
            elif len(self._answer) < MAX_ANSWER_BYTES:
                self._answer += line + b"\n"
        return marks

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)

    def close(self) -> dict[str, object]:
        """Waits for its end, and says how it went."""
        _, status, usage = os.wait4(self.process, 0)
        os.close(self._input)
        os.close(self.output)
        return {
            "event": "answer",
            "number": self.number,
            "status": os.waitstatus_to_exitcode(status),
            "timed_out": self.timed_out,
            "output": self._answer.decode("utf-8", "replace"),
            "marks": self.marks,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
        }


def _run(
    argv: list[str], input_read: int, output_write: int, supervisor: int, namespaces: list[tuple[int, int]]
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for descriptor, kind in namespaces:
        ns.setns(descriptor, kind)
    ns.prctl(ns.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        return
    os.dup2(input_read, 0, inheritable=True)
    os.dup2(output_write, 1, inheritable=True)
    os.execv(argv[0], argv)
