"""Whoever is killed in the middle, nothing is left: no process, no mount, no control group."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.doubles.python_root import INTERPRETER
from tests.doubles.small_service import SOURCE

from basewright.runner import cgroup
from basewright.runner.sandbox import Sandbox

_STARTS = f"""
import sys, time
from pathlib import Path
from basewright._process import HostProcess
from basewright.runner.runner import Health
from basewright.runner.sandbox import Sandbox

with Sandbox().start_service(
    Path(sys.argv[1]), [{INTERPRETER!r}, "-I", "-c", {SOURCE!r}], process=HostProcess(),
    env={{"MODE": "children", "TOKEN": sys.argv[2]}},
    health=Health(port=8000, path="/", timeout_seconds=20), user="1000:1000", writable_root=True,
) as service:
    print(service.wait_until_healthy(), flush=True)
    time.sleep(60)
"""


def _holders(token: str) -> list[int]:
    found = []
    for process in _processes():
        with suppress(OSError):
            if token.encode() in Path(f"/proc/{process}/environ").read_bytes():
                found.append(process)
    return found


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _supervisor(tool: int) -> int:
    return next(process for process in _processes() if _parent(process) == tool)


def _groups(process: int) -> list[str]:
    """Directories of the control groups of ours that a process is in."""
    hierarchies, unified = cgroup.find_mounted()
    lines = Path(f"/proc/{process}/cgroup").read_text().splitlines()
    names = {line.rpartition("/")[2] for line in lines if "/basewright-" in line}
    parents = [*hierarchies.values(), *([unified] if unified else [])]
    return [f"{parent}/{name}" for parent in parents for name in names if Path(parent, name).is_dir()]


def _gone(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def _started(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    token = f"token-{secrets.token_hex(8)}"
    with subprocess.Popen(
        [sys.executable, "-c", _STARTS, str(root), token], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as tool:
        assert tool.stdout is not None
        assert "Healthy" in tool.stdout.readline()
        # The tool holds the token on its command line only; the service and its children hold it in their environment.
        assert len(_holders(token)) == 3
        try:
            yield tool, token
        finally:
            tool.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_tool_is_ended(sandbox: Sandbox, python_root: Path, number: signal.Signals) -> None:
    with _started(python_root) as (tool, token):
        groups = _groups(_holders(token)[0])
        supervisor = _supervisor(tool.pid)
        tool.send_signal(number)
        tool.wait(10)
        assert _gone(lambda: not _holders(token))
        assert _gone(lambda: not Path(f"/proc/{supervisor}").exists())
        assert _gone(lambda: not any(Path(group).exists() for group in groups))


def test_the_supervisor_is_killed(sandbox: Sandbox, python_root: Path) -> None:
    with _started(python_root) as (tool, token):
        groups = _groups(_holders(token)[0])
        os.kill(_supervisor(tool.pid), signal.SIGKILL)
        assert _gone(lambda: not _holders(token))
    # A control group cannot remove itself: the next run does.
    group = cgroup.create_cgroup(1 << 30, 10)
    if group is not None:
        group.remove()
    assert not any(Path(path).exists() for path in groups)


def test_all_of_ours_are_killed_at_once(sandbox: Sandbox, python_root: Path) -> None:
    with _started(python_root) as (tool, token):
        supervisor = _supervisor(tool.pid)
        middle = _supervisor(supervisor)
        for process in (middle, supervisor, tool.pid):
            os.kill(process, signal.SIGKILL)
        assert _gone(lambda: not _holders(token))
