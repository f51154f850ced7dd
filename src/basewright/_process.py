"""The only door to other programs: bounded output, a time limit, and nothing left running behind it."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from basewright.errors import OutOfReachError

MAX_OUTPUT_BYTES = 64 * 1024 * 1024


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
    ) -> subprocess.Popen[bytes]:
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
        child = self.start(argv, cwd=cwd, env=env)
        stdout, stderr = bytearray(), bytearray()
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        readers = [
            threading.Thread(target=_drain, args=(child.stdout, stdout, max_bytes), daemon=True),
            threading.Thread(target=_drain, args=(child.stderr, stderr, max_bytes), daemon=True),
            threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            returncode = child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            kill_group(child)
            raise OutOfReachError(
                f"{argv[0]} did not end within {timeout_seconds:.0f} s",
                hint="run it by hand, or give it more time",
            ) from None
        except BaseException:
            kill_group(child)
            raise
        for reader in readers:
            reader.join(timeout=10)
        return Completed(argv, returncode, bytes(stdout), bytes(stderr))

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
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
        except FileNotFoundError:
            raise OutOfReachError(f"the program {argv[0]} is not on this machine") from None
        except PermissionError:
            raise OutOfReachError(f"the program {argv[0]} may not be run by this user") from None


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kills a started program with everything in its process group, and reaps it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _drain(stream: IO[bytes], into: bytearray, max_bytes: int) -> None:
    """Reads to the end and keeps the last `max_bytes`, so that a flood costs no memory and blocks nobody."""
    with suppress(ValueError, OSError):
        while chunk := stream.read1(65536) if hasattr(stream, "read1") else stream.read(65536):
            into += chunk
            if len(into) > 2 * max_bytes:
                del into[:-max_bytes]
    del into[:-max_bytes]


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError, ValueError, OSError):
        stream.write(data)
    with suppress(BrokenPipeError, ValueError, OSError):
        stream.close()
