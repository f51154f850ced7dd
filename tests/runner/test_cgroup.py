"""Control groups, where this machine has some that this user may make."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from basewright.runner import cgroup


def _mounted(kind: str) -> cgroup.Mounted:
    hierarchies, unified = cgroup.find_mounted()
    mounted: cgroup.Mounted = (hierarchies, None) if kind == "cgroup v1" else ({}, unified)
    group = cgroup.create_cgroup(1 << 30, 100, mounted)
    if group is None:
        pytest.skip(f"no {kind} group can be made here")
    group.remove()
    return mounted


@pytest.mark.parametrize("kind", ["cgroup v1", "cgroup v2"])
def test_cpu_time_of_what_ran_in_it_is_exact_and_it_goes_away(kind: str) -> None:
    group = cgroup.create_cgroup(1 << 30, 100, _mounted(kind))
    assert group is not None
    assert group.kind == kind
    code = "import os, sys, time\nfor e in sys.argv[1:]: os.write(int(e), b'0')\nwhile time.process_time() < 0.3: pass"
    entrances = group.open_entrances()
    before = group.cpu_seconds()
    subprocess.run([sys.executable, "-c", code, *map(str, entrances)], pass_fds=entrances, check=True)
    after = group.cpu_seconds()
    for entrance in entrances:
        os.close(entrance)
    assert before is not None
    assert after is not None
    assert 0.2 < after - before < 0.6
    assert group.processes() == []
    directories = group.directories()
    group.remove()
    assert not any(Path(directory).exists() for directory in directories)


@pytest.mark.parametrize("kind", ["cgroup v1", "cgroup v2"])
def test_a_stale_group_is_swept_and_one_in_use_is_not(kind: str) -> None:
    mounted = _mounted(kind)
    used = cgroup.create_cgroup(1 << 30, 100, mounted)
    assert used is not None
    stale = [Path(directory).with_name("basewright-0-stale") for directory in used.directories()]
    for directory in stale:
        directory.mkdir()
    other = cgroup.create_cgroup(1 << 30, 100, mounted)
    assert other is not None
    assert not any(directory.exists() for directory in stale)
    assert all(Path(directory).exists() for directory in used.directories())
    used.remove()
    other.remove()
