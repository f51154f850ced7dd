"""Layers of gigabytes, and of as many files as there may be: read in little memory."""

import subprocess
import sys

SCRIPT = """
import os, re, sys
from pathlib import Path
from basewright.errors import HostileInputError
from basewright.oci.filesystem import flatten
from basewright.oci.layer import read_layer
from basewright.oci.tar import render_header
from basewright.oci.tree import Entry, FileType

def files(count, size):
    block, padding = os.urandom(1 << 16), bytes(-size % 512)
    for number in range(count):
        path = f"usr/lib/python3/site-packages/package{number // 100:05d}/module_{number:06d}.py"
        yield render_header(Entry(path=path, type=FileType.FILE, mode=0o644, size=size), epoch=number)
        for left in range(size, 0, -len(block)):
            yield block[:left]
        yield padding
    yield bytes(1024)

def joined(pieces):
    held = []
    for piece in pieces:
        held.append(piece)
        if len(held) == 500 or len(piece) > 1000:
            yield b"".join(held)
            held.clear()
    yield b"".join(held)

count, size = int(sys.argv[1]), int(sys.argv[2])
try:
    index = read_layer(joined(files(count, size)), name="layer", compressed_bytes=1 << 40)
    print(len(flatten([index.entries]).tree))
except HostileInputError as error:
    print(error)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def run(count: int, size: int) -> tuple[str, float]:
    """What came of it, and the most memory that it took, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(count), str(size)], capture_output=True, text=True, check=True, timeout=900
    )
    words, kilobytes = done.stdout.splitlines()
    return words, int(kilobytes) * 1024 / 1e6


def test_five_gigabytes() -> None:
    words, megabytes = run(50, 100 << 20)
    assert words.isdigit()
    assert megabytes < 120


def test_half_a_million_files() -> None:
    words, megabytes = run(500_000, 400)
    assert int(words) == 500_000 + 5000 + 4
    assert megabytes < 300


def test_a_million_files_are_within_the_limit() -> None:
    assert run(1_000_000, 0)[0] == "1010004"
