"""Places opened by their names: which of the images there is meant."""

from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.oci.platform import parse_platform
from basewright.oci.transports.catalog import open_file
from basewright.oci.transports.image_name import DockerArchiveName, LayoutName, OciArchiveName, parse_name
from basewright.oci.transports.layout import LayoutSource
from tests.doubles.image import archive, lay_out, make_image, member, render_index, sha256

ROOT = archive(member("etc/os-release", b"ID=x\n"))
REF_NAME = "org.opencontainers.image.ref.name"


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


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    lay_out(tmp_path / "layout", make_image(ROOT))
    for kind in (OciArchiveName, DockerArchiveName):
        place = open_file(kind(path=tmp_path / "layout"), platform=parse_platform("amd64"), created="")
        with pytest.raises(InputError, match="is a folder") as caught, place:
            pass
        assert caught.value.hint == f"an OCI layout is named oci:{tmp_path}/layout"


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
