"""The benchmarks say how their table is made; nothing here is timed."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubles.image import archive, lay_out, make_image, member

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not here")


def run(*words: object) -> str:
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_results_name_the_command_that_makes_them() -> None:
    results = (FOLDER / "RESULTS.md").read_text()
    command = re.search(r"^ {4}(python benchmarks/run\.py .+)$", results, re.MULTILINE)
    assert command is not None
    assert command[1] in (FOLDER / "README.md").read_text()
    options = run(FOLDER / "run.py", "--help")
    assert all(word in options for word in command[1].split()[2:])
    assert re.search(r"^- Machine: .+ cores, .+ GiB", results, re.MULTILINE)
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", results, re.MULTILINE)


def test_the_floor_reads_every_layer_whole(tmp_path: Path) -> None:
    layers = [archive(member("a", b"x" * 300_000)), archive(member("b"))]
    lay_out(tmp_path, make_image(*layers))
    lines = run(FOLDER / "floor.py", tmp_path).splitlines()
    told = [tuple(line.split()[1:]) for line in lines]
    assert told == [(hashlib.sha256(each).hexdigest(), str(len(each))) for each in layers]
