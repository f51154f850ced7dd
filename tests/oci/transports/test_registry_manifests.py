"""Manifests, tags and referrers pushed to a registry on loopback; children before their index."""

from collections.abc import Iterator

import pytest

from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.oci.digest import Digest
from basewright.oci.manifest import OCI_MANIFEST
from tests.doubles.image import OCI_INDEX, archive, as_json, make_image, member, render_index, sha256
from tests.doubles.registry import running_registry
from tests.doubles.registry_client import described, sink, source
from tests.doubles.registry_state import Registry

MADE = make_image(archive(member("a", b"small")))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


# Manifests


def test_an_image_and_its_index(registry: Registry) -> None:
    target = sink(registry)
    index = render_index([MADE.descriptor()])
    with pytest.raises(OutOfReachError, match="400 MANIFEST_BLOB_UNKNOWN: blob unknown to registry"):
        target.put_manifest(described(MADE.manifest_bytes, OCI_MANIFEST), MADE.manifest_bytes)
    for digest, data in MADE.blobs.items():
        if digest != sha256(MADE.manifest_bytes):
            target.put_blob(described(data), [data])
    for data, kind in ((MADE.manifest_bytes, OCI_MANIFEST), (index, OCI_INDEX)):
        assert not target.has(described(data, kind), source=source(registry))
        target.put_manifest(described(data, kind), data)
        assert target.has(described(data, kind), source=source(registry))
    assert "team/app:1" not in registry.manifests
    target.finish(described(index, OCI_INDEX), index)
    assert registry.manifests["team/app:1"] == (OCI_INDEX, index)
    assert source(registry).manifest(None) == index


def test_a_tag_for_what_is_there_already(registry: Registry) -> None:
    registry.put("team/app", "1", MADE)
    sink(registry, "team/app:2").finish(described(MADE.manifest_bytes, OCI_MANIFEST), MADE.manifest_bytes)
    assert registry.manifests["team/app:2"] == (OCI_MANIFEST, MADE.manifest_bytes)


def test_no_tag_where_a_digest_is_named(registry: Registry) -> None:
    registry.put("team/app", "1", MADE)
    tags = set(registry.manifests)
    top = described(MADE.manifest_bytes, OCI_MANIFEST)
    sink(registry, f"team/app@{top.digest}").finish(top, MADE.manifest_bytes)
    assert set(registry.manifests) == tags
    with pytest.raises(InputError, match="cannot be written: the image has the digest"):
        sink(registry, f"team/app@{sha256(b'x')}").finish(top, MADE.manifest_bytes)


def test_a_manifest_that_is_not_what_was_announced(registry: Registry) -> None:
    with pytest.raises(HostileInputError, match="not the one that was announced"):
        sink(registry).put_manifest(described(b"{}", OCI_MANIFEST), b"{ }")


# Referrers


def refers(kind: str, **more: object) -> bytes:
    subject = described(MADE.manifest_bytes, OCI_MANIFEST)
    value: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind}
    value["config"] = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2}
    value["subject"] = {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size}
    return as_json(value | {"layers": []} | more)


@pytest.mark.parametrize("api", [True, False])
def test_referrers_by_the_api_or_by_the_tag(registry: Registry, api: bool) -> None:
    registry.referrers_api, registry.referrers_page = api, 2
    registry.put("team/app", "1", MADE)
    target = sink(registry)
    target.put_blob(described(b"{}"), [b"{}"])
    made = [refers(f"x/{number}", annotations={"n": str(number)}) for number in range(5)]
    for data in (*made, made[0]):
        target.put_manifest(described(data, OCI_MANIFEST), data)
    found = source(registry).referrers(Digest(sha256(MADE.manifest_bytes)))
    assert sorted(each.artifact_type for each in found) == [f"x/{number}" for number in range(5)]
    assert {each.annotations["n"] for each in found} == set("01234")
    fallback = "team/app:" + sha256(MADE.manifest_bytes).replace(":", "-")
    assert (fallback in registry.manifests) is not api


def test_what_others_wrote_under_the_tag_stays(registry: Registry) -> None:
    registry.referrers_api = False
    registry.put("team/app", "1", MADE)
    tag = sha256(MADE.manifest_bytes).replace(":", "-")
    theirs = {"mediaType": "x", "digest": sha256(b"1"), "size": 1, "data": "MQ==", "x-own": 1}
    old = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [theirs], "annotations": {"a": "b"}})
    registry.put_manifest("team/app", tag, old, media_type=OCI_INDEX)
    target, data = sink(registry), refers("x/y")
    target.put_blob(described(b"{}"), [b"{}"])
    target.put_manifest(described(data, OCI_MANIFEST), data)
    _, new = registry.manifests[f"team/app:{tag}"]
    assert b'"data":"MQ==","x-own":1' in new
    assert b'"annotations":{"a":"b"}' in new
    assert sha256(data).encode() in new


def test_none_refer(registry: Registry) -> None:
    registry.put("team/app", "1", MADE)
    for registry.referrers_api in (True, False):
        assert source(registry).referrers(Digest(sha256(MADE.manifest_bytes))) == ()
