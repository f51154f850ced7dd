"""The door to other programs: bounded in time and output, and nothing left running."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from basewright._process import MAX_OUTPUT_BYTES, Completed, HostProcess, kill_group
from basewright.errors import InputError, OutOfReachError

PYTHON = (sys.executable, "-c")


def run(script: str, *, timeout_seconds: float = 20, max_bytes: int = MAX_OUTPUT_BYTES) -> Completed:
    return HostProcess().run([*PYTHON, script], timeout_seconds=timeout_seconds, max_bytes=max_bytes)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.02)
    return False


def test_what_a_program_says_is_kept() -> None:
    done = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.last_lines() == ("out", "err")
    assert done.last_lines(1) == ("err",)


def test_words_folder_variables_and_input_are_the_program_s_own(tmp_path: Path) -> None:
    done = HostProcess().run(
        [*PYTHON, "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['A'], sys.stdin.read())", "a b", "$c;d"],
        timeout_seconds=20,
        cwd=tmp_path,
        env={"A": "é"},
        stdin=b"in",
    )
    assert done.stdout.decode() == f"['a b', '$c;d'] {tmp_path} é in\n"


def test_much_input_to_a_program_that_reads_none() -> None:
    done = HostProcess().run([*PYTHON, "pass"], timeout_seconds=20, stdin=bytes(10 << 20))
    assert done.returncode == 0


def test_a_flood_on_both_streams_blocks_nobody_and_its_end_is_kept() -> None:
    script = (
        "import sys, threading\n"
        "def flood(out, mark):\n"
        "    for _ in range(320): out.write(mark * 65536)\n"
        "    out.write(b'end'); out.flush()\n"
        "a = threading.Thread(target=flood, args=(sys.stdout.buffer, b'o')); a.start()\n"
        "flood(sys.stderr.buffer, b'e'); a.join()\n"
    )
    done = run(script, max_bytes=1000)
    assert done.stdout == b"o" * 997 + b"end"
    assert done.stderr == b"e" * 997 + b"end"


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time, signal, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    started = time.monotonic()
    with pytest.raises(OutOfReachError, match=r"did not end within 1\.5 s"):
        run(script, timeout_seconds=1.5)
    assert time.monotonic() - started < 10
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


def test_what_a_program_leaves_behind_is_ended_and_not_waited_for() -> None:
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)\n"
    )
    started = time.monotonic()
    done = run(script)
    assert done.returncode == 0
    assert time.monotonic() - started < 10
    assert wait_until_gone(int(done.stdout))


def test_a_daemon_that_holds_the_streams_open_is_not_waited_for() -> None:
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "print(child.pid)\n"
    )
    started = time.monotonic()
    done = run(script)
    assert time.monotonic() - started < 10
    os.kill(int(done.stdout), signal.SIGKILL)


def test_an_interrupt_ends_the_program() -> None:
    script = (
        "import os, sys, threading, signal, time\n"
        "from basewright._process import HostProcess\n"
        "threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "try: HostProcess().run(['sleep', '59.125'], timeout_seconds=60)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    assert run(script).stdout == b"interrupted\n"
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert command.read_bytes() != b"sleep\x0059.125\0"


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "./no-such-program"])
def test_a_program_that_is_not_there(program: str) -> None:
    with pytest.raises(OutOfReachError, match=f"the program {program} is not on this machine"):
        HostProcess().run([program], timeout_seconds=1)


def test_programs_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(OutOfReachError, match="text may not be run by this user"):
        HostProcess().run([str(tmp_path / "text")], timeout_seconds=1)
    with pytest.raises(OutOfReachError, match="cannot be started: Argument list too long"):
        HostProcess().run(["true", "x" * (1 << 20)], timeout_seconds=1)
    with pytest.raises(InputError, match="holds a NUL"):
        HostProcess().run(["true", "a\0b"], timeout_seconds=1)


def test_a_folder_that_is_not_there_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(OutOfReachError, match=r"the folder .*/none, in which true was to run, does not exist"):
        HostProcess().run(["true"], timeout_seconds=1, cwd=tmp_path / "none")


def test_a_started_program_talks_and_is_ended_with_its_group() -> None:
    child = HostProcess().start(["sh", "-c", "sleep 60 & echo $!; read line; echo got $line; wait"])
    assert child.stdin is not None
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    child.stdin.write(b"word\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"got word\n"
    assert is_running(pid)
    kill_group(child)
    assert child.returncode == -signal.SIGKILL
    assert wait_until_gone(pid)
    kill_group(child)


def test_many_at_once() -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(run("print('x')").stdout)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [b"x\n"] * 8


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="the host has no setpriv")
def test_a_program_ends_with_a_tool_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from basewright._process import HostProcess; "
        "HostProcess().run(['sh', '-c', 'echo $$ > pid; exec sleep 60'], timeout_seconds=60)"
    )
    tool = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    try:
        written = tmp_path / "pid"
        assert _eventually(lambda: written.is_file() and written.read_text().strip() != "")
        program = int(written.read_text())
    finally:
        tool.kill()
        tool.wait()
    assert _eventually(lambda: not Path(f"/proc/{program}").exists())


def _eventually(holds: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
