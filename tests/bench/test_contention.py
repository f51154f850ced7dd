"""Other work on the machine is told from our own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.doubles.python_root import INTERPRETER
from tests.doubles.small_service import SOURCE

from basewright._process import HostProcess
from basewright.bench.contention import Contention
from basewright.runner.runner import Health, Healthy, Limits
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


_BUSY = "import os, time\nos.fork()\nwhile time.process_time() < 1: pass\n"


def test_what_runs_in_the_sandbox_is_our_own_work(sandbox: Sandbox, python_root: Path) -> None:
    """That of a service and its children too, which live until they are killed."""
    before = sum(os.times()[2:4])
    with sandbox.start_service(
        python_root,
        [INTERPRETER, "-I", "-c", _BUSY + SOURCE],
        process=HostProcess(),
        env={},
        health=Health(port=8000, path="/healthz", timeout_seconds=20),
        user="65532:65532",
        writable_root=False,
        limits=Limits(memory_bytes=1 << 30),
    ) as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        time.sleep(2)
    used = sum(os.times()[2:4]) - before
    assert used > 1.6
