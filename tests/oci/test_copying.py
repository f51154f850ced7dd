"""Copies: every digest as it was, each blob once, nothing half-done; and what some places cannot keep is said."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from basewright._http import PooledHttp
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.oci.copying import Copied, copy_image
from basewright.oci.digest import Digest
from basewright.oci.manifest import Descriptor, ImagePlatform
from basewright.oci.platform import parse_platform
from basewright.oci.reference import parse_reference
from basewright.oci.transports.catalog import carried_name, open_file
from basewright.oci.transports.content import check_replaceable
from basewright.oci.transports.docker_archive import DockerArchiveSink
from basewright.oci.transports.image_name import FileName, ImageName, parse_name
from basewright.oci.transports.layout import LayoutSource
from basewright.oci.transports.layout_archive import ArchiveSink
from basewright.oci.transports.layout_folder import FolderSink
from basewright.oci.transports.registry import RegistrySink, RegistrySource
from basewright.oci.transports.transport import Sink, Source
from tests.doubles.image import (
    OCI_INDEX,
    OCI_MANIFEST,
    MadeImage,
    archive,
    as_json,
    lay_out,
    listing,
    make_image,
    member,
    pack_folder,
    render_index,
    sha256,
)
from tests.doubles.registry import running_registry

TAR, OTHER = archive(member("a", b"hello")), archive(member("b", b"other"))
AMD64 = parse_platform("linux/amd64")
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
REF_NAME = "org.opencontainers.image.ref.name"
ATTESTED = "its attestations (provenance, SBOM)"


def copy(
    source: Source, sink: Sink, *, platform: ImagePlatform | None = None, referrers: bool = False
) -> tuple[Copied, list[str]]:
    told: list[str] = []

    def notice(text: str) -> None:
        told.append(text)

    try:
        done = copy_image(
            source,
            sink,
            platform=platform,
            referrers=referrers,
            progress=lambda text: None,
            notice=notice,
        )
    finally:
        sink.close()
    return done, told


def folder(path: Path, tag: str | None = None) -> FolderSink:
    return FolderSink(path, tag=tag, whole_name=None)


def blobs(path: Path) -> dict[str, bytes]:
    return {
        f"{each.parent.name}:{each.name}": each.read_bytes() for each in (path / "blobs").rglob("*") if each.is_file()
    }


def two_platforms() -> tuple[bytes, dict[str, bytes]]:
    """An index with fields that nobody knows, and everything that it leads to."""
    amd, arm = make_image(TAR, OTHER), make_image(TAR, architecture="arm64")
    attestation = make_image(archive(member("sbom")))
    attestation.platform = {"os": "unknown", "architecture": "unknown"}
    attestation.annotations = {"vnd.docker.reference.type": "attestation-manifest"}
    images = (amd, arm, attestation)
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [each.descriptor() | {"unknown": 1} for each in images],
        "unknown": {"b": [1.50, "é"], "a": None},
        "annotations": {"x": "y"},
    }
    top = json.dumps(index, indent=3).encode()
    contents = {sha256(top): top}
    for each in images:
        contents |= each.blobs
    return top, contents


def laid_out(path: Path, top: bytes, contents: Mapping[str, bytes], *, media_type: str = OCI_INDEX) -> LayoutSource:
    descriptor = {"mediaType": media_type, "digest": sha256(top), "size": len(top), "annotations": {REF_NAME: "t"}}
    return LayoutSource(lay_out(path, index=render_index([descriptor]), extra=contents))


# Byte for byte


def test_all_platforms_with_every_byte_as_it_was(tmp_path: Path) -> None:
    top, contents = two_platforms()
    source = laid_out(tmp_path / "in", top, contents)
    done, _ = copy(source, folder(tmp_path / "folder"))
    assert (done.digest, done.lost) == (sha256(top), ())
    assert blobs(tmp_path / "folder") == contents
    copy(LayoutSource(tmp_path / "folder"), ArchiveSink(tmp_path / "x.tar", tag="t", whole_name=None))
    again, _ = copy(LayoutSource(tmp_path / "x.tar", tag="t"), folder(tmp_path / "again"))
    assert again.digest == sha256(top)
    assert blobs(tmp_path / "again") == contents


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar"])
def test_docker_s_manifests_and_lists_stay_docker_s(tmp_path: Path, packing: str) -> None:
    made = make_image(TAR, packing=packing)
    made.manifest["mediaType"] = DOCKER_MANIFEST
    named = made.descriptor() | {"mediaType": DOCKER_MANIFEST}
    top = as_json({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [named]})
    source = laid_out(tmp_path / "in", top, made.blobs | {sha256(top): top}, media_type=DOCKER_LIST)
    copy(source, folder(tmp_path / "out"))
    (listed,) = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]
    assert (listed["mediaType"], listed["digest"]) == (DOCKER_LIST, sha256(top))
    assert blobs(tmp_path / "out") == made.blobs | {sha256(top): top}


def test_one_platform_of_several(tmp_path: Path) -> None:
    top, contents = two_platforms()
    done, _ = copy(laid_out(tmp_path / "in", top, contents), folder(tmp_path / "out"), platform=parse_platform("arm64"))
    arm = make_image(TAR, architecture="arm64")
    assert (done.digest, blobs(tmp_path / "out")) == (sha256(arm.manifest_bytes), arm.blobs)
    assert done.lost == ("the platforms other than linux/arm64", ATTESTED)
    with pytest.raises(InputError, match="no image for linux/s390x") as caught:
        copy(LayoutSource(tmp_path / "in"), folder(tmp_path / "none"), platform=parse_platform("s390x"))
    assert caught.value.hint == "its platforms: linux/amd64, linux/arm64"
    assert not (tmp_path / "none").exists()


def test_an_archive_is_the_same_file_each_time(tmp_path: Path) -> None:
    top, contents = two_platforms()
    source = laid_out(tmp_path / "in", top, contents)
    for name in ("1.tar", "2.tar"):
        copy(source, ArchiveSink(tmp_path / name, tag="t", whole_name=None))
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_an_artifact_that_is_no_image(tmp_path: Path) -> None:
    made = make_image(TAR)
    made.manifest["artifactType"] = "application/vnd.example"
    made.manifest["config"] = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2}
    contents = {
        sha256(made.manifest_bytes): made.manifest_bytes,
        sha256(made.layers[0]): made.layers[0],
        sha256(b"{}"): b"{}",
    }
    source = laid_out(tmp_path / "in", made.manifest_bytes, contents, media_type=OCI_MANIFEST)
    copy(source, folder(tmp_path / "out"))
    assert blobs(tmp_path / "out") == contents


# Each blob once


class Counting:
    """A source that remembers which blobs were asked of it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._source.name

    def manifest(self, digest: Digest | None) -> bytes:
        return self._source.manifest(digest)

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return self._source.referrers(subject)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        self.asked.append(descriptor.digest)
        return self._source.blob(descriptor)


def test_what_is_there_is_not_asked_for(tmp_path: Path) -> None:
    top, contents = two_platforms()
    source = Counting(laid_out(tmp_path / "in", top, contents))
    copy(source, folder(tmp_path / "out", "one"))
    assert len(source.asked) == len(set(source.asked)) == 6
    source.asked.clear()
    done, _ = copy(source, folder(tmp_path / "out", "two"))
    assert source.asked == []
    assert (done.copied_bytes, done.present_bytes > 0) == (0, True)
    damaged = tmp_path / "out" / "blobs" / "sha256" / sha256(make_image(TAR).layers[0])[7:]
    damaged.write_bytes(bytes(damaged.stat().st_size))
    copy(source, folder(tmp_path / "out", "two"))
    assert source.asked == [f"sha256:{damaged.name}"]
    assert blobs(tmp_path / "out") == contents


def test_sizes_are_told_before_anything_large_moves(tmp_path: Path) -> None:
    made = make_image(archive(member("large", bytes(3_000_000))), packing="tar")
    source = laid_out(tmp_path / "in", made.manifest_bytes, made.blobs, media_type=OCI_MANIFEST)
    assert copy(source, folder(tmp_path / "out"))[1] == [f"to copy: {tmp_path}/in (3 MB)"]
    assert copy(source, folder(tmp_path / "out"))[1] == []


# Referrers


def referring(subject: bytes, kind: str = "application/vnd.example.sbom") -> MadeImage:
    made = make_image(archive(member("about")))
    made.manifest["artifactType"] = kind
    made.manifest["subject"] = {"mediaType": OCI_MANIFEST, "digest": sha256(subject), "size": len(subject)}
    made.manifest["annotations"] = {"by": "test"}
    made.platform = None
    return made


def test_referrers_come_along_where_they_are_asked_for(tmp_path: Path) -> None:
    image = make_image(TAR)
    image.annotations = {REF_NAME: "t"}
    about = referring(image.manifest_bytes)
    about_that = referring(about.manifest_bytes, "application/vnd.example.signature")
    source = LayoutSource(lay_out(tmp_path / "in", image, about, about_that), tag="t")
    copy(source, folder(tmp_path / "without", "t"))
    assert blobs(tmp_path / "without") == image.blobs
    copy(source, folder(tmp_path / "with", "t"), referrers=True)
    assert blobs(tmp_path / "with") == image.blobs | about.blobs | about_that.blobs
    copy(LayoutSource(tmp_path / "with"), ArchiveSink(tmp_path / "x.tar", tag=None, whole_name=None), referrers=True)
    (found,) = LayoutSource(tmp_path / "x.tar").referrers(Digest.of(image.manifest_bytes))
    assert (found.digest, found.artifact_type, found.annotations) == (
        sha256(about.manifest_bytes),
        "application/vnd.example.sbom",
        {"by": "test"},
    )


def attached(subject: bytes, suffix: str) -> MadeImage:
    """As cosign attaches it: no subject, and a tag that names one."""
    made = make_image(archive(member(suffix)))
    made.platform = None
    made.annotations = {REF_NAME: sha256(subject).replace(":", "-") + suffix}
    return made


def test_what_cosign_attached_keeps_its_tags_everywhere(tmp_path: Path) -> None:
    top, contents = two_platforms()
    arm = make_image(TAR, architecture="arm64").manifest_bytes
    about = [attached(top, ".sig"), attached(top, ".att"), attached(arm, ".sbom")]
    about.append(attached(about[2].manifest_bytes, ".sig"))
    tags = [each.annotations[REF_NAME] for each in about]
    everything = contents | {digest: data for each in about for digest, data in each.blobs.items()}
    with running_registry() as registry:
        there, sink = registry_places(registry.host, "a/b", "t")
        copy(laid_out(tmp_path / "in", top, contents), sink)
        for each, tag in zip(about, tags, strict=True):
            registry.blobs |= each.blobs
            registry.put_manifest("a/b", tag, each.manifest_bytes)
        copy(there, folder(tmp_path / "without", "t"))
        assert blobs(tmp_path / "without") == contents
        for _ in range(2):
            copy(there, folder(tmp_path / "out", "t"), referrers=True)
            assert blobs(tmp_path / "out") == everything
            listed = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]
            assert sorted(each["annotations"][REF_NAME] for each in listed) == sorted(["t", *tags])
        copy(
            LayoutSource(tmp_path / "out", tag="t"),
            ArchiveSink(tmp_path / "x.tar", tag="t", whole_name=None),
            referrers=True,
        )
        places: list[Source] = [there, LayoutSource(tmp_path / "x.tar", tag="t")]
        for number, place in enumerate(places):
            _, other = registry_places(registry.host, f"c/{number}", "t")
            copy(place, other, referrers=True)
            assert {each: registry.manifests[f"c/{number}:{each}"] for each in tags} == {
                tag: (OCI_MANIFEST, each.manifest_bytes) for tag, each in zip(tags, about, strict=True)
            }
        done, _ = copy(there, DockerArchiveSink(tmp_path / "d.tar", names=()), platform=AMD64, referrers=True)
        assert "what refers to it" not in done.lost
        done, _ = copy(
            there, DockerArchiveSink(tmp_path / "d.tar", names=()), platform=parse_platform("arm64"), referrers=True
        )
        assert "what refers to it" in done.lost


def test_a_signature_that_was_replaced_replaces_the_old_one(tmp_path: Path) -> None:
    image = make_image(TAR)
    image.annotations = {REF_NAME: "t"}
    old, new = attached(image.manifest_bytes, ".sig"), attached(image.manifest_bytes, ".sig")
    new.manifest["annotations"] = {"new": "1"}
    for number, each in enumerate((old, new)):
        source = LayoutSource(lay_out(tmp_path / str(number), image, each.seal()), tag="t")
        copy(source, folder(tmp_path / "out", "t"), referrers=True)
        assert blobs(tmp_path / "out") == image.blobs | each.blobs
        with running_registry() as registry:
            _, sink = registry_places(registry.host, "a/b", "t")
            copy(source, sink, referrers=True)
            assert registry.manifests["a/b:" + each.annotations[REF_NAME]][1] == each.manifest_bytes


def test_what_refers_to_an_image_takes_no_name_from_it(tmp_path: Path) -> None:
    image = make_image(TAR)
    image.annotations = {REF_NAME: "t"}
    about = referring(image.manifest_bytes)
    about.manifest["annotations"] = {REF_NAME: "t", "by": "test"}
    source = LayoutSource(lay_out(tmp_path / "in", image, about.seal()), tag="t")
    copy(source, folder(tmp_path / "out", "t"), referrers=True)
    assert LayoutSource(tmp_path / "out", tag="t").manifest(None) == image.manifest_bytes


# Refused


def test_a_sparse_index_is_no_whole_image(tmp_path: Path) -> None:
    top, contents = two_platforms()
    arm = make_image(TAR, architecture="arm64")
    for gone in (arm.manifest_bytes, arm.config_bytes):
        source = laid_out(tmp_path / sha256(gone)[7:15], top, {k: v for k, v in contents.items() if k != sha256(gone)})
        for sink in (folder(tmp_path / "out"), ArchiveSink(tmp_path / "out.tar", tag="t", whole_name=None)):
            with pytest.raises(InputError, match="lacks blobs/sha256/" + sha256(gone)[7:]):
                copy(source, sink)
        assert not (tmp_path / "out" / "index.json").exists()
        assert not (tmp_path / "out.tar").exists()
        assert copy(source, folder(tmp_path / gone[:4].hex()), platform=AMD64)[0].digest


def test_a_layer_that_lies_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    made = make_image(TAR)
    made.annotations = {REF_NAME: "t"}
    copy(LayoutSource(lay_out(tmp_path / "right", made)), folder(tmp_path / "out", "t"))
    before = (tmp_path / "out" / "index.json").read_bytes()
    lying = make_image(OTHER)
    source = LayoutSource(lay_out(tmp_path / "in", lying, extra={sha256(lying.layers[0]): b"x" * len(lying.layers[0])}))
    for sink in (
        folder(tmp_path / "out", "t"),
        ArchiveSink(tmp_path / "x.tar", tag=None, whole_name=None),
        DockerArchiveSink(tmp_path / "d.tar", names=()),
    ):
        with pytest.raises(HostileInputError, match="has the digest"):
            copy(source, sink)
    assert (tmp_path / "out" / "index.json").read_bytes() == before
    assert not list(tmp_path.glob("*.tar"))
    assert not list(tmp_path.rglob(".basewright*"))


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "urls": ["https://example.com/x"]},
        {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
    ],
)
def test_a_foreign_layer_cannot_be_copied(tmp_path: Path, change: Mapping[str, object]) -> None:
    windows, amd = make_image(OTHER), make_image(TAR)
    windows.platform = {"os": "windows", "architecture": "amd64"}
    layers = windows.manifest["layers"]
    assert isinstance(layers, list)
    layers[0].update(change)
    top = render_index([windows.descriptor(), amd.descriptor()])
    source = laid_out(tmp_path / "in", top, windows.blobs | amd.blobs | {sha256(top): top})
    with pytest.raises(HostileInputError, match="foreign layer") as caught:
        copy(source, folder(tmp_path / "out"))
    assert sha256(windows.layers[0]) in caught.value.message
    assert str(change["mediaType"]) in caught.value.message
    assert copy(source, folder(tmp_path / "out"), platform=AMD64)[0].digest == sha256(amd.manifest_bytes)


def test_indexes_nest_to_a_depth(tmp_path: Path) -> None:
    made = make_image(TAR)
    top, contents = render_index([made.descriptor()]), made.blobs
    for depth in range(1, 10):
        contents |= {sha256(top): top}
        source = laid_out(tmp_path / str(depth), top, contents)
        if depth <= 8:
            assert copy(source, folder(tmp_path / f"out{depth}"))[0].digest == sha256(top)
        else:
            with pytest.raises(HostileInputError, match="deeper than 8"):
                copy(source, folder(tmp_path / "out"))
        top = render_index([{"mediaType": OCI_INDEX, "digest": sha256(top), "size": len(top)}])


def test_schema_1_is_refused_by_its_name(tmp_path: Path) -> None:
    data = as_json({"schemaVersion": 1, "name": "x", "fsLayers": [], "history": []})
    source = laid_out(tmp_path / "in", data, {sha256(data): data}, media_type=OCI_MANIFEST)
    with pytest.raises(HostileInputError, match="schema 1"):
        copy(source, folder(tmp_path / "out"))


# What has no manifests


def by_name(source: ImageName, target: Path, *, platform: ImagePlatform = AMD64) -> Copied:
    assert isinstance(source, FileName)
    with ExitStack() as stack:
        opened = stack.enter_context(open_file(source, platform=platform, created="2024-01-01T00:00:00Z"))
        tag, whole = carried_name(source, opened)
        match target.suffix:
            case ".tar":
                sink: Sink = DockerArchiveSink(target, names=(str(whole),) if whole else ())
            case _:
                sink = FolderSink(target, tag=tag, whole_name=whole)
        return copy(opened, sink)[0]


def test_a_docker_archive_keeps_the_image_s_id(tmp_path: Path) -> None:
    made = make_image(TAR, OTHER, TAR)
    made.annotations = {REF_NAME: "calendar:1"}
    made.manifest["annotations"] = {"a": "b"}
    path = lay_out(tmp_path / "in", made)
    done = by_name(parse_name(str(path)), tmp_path / "saved.tar")
    assert done.digest == sha256(made.config_bytes)
    assert [each.split(" ")[1] for each in done.lost] == ["manifest", "compression", "annotations"]
    members = listing((tmp_path / "saved.tar").read_bytes())
    names = [f"{sha256(each)[7:]}.tar" for each in (TAR, OTHER, TAR)]
    assert [members[each].size for each in names[:2]] == [len(TAR), len(OTHER)]
    again = by_name(parse_name(str(tmp_path / "saved.tar")), tmp_path / "again")
    (manifest,) = json.loads((tmp_path / "again" / "index.json").read_bytes())["manifests"]
    assert (again.digest, again.lost) == (manifest["digest"], ())
    assert manifest["annotations"] == {REF_NAME: "1", "io.containerd.image.name": "docker.io/library/calendar:1"}
    written = json.loads(blobs(tmp_path / "again")[manifest["digest"]])
    assert written["config"]["digest"] == sha256(made.config_bytes)
    assert {each["mediaType"] for each in written["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}


@pytest.mark.parametrize("asked", ["2", "other:2", "docker.io/library/other:2"])
def test_the_name_that_was_asked_for_goes_along(tmp_path: Path, asked: str) -> None:
    source = laid_out(tmp_path / "in", make_image(TAR).manifest_bytes, make_image(TAR).blobs, media_type=OCI_MANIFEST)
    copy(source, DockerArchiveSink(tmp_path / "x.tar", names=("calendar:1", "other:2")))
    by_name(parse_name(f"docker-archive:{tmp_path}/x.tar:{asked}"), tmp_path / "out")
    (listed,) = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]
    assert listed["annotations"][REF_NAME] == "2"


def test_what_a_docker_archive_says_of_other_platforms(tmp_path: Path) -> None:
    top, contents = two_platforms()
    source = laid_out(tmp_path / "in", top, contents)
    for platform, lost in ((None, True), (AMD64, False)):
        done, _ = copy(source, DockerArchiveSink(tmp_path / "x.tar", names=()), platform=platform)
        assert any("the platforms linux/" in each for each in done.lost) is lost


@pytest.mark.parametrize("about", ["it", "another", "nobody says"])
@pytest.mark.parametrize("platform", [None, AMD64])
def test_attestations_that_stay_behind_are_told(tmp_path: Path, platform: ImagePlatform | None, about: str) -> None:
    image, attestation = make_image(TAR), make_image(OTHER)
    subject = {"it": sha256(image.manifest_bytes), "another": sha256(b"another")}.get(about)
    attestation.platform = {"os": "unknown", "architecture": "unknown"}
    attestation.annotations = {"vnd.docker.reference.type": "attestation-manifest"} if subject else {}
    attestation.annotations |= {"vnd.docker.reference.digest": subject} if subject else {}
    top = render_index([image.descriptor(), attestation.descriptor()])
    source = laid_out(tmp_path / "in", top, image.blobs | attestation.blobs | {sha256(top): top})
    done, _ = copy(source, DockerArchiveSink(tmp_path / "x.tar", names=()), platform=platform)
    assert (ATTESTED in done.lost) is (about != "another")
    assert not any("platforms" in each for each in done.lost)
    done, _ = copy(source, folder(tmp_path / "out"), platform=platform)
    assert done.lost == ((ATTESTED,) if platform and about != "another" else ())


def test_a_config_that_lies_about_its_layers(tmp_path: Path) -> None:
    made = make_image(TAR)
    made.config["rootfs"] = {"type": "layers", "diff_ids": [sha256(b"x")]}
    source = laid_out(tmp_path / "in", made.seal().manifest_bytes, made.blobs, media_type=OCI_MANIFEST)
    with pytest.raises(HostileInputError, match="do not have the diff ids"):
        copy(source, DockerArchiveSink(tmp_path / "x.tar", names=()))
    assert not (tmp_path / "x.tar").exists()


def test_a_root_filesystem_becomes_an_image_of_its_platform(tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(archive(member("etc/os-release", b"ID=x\n")))
    by_name(parse_name(f"rootfs:{tmp_path}/root.tar"), tmp_path / "out", platform=parse_platform("linux/arm/v7"))
    (manifest,) = json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]
    config = json.loads(
        blobs(tmp_path / "out")[json.loads(blobs(tmp_path / "out")[manifest["digest"]])["config"]["digest"]]
    )
    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v7")


# Folders


def test_an_image_takes_the_place_of_the_one_with_its_name(tmp_path: Path) -> None:
    old, new, other = make_image(TAR), make_image(OTHER), make_image(OTHER, TAR)
    for made, tag in ((old, "t"), (other, "u"), (new, "t")):
        source = LayoutSource(lay_out(tmp_path / sha256(made.manifest_bytes)[7:15], made))
        copy(source, folder(tmp_path / "out", tag))
    assert blobs(tmp_path / "out") == new.blobs | other.blobs
    names = [
        each["annotations"][REF_NAME] for each in json.loads((tmp_path / "out/index.json").read_bytes())["manifests"]
    ]
    assert sorted(names) == ["t", "u"]


def test_nothing_is_removed_where_others_cannot_be_followed(tmp_path: Path) -> None:
    old, new = make_image(TAR), make_image(OTHER)
    copy(LayoutSource(lay_out(tmp_path / "old", old)), folder(tmp_path / "out", "t"))
    document = json.loads((tmp_path / "out" / "index.json").read_bytes())
    document["manifests"].append({"mediaType": OCI_MANIFEST, "digest": sha256(b"gone"), "size": 4})
    (tmp_path / "out" / "index.json").write_text(json.dumps(document))
    copy(LayoutSource(lay_out(tmp_path / "new", new)), folder(tmp_path / "out", "t"))
    assert blobs(tmp_path / "out") == old.blobs | new.blobs


def test_what_others_put_beside_a_layout_stays(tmp_path: Path) -> None:
    made = make_image(TAR)
    stray = {sha256(b"stray"): b"stray"}
    lay_out(tmp_path / "out", make_image(OTHER), extra=stray)
    copy(LayoutSource(lay_out(tmp_path / "in", made)), folder(tmp_path / "out", "t"))
    assert blobs(tmp_path / "out").items() >= (made.blobs | stray | make_image(OTHER).blobs).items()


def test_a_file_of_the_user_s_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.tar").write_bytes(archive(member("letter", b"dear")))
    pack_folder(lay_out(tmp_path / "in", make_image(TAR)), tmp_path / "layout.tar")
    os.mkfifo(tmp_path / "pipe.tar")
    for mine in (tmp_path / "mine.tar", tmp_path / "pipe.tar", Path("/dev/null")):
        with pytest.raises(InputError, match="holds something else"):
            check_replaceable(mine)
    check_replaceable(tmp_path / "layout.tar")
    check_replaceable(tmp_path / "none.tar")


# Registries


def registry_places(host: str, repository: str, tag: str) -> tuple[RegistrySource, RegistrySink]:
    reference = parse_reference(f"{host}/{repository}:{tag}")
    http = PooledHttp(backoff_seconds=0.01)
    return RegistrySource(reference, http), RegistrySink(reference, http)


@pytest.mark.parametrize("api", [True, False])
def test_a_registry_takes_and_gives_an_index_with_what_refers_to_it(tmp_path: Path, api: bool) -> None:
    top, contents = two_platforms()
    about = referring(make_image(TAR, architecture="arm64").manifest_bytes)
    about_all = referring(top, "application/vnd.example.signature")
    for each in (about, about_all):
        contents |= each.blobs
    listed = [
        {"mediaType": OCI_INDEX, "digest": sha256(top), "size": len(top), "annotations": {REF_NAME: "t"}},
        about.descriptor(),
        about_all.descriptor(),
    ]
    source = LayoutSource(lay_out(tmp_path / "in", index=render_index(listed), extra=contents), tag="t")
    with running_registry() as registry:
        registry.referrers_api = api
        there, sink = registry_places(registry.host, "a/b", "t")
        assert copy(source, sink, referrers=True)[0].digest == sha256(top)
        assert registry.manifests["a/b:t"] == (OCI_INDEX, top)
        put = [path for path in registry.paths("PUT") if "/manifests/" in path and "sha256-" not in path]
        assert put[-1].endswith("/manifests/t")  # and by no other request: one under the tag is one under its digest
        assert not any(path.endswith(sha256(top)) for path in put)
        copy(there, folder(tmp_path / "out", "t"), referrers=True)
        assert blobs(tmp_path / "out") == contents
        registry.requests.clear()
        _, other = registry_places(registry.host, "c/d", "t")
        copy(there, other, platform=parse_platform("arm64"))
        assert not [path for path in registry.paths("GET") if "/blobs/" in path][1:]  # but for the config
        assert registry.manifests["c/d:t"][1] == make_image(TAR, architecture="arm64").manifest_bytes


def test_a_registry_that_lacks_a_child_is_no_source_of_the_index(tmp_path: Path) -> None:
    top, contents = two_platforms()
    source = laid_out(tmp_path / "in", top, contents)
    with running_registry() as registry:
        there, sink = registry_places(registry.host, "a/b", "t")
        copy(source, sink)
        del registry.manifests["a/b@" + sha256(make_image(TAR, architecture="arm64").manifest_bytes)]
        with pytest.raises(InputError, match="does not hold all that its index names") as caught:
            copy(there, folder(tmp_path / "out"))
        assert "--platform" in caught.value.hint
        assert copy(there, folder(tmp_path / "out"), platform=AMD64)[0].copied_bytes
        with pytest.raises(InputError):
            copy(there, folder(tmp_path / "none"), platform=parse_platform("arm64"))
        gone, _ = registry_places(registry.host, "a/b", "t")
    with pytest.raises(OutOfReachError):
        copy(gone, folder(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
