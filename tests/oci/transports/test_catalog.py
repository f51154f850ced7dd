"""Names of places, as skopeo writes them and without a prefix."""

import os
from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.oci.platform import parse_platform
from basewright.oci.transports.catalog import (
    DockerArchiveName,
    EngineName,
    ImageName,
    LayoutName,
    OciArchiveName,
    RegistryName,
    RootfsName,
    open_file,
    parse_name,
    parse_target,
    told_apart,
)
from basewright.oci.transports.layout import LayoutSource
from tests.doubles.image import archive, lay_out, make_image, member, pack_folder, render_index, sha256

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
        assert told_apart(text) == f"{text} names an image in a registry; what is here is {place}"
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


def test_one_of_several_images_by_tag_digest_or_whole_name(tmp_path: Path) -> None:
    one, two = make_image(ROOT), make_image(ROOT, ROOT)
    one.annotations = {REF_NAME: "1", "io.containerd.image.name": "docker.io/library/calendar:1"}
    path = lay_out(tmp_path / "layout", one, two)
    two_digest = sha256(two.manifest_bytes)
    for text, image in (
        (f"oci:{path}:1", one),
        (f"oci:{path}:calendar:1", one),
        (f"oci:{path}@{two_digest}", two),
    ):
        name = parse_name(text)
        assert isinstance(name, LayoutName)
        with open_file(name, platform=parse_platform("amd64"), created="") as source:
            assert source.manifest(None) == image.manifest_bytes
    with pytest.raises(InputError, match="several images") as caught:
        LayoutSource(path).manifest(None)
    assert caught.value.hint == f"name one: 1, @{two_digest}"


def test_nameless_images_are_several_unless_each_has_a_platform(tmp_path: Path) -> None:
    one, two = make_image(ROOT), make_image(ROOT, ROOT)
    for platform in (one.platform, None):
        one.platform = two.platform = platform
        path = lay_out(tmp_path / str(platform), one, two)
        with pytest.raises(InputError, match="several images"):
            LayoutSource(path).manifest(None)


def test_what_is_about_an_image_is_no_other_image(tmp_path: Path) -> None:
    image, signature = make_image(ROOT), make_image(ROOT, ROOT)
    image.annotations = {REF_NAME: "1"}
    signature.annotations = {REF_NAME: sha256(image.manifest_bytes).replace(":", "-") + ".sig"}
    listed = [
        image.descriptor(),
        signature.descriptor(),
        signature.descriptor() | {"artifactType": "x/y", "annotations": {}},
    ]
    path = lay_out(tmp_path / "layout", image, signature, index=render_index(listed))
    assert LayoutSource(path).manifest(None) == image.manifest_bytes
