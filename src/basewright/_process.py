"""The only door to other programs: bounded output, a time limit, and nothing left running behind it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from basewright.errors import InputError, OutOfReachError

if TYPE_CHECKING:
    import subprocess

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
_NOT_EXECUTED = b"setpriv: failed to execute"
_LEFTOVER_SECONDS = 2.0
"""How long output is waited for that a program outside the group could still write."""


class Completed:
    """What a finished program left: exit status, standard output and the end of its standard error."""

    def __init__(self, argv: Sequence[str], returncode: int, stdout: bytes, stderr: bytes) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr

    def last_lines(self, count: int = 20) -> tuple[str, ...]:
        """The last `count` lines that it printed, standard error after standard output."""
        text = (self.stdout + b"\n" + self.stderr).decode("utf-8", "replace")
        return tuple(line for line in text.splitlines() if line.strip())[-count:]


class Process(Protocol):
    """Runs programs; passed in wherever one is needed, so that a test can pass another."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        max_bytes: int = MAX_OUTPUT_BYTES,
    ) -> Completed:
        """Runs to the end. `env` is the whole environment (None: this process's own)."""
        ...

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> "subprocess.Popen[bytes]":
        """Starts a program with pipes on all three standard streams, in a process group of its own."""
        ...


class HostProcess:
    """`Process` on this machine."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        max_bytes: int = MAX_OUTPUT_BYTES,
    ) -> Completed:
        import subprocess

        bound = _dying_with_us(argv, env)
        child = _spawn(bound, program=argv[0], cwd=cwd, env=env)
        stdout, stderr = bytearray(), bytearray()
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        threads = [
            threading.Thread(target=_drain, args=(child.stdout, stdout, max_bytes), daemon=True),
            threading.Thread(target=_drain, args=(child.stderr, stderr, max_bytes), daemon=True),
            threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            returncode = _wait(child, timeout_seconds)
        except subprocess.TimeoutExpired:
            raise OutOfReachError(
                f"{argv[0]} did not end within {timeout_seconds:g} s",
                hint="run it by hand, or give it more time",
            ) from None
        finally:
            kill_group(child)  # what it left behind, too
            deadline = time.monotonic() + _LEFTOVER_SECONDS
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        if len(bound) > len(argv) and stderr.startswith(_NOT_EXECUTED):
            why = stderr.decode("utf-8", "replace").strip().rpartition(": ")[2]
            raise OutOfReachError(f"the program {argv[0]} cannot be started: {why}")
        return Completed(argv, returncode, bytes(stdout[-max_bytes:]), bytes(stderr[-max_bytes:]))

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> "subprocess.Popen[bytes]":
        return _spawn(argv, program=argv[0], cwd=cwd, env=env, pass_fds=pass_fds)


def _spawn(
    argv: Sequence[str],
    *,
    program: str,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    pass_fds: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """`program` is what errors name."""
    import subprocess

    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as error:
        if cwd is not None and not cwd.is_dir():
            raise OutOfReachError(f"the folder {cwd}, in which {program} was to run, does not exist") from None
        raise _start_error(program, error) from None
    except ValueError:
        raise InputError(f"{program} cannot be started: a word or a variable holds a NUL") from None


def _wait(child: "subprocess.Popen[bytes]", timeout_seconds: float) -> int:
    """Like `child.wait`, which asks again and again and so answers up to 50 ms late where it has a time limit."""
    import select
    import subprocess

    if hasattr(os, "pidfd_open"):
        with suppress(OSError):  # a kernel that has none
            handle = os.pidfd_open(child.pid)
            try:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                if not poll.poll(timeout_seconds * 1000):
                    raise subprocess.TimeoutExpired(child.args, timeout_seconds)
            finally:
                os.close(handle)
            return child.wait()
    return child.wait(timeout_seconds)


def _dying_with_us(argv: Sequence[str], env: Mapping[str, str] | None) -> Sequence[str]:
    """The command behind util-linux's setpriv, where there is one: after a kill -9 of this process it ends too. A
    program that is not there is left for `start` to say."""
    import shutil

    setpriv = shutil.which("setpriv")
    program = shutil.which(argv[0], path=(os.environ if env is None else env).get("PATH"))
    if setpriv is None or program is None or sys.platform != "linux":
        return argv
    return (setpriv, "--pdeathsig", "SIGKILL", "--", program, *argv[1:])


def _start_error(program: str, error: OSError) -> OutOfReachError:
    match error:
        case FileNotFoundError():
            return OutOfReachError(f"the program {program} is not on this machine")
        case PermissionError():
            return OutOfReachError(f"the program {program} may not be run by this user")
        case _:
            return OutOfReachError(f"the program {program} cannot be started: {error.strerror}")


def kill_group(child: "subprocess.Popen[bytes]") -> None:
    """Kills a started program with everything in its process group, and reaps it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _drain(stream: IO[bytes], into: bytearray, max_bytes: int) -> None:
    """Reads to the end and keeps the last `max_bytes`, so that a flood costs no memory and blocks nobody."""
    with suppress(ValueError, OSError), stream:
        while chunk := os.read(stream.fileno(), 1 << 16):
            into += chunk
            if len(into) > 2 * max_bytes:
                del into[:-max_bytes]


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(ValueError, OSError), stream:  # a program may end before it has read everything
        stream.write(data)
