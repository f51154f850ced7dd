"""The door for writing: a file is there whole or not at all, whatever happens."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from basewright._disk import (
    ScratchFolder,
    cache_directory,
    check_writable,
    disk_error,
    partial_file,
    write_atomically,
)
from basewright.errors import BasewrightError, ExitCode, InputError, OutOfReachError
from basewright.oci.blob import BlobStore
from basewright.oci.image import assemble_image
from basewright.oci.layer import read_layer, write_layer
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Tree, file
from basewright.oci.writing import write_layout

NOISE = os.urandom(3 << 20)


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if not each.is_dir())


def test_a_file_is_written_with_the_folders_above(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b", b"1")
    write_atomically(tmp_path / "a" / "b", b"2")
    assert (tmp_path / "a" / "b").read_bytes() == b"2"
    assert files(tmp_path) == ["a/b"]


def test_the_same_bytes_are_not_written_again(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"1")
    before = (tmp_path / "a").stat()
    write_atomically(tmp_path / "a", b"1")
    assert (tmp_path / "a").stat().st_ino == before.st_ino


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_file_s_mode_is_what_the_user_s_umask_says(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(LookupError), partial_file(tmp_path) as partial:
        partial.write(NOISE)
        raise LookupError
    assert files(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "x", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match=r"cannot be written: [A-Z]") as caught:
            write_atomically(path, b"1")
        assert str(tmp_path) in caught.value.message
    assert files(tmp_path) == ["file"]


def test_the_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("BASEWRIGHT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_directory() == Path("/home/me/.cache/basewright")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_directory() == Path("/xdg/basewright")
    monkeypatch.setenv("BASEWRIGHT_CACHE", "/named")
    assert cache_directory() == Path("/named")


def test_what_a_killed_process_left_is_removed_and_what_lives_is_not(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, time; from basewright._disk import partial_file\n"
        "with partial_file(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write(b'x'); print('ready', flush=True); time.sleep(60)\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    assert len(files(tmp_path)) == 2
    children[0].send_signal(signal.SIGKILL)
    children[0].wait()
    write_atomically(tmp_path / "a", b"1")
    assert len(files(tmp_path)) == 3, "what is young may just have been made"
    hour_ago = time.time() - 3600
    for left in tmp_path.glob(".*"):
        os.utime(left, (hour_ago, hour_ago))
    write_atomically(tmp_path / "a", b"2")
    assert len(files(tmp_path)) == 2
    children[1].terminate()
    children[1].wait()


# A full disk


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no mount program")
    if mounted.returncode:
        pytest.skip("a small filesystem can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def full(message: str, error: BasewrightError) -> None:
    assert isinstance(error, OutOfReachError)
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert error.message.startswith(f"no space left to write {message}")
    assert error.hint == "free some, or write elsewhere"


def test_a_full_disk_is_one_clear_error_and_no_half_written_file(tmp_path: Path) -> None:
    store, tree = BlobStore(tmp_path / "cache"), Tree()
    tree.add(file("noise", NOISE))
    layer = write_layer(store, tree, created_by="test")
    image = assemble_image(store, (layer,), RunConfig(), architecture="amd64", created="2024-01-01T00:00:00Z")
    with small_disk(tmp_path / "small", 1024) as disk:
        with pytest.raises(BasewrightError) as caught:
            write_atomically(disk / "a", NOISE)
        full(str(disk), caught.value)
        with pytest.raises(BasewrightError) as caught:
            write_layer(BlobStore(disk), tree, created_by="test")
        full(str(disk), caught.value)
        for target in (disk / "layout", disk / "layout.tar"):
            with pytest.raises(BasewrightError) as caught:
                write_layout(image, target, reference="x")
            full(str(disk), caught.value)
        with pytest.raises(BasewrightError) as caught, store.open(layer.digest) as packed:
            read_layer(packed, name="layer", compressed_bytes=len(NOISE), spool=disk / "layer.tar")
        full(str(disk), caught.value)
        assert files(disk) == []
        write_atomically(disk / "a", b"there is room again")


def test_a_scratch_folder_goes_and_takes_those_of_killed_runs_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned = tmp_path / "basewright-run-abandoned"
    (abandoned / "read-only").mkdir(parents=True)
    (abandoned / "read-only" / "file").write_text("x")
    (abandoned / "read-only").chmod(0o500)
    in_use = ScratchFolder()
    for path in (abandoned, in_use.path):
        os.utime(path, (0, 0))
    fresh = ScratchFolder()
    assert not abandoned.exists() and in_use.path.is_dir() and fresh.path.is_dir()
    in_use.close()
    fresh.close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "docs" / "adr")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "docs").write_text("a file")
    with pytest.raises(InputError, match="docs cannot be written"):
        check_writable(tmp_path / "docs" / "adr")


def test_a_full_disk_says_which_folder_could_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))
    full = OSError(errno.ENOSPC, "")
    assert "BASEWRIGHT_CACHE" in disk_error(tmp_path / "cache" / "store", full).hint
    assert "TMPDIR" in disk_error(tmp_path / "basewright-run-1" / "archive.tar", full).hint
    assert disk_error(tmp_path / "image.tar", full).hint == "free some, or write elsewhere"
