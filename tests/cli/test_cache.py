"""`basewright cache`: what is kept is shown, bounded and cleared."""

from pathlib import Path

import pytest

from basewright.cli.main import main
from basewright.oci.blob import BlobStore


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BASEWRIGHT_SETTINGS", str(tmp_path / "settings.toml"))
    (tmp_path / "settings.toml").write_text('[cache]\nmax-bytes = "2 GB"\n')
    for number in range(3):
        BlobStore(tmp_path / "cache" / "store").write(b"%d" % number * 100_000)
    return tmp_path / "cache"


def test_what_is_kept_is_shown_by_kind_with_the_bound(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(cache)
    assert [line.split()[:2] for line in lines[1:]] == [["image", "blobs"], ["all", "0.3"], ["bound", "2,000.0"]]
    assert lines[1].endswith("3 files")


def test_it_is_bounded_and_cleared(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "--max-bytes", "250 kB"]) == 0
    assert capsys.readouterr().out == "removed 0.1 MB, 0.2 MB left\n"
    assert main(["cache", "--clear"]) == 0
    assert capsys.readouterr().out == "removed 0.2 MB, 0.0 MB left\n"
    assert not list((cache / "store/blobs/sha256").iterdir())


def test_a_cache_that_is_not_there_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "none"))
    assert main(["cache"]) == 0
    assert main(["cache", "--clear"]) == 0
    assert capsys.readouterr().out.endswith("removed 0.0 MB, 0.0 MB left\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("words", [["--max-bytes", "many"], ["--max-bytes", "5"], ["--clear", "--max-bytes", "1 GB"]])
def test_a_bound_that_is_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", *words]) == 2
    assert "--max-bytes" in capsys.readouterr().err
