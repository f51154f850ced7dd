"""Pulling: the right platform, every byte checked, whatever the source says."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Image
from basewright.oci.manifest import Descriptor
from basewright.oci.platform import parse_platform
from basewright.oci.pull import pull_image
from basewright.oci.resolution import resolve, resolve_any
from tests.doubles.image import MadeImage, archive, as_json, make_image, member, render_index, sha256

TAR = archive(member("a", b"hello"))
AMD64 = parse_platform("linux/amd64")
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


class Shelf:
    """A source of blobs by digest, true or not."""

    def __init__(self, top: bytes, blobs: Mapping[str, bytes]) -> None:
        self.top, self.blobs = top, blobs

    @property
    def name(self) -> str:
        return "shelf"

    def manifest(self, digest: Digest | None) -> bytes:
        return self.top if digest is None else self.blobs[digest]

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        data = self.blobs[descriptor.digest]
        yield data[:3]
        yield data[3:]

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return ()


def shelf(image: MadeImage) -> Shelf:
    return Shelf(image.manifest_bytes, image.blobs)


def pull(source: Shelf, folder: Path, architecture: str = "amd64") -> Image:
    return pull_image(source, BlobStore(folder), platform=parse_platform(architecture))


def refused(source: Shelf, folder: Path, kind: type[InputError] = HostileInputError) -> str:
    with pytest.raises(kind) as caught:
        pull(source, folder)
    assert "shelf" in caught.value.message
    return caught.value.message


def test_an_image_is_pulled_with_its_manifest_byte_for_byte(tmp_path: Path) -> None:
    made = make_image(TAR, archive(member("b")))
    made.manifest["unknown"] = {"kept": ["byte", "for", "byte"]}
    image = pull(shelf(made), tmp_path)
    assert image.digest == sha256(made.manifest_bytes)
    assert image.store().read(image.digest, max_bytes=1 << 20) == made.manifest_bytes
    assert image.config.config.user == "7"
    assert [layer.diff_id for layer in image.layers] == [sha256(TAR), sha256(archive(member("b")))]
    assert {each.name for each in (tmp_path / "blobs" / "sha256").iterdir()} == {
        digest.partition(":")[2] for digest in made.blobs
    }


def test_an_image_without_layers(tmp_path: Path) -> None:
    assert pull(shelf(make_image()), tmp_path).layers == ()


# Platforms


def indexed(*images: MadeImage, extra: tuple[Mapping[str, object], ...] = ()) -> Shelf:
    blobs: dict[str, bytes] = {}
    for image in images:
        blobs |= image.blobs
    return Shelf(render_index([*extra, *(image.descriptor() for image in images)]), blobs)


def test_the_platform_that_is_asked_for_is_found(tmp_path: Path) -> None:
    amd, arm = make_image(TAR), make_image(TAR, architecture="arm64")
    unknown = {**amd.descriptor(), "platform": {"os": "unknown", "architecture": "unknown"}}
    attestation = {**arm.descriptor(), "annotations": ATTESTATION}
    source = indexed(amd, arm, extra=(unknown, attestation))
    assert pull(source, tmp_path, "arm64").digest == sha256(arm.manifest_bytes)
    found = resolve(source, platform=AMD64)
    assert found.manifest_digest == sha256(amd.manifest_bytes)
    assert found.top_digest == sha256(source.top)


def test_a_variant_runs_what_is_for_older_ones_and_no_newer() -> None:
    newer, plain = make_image(TAR), make_image(TAR, archive(member("b")))
    newer.platform = {"os": "linux", "architecture": "amd64", "variant": "v3"}
    assert resolve(indexed(newer, plain), platform=AMD64).manifest_digest == sha256(plain.manifest_bytes)
    for variant, image in (("v2", plain), ("v3", newer), ("v4", newer)):
        found = resolve(indexed(plain, newer), platform=parse_platform(f"linux/amd64/{variant}"))
        assert found.manifest_digest == sha256(image.manifest_bytes)
    with pytest.raises(InputError, match="no image for linux/amd64") as caught:
        resolve(indexed(newer), platform=AMD64)
    assert caught.value.hint == "its platforms: linux/amd64/v3"


def test_a_missing_platform_lists_those_that_there_are(tmp_path: Path) -> None:
    windows = make_image(TAR)
    windows.platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0"}
    with pytest.raises(InputError, match="no image for linux/amd64") as caught:
        pull(indexed(windows, make_image(TAR, architecture="arm64")), tmp_path)
    assert caught.value.hint == "its platforms: linux/arm64, windows/amd64"


def test_one_other_platform_is_taken_where_any_will_do() -> None:
    arm, other = make_image(TAR, architecture="arm64"), make_image(TAR, architecture="s390x")
    attestation = {**make_image(TAR).descriptor(), "platform": {"os": "unknown", "architecture": "unknown"}}
    for source in (indexed(arm, extra=(attestation,)), shelf(arm)):
        found = resolve_any(source, platform=AMD64)
        assert (found.manifest_digest, str(found.platform), found.fits) == (
            sha256(arm.manifest_bytes),
            "linux/arm64",
            False,
        )
    assert resolve_any(indexed(arm, make_image(TAR)), platform=AMD64).fits
    with pytest.raises(InputError, match="no image for linux/amd64") as caught:
        resolve_any(indexed(arm, other), platform=AMD64)
    assert caught.value.hint == "its platforms: linux/arm64, linux/s390x"


def test_what_is_unknown_is_never_an_image() -> None:
    attestation = make_image(TAR, architecture="unknown")
    attestation.config["os"] = "unknown"
    attestation.seal().platform = None
    for source in (shelf(attestation), indexed(attestation)):
        with pytest.raises(InputError, match=r"unknown/unknown|no image for"):
            resolve_any(source, platform=AMD64)


def test_an_index_that_names_no_platforms() -> None:
    """The configs tell then."""
    amd, arm = make_image(TAR), make_image(TAR, architecture="arm64")
    amd.platform = arm.platform = None
    assert resolve(indexed(arm, amd), platform=AMD64).manifest_digest == sha256(amd.manifest_bytes)
    with pytest.raises(InputError, match="no image for linux/s390x") as caught:
        resolve(indexed(arm, amd), platform=parse_platform("s390x"))
    assert caught.value.hint == "its platforms: linux/amd64, linux/arm64"


def test_a_single_image_for_another_platform(tmp_path: Path) -> None:
    assert "is an image for linux/arm64" in refused(shelf(make_image(TAR, architecture="arm64")), tmp_path, InputError)
    other = make_image(TAR)
    other.config["os"] = "freebsd"
    assert "is an image for freebsd/amd64" in refused(shelf(other.seal()), tmp_path, InputError)


def test_an_index_that_lies_about_the_architecture(tmp_path: Path) -> None:
    arm = make_image(TAR, architecture="arm64")
    arm.platform = {"os": "linux", "architecture": "amd64"}
    assert "is an image for linux/arm64" in refused(indexed(arm), tmp_path, InputError)


def test_indexes_nest_to_a_depth(tmp_path: Path) -> None:
    made = make_image(TAR)

    def nested(depth: int) -> Shelf:
        blobs, top = dict(made.blobs), render_index([made.descriptor()])
        for _ in range(depth - 1):
            blobs[sha256(top)] = top
            descriptor = {
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": sha256(top),
                "size": len(top),
                "platform": made.platform,
            }
            top = render_index([descriptor])
        return Shelf(top, blobs)

    assert pull(nested(8), tmp_path / "8").digest == sha256(made.manifest_bytes)
    assert "deeper than 8" in refused(nested(9), tmp_path / "9")


def test_an_index_that_leads_back_to_itself(tmp_path: Path) -> None:
    digest = sha256(b"pretended")
    descriptor = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": digest,
        "size": 1,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    top = render_index([descriptor])
    assert "another digest" in refused(Shelf(top, {digest: top}), tmp_path)


# What lies


def test_a_manifest_with_another_digest_size_or_kind(tmp_path: Path) -> None:
    made = make_image(TAR)
    named = made.descriptor()
    for change, message in (
        ({"digest": sha256(b"x")}, "another digest"),
        ({"size": 7}, "another size"),
        ({"mediaType": "application/vnd.oci.image.index.v1+json"}, "is no application/vnd.oci.image.index"),
    ):
        blobs = made.blobs | {sha256(b"x"): made.manifest_bytes}
        assert message in refused(Shelf(render_index([named | change]), blobs), tmp_path)


def test_a_config_with_another_digest_or_size(tmp_path: Path) -> None:
    for change, message in (
        ({"digest": sha256(b"x")}, "does not have its digest"),
        ({"size": 7}, "larger than 7 bytes"),
        ({"size": 5000}, "another size"),
        ({"size": 17 << 20}, "larger than 16,777,216 bytes"),
    ):
        made = make_image(TAR)
        config = made.manifest["config"]
        assert isinstance(config, dict)
        source = Shelf(
            as_json(made.manifest | {"config": config | change}), made.blobs | {sha256(b"x"): made.config_bytes}
        )
        assert message in refused(source, tmp_path)
    assert not (tmp_path / "blobs").exists()


def layer_of(made: MadeImage) -> dict[str, object]:
    layers = made.manifest["layers"]
    assert isinstance(layers, list)
    layer = layers[0]
    assert isinstance(layer, dict)
    return layer


def test_a_layer_with_another_digest_or_size(tmp_path: Path) -> None:
    for change, message in (
        ({"digest": sha256(b"x")}, "not " + sha256(b"x")[7:19]),
        ({"size": 7}, "larger than the 7 bytes"),
        ({"size": 5000}, "another size"),
        ({"size": 200 << 30}, "larger than 107,374,182,400 bytes"),
    ):
        made = make_image(TAR)
        layer_of(made).update(change)
        source = Shelf(made.manifest_bytes, made.blobs | {sha256(b"x"): made.layers[0]})
        folder = tmp_path / message.replace(" ", "")
        assert message in refused(source, folder)


def test_a_layer_that_is_here_already_is_measured_too(tmp_path: Path) -> None:
    made = make_image(TAR)
    pull(shelf(made), tmp_path)
    layer_of(made)["size"] = 5000
    assert "another size" in refused(shelf(made), tmp_path)


def test_counts_that_do_not_match(tmp_path: Path) -> None:
    made = make_image(TAR)
    made.config["rootfs"] = {"type": "layers", "diff_ids": []}
    assert "1 layers and 0 diff ids" in refused(shelf(made.seal()), tmp_path)


def test_what_is_no_digest(tmp_path: Path) -> None:
    made = make_image(TAR)
    layer_of(made)["digest"] = "sha256:../../etc/passwd"
    with pytest.raises(HostileInputError, match="is not a digest"):
        pull(shelf(made), tmp_path)
    made = make_image(TAR)
    made.config["rootfs"] = {"type": "layers", "diff_ids": ["x"]}
    with pytest.raises(HostileInputError, match="is not a digest"):
        pull(shelf(made.seal()), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
        {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
        {"urls": ["https://example.com/layer"]},
    ],
)
def test_a_foreign_layer_is_refused_by_name(tmp_path: Path, change: Mapping[str, object]) -> None:
    made = make_image(TAR)
    layer_of(made).update(change)
    assert sha256(made.layers[0]) in refused(shelf(made), tmp_path)


def test_an_index_of_ko_says_its_images_are_images() -> None:
    amd, arm = make_image(TAR), make_image(TAR, architecture="arm64")
    kind = {"artifactType": "application/vnd.oci.image.config.v1+json"}
    signature = {**make_image(TAR).descriptor(), "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json"}
    images = [signature, *({**each.descriptor(), **kind} for each in (amd, arm))]
    source = Shelf(render_index(images), indexed(amd, arm).blobs)
    for platform, image in ((AMD64, amd), (parse_platform("arm64"), arm)):
        assert resolve(source, platform=platform).manifest_digest == sha256(image.manifest_bytes)


def test_an_artifact_is_no_image(tmp_path: Path) -> None:
    made = make_image(TAR)
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2}
    source = Shelf(as_json(made.manifest | {"config": empty, "artifactType": "x/y"}), {sha256(b"{}"): b"{}"})
    assert "is no container image" in refused(source, tmp_path, InputError)


def test_digests_of_another_algorithm_are_checked_as_well(tmp_path: Path) -> None:
    made = make_image(TAR)
    wide = "sha512:" + hashlib.sha512(made.layers[0]).hexdigest()
    layer_of(made)["digest"] = wide
    image = pull(Shelf(made.manifest_bytes, made.blobs | {wide: made.layers[0]}), tmp_path)
    assert image.layers[0].digest == wide
    assert (tmp_path / "blobs" / "sha512" / wide.partition(":")[2]).is_file()
    layer_of(made)["digest"] = "sha512:" + "0" * 128
    blobs = made.blobs | {"sha512:" + "0" * 128: made.layers[0]}
    assert "not 000000000000" in refused(Shelf(made.manifest_bytes, blobs), tmp_path)
