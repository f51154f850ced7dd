"""Files that are an image or a root filesystem, told by what is in them."""

import bz2
import json
import lzma
import os
import tarfile
from pathlib import Path

import msgspec
import pytest

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.image import Image
from basewright.oci.layer import read_layer
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.platform import parse_platform
from basewright.oci.transports.archive import read_archive
from basewright.oci.transports.catalog import open_file
from basewright.oci.transports.image_name import RootfsName
from tests.doubles.image import MadeImage, archive, as_json, lay_out, make_image, member, pack_folder, packed, sha256

ROOT = archive(member("./etc", kind=b"5"), member("./etc/os-release", b"ID=alpine\n"), member("./bin/sh", b"#!"))
CREATED = "2024-01-01T00:00:00Z"
AMD64 = parse_platform("linux/amd64")


def read(path: Path, *, tag: str | None = None) -> Image:
    return read_archive(path, BlobStore(path.parent / "store"), platform=AMD64, created=CREATED, tag=tag)


def refused(path: Path, kind: type[InputError] = InputError, *, tag: str | None = None) -> str:
    with pytest.raises(kind) as caught:
        read(path, tag=tag)
    assert path.name in caught.value.message
    return caught.value.message


def names(image: Image) -> list[str]:
    found = []
    for layer in image.layers:
        with image.store().open(layer.digest) as file:
            content = read_layer(file, name="layer", compressed_bytes=layer.descriptor.size)
        assert content.diff_id == layer.diff_id
        found += [each.path for each in content.entries]
    return found


def docker_archive(path: Path, *images: tuple[MadeImage, list[str]], first: tuple[bytes, ...] = ()) -> Path:
    """As `docker save` and skopeo write it: uncompressed layers, manifest.json at the end."""
    items, members = [], list(first)
    for number, (made, tags) in enumerate(images):
        layers = []
        for index, layer in enumerate(made.layers):
            layers.append(f"{number}-{index}/layer.tar")
            members.append(member(layers[-1], layer))
        members.append(member(f"{number}.json", made.config_bytes))
        items.append({"Config": f"{number}.json", "RepoTags": tags, "Layers": layers})
    path.write_bytes(archive(*members, member("manifest.json", as_json(items))))
    return path


# Root filesystems


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar", "xz", "bz2"])
def test_a_root_filesystem_is_one_layer(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "root.tar.any"
    path.write_bytes({"xz": lzma.compress(ROOT), "bz2": bz2.compress(ROOT)}.get(packing) or packed(ROOT, packing))
    image = read(path)
    assert names(image) == ["etc", "etc/os-release", "bin/sh"]
    assert [layer.diff_id for layer in image.layers] == [sha256(ROOT)]
    assert (image.config.architecture, image.config.created) == ("amd64", CREATED)
    assert image.config.rootfs.diff_ids == (sha256(ROOT),)


def test_a_gzip_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "root.tar.gz"
    path.write_bytes(packed(ROOT, "gzip"))
    assert read(path).layers[0].digest == sha256(path.read_bytes())


# Images


def test_oci_layouts_and_archives(tmp_path: Path) -> None:
    made = make_image(ROOT)
    folder = lay_out(tmp_path / "layout", made)
    assert read(folder).digest == sha256(made.manifest_bytes)
    assert read(pack_folder(folder, tmp_path / "x.tar")).digest == sha256(made.manifest_bytes)


@pytest.mark.parametrize("packing", ["tar", "gzip"])
def test_a_docker_archive(tmp_path: Path, packing: str) -> None:
    made = make_image(ROOT, archive(member("new")), packing=packing)
    image = read(docker_archive(tmp_path / "saved.tar", (made, ["calendar:1"])))
    assert names(image) == ["etc", "etc/os-release", "bin/sh", "new"]
    assert image.config.config.user == "7"
    assert image.config.config.env == ("A=b",)


def test_one_of_several_images_is_named(tmp_path: Path) -> None:
    one, two = make_image(ROOT, packing="tar"), make_image(ROOT, archive(member("two")), packing="tar")
    path = docker_archive(tmp_path / "saved.tar", (one, ["calendar:1"]), (two, ["calendar:10", "other:2"]))
    assert len(read(path, tag="1").layers) == 1
    assert len(read(path, tag="calendar:10").layers) == 2
    assert len(read(path, tag="other:2").layers) == 2
    with pytest.raises(InputError, match="holds 2 images where one is needed") as caught:
        read(path)
    assert caught.value.hint == "it has: calendar:1, calendar:10, other:2"
    assert "has no image 0" in refused(path, tag="0")


def test_layers_that_docker_before_25_linked(tmp_path: Path) -> None:
    made = make_image(ROOT, ROOT, packing="tar")
    items = [{"Config": "c.json", "RepoTags": None, "Layers": ["a/layer.tar", "b/layer.tar"]}]
    path = tmp_path / "saved.tar"
    path.write_bytes(
        archive(
            member("b/layer.tar", kind=b"2", link="../a/layer.tar"),
            member("a/layer.tar", ROOT),
            member("c.json", made.config_bytes),
            member("manifest.json", as_json(items)),
        )
    )
    assert len(read(path).layers) == 2


def test_an_image_without_layers(tmp_path: Path) -> None:
    path = tmp_path / "saved.tar"
    items = [{"Config": "c.json", "RepoTags": None, "Layers": None}]
    path.write_bytes(archive(member("c.json", make_image().config_bytes), member("manifest.json", as_json(items))))
    assert read(path).layers == ()


# Refused


def test_a_docker_archive_that_lies(tmp_path: Path) -> None:
    made = make_image(ROOT, packing="tar")
    made.config["rootfs"] = {"type": "layers", "diff_ids": [sha256(b"x")]}
    assert "does not have the diff id" in refused(docker_archive(tmp_path / "1.tar", (made, [])), HostileInputError)
    made.config["rootfs"] = {"type": "layers", "diff_ids": []}
    assert "1 layers and 0 diff ids" in refused(docker_archive(tmp_path / "2.tar", (made, [])), HostileInputError)
    assert "linux/arm64" in refused(docker_archive(tmp_path / "3.tar", (make_image(architecture="arm64"), [])))


def test_a_docker_archive_that_lacks_or_leaves(tmp_path: Path) -> None:
    path = tmp_path / "saved.tar"
    for layer in ("none/layer.tar", "../../etc/passwd", "/etc/passwd"):
        items = [{"Config": "c.json", "RepoTags": None, "Layers": [layer]}]
        path.write_bytes(
            archive(
                member("c.json", make_image(ROOT).config_bytes),
                member("none/layer.tar", kind=b"2", link="../../../../../../etc/passwd"),
                member("manifest.json", as_json(items)),
            )
        )
        assert f"lacks {layer}" in refused(path)
    path.write_bytes(archive(member("manifest.json", b"{}")))
    assert "is damaged" in refused(path, HostileInputError)


@pytest.mark.parametrize("packing", ["gzip", "zstd", "xz", "bz2"])
def test_an_archive_that_is_compressed_as_a_whole(tmp_path: Path, packing: str) -> None:
    made = make_image(ROOT, packing="tar")
    saved = docker_archive(tmp_path / "saved.tar", (made, []))
    layout = pack_folder(lay_out(tmp_path / "layout", made), tmp_path / "layout.tar")
    for path in (saved, layout):
        tar = path.read_bytes()
        path.write_bytes({"xz": lzma.compress(tar), "bz2": bz2.compress(tar)}.get(packing) or packed(tar, packing))
        assert names(read(path)) == ["etc", "etc/os-release", "bin/sh"]


def test_a_layer_that_no_layer_may_be_packed_with(tmp_path: Path) -> None:
    made = make_image(ROOT, packing="tar")
    made.layers = [lzma.compress(ROOT)]
    assert "xz or bzip2" in refused(docker_archive(tmp_path / "saved.tar", (made, [])), HostileInputError)


def test_what_is_neither(tmp_path: Path) -> None:
    path = tmp_path / "thing"
    path.write_bytes(archive(member("letter.txt", b"dear")))
    assert "neither an image nor a root filesystem" in refused(path)
    for data in (
        b"just text, long enough to be no archive at all" * 50,
        b"\x1f\x8bnot gzip",
        b"PK\x03\x04" + bytes(600),
    ):
        path.write_bytes(data)
        assert refused(path).startswith(f"{path}: ")
    path.write_bytes(b"")
    assert "neither" in refused(path)
    path.unlink()
    assert "cannot be read: No such file" in refused(path)
    os.mkfifo(path)
    assert "neither a folder nor a regular file" in refused(path)


def test_an_empty_folder_is_no_layout(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "lacks oci-layout" in refused(folder)


def test_a_bomb_is_refused_while_it_is_unpacked(tmp_path: Path) -> None:
    limits = LayerLimits(ratio_floor_bytes=1 << 20)
    path = tmp_path / "root.tar.gz"
    path.write_bytes(packed(archive(member("etc/zeros", bytes(20 << 20))), "gzip"))
    with (
        open_file(RootfsName(path=path), platform=AMD64, created=CREATED, limits=limits) as source,
        pytest.raises(HostileInputError, match="more than 200 times"),
    ):
        source.manifest(None)


@pytest.mark.parametrize("data", [b"root:x:0:0::/root:/bin/sh\n" * 100, b"", bytes(1024), ROOT[:700], ROOT + b"more"])
def test_a_root_filesystem_is_an_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "root").write_bytes(data)
    with (
        open_file(RootfsName(path=tmp_path / "root"), platform=AMD64, created=CREATED) as source,
        pytest.raises(InputError) as caught,
    ):
        source.manifest(None)
    assert "root" in caught.value.message


def test_archives_of_python_itself(tmp_path: Path) -> None:
    made = make_image(ROOT)
    path = pack_folder(lay_out(tmp_path / "layout", made), tmp_path / "layout.tar")
    with tarfile.open(path) as opened:
        index = opened.extractfile("./index.json")
        assert index is not None
        assert msgspec.json.decode(index.read()) == json.loads((tmp_path / "layout" / "index.json").read_bytes())
    assert read(path).digest == sha256(made.manifest_bytes)
