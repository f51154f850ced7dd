"""An inspection that was kept: the same bytes as the first, and never one that no longer holds."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast
from zlib import crc32

import msgspec
import pytest

from basewright.cli.main import main
from basewright.errors import ExitCode
from tests.doubles.elf_file import make_elf
from tests.doubles.image import MadeImage, archive, lay_out, make_image, member

AMD64 = ("--platform", "linux/amd64")
RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'
COMPUTING = (
    "subprocess", "tempfile", "shutil", "secrets", "socket", "basewright.bases", "basewright.oci.stream",
    "basewright.oci.tar", "basewright.oci.reading", "basewright.evidence.inspection", "basewright.evidence.ownership",
    "basewright.evidence.foundation", "basewright.oci.transports.registry", "basewright.oci.transports.engine",
)  # fmt: skip
"""What takes long to import, and what only looking into an image needs."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "image", something_of_everything())


def something_of_everything() -> MadeImage:
    image = make_image(
        archive(
            member("etc/os-release", RELEASE),
            member("var/lib/dpkg/status", b"Package: bash\nStatus: install ok installed\nVersion: 1\n\n"),
            member("var/lib/dpkg/info/bash.list", b"/usr/bin/bash\n"),
            member("usr/bin/bash", b"b" * 5000, mode=0o755),
            member("srv/old", b"o" * 700),
        ),
        archive(member("srv/.wh.old"), member("app/arm", make_elf(machine="aarch64", executable=True), mode=0o755)),
    )
    image.config["history"] = [{"created_by": "one"}, {"created_by": "two", "comment": "of two"}]
    image.config["config"] = {"Cmd": ["bash"], "Volumes": {"/data": {}}, "Labels": {"a": "b"}}
    return image.seal()


def look(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["inspect", *map(str, words)]) == ExitCode.PASS
    return capsys.readouterr().out


def kept(cache: Path) -> Path:
    """The one file that is kept."""
    (path,) = (each for each in (cache / "inspections").rglob("*") if each.is_file())
    return path


def rewrite(path: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    """Changes what is kept as somebody would who knows the format."""
    record = cast("dict[str, dict[str, object]]", msgspec.msgpack.decode(path.read_bytes()[4:]))
    change(record)
    data = msgspec.msgpack.encode(record)
    path.write_bytes(crc32(data).to_bytes(4, "big") + data)


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_the_second_look_says_the_same_and_reads_no_layer(
    form: str, image: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = look(capsys, image, *AMD64, "--format", form)
    shutil.rmtree(cache / "indexes")
    assert look(capsys, image, *AMD64, "--format", form) == first
    assert not (cache / "indexes").exists(), "it read a layer"


def test_the_second_look_imports_nothing_that_computes(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look(capsys, image, *AMD64)
    script = (
        f"import sys; from basewright.cli.main import main; main({['inspect', str(image), *AMD64]!r}); "
        f"print([each for each in {COMPUTING!r} if each in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_what_the_caller_says_is_the_caller_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = make_image(archive(member("a", b"1")), architecture="s390x")
    one, two = lay_out(tmp_path / "one", image), lay_out(tmp_path / "two", image)
    assert "asked for was" in look(capsys, one)
    again = look(capsys, two, "--platform", "linux/s390x")
    assert "asked for was" not in again
    assert again.startswith(f"oci:{two}\n")
    assert "asked for was" in look(capsys, two)


def test_the_tree_is_looked_at_anew(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look(capsys, image, *AMD64)
    assert "bash" in look(capsys, image, *AMD64, "--tree", "/usr/bin")
    assert '"sha256":"' in look(capsys, image, *AMD64, "--tree", "--format", "json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:3],
        lambda data: data + b"\0",
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: crc32(b"\xc1").to_bytes(4, "big") + b"\xc1",
        lambda data: crc32(b"\x80").to_bytes(4, "big") + b"\x80",
    ],
)
def test_what_is_damaged_is_made_anew(
    damage: Callable[[bytes], bytes], image: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = look(capsys, image, *AMD64)
    data = kept(cache).read_bytes()
    kept(cache).write_bytes(damage(data))
    assert look(capsys, image, *AMD64) == first
    assert kept(cache).read_bytes() == data


def test_what_was_made_with_something_else_is_made_anew(
    image: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = look(capsys, image, *AMD64)

    def lie(record: dict[str, dict[str, object]]) -> None:
        record["inspection"]["distribution"] = "another system"

    rewrite(kept(cache), lie)
    assert "another system" in look(capsys, image, *AMD64), "the lie is not where it counts"
    limits = {"uncompressed_bytes": 1 << 40, "ratio": 1, "ratio_floor_bytes": 1, "entries": 10, "kept_bytes": 1}
    others = {"format": 0, "version": "0.0.0", "picks": 0, "known_layers": 0, "limits": limits}
    for name, other in others.items():
        rewrite(kept(cache), lie)
        # mypy knows no type for a lambda's defaults
        rewrite(kept(cache), lambda record, name=name, other=other: record["made_with"].update({name: other}))  # type: ignore[misc]
        assert look(capsys, image, *AMD64) == first, name


def test_another_image_s_file_is_made_anew(
    tmp_path: Path, image: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = look(capsys, image, *AMD64)
    path = kept(cache)
    look(capsys, lay_out(tmp_path / "other", make_image(archive(member("a", b"1")))), *AMD64)
    (other,) = (each for each in path.parent.iterdir() if each != path)
    shutil.copy(other, path)
    assert look(capsys, image, *AMD64) == first


def test_another_image_under_the_same_name_is_read(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = look(capsys, image, *AMD64)
    shutil.rmtree(image)
    lay_out(image, make_image(archive(member("etc/os-release", RELEASE.replace(b"trixie", b"forky")))))
    again = look(capsys, image, *AMD64)
    assert "trixie" in first
    assert "forky" in again


def test_a_tightened_limit_refuses_what_was_read_before(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = look(capsys, image, *AMD64)
    settings = tmp_path / "settings.toml"
    monkeypatch.setenv("BASEWRIGHT_SETTINGS", str(settings))
    for limit, said in (("entries = 2", "more than 2 entries"), ('layer-bytes = "4 kB"', "more than 4,000 bytes")):
        settings.write_text(f"[limits]\n{limit}\n")
        assert main(["inspect", str(image), *AMD64]) == ExitCode.FIX_INPUT
        assert said in capsys.readouterr().err
    settings.write_text("[limits]\nentries = 1000\n")
    assert look(capsys, image, *AMD64) == first


def test_names_that_are_not_utf_8_are_looked_at_anew(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = lay_out(tmp_path / "odd", make_image(archive(member("a\udcff", b"1")), archive(member(".wh.a\udcff"))))
    first = look(capsys, odd, *AMD64)
    assert "/a\\xff" in first
    assert look(capsys, odd, *AMD64) == first
    assert not (cache / "inspections").exists()


def test_a_cache_that_cannot_be_written_is_no_error(
    image: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir()
    (cache / "inspections").write_bytes(b"in the way")
    assert look(capsys, image, *AMD64) == look(capsys, image, *AMD64)


def test_the_cache_counts_and_clears_it(image: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look(capsys, image, *AMD64)
    assert main(["cache"]) == ExitCode.PASS
    assert any(
        line.startswith("inspections") and line.endswith(" 1 file")
        for line in map(str.strip, capsys.readouterr().out.splitlines())
    )
    assert main(["cache", "--clear"]) == ExitCode.PASS
    assert not [each for each in (cache / "inspections").rglob("*") if each.is_file()]
