"""`basewright inspect` as a user calls it: places of every kind, platforms, formats, exit statuses."""

import gzip
import json
import os
from pathlib import Path

import pytest

from basewright.cli.main import main
from basewright.errors import ExitCode
from tests.doubles.elf_file import make_elf
from tests.doubles.image import archive, lay_out, make_image, member, pack_folder
from tests.doubles.registry import running_registry

FILES = (member("etc", kind=b"5"), member("etc/a", b"1" * 100), member("etc/b", b"22"))
UPPER = (member("etc/a", b"3" * 10), member("etc/.wh.b"), member("srv/run", b"r", mode=0o755))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "image", make_image(archive(*FILES), archive(*UPPER)))


def test_a_layout_that_is_not_asked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with running_registry() as registry:
        name = f"{registry.host}/x:1"
        lay_out(Path(name.partition(":")[0]), make_image(archive(*FILES)))
        registry.login = "basic"
        for words in (("inspect", name), ("copy", f"oci:{name.partition(':')[0]}", name), ("copy", name, "oci:new")):
            assert main([*words]) != ExitCode.PASS
            assert (
                f"{name} is taken for an image in a registry; a path is meant by oci:{name}\n"
                in capsys.readouterr().err
            )


def document(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    """The JSON document on standard output."""
    assert main(["inspect", *map(str, words), "--format", "json"]) == ExitCode.PASS
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


AMD64 = ("--platform", "linux/amd64")


def test_it_says_what_the_layers_hold(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, image, *AMD64)
    layers = found["layers"]
    assert isinstance(layers, list)
    assert [(each["added"], each["changed"], each["removed"]) for each in layers] == [(3, 0, 0), (2, 1, 1)]
    assert found["waste"] == {
        "bytes": 102,
        "paths": [
            {"path": "etc/a", "bytes": 100, "written": [0, 1], "removed": []},
            {"path": "etc/b", "bytes": 2, "written": [0], "removed": [1]},
        ],
    }
    assert found["schema"] == "basewright.inspect/1"


def test_every_kind_of_place(tmp_path: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = document(capsys, image, *AMD64)
    packed = pack_folder(image, tmp_path / "packed.tar")
    for name in (f"oci:{image}", packed, f"oci-archive:{packed}"):
        found = document(capsys, name, *AMD64)
        assert {key: value for key, value in found.items() if key != "source"} == {
            key: value for key, value in wanted.items() if key != "source"
        }
    target = tmp_path / "docker.tar"
    assert main(["copy", f"oci:{image}", f"docker-archive:{target}:shop:1", *AMD64]) == ExitCode.PASS
    capsys.readouterr()
    found = document(capsys, target, *AMD64)
    for same in ("owners", "waste", "efficiency", "file_bytes", "config"):
        assert found[same] == wanted[same]


def test_a_root_filesystem_is_an_image_of_one_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "root.tar.gz"
    path.write_bytes(gzip.compress(archive(*FILES)))
    for name in (path, f"rootfs:{path}"):
        found = document(capsys, name, *AMD64)
        assert (found["file_bytes"], found["platform"]) == (102, "linux/amd64")


def test_an_image_for_one_other_platform_only_is_shown_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay_out(tmp_path / "other", make_image(archive(*FILES), architecture="s390x"))
    found = document(capsys, path)
    assert found["platform"] == "linux/s390x"
    assert found["wanted_platform"] is not None
    assert document(capsys, path, "--platform", "linux/s390x")["wanted_platform"] is None
    assert main(["inspect", str(path), "--platform", "linux/riscv64"]) == ExitCode.FIX_INPUT
    assert "s390x" in capsys.readouterr().err


def test_of_several_platforms_the_one_that_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    amd64, arm64 = make_image(archive(*FILES)), make_image(archive(*FILES), architecture="arm64")
    path = lay_out(tmp_path / "multi", amd64, arm64)
    found = document(capsys, path, "--platform", "linux/arm64")
    assert found["platform"] == "linux/arm64"
    assert found["top_digest"] != found["digest"]
    assert main(["inspect", str(path), "--platform", "linux/s390x"]) == ExitCode.FIX_INPUT
    assert "linux/amd64, linux/arm64" in capsys.readouterr().err


def test_executables_for_another_machine_are_a_warning_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arm = make_elf(machine="aarch64", executable=True)
    path = lay_out(tmp_path / "mixed", make_image(archive(member("bin/arm", arm, mode=0o755))))
    assert main(["inspect", str(path), *AMD64]) == ExitCode.PASS
    assert "warning: 1 executable is for aarch64, and the config says amd64: /bin/arm" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["IMAGE", "--tree"], ["--tree", "IMAGE"], ["--tree", "/", "IMAGE"], ["--tree=/etc", "IMAGE"]]
)
def test_the_tree_wherever_the_option_stands(words: list[str], image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *(str(image) if word == "IMAGE" else word for word in words), *AMD64]) == ExitCode.PASS
    text = capsys.readouterr().out
    assert "a" in text
    assert ("srv" in text) is (words[0] != "--tree=/etc")


def test_all_files_with_their_hashes_though_an_earlier_look_took_none(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document(capsys, image, *AMD64)
    files = document(capsys, image, *AMD64, "--tree")["files"]
    assert isinstance(files, list)
    assert [(each["path"], each["layer"], bool(each["sha256"])) for each in files] == [
        ("etc", 0, False), ("etc/a", 1, True), ("srv", 1, False), ("srv/run", 1, True),
    ]  # fmt: skip


def test_markdown(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(image), *AMD64, "--format", "markdown"]) == ExitCode.PASS
    assert "#### Whose bytes they are" in capsys.readouterr().out


def test_nothing_is_unpacked_to_disk(tmp_path: Path, image: Path, cache: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if cache not in path.parents and path != cache}
    assert main(["inspect", str(image), *AMD64]) == ExitCode.PASS
    assert {path for path in tmp_path.rglob("*") if cache not in path.parents and path != cache} == before
    kept = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    assert kept < 4096


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["oci:/nowhere/at/all"], "does not exist"),
        (["--tree=/nope", "IMAGE", *AMD64], "has no /nope"),
        ([], "Missing argument 'IMAGE'"),
        (["IMAGE", "--platform", "a/b/c/d"], "is not a platform"),
    ],
)
def test_what_must_be_fixed(words: list[str], said: str, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *(str(image) if word == "IMAGE" else word for word in words)]) == ExitCode.FIX_INPUT
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", [("inspect",), ("diff", "docker-archive:{copy}")])
def test_a_blob_that_went_after_the_first_look(
    tmp_path: Path, verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_image(archive(*FILES))
    path, copy = lay_out(tmp_path / "image", made), tmp_path / "copy.tar"
    words = [*(each.format(copy=copy) for each in verb), str(path), *AMD64]
    assert main(["copy", f"oci:{path}", f"docker-archive:{copy}:x:1", *AMD64]) == ExitCode.PASS
    assert main(words) == ExitCode.PASS
    blob = max((path / "blobs" / "sha256").iterdir(), key=lambda each: each.read_bytes()[:2] == b"\x1f\x8b")
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1])
    assert main(words) == ExitCode.FIX_INPUT
    blob.unlink()
    assert main(words) == ExitCode.FIX_INPUT
    os.mkfifo(blob)
    assert main(words) == ExitCode.FIX_INPUT
    said = capsys.readouterr().err
    assert "another size" in said and "lacks" in said and "is no regular file" in said
