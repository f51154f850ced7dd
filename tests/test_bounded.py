"""A file is read whole, or the error says which one and why."""

from pathlib import Path

import pytest

from basewright.bounded import read_bounded
from basewright.errors import InputError


def test_a_file_as_large_as_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, max_bytes=5) == b"12345"
    with pytest.raises(InputError, match=r"/file is larger than 4 bytes"):
        read_bounded(path, max_bytes=4)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"/none does not exist"):
        read_bounded(tmp_path / "none", max_bytes=5)
    with pytest.raises(InputError, match=r"^the folder cannot be read: Is a directory"):
        read_bounded(tmp_path, max_bytes=5, name="the folder")
