"""The cache: what it takes is known and bounded, and nothing goes that a process relies on."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from basewright._cache import hold, measure, sweep, use
from basewright.errors import InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest


def _aged(path: Path, days: float, size: int = 100_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


@contextmanager
def process(script: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Another process of ours; what it prints says how far it is."""
    argv = [sys.executable, "-u", "-c", script, *words]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


USER = """
import sys
from pathlib import Path
from basewright._cache import hold
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
cache, digest = Path(sys.argv[1]), Digest(sys.argv[2])
hold(cache)
print(digest in BlobStore(cache / "store"))
sys.stdin.readline()
print(len(BlobStore(cache / "store").read(digest, max_bytes=1 << 20)))
"""


def test_what_was_used_longest_ago_goes_until_the_bound_is_kept(tmp_path: Path) -> None:
    oldest, older = _aged(tmp_path / "store/blobs/1", 9), _aged(tmp_path / "wheels/2", 8)
    kept, young = _aged(tmp_path / "layers/3", 7), _aged(tmp_path / "bytecode/aa/4", 0)
    swept = sweep(tmp_path, max_bytes=250_000)
    assert [each.exists() for each in (oldest, older, kept, young)] == [False, False, True, True]
    assert swept.removed_bytes >= 200_000
    assert 200_000 <= swept.left_bytes <= 250_000
    assert sweep(tmp_path, max_bytes=0).left_bytes == 0
    assert not young.exists()


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert sweep(tmp_path / "none", max_bytes=0).left_bytes == 0
    assert not (tmp_path / "none").exists()
    assert all(each.bytes == each.files == 0 for each in measure(tmp_path / "none"))


def test_each_kind_is_counted(tmp_path: Path) -> None:
    _aged(tmp_path / "store/blobs/sha256/1", 1)
    _aged(tmp_path / "go/modules/example.org/x@v1/a.go", 1)
    _aged(tmp_path / "go/modules/example.org/x@v1/b.go", 1)
    _aged(tmp_path / "go/odd", 1)
    counted = {each.kind.name: (each.files, each.bytes >= each.files * 100_000) for each in measure(tmp_path)}
    assert {name: count for name, count in counted.items() if count[0]} == {
        "image blobs": (1, True),
        "Go modules": (2, True),
        "other": (1, True),
    }


def test_a_process_keeps_what_it_asked_for_and_nothing_else(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "store")
    wanted, other = store.write(b"wanted"), store.write(b"other")
    for digest in (wanted, other):
        _aged(store.path(digest), 30, 1)
    store.path(wanted).write_bytes(b"wanted")
    os.utime(store.path(wanted), (0, 0))
    with process(USER, str(tmp_path), wanted) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        swept = sweep(tmp_path, max_bytes=0)
        assert (wanted in store, other in store) == (True, False)
        assert swept.in_use_bytes == swept.left_bytes > 0
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "6\n"
    os.utime(store.path(wanted), (0, 0))
    sweep(tmp_path, max_bytes=0)
    assert wanted not in store, "a process that is gone, even killed, keeps nothing"


def test_what_nobody_marks_goes_only_while_nobody_runs(tmp_path: Path) -> None:
    module = _aged(tmp_path / "go/modules/example.org/x@v1/a.go", 30)
    module.parent.chmod(0o555)
    package = _aged(tmp_path / "debian/packages/x.deb", 30)
    with process(USER, str(tmp_path), Digest.of(b"")) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "False\n"
        sweep(tmp_path, max_bytes=0)
        assert module.exists() and package.exists()
    sweep(tmp_path, max_bytes=0)
    assert not package.exists()
    assert not (tmp_path / "go/modules").exists(), "modules go as a whole, never in part"


def test_a_root_that_is_locked_stays(tmp_path: Path) -> None:
    import fcntl

    for name in ("used", "idle"):
        _aged(tmp_path / "roots" / name / "root/bin/x", 30)
        (tmp_path / "roots" / name / "bytes").write_text("100000", encoding="ascii")
    lock = os.open(tmp_path / "roots/used", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    sweep(tmp_path, max_bytes=0)
    assert [each.name for each in (tmp_path / "roots").iterdir()] == ["used"]
    os.close(lock)


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    partial = _aged(tmp_path / "store/blobs/sha256/.basewright-partial-0", 30)
    sweep(tmp_path, max_bytes=0)
    assert partial.exists()


def test_sweeping_is_not_repeated_at_once_where_it_is_routine(tmp_path: Path) -> None:
    sweep(_aged(tmp_path / "store/1", 9).parent.parent, max_bytes=0, every_seconds=60)
    left = _aged(tmp_path / "store/2", 9)
    sweep(tmp_path, max_bytes=0, every_seconds=60)
    assert left.exists()
    sweep(tmp_path, max_bytes=0)
    assert not left.exists()


def test_a_file_outside_of_any_cache_is_only_looked_for(tmp_path: Path) -> None:
    path = _aged(tmp_path / "file", 9)
    before = path.stat().st_mtime_ns
    assert use(path) and not use(tmp_path / "none") and not use(tmp_path)
    assert path.stat().st_mtime_ns == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_may_not_be_written_is_used_all_the_same(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "store")
    digest = store.write(b"x")
    tmp_path.chmod(0o500)
    hold(tmp_path)
    assert digest in store
    with pytest.raises(InputError, match="cannot be written"):
        sweep(tmp_path, max_bytes=0)
    tmp_path.chmod(0o700)


WORKER = """
import random, sys
from pathlib import Path
from basewright._cache import hold, measure, sweep
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
cache, rng = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
hold(cache)
store, relied, missed = BlobStore(cache / "store"), {}, 0
numbers = list(range(500))
rng.shuffle(numbers)
for number in numbers:
    data = b"%d" % number * 100
    if Digest.of(data) in store:
        assert store.read(Digest.of(data), max_bytes=1 << 20) == data
        relied[Digest.of(data)] = data
    else:
        missed += 1
    if rng.random() < 0.05:
        sweep(cache, max_bytes=rng.randrange(2_000_000))
        relied[store.write(b"new %d" % number)] = b"new %d" % number
for digest, data in relied.items():
    assert store.read(digest, max_bytes=1 << 20) == data
print(len(relied), missed)
"""


def test_processes_write_read_and_sweep_at_once(tmp_path: Path) -> None:
    """One is killed in the midst of it; nobody misses or misreads what it relies on."""
    store = BlobStore(tmp_path / "store")
    for number in range(500):
        os.utime(store.path(store.write(b"%d" % number * 100)), (0, number))
    children = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), str(seed)], stdout=subprocess.PIPE)
        for seed in range(4)
    ]
    time.sleep(0.5)
    children[0].kill()
    outputs = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children[1:]] == [0, 0, 0]
    relied, missed = zip(*(map(int, output.split()) for output in outputs[1:]), strict=True)
    assert min(relied) > 0 and max(missed) > 0
    sweep(tmp_path, max_bytes=0)
    assert not any((tmp_path / "store/blobs/sha256").glob("[0-9a-f]*"))
