"""The lock: read, written the same each time, and refused where it is not what it should be."""

from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.lock import Lock, LockedGo, LockedImage, read_lock, render_lock, write_lock

LOCK = Lock(
    encoders={"deflate": "0.9.0"},
    images={
        "b": LockedImage(
            index_digest=f"sha256:{'1' * 64}",
            platforms={"linux/arm64": f"sha256:{'2' * 64}", "linux/amd64": f"sha256:{'3' * 64}"},
            seen_at="t",
        )
    },
    go={"z": LockedGo(toolchain="1.24.13", source="s"), "a": LockedGo(toolchain="1.25.1", source="s")},
)


def fault(path: Path, data: bytes) -> tuple[str, str]:
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_lock(path)
    return caught.value.message, caught.value.hint


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "basewright.lock"
    assert read_lock(path) == Lock()
    write_lock(path, LOCK)
    assert read_lock(path) == LOCK
    before = path.stat()
    write_lock(path, LOCK)
    assert path.stat().st_ino == before.st_ino


def test_it_reads_well_in_a_diff() -> None:
    text = render_lock(LOCK).decode()
    assert text.endswith("}\n")
    assert text.index('"a"') < text.index('"z"')
    assert text.index('"linux/amd64"') < text.index('"linux/arm64"')
    assert all(line.count('":') <= 1 for line in text.splitlines())
    assert (
        render_lock(Lock(go=dict(reversed(LOCK.go.items())), images=LOCK.images, encoders=LOCK.encoders))
        == text.encode()
    )


def test_faults_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "basewright.lock"
    assert fault(path, b"{")[0].startswith("basewright.lock is damaged: ")
    assert fault(path, b'{"version": 1, "imagse": {}}')[0].endswith("unknown field `imagse`")
    assert fault(path, b"\xff\xfe")[1] == "mend it, or delete it to resolve anew"
    message, _ = fault(path, render_lock(LOCK).replace(b"1" * 64, b"1" * 63))
    assert message.startswith("basewright.lock is damaged: ") and message.endswith("at `$.images[...].index_digest`")
    conflict = render_lock(LOCK).replace(b'  "go"', b'<<<<<<< HEAD\n  "go"')
    assert fault(path, conflict)[0] == "basewright.lock holds the marks of a merge conflict"
    message, hint = fault(path, b'{"version": 2, "new": "field"}')
    assert message == "basewright.lock has version 2, this basewright reads 1"
    assert "the basewright that wrote it" in hint


def test_locks_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_lock(tmp_path)
    (tmp_path / "lock").write_bytes(b" " * ((64 << 20) + 1))
    with pytest.raises(InputError, match="larger than 67,108,864 bytes"):
        read_lock(tmp_path / "lock")
