"""requirements.txt: lines, includes, hashes."""

from pathlib import Path

import pytest

from basewright.apps.python_requirements import logical_lines, read_requirement_files
from basewright.errors import InputError


def test_lines() -> None:
    text = "a==1 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11  # end\n\n# only\nb # c\nd#e\nlast \\\n"
    assert list(logical_lines(text)) == ["a==1   --hash=sha256:00   --hash=sha256:11", "b", "d#e", "last"]


def test_includes_hashes_and_indexes(tmp_path: Path) -> None:
    one, two = "1" * 64, "2" * 64
    (tmp_path / "a.txt").write_text(
        f"-r sub/b.txt\n--requirement=sub/b.txt\n-cc.txt\n--index-url https://u:p@i.example/s\n"
        f"Some_Package[x]>=1 ; python_version>'3' --hash=sha256:{one} --hash sha256:{two.upper()}\n"
        "other\n-e .\nhttps://example.com/x.whl\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.txt").write_text("-r ../a.txt\n")
    (tmp_path / "c.txt").write_text("other<2\n")
    read = read_requirement_files(tmp_path / "a.txt", repository=tmp_path)
    assert [name for name, _ in read.files] == ["a.txt", "sub/b.txt", "c.txt"]
    assert read.hashes == {"some-package": frozenset((one, two))}
    assert read.urls == ("https://u:p@i.example/s",)


def test_include_by_url(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r https://example.com/b.txt\n")
    with pytest.raises(InputError, match="includes a file by URL"):
        read_requirement_files(tmp_path / "a.txt", repository=tmp_path)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\xff\n")
    with pytest.raises(InputError, match=r"a.txt: byte 1 is not UTF-8"):
        read_requirement_files(tmp_path / "a.txt", repository=tmp_path)
