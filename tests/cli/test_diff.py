"""`basewright diff` as a user calls it: exit statuses, formats, places of every kind."""

import gzip
import json
import tarfile
from pathlib import Path

import pytest

from basewright.cli.main import main
from basewright.errors import ExitCode
from tests.doubles.go_binary import go_program
from tests.doubles.image import archive, lay_out, make_image, member, pack_folder

FILES = (member("etc", kind=b"5"), member("etc/a", b"1"), member("etc/b", b"22"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """One image, the same packed otherwise, one with another file, one for two platforms, one root filesystem."""
    amd64, arm64 = make_image(archive(*FILES)), make_image(archive(*FILES), architecture="arm64")
    found = {
        "one": lay_out(tmp_path / "one", amd64),
        "zstd": lay_out(tmp_path / "zstd", make_image(archive(*FILES), packing="zstd")),
        "other": lay_out(tmp_path / "other", make_image(archive(*FILES[:2], member("etc/b", b"33", mode=0o600)))),
        "multi": lay_out(tmp_path / "multi", amd64, arm64),
        "arm64": lay_out(tmp_path / "arm64", arm64),
    }
    found["packed"] = pack_folder(found["one"], tmp_path / "packed.tar")
    found["rootfs"] = tmp_path / "rootfs.tar.gz"
    found["rootfs"].write_bytes(gzip.compress(archive(*FILES)))
    return found


def test_the_exit_status_says_whether_what_runs_is_the_same(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {
        ("one", "one"): (ExitCode.PASS, "Identical"),
        ("one", "packed"): (ExitCode.PASS, "Identical"),
        ("one", "zstd"): (ExitCode.PASS, "Same content"),
        ("one", "other"): (ExitCode.GATE_SAYS_NO, "Different"),
        ("one", "rootfs"): (ExitCode.GATE_SAYS_NO, "Different"),
    }
    for (first, second), (code, word) in expected.items():
        assert main(["diff", str(places[first]), str(places[second]), "--platform", "linux/amd64"]) == code
        assert capsys.readouterr().out.startswith(word), (first, second)


def test_strict_asks_for_the_same_manifest(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["diff", "--strict", "--platform", "linux/amd64", str(places["one"])]
    assert main([*words, str(places["zstd"])]) == ExitCode.GATE_SAYS_NO
    assert main([*words, str(places["packed"])]) == ExitCode.PASS


def test_the_platform_is_of_both(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(places["multi"]), str(places["arm64"]), "--platform", "arm64"]) == ExitCode.PASS
    assert main(["diff", str(places["multi"]), str(places["arm64"]), "--platform", "linux/s390x"]) == ExitCode.FIX_INPUT
    assert "linux/amd64, linux/arm64" in capsys.readouterr().err


def test_json_and_markdown_go_to_standard_output_alone(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["diff", str(places["one"]), str(places["other"])]
    assert main([*words, "--format", "json"]) == ExitCode.GATE_SAYS_NO
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["schema"], document["verdict"]) == ("basewright.diff/1", "different")
    assert document["before"]["source"] == f"oci:{places['one']}"
    assert [(each["path"], each["what"]) for each in document["files"]["changed"]] == [("etc/b", ["content", "mode"])]
    assert said.err == ""
    assert main([*words, "--format", "markdown"]) == ExitCode.GATE_SAYS_NO
    assert "| ~   | `/etc/b` | content, 2 B; mode 0644 → 0600 |" in capsys.readouterr().out


def test_modules_of_go_programs_that_differ_are_packages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = member("usr/bin/same", go_program("go1.22.0", ("example.com/same", "v1.0.0")), mode=0o755)
    base = archive(same)
    programs = (
        go_program("go1.24.1", ("example.com/a", "v1.0.0"), ("example.com/b", "v1.0.0")),
        go_program("go1.24.2", ("example.com/a", "v1.1.0"), ("example.com/c", "v2.0.0")),
    )
    names = [
        str(lay_out(tmp_path / f"go{number}", make_image(base, archive(member("app", program)))))
        for number, program in enumerate(programs)
    ]
    assert main(["diff", *names, "--platform", "linux/amd64", "--format", "json"]) == ExitCode.GATE_SAYS_NO
    packages = json.loads(capsys.readouterr().out)["packages"]
    assert {each["kind"] for each in packages} == {"go"}
    assert [(each["name"], each["before"], each["after"]) for each in packages] == [
        ("example.com/a", "v1.0.0", "v1.1.0"),
        ("stdlib", "1.24.1", "1.24.2"),
        ("example.com/b", "v1.0.0", None),
        ("example.com/c", None, "v2.0.0"),
    ]


def test_what_is_no_image_is_the_input_s_fault(
    places: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("hello")
    for name in (tmp_path / "text.txt", tmp_path / "missing", tmp_path):
        assert main(["diff", str(places["one"]), str(name)]) == ExitCode.FIX_INPUT
        assert capsys.readouterr().out == ""


def test_a_damaged_layer_is_no_answer(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for blob in (places["other"] / "blobs" / "sha256").iterdir():
        data = blob.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            blob.write_bytes(data[:-9])
    assert main(["diff", str(places["one"]), str(places["other"])]) == ExitCode.FIX_INPUT
    assert capsys.readouterr().out == ""


def test_nothing_is_extracted(places: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["diff", str(places["one"]), str(places["rootfs"])])
    kept = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    assert not any(tarfile.is_tarfile(each) for each in kept)
    assert not any(each.name in ("a", "b") for each in kept)
