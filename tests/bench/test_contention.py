"""Other work on the machine is told from our own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.doubles.python_root import INTERPRETER

from basewright._process import HostProcess
from basewright.bench.contention import Contention
from basewright.runner.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc/stat here")
_BURN = "import time\nwhile time.process_time() < 1.0: pass"


def test_our_own_work_is_no_contention_and_others_is() -> None:
    before = Contention()
    subprocess.run([sys.executable, "-c", _BURN], check=True)
    own = before.share()
    before = Contention()
    # A grandchild that is not waited for counts as another's work.
    subprocess.run(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_BURN!r}])"],
        check=True,
    )
    time.sleep(1.2)
    other = before.share()
    assert 0 <= own <= 1
    assert other > own


_FAMILY = """if True:
    import os, time
    alive, held = os.pipe()
    first = os.fork()
    second = os.fork()
    if first and second:
        os.close(held)
        os.read(alive, 1)
    else:
        while time.process_time() < 0.25: pass
"""


def test_what_runs_in_the_sandbox_is_our_own_work(sandbox: Sandbox, python_root: Path) -> None:
    """The program's children as well, whether it waited for them or not."""
    before = sum(os.times()[2:4])
    sandbox.run_program(
        python_root, [INTERPRETER, "-I", "-c", _FAMILY], process=HostProcess(), env={}, timeout_seconds=30
    )
    assert sum(os.times()[2:4]) - before > 0.7
