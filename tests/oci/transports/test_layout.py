"""OCI layouts, as folders and as archives: read from whoever made them, written whole or not at all."""

import hashlib
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Image, assemble_image
from basewright.oci.layer import write_layer
from basewright.oci.manifest import Descriptor, RunConfig
from basewright.oci.platform import parse_platform
from basewright.oci.pull import pull_image
from basewright.oci.transports.content import check_exists, check_replaceable
from basewright.oci.transports.layout import LayoutSource
from basewright.oci.transports.layout_folder import FolderSink
from basewright.oci.tree import Tree, file
from basewright.oci.writing import write_layout
from tests.doubles.image import MadeImage, archive, lay_out, make_image, member, pack_folder, render_index, sha256

TAR = archive(member("a", b"hello"))


def pull(path: Path, *, tag: str | None = None) -> Image:
    return pull_image(LayoutSource(path, tag=tag), BlobStore(path.parent / "store"), platform=parse_platform("amd64"))


def refused(path: Path, kind: type[InputError] = HostileInputError, *, tag: str | None = None) -> str:
    with pytest.raises(kind) as caught:
        pull(path, tag=tag)
    assert str(path) in caught.value.message
    return caught.value.message


def built(folder: Path, text: bytes = b"hello") -> Image:
    store, tree = BlobStore(folder), Tree()
    tree.add(file("a", text))
    layer = write_layer(store, tree, created_by="test")
    return assemble_image(store, (layer,), RunConfig(), architecture="amd64", created="2024-01-01T00:00:00Z")


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


# Read


def test_a_folder_and_an_archive_of_it(tmp_path: Path) -> None:
    made = make_image(TAR)
    folder = lay_out(tmp_path / "layout", made)
    assert pull(folder).digest == sha256(made.manifest_bytes)
    assert pull(pack_folder(folder, tmp_path / "layout.tar")).digest == sha256(made.manifest_bytes)


def tagged(tag: str, *tars: bytes) -> MadeImage:
    made = make_image(*tars)
    made.annotations = {"org.opencontainers.image.ref.name": tag}
    return made


def test_one_of_several_images_is_named_by_its_tag(tmp_path: Path) -> None:
    one, two = tagged("one", TAR), tagged("two", TAR, TAR)
    folder = lay_out(tmp_path / "layout", one, two)
    assert pull(folder, tag="two").digest == sha256(two.manifest_bytes)
    with pytest.raises(InputError, match="several images") as caught:
        pull(folder)
    assert caught.value.hint == "name one: one, two"
    with pytest.raises(InputError, match="no image three") as caught:
        pull(folder, tag="three")
    assert caught.value.hint == "it has: one, two"


def test_platforms_of_one_image_are_no_several_images(tmp_path: Path) -> None:
    amd, arm = make_image(TAR), make_image(TAR, architecture="arm64")
    assert pull(lay_out(tmp_path / "layout", arm, amd)).digest == sha256(amd.manifest_bytes)


def test_a_blob_may_be_a_link_since_its_digest_is_checked(tmp_path: Path) -> None:
    made = make_image(TAR)
    folder = lay_out(tmp_path / "layout", made)
    blob = folder / "blobs" / "sha256" / sha256(made.layers[0])[7:]
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    assert pull(folder).digest == sha256(made.manifest_bytes)


# Refused


def test_a_fifo_in_place_of_a_blob_is_never_waited_on(tmp_path: Path) -> None:
    made = make_image(TAR)
    folder = lay_out(tmp_path / "layout", made)
    for name in (f"blobs/sha256/{sha256(made.layers[0])[7:]}", "index.json", "oci-layout"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        assert "no regular file" in refused(folder)
    (folder / "oci-layout").unlink()
    (folder / "oci-layout").symlink_to("/dev/zero")
    assert "no regular file" in refused(folder)


def test_what_a_layout_lacks(tmp_path: Path) -> None:
    made = make_image(TAR)
    names = ("oci-layout", "index.json", *(f"blobs/sha256/{digest[7:]}" for digest in made.blobs))
    for number, name in enumerate(names):
        folder = lay_out(tmp_path / str(number) / "layout", made)
        (folder / name).unlink()
        assert f"lacks {name}" in refused(folder, InputError)


def test_a_layout_of_another_version(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "layout", make_image(TAR))
    for text, message in (
        (b"{}", "damaged"),
        (b"x", "damaged"),
        (b'{"imageLayoutVersion": "2.0.0"}', "version '2.0.0'"),
    ):
        (folder / "oci-layout").write_bytes(text)
        assert message in refused(folder, InputError)


def test_an_index_that_is_none_or_empty(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "layout", make_image(TAR), index=make_image(TAR).manifest_bytes)
    assert "is no index" in refused(folder)
    (folder / "index.json").write_bytes(render_index([]))
    assert "has no image" in refused(folder, InputError)
    (folder / "index.json").write_bytes(b"{")
    assert "no JSON" in refused(folder)


def test_a_manifest_whose_bytes_are_others(tmp_path: Path) -> None:
    made = make_image(TAR)
    other = make_image(TAR, TAR)
    digest = sha256(made.manifest_bytes)
    folder = lay_out(tmp_path / "layout", made, extra=other.blobs | {digest: other.manifest_bytes})
    assert "another digest" in refused(folder)
    lying = made.descriptor() | {"size": 1}
    (lay_out(tmp_path / "layout", made) / "index.json").write_bytes(render_index([lying]))
    assert "another size" in refused(folder)


def test_a_layer_whose_bytes_are_others(tmp_path: Path) -> None:
    made = make_image(TAR)
    digest = sha256(made.layers[0])
    longer, other = made.layers[0] + b"x", bytes(len(made.layers[0]))
    assert "larger than the" in refused(lay_out(tmp_path / "1" / "layout", made, extra={digest: longer}))
    assert "has the digest" in refused(lay_out(tmp_path / "2" / "layout", made, extra={digest: other}))
    assert "has the digest" in refused(lay_out(tmp_path / "3" / "layout", made, extra={digest: b""}))


def test_an_archive_that_is_damaged_or_cut_off(tmp_path: Path) -> None:
    path = pack_folder(lay_out(tmp_path / "layout", make_image(TAR)), tmp_path / "layout.tar")
    data = path.read_bytes()
    path.write_bytes(data[:700])
    with pytest.raises(HostileInputError, match=r"layout.tar: the archive is cut off"):
        pull(path)
    path.write_bytes(b"x" * 2000)
    with pytest.raises(HostileInputError, match="checksum"):
        pull(path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        pull(tmp_path / "none.tar")


# Written


def test_a_layout_that_is_written_is_read_again(tmp_path: Path) -> None:
    image = built(tmp_path / "cache")
    for path in (tmp_path / "layout", tmp_path / "layout.tar"):
        write_layout(image, path, reference="calendar:1")
        again = pull(path, tag="calendar:1")
        assert (again.digest, again.config) == (image.digest, image.config)
    assert sorted(files(tmp_path / "layout")) == sorted(
        [
            "index.json",
            "oci-layout",
            *(
                f"blobs/sha256/{each[7:]}"
                for each in (image.digest, image.manifest.config.digest, image.layers[0].digest)
            ),
        ]
    )


def test_an_archive_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one.tar", "two.tar"):
        write_layout(built(tmp_path / name.partition(".")[0]), tmp_path / name, reference="x")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as opened:
        assert {each.mtime for each in opened} == {0}


def test_an_archive_is_one_for_docker_load_too(tmp_path: Path) -> None:
    image = built(tmp_path / "cache")
    write_layout(image, tmp_path / "out.tar", reference="calendar:1")
    with tarfile.open(tmp_path / "out.tar") as opened:
        names = opened.getnames()
        data = opened.extractfile("manifest.json")
        assert data is not None
        (item,) = json.loads(data.read())
    assert item["RepoTags"] == ["calendar:1"]
    assert {item["Config"], *item["Layers"]} <= set(names)
    assert names.index("oci-layout") < names.index("manifest.json")  # read again as a layout


@pytest.mark.parametrize(
    ("reference", "name"), [("calendar:1", "docker.io/library/calendar:1"), ("calendar-:1", None), ("A:1", None)]
)
def test_an_image_is_named_where_an_engine_takes_the_name(tmp_path: Path, reference: str, name: str | None) -> None:
    write_layout(built(tmp_path / "cache"), tmp_path / "out", reference=reference)
    annotations = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"][0]["annotations"]
    assert annotations["org.opencontainers.image.ref.name"] == reference
    assert annotations.get("io.containerd.image.name") == name


def test_a_docker_manifest_is_written_as_it_is(tmp_path: Path) -> None:
    made = make_image(TAR)
    made.manifest["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    descriptor = made.descriptor() | {"mediaType": made.manifest["mediaType"]}
    image = pull(lay_out(tmp_path / "in" / "layout", made, index=render_index([descriptor])))
    write_layout(image, tmp_path / "out", reference="x")
    index = json.loads((tmp_path / "out" / "index.json").read_bytes())
    assert index["manifests"][0]["mediaType"] == made.manifest["mediaType"]
    assert index["manifests"][0]["digest"] == sha256(made.manifest_bytes)


def test_an_image_with_other_digests_is_written_as_well(tmp_path: Path) -> None:
    made = make_image(TAR)
    wide = "sha512:" + hashlib.sha512(made.config_bytes).hexdigest()
    config = made.manifest["config"]
    assert isinstance(config, dict)
    made.manifest["config"] = config | {"digest": wide}
    image = pull(lay_out(tmp_path / "layout", made, extra={wide: made.config_bytes}))
    for path in (tmp_path / "out", tmp_path / "out.tar"):
        write_layout(image, path, reference="x")
        assert pull(path).digest == image.digest


def test_another_image_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    write_layout(built(tmp_path / "cache"), tmp_path / "layout", reference="x")
    image = built(tmp_path / "cache", b"other")
    write_layout(image, tmp_path / "layout", reference="x")
    assert pull(tmp_path / "layout").digest == image.digest
    assert len(files(tmp_path / "layout")) == 5


def test_nothing_of_the_user_s_is_overwritten(tmp_path: Path) -> None:
    image = built(tmp_path / "cache")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").write_text("dear")
    with pytest.raises(InputError, match="holds other files"):
        write_layout(image, mine, reference="x")
    with pytest.raises(InputError, match="is a file"):
        write_layout(image, mine / "letter", reference="x")
    assert files(mine) == {"letter": b"dear"}


def test_a_damaged_blob_of_the_cache_is_not_passed_on(tmp_path: Path) -> None:
    image = built(tmp_path / "cache")
    blob = image.store().path(image.layers[0].digest)
    blob.write_bytes(bytes(blob.stat().st_size))
    for path in (tmp_path / "layout", tmp_path / "layout.tar"):
        with pytest.raises(HostileInputError):
            write_layout(image, path, reference="x")
    assert not (tmp_path / "layout.tar").exists()
    assert not (tmp_path / "layout" / "index.json").exists()
    blob.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        write_layout(image, tmp_path / "layout.tar", reference="x")


def test_the_images_of_others_in_a_layout_stay(tmp_path: Path) -> None:
    theirs, ours = built(tmp_path / "cache"), built(tmp_path / "cache", b"ours")
    path = tmp_path / "out"
    write_layout(theirs, path, reference="theirs:1")
    document = json.loads((path / "index.json").read_bytes())
    document["manifests"][0]["unknown"] = {"kept": True}
    (path / "index.json").write_text(json.dumps(document))
    write_layout(ours, path, reference="ours:1")
    write_layout(built(tmp_path / "cache", b"ours too"), path, reference="ours:1")
    listed = json.loads((path / "index.json").read_bytes())["manifests"]
    assert listed[0] == document["manifests"][0]
    assert [each["annotations"]["org.opencontainers.image.ref.name"] for each in listed] == ["theirs:1", "ours:1"]
    assert pull(path, tag="theirs:1").digest == theirs.digest
    assert not (path / "blobs" / "sha256" / ours.digest[7:]).exists()
    assert len(files(path)) == 8


def test_a_manifest_with_a_subject_is_not_the_image(tmp_path: Path) -> None:
    """Whatever the layout's index says of it, which is often nothing."""
    image, about = tagged("one", TAR), make_image(TAR, TAR)
    manifest = json.loads(about.manifest_bytes)
    subject = {key: value for key, value in image.descriptor().items() if key != "annotations"}
    signature = json.dumps(manifest | {"subject": subject}).encode()
    listed = [image.descriptor(), about.descriptor() | {"digest": sha256(signature), "size": len(signature)}]
    folder = lay_out(
        tmp_path / "layout", image, about, index=render_index(listed), extra={sha256(signature): signature}
    )
    assert pull(folder).digest == sha256(image.manifest_bytes)


def test_what_ko_lists_is_an_image_beside_a_signature(tmp_path: Path) -> None:
    image, signature = make_image(TAR), make_image(TAR, TAR)
    kinds = ("application/vnd.oci.image.config.v1+json", "application/vnd.dev.cosign.artifact.sig.v1+json")
    listed = [each.descriptor() | {"artifactType": kind} for each, kind in zip((image, signature), kinds, strict=True)]
    folder = lay_out(tmp_path / "layout", image, signature, index=render_index(listed))
    assert pull(folder).digest == sha256(image.manifest_bytes)


def test_a_layout_without_images_has_nothing_to_name(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "layout", make_image(TAR), index=render_index([]))
    with pytest.raises(InputError, match="has no image") as caught:
        pull(folder)
    assert not caught.value.hint


def test_what_is_being_written_goes_when_the_user_goes(tmp_path: Path) -> None:
    """Ctrl-C ends the program while threads write."""
    data, began, stop = b"x" * 100, threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        yield data
        began.set()
        stop.wait(10)

    sink = FolderSink(tmp_path / "new", tag=None, whole_name=None)
    descriptor = Descriptor(media_type="x", digest=Digest.of(data), size=len(data))

    def write() -> None:
        with suppress(InputError):
            sink.put_blob(descriptor, chunks())

    writer = threading.Thread(target=write)
    writer.start()
    began.wait(10)
    sink.close()
    left = list(tmp_path.rglob("*"))
    stop.set()
    writer.join()
    assert left == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_place_that_another_user_may_not_look_into(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "closed").mkdir(mode=0o700)
    place = tmp_path / "closed" / "image.tar"
    os.seteuid(65534)
    try:
        with pytest.raises(InputError, match="cannot be written: Permission denied"):
            check_replaceable(place)
        with pytest.raises(InputError, match="cannot be read: Permission denied"):
            check_exists(place)
    finally:
        os.seteuid(0)
