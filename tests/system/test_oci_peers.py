"""Others read what is written here, and what others write is read here: skopeo and umoci of Debian."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from tests.doubles.image import archive, lay_out, make_image, member, render_index, sha256

from basewright.oci.blob import BlobStore
from basewright.oci.filesystem import flatten
from basewright.oci.image import Image, assemble_image
from basewright.oci.layer import read_layer, write_layer
from basewright.oci.manifest import RunConfig
from basewright.oci.platform import parse_platform
from basewright.oci.transports.archive import read_archive
from basewright.oci.tree import Entry, FileType, Tree, directory, file, symlink
from basewright.oci.writing import write_layout

CREATED = "2024-01-01T00:00:00Z"
AMD64 = parse_platform("linux/amd64")


def needs(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def skopeo(*words: object) -> bytes:
    argv = [needs("skopeo"), "--insecure-policy", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def rich_tree() -> Tree:
    """Something of everything that a layer may hold."""
    tree = Tree()
    tree.add(file("etc/os-release", b"ID=test\n"))
    tree.add(file("usr/bin/tool", b"\x7fELF" * 5000, mode=0o4755, uid=3, gid=70_000))
    tree.add(file("deep/" + "d" * 90 + "/" + "f" * 150, b"long"))
    tree.add(file("naïve/日本", b"text"))
    tree.add(symlink("bin", "usr/bin"))
    tree.add(symlink("out", "../../" + "x" * 150))
    tree.add(directory("tmp", mode=0o1777))
    tree.add(file("empty", b""))
    tree.add(Entry(path="hard", type=FileType.HARDLINK, mode=0o4755, link="usr/bin/tool"))
    return tree


@pytest.fixture
def image(tmp_path: Path) -> Image:
    store, second = BlobStore(tmp_path / "cache"), Tree()
    second.add(file("app/main", b"hello", mode=0o755))
    second.add(file("etc/.wh.os-release", b""))
    layers = tuple(write_layer(store, tree, created_by="test") for tree in (rich_tree(), second))
    run = RunConfig(
        user="65532", env=("A=b",), entrypoint=("/app/main",), exposed_ports={"80/tcp": {}}, labels={"l": "v"}
    )
    return assemble_image(store, layers, run, architecture="amd64", created=CREATED, annotations={"a": "b"})


def facts(image: Image) -> list[tuple[object, ...]]:
    """Every name of the flattened filesystem with what it is."""
    contents = []
    for layer in image.layers:
        with image.store().open(layer.digest) as blob:
            content = read_layer(blob, name="x", compressed_bytes=layer.descriptor.size, keep=lambda _: True)
        assert content.diff_id == layer.diff_id
        contents.append(content.entries)
    return [
        (each.path, each.type, each.mode, each.uid, each.gid, each.link, each.data) for each in flatten(contents).tree
    ]


# skopeo


@pytest.mark.parametrize("kind", ["oci:{}/layout:calendar", "oci-archive:{}/layout.tar:calendar"])
def test_skopeo_reads_our_layouts_and_archives(tmp_path: Path, image: Image, kind: str) -> None:
    path = tmp_path / ("layout.tar" if "archive" in kind else "layout")
    write_layout(image, path, reference="calendar")
    told = msgspec.json.decode(skopeo("inspect", kind.format(tmp_path)), type=dict[str, object])
    assert told["Digest"] == image.digest
    assert told["Labels"] == {"l": "v"}
    assert (told["Architecture"], told["Os"], told["Created"]) == ("amd64", "linux", CREATED)


@pytest.mark.parametrize(
    "target", ["docker-archive:{}/saved.tar:calendar:1", "oci-archive:{}/saved.tar", "oci:{}/saved"]
)
def test_what_skopeo_copies_is_the_same_filesystem(tmp_path: Path, image: Image, target: str) -> None:
    write_layout(image, tmp_path / "layout", reference="calendar")
    skopeo("copy", f"oci:{tmp_path}/layout:calendar", target.format(tmp_path))
    path = tmp_path / ("saved" if target.endswith("saved") else "saved.tar")
    again = read_archive(path, BlobStore(tmp_path / "again"), platform=AMD64, created=CREATED)
    assert facts(again) == facts(image)
    assert again.config.config == image.config.config
    assert again.config.rootfs == image.config.rootfs
    if target.startswith("oci"):
        assert again.digest == image.digest


def test_a_docker_archive_goes_there_and_back(tmp_path: Path, image: Image) -> None:
    write_layout(image, tmp_path / "layout", reference="calendar")
    skopeo("copy", f"oci:{tmp_path}/layout:calendar", f"docker-archive:{tmp_path}/saved.tar:calendar:1")
    again = read_archive(tmp_path / "saved.tar", BlobStore(tmp_path / "again"), platform=AMD64, created=CREATED)
    write_layout(again, tmp_path / "back", reference="calendar")
    skopeo("copy", f"oci:{tmp_path}/back:calendar", f"docker-archive:{tmp_path}/twice.tar:calendar:1")
    twice = read_archive(tmp_path / "twice.tar", BlobStore(tmp_path / "3"), platform=AMD64, created=CREATED)
    assert facts(twice) == facts(image)


def test_docker_s_own_manifest_is_read(tmp_path: Path, image: Image) -> None:
    write_layout(image, tmp_path / "layout", reference="calendar")
    skopeo("copy", "--format", "v2s2", f"oci:{tmp_path}/layout:calendar", f"dir:{tmp_path}/dir")
    manifest = (tmp_path / "dir" / "manifest.json").read_bytes()
    blobs = {f"sha256:{each.name}": each.read_bytes() for each in (tmp_path / "dir").iterdir() if len(each.name) == 64}
    descriptor = {
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "digest": sha256(manifest),
        "size": len(manifest),
    }
    folder = lay_out(tmp_path / "docker", index=render_index([descriptor]), extra=blobs | {sha256(manifest): manifest})
    again = read_archive(folder, BlobStore(tmp_path / "again"), platform=AMD64, created=CREATED)
    assert again.manifest_bytes == manifest
    assert facts(again) == facts(image)


@pytest.mark.parametrize("format", ["gzip", "zstd"])
def test_layers_that_skopeo_packed(tmp_path: Path, image: Image, format: str) -> None:
    write_layout(image, tmp_path / "layout", reference="calendar")
    skopeo(
        "copy",
        "--dest-compress-format",
        format,
        "--dest-compress-level",
        "1",
        f"oci:{tmp_path}/layout:calendar",
        f"docker-archive:{tmp_path}/s.tar",
    )
    skopeo(
        "copy",
        "--dest-compress",
        "--dest-compress-format",
        format,
        f"docker-archive:{tmp_path}/s.tar",
        f"oci:{tmp_path}/packed",
    )
    again = read_archive(tmp_path / "packed", BlobStore(tmp_path / "again"), platform=AMD64, created=CREATED)
    assert again.layers[0].descriptor.media_type.endswith(format)
    assert facts(again) == facts(image)


# umoci

DIRECTORY, HARD, SOFT = b"5", b"1", b"2"
STACKS: Mapping[str, tuple[tuple[bytes, ...], ...]] = {
    "overwritten": ((member("a", b"old"), member("b")), (member("a", b"newer"),)),
    "same name twice": ((member("a", b"1"), member("./a", b"22"), member("/a", b"333")),),
    "folder kept": ((member("d", kind=DIRECTORY), member("d/x")), (member("d", kind=DIRECTORY, mode=0o700),)),
    "folder replaced": ((member("d/x/y", b"1"),), (member("d", b"file"),)),
    "folder over a link": (
        (member("usr/lib/x"), member("lib", kind=SOFT, link="usr/lib")),
        (member("lib", kind=DIRECTORY), member("lib/y")),
    ),
    "whiteouts": ((member("a"), member("d/x"), member("keep")), (member(".wh.a"), member(".wh.d"))),
    "opaque": ((member("d/old"), member("d/s/old")), (member("d/.wh..wh..opq"), member("d/new"))),
    "whiteout through a link": (
        (member("usr/lib/x"), member("lib", kind=SOFT, link="usr/lib"), member("usr/lib/y")),
        (member("lib/.wh.x"),),
    ),
    "absolute links": (
        (member("etc/x"), member("abs", kind=SOFT, link="/etc"), member("up", kind=SOFT, link="../../../etc")),
        (member("abs/y", b"1"), member("up/z", b"2")),
    ),
    "link to nothing": ((member("s", kind=SOFT, link="/a/b"),), (member("s/x"),)),
    "hard links": (
        (member("a", b"123"), member("b", kind=HARD, link="a")),
        (member("c", kind=HARD, link="b"), member(".wh.a")),
    ),
    "hard link rewritten": ((member("a", b"123"), member("b", kind=HARD, link="a")), (member("a", b"4"),)),
    "hard link to a link": (
        (member("x", b"1"), member("s", kind=SOFT, link="x")),
        (member("t", kind=HARD, link="s"),),
    ),
    "dots in names": ((member("./a/./b"), member("a/../c"), member("a//d/")),),
    "long names": ((member("n" * 200, b"1"), member("l", kind=SOFT, link="t" * 300)),),
}


def on_disk(root: Path) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for each in sorted(root.rglob("*")):
        path, mode = str(each.relative_to(root)), each.lstat().st_mode & 0o7777
        if each.is_symlink():
            found.append((path, FileType.SYMLINK, str(each.readlink()), b""))
        elif each.is_dir():
            found.append((path, FileType.DIRECTORY, mode, b""))
        else:
            found.append((path, FileType.FILE, mode, each.read_bytes()))
    return found


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("packing", ["gzip", "tar"])
def test_umoci_unpacks_what_we_flatten(tmp_path: Path, name: str, packing: str) -> None:
    needs("umoci")
    made = make_image(*(archive(*members) for members in STACKS[name]), packing=packing)
    made.annotations = {"org.opencontainers.image.ref.name": "x"}
    if packing == "tar":
        layers = made.manifest["layers"]
        assert isinstance(layers, list)
        for layer in layers:
            layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar"
    folder = lay_out(tmp_path / "layout", made)
    argv = ["umoci", "unpack", "--rootless", "--image", f"{folder}:x", str(tmp_path / "bundle")]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    image = read_archive(folder, BlobStore(tmp_path / "store"), platform=AMD64, created=CREATED)
    ours = [
        (path, kind, link if kind is FileType.SYMLINK else mode, data or b"")
        for path, kind, mode, _, _, link, data in sorted(facts(image), key=lambda each: Path(str(each[0])))
    ]
    assert ours == on_disk(tmp_path / "bundle" / "rootfs")
