"""Names of places, as skopeo writes them and without a prefix."""

import os
from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.oci.transports.image_name import (
    DockerArchiveName,
    EngineName,
    ImageName,
    LayoutName,
    OciArchiveName,
    RegistryName,
    RootfsName,
    parse_name,
    parse_target,
    told_apart,
)
from tests.doubles.image import archive, lay_out, make_image, member, pack_folder

ROOT = archive(member("etc/os-release", b"ID=x\n"))
DIGEST = "sha256:" + "a" * 64
REF_NAME = "org.opencontainers.image.ref.name"


@pytest.mark.parametrize(
    ("text", "kind", "whole"),
    [
        ("docker://python:3.13", RegistryName, "docker://python:3.13"),
        ("docker://docker.io/library/python", RegistryName, "docker://python"),
        ("docker://ghcr.io/a/b:1", RegistryName, "docker://ghcr.io/a/b:1"),
        ("python:3.13-slim", RegistryName, "docker://python:3.13-slim"),
        ("docker:24-dind", RegistryName, "docker://docker:24-dind"),
        ("localhost:5000/x", RegistryName, "docker://localhost:5000/x"),
        (f"x@{DIGEST}", RegistryName, f"docker://x@{DIGEST}"),
        ("oci:dir", LayoutName, "oci:dir"),
        ("oci:/a/dir:calendar:1", LayoutName, "oci:/a/dir:calendar:1"),
        (f"oci:dir@{DIGEST}", LayoutName, f"oci:dir@{DIGEST}"),
        ("oci-archive:x.tar", OciArchiveName, "oci-archive:x.tar"),
        ("oci-archive:x.tar:1", OciArchiveName, "oci-archive:x.tar:1"),
        ("docker-archive:x.tar", DockerArchiveName, "docker-archive:x.tar"),
        ("docker-archive:x.tar:calendar:1", DockerArchiveName, "docker-archive:x.tar:calendar:1"),
        ("docker-daemon:calendar:1", EngineName, "docker-daemon:calendar:1"),
        ("containers-storage:localhost/calendar:1", EngineName, "containers-storage:localhost/calendar:1"),
        ("rootfs:root.tar.xz", RootfsName, "rootfs:root.tar.xz"),
    ],
)
def test_names_with_and_without_a_prefix(
    text: str, kind: type, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = parse_name(text)
    assert (type(name), str(name)) == (kind, whole)
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    "text",
    ["", "oci:", "oci::x", "docker://", "docker-archive:x.tar@" + DIGEST, "Upper", "rootfs:", "./none", "/none:1"],
)
def test_what_names_nothing(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        parse_name(text)


def test_a_path_that_exists_is_told_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out(Path("layout"), make_image(ROOT))
    pack_folder(Path("layout"), Path("packed"))
    Path("root").write_bytes(ROOT)
    Path("saved").write_bytes(archive(member("x/layer.tar", ROOT), member("manifest.json", b"[]")))
    assert parse_name("layout") == LayoutName(path=Path("layout"))
    assert parse_name("packed") == OciArchiveName(path=Path("packed"))
    assert parse_name("root") == RootfsName(path=Path("root"))
    assert parse_name("saved") == DockerArchiveName(path=Path("saved"))
    assert parse_name("./layout:v1") == LayoutName(path=Path("layout"), tag="v1")
    assert parse_name("layout:v1") == parse_name("docker://layout:v1")
    Path("a:b").mkdir()
    assert parse_name("oci:a:b") == LayoutName(path=Path("a:b"))


def test_a_folder_that_is_no_layout_may_be_meant_as_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("python").mkdir()
    with pytest.raises(InputError, match="lacks oci-layout") as caught:
        parse_name("python")
    assert "docker://python" in caught.value.hint
    os.mkfifo("pipe")
    with pytest.raises(InputError, match="neither a folder nor a regular file"):
        parse_name("pipe")


def test_a_word_on_what_looks_like_a_path_and_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out(Path("layout"), make_image(ROOT))
    pack_folder(Path("layout"), Path("packed.tar"))
    Path("root").write_bytes(ROOT)
    Path("empty").mkdir()
    Path("python").mkdir()
    Path("python", "main.py").touch()
    words = {
        "layout:v1": "oci:layout:v1",
        "layout:a/b:1": "oci:layout:a/b:1",
        f"layout@{DIGEST}": f"oci:layout@{DIGEST}",
        "packed.tar:v1": "oci-archive:packed.tar:v1",
        "empty:v1": "oci:empty:v1",
    }
    for text, place in words.items():
        assert told_apart(text) == f"{text} is taken for an image in a registry; a path is meant by {place}"
    for text in ("layout", "./layout:v1", "oci:layout:v1", "docker://layout:v1", "python:3.13", "root:1", "none:1"):
        assert told_apart(text) == ""


def test_targets_that_do_not_exist_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected: dict[str, ImageName] = {
        "./out": LayoutName(path=Path("out")),
        "./out:1": LayoutName(path=Path("out"), tag="1"),
        "./out.tar": OciArchiveName(path=Path("out.tar")),
        "out": parse_name("docker://out"),
        "oci:out": LayoutName(path=Path("out")),
    }
    for text, name in expected.items():
        assert parse_target(text) == name
    Path("out").mkdir()
    assert parse_target("out") == LayoutName(path=Path("out"))
    with pytest.raises(InputError, match="names a compressed file"):
        parse_target("./out.tar.gz")


def test_a_word_on_skopeo_s_other_places() -> None:
    for text in ("dir:out", "ostree:x@/repo", "sif:x.sif"):
        assert told_apart(text).startswith(f"{text} is taken for an image in a registry; skopeo's ")
        assert told_apart(text, is_target=True) == told_apart(text)


@pytest.mark.parametrize("prefix", ["containers-storage", "docker-daemon"])
def test_an_engine_s_image_is_no_path(prefix: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_name(f"{prefix}:")
    assert caught.value.hint == f"such as {prefix}:REF"


def test_a_word_on_targets_that_nobody_may_push_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text, place in {"out.tar": "oci-archive:out.tar", "out": "oci:out", "out:v1": "oci:out:v1"}.items():
        assert told_apart(text) == ""
        assert told_apart(text, is_target=True).endswith(f"a path is meant by {place}")
    for text in ("me/out", "ghcr.io/out", "docker.io/library/out", "docker://out", "localhost:5000/out", "./out"):
        assert told_apart(text, is_target=True) == ""
