"""The store: whole blobs or none, checked on the way in, shared by processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore, open_regular
from basewright.oci.digest import Digest


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_a_blob_is_kept_under_its_digest(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.write(b"abc")
    assert files(tmp_path) == [f"blobs/sha256/{digest.hex}"]
    assert digest in store
    assert store.read(digest, max_bytes=3) == b"abc"
    with store.open(digest) as file:
        assert file.read() == b"abc"


def test_sha512_blobs_have_a_folder_of_their_own(tmp_path: Path) -> None:
    import hashlib

    digest = Digest("sha512:" + hashlib.sha512(b"abc").hexdigest())
    assert BlobStore(tmp_path).write_stream([b"a", b"bc"], expected=digest, max_bytes=3) == (digest, 3)
    assert files(tmp_path) == [f"blobs/sha512/{digest.hex}"]


def test_what_lies_leaves_nothing(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    with pytest.raises(HostileInputError, match="has the digest ba7816bf8f01, not"):
        store.write_stream([b"abc"], expected=Digest.of(b"abd"), max_bytes=3)
    with pytest.raises(HostileInputError, match="larger than the 2 bytes"):
        store.write_stream([b"abc"], expected=Digest.of(b"abc"), max_bytes=2)
    assert files(tmp_path) == []


def test_a_source_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BlobStore(tmp_path).write_stream(chunks(), expected=None, max_bytes=9)
    assert files(tmp_path) == []


def test_a_blob_that_is_there_is_not_asked_for(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        raise AssertionError("was asked for")
        yield b""

    store = BlobStore(tmp_path)
    digest = store.write(b"abc")
    assert store.write_stream(chunks(), expected=digest, max_bytes=3) == (digest, 3)


def test_a_damaged_blob_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.write(b"abc")
    store.path(digest).write_bytes(b"abd")
    with pytest.raises(HostileInputError, match="does not have its digest"):
        store.read(digest, max_bytes=3)
    with pytest.raises(HostileInputError, match="larger than 2 bytes"):
        store.read(digest, max_bytes=2)


def test_a_fifo_in_place_of_a_file_is_never_waited_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HostileInputError, match="no regular file"):
        open_regular(tmp_path / "pipe")
    with pytest.raises(InputError, match="cannot be read"):
        open_regular(tmp_path / "none")
    store = BlobStore(tmp_path)
    digest = Digest.of(b"abc")
    store.path(digest).parent.mkdir(parents=True)
    os.mkfifo(store.path(digest))
    assert digest not in store
    assert store.write(b"abc") == digest
    assert store.read(digest, max_bytes=3) == b"abc"


def test_two_processes_write_the_same_blob(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from basewright.oci.blob import BlobStore\n"
        "sys.stdin.read(1)\n"
        "for each in range(60): print(BlobStore(pathlib.Path(sys.argv[1])).write(b'%d' % each * 100_000))\n"
    )
    argv = [sys.executable, "-c", script, str(tmp_path)]
    children = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    time.sleep(0.3)
    outputs = [child.communicate(b"x", timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert outputs[0] == outputs[1]
    digests = [Digest(line) for line in outputs[0].decode().split()]
    assert files(tmp_path) == sorted(f"blobs/sha256/{digest.hex}" for digest in digests)
    assert all(BlobStore(tmp_path).read(digest, max_bytes=1 << 20) for digest in digests)
