"""Other work on the machine is told from our own."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from basewright.bench.contention import Contention

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
