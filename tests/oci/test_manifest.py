"""Manifests, indexes and configs: read as engines read them, refused where engines could be led to differ."""

import json

import pytest

from basewright.errors import HostileInputError
from basewright.oci.digest import Digest
from basewright.oci.manifest import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    Index,
    Manifest,
    RunConfig,
    parse_config,
    parse_manifest,
    render_json,
)
from tests.doubles.image import as_json, make_image, render_index

IMAGE = make_image(bytes(1024))
CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}


def refused(data: bytes) -> str:
    with pytest.raises(HostileInputError) as caught:
        parse_manifest(data, name="the manifest of x")
    assert caught.value.message.startswith("the manifest of x ")
    return caught.value.message


def refused_config(data: bytes) -> str:
    with pytest.raises(HostileInputError) as caught:
        parse_config(data, name="the config of x")
    assert caught.value.message.startswith("the config of x ")
    return caught.value.message


def test_both_kinds_are_told_by_what_they_hold() -> None:
    manifest = parse_manifest(IMAGE.manifest_bytes)
    assert isinstance(manifest, Manifest)
    assert manifest.layers[0].checked_digest == Digest.of(IMAGE.layers[0])
    index = parse_manifest(render_index([IMAGE.descriptor()]))
    assert isinstance(index, Index)
    assert str(index.manifests[0].platform) == "linux/amd64"


def test_docker_schema_2_is_the_same_with_other_names() -> None:
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    assert parse_manifest(as_json(IMAGE.manifest | {"mediaType": docker})) == parse_manifest(
        as_json(IMAGE.manifest | {"mediaType": docker, "unknown": {"field": [1]}})
    )


def test_null_is_as_good_as_absent() -> None:
    config = parse_config(
        as_json(
            CONFIG
            | {
                "config": {"Env": None, "Entrypoint": None, "Labels": None, "User": None, "Volumes": None},
                "rootfs": {"type": "layers", "diff_ids": None},
                "history": None,
                "created": None,
            }
        )
    )
    assert config.config == RunConfig()
    assert config.rootfs.diff_ids == ()
    manifest = parse_manifest(as_json(IMAGE.manifest | {"layers": None, "annotations": None}))
    assert isinstance(manifest, Manifest)
    assert manifest.layers == ()


def test_what_is_written_is_read_again() -> None:
    config = parse_config(as_json(CONFIG | {"config": {"Env": ["A=ü"], "User": "1:2", "Labels": {"a": "b"}}}))
    assert parse_config(render_json(config)) == config
    assert b'"Env":["A=\xc3\xbc"]' in render_json(config)


def test_labels_may_differ_in_case_only() -> None:
    config = parse_config(as_json(CONFIG | {"config": {"Labels": {"Maintainer": "a", "maintainer": "b"}}}))
    assert config.config.labels == {"Maintainer": "a", "maintainer": "b"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"layers"', '"layers": [], "layers"'),
        ('"layers"', '"Layers": [], "layers"'),
        ('"digest"', '"digest": "sha256:0", "digest"'),
        ('"size"', '"SIZE": 1, "size"'),
        ('"schemaVersion"', '"x": {"a": 1, "a": 2}, "schemaVersion"'),
        ('"schemaVersion"', '"annotations": {"k": "1", "k": null}, "schemaVersion"'),
    ],
)
def test_a_key_that_stands_twice(before: str, after: str) -> None:
    text = IMAGE.manifest_bytes.decode()
    assert "twice" in refused(text.replace(before, after, 1).encode())


def test_a_key_that_stands_twice_in_index_and_config() -> None:
    index = render_index([IMAGE.descriptor()]).decode()
    assert "twice" in refused(index.replace('"size"', '"size": 3, "size"').encode())
    assert "twice" in refused_config(json.dumps(CONFIG).replace('"os"', '"os": "x", "os"').encode())
    assert "twice" in refused_config(
        json.dumps(CONFIG).replace('"os"', '"config": {"User": "a", "user": "b"}, "os"').encode()
    )


def test_what_could_be_read_as_both_kinds() -> None:
    both = IMAGE.manifest | {"manifests": []}
    assert "as an index and as the manifest" in refused(as_json(both))
    index = json.loads(render_index([IMAGE.descriptor()]))
    assert "as an index and as the manifest" in refused(as_json(index | {"config": {}}))
    assert "unknown schema" in refused(as_json(index | {"mediaType": IMAGE.manifest["mediaType"]}))
    assert "unknown schema" in refused(as_json(IMAGE.manifest | {"mediaType": index["mediaType"]}))


def test_other_schemas() -> None:
    assert refused(as_json({"schemaVersion": 1, "fsLayers": []}))
    assert "unknown schema (3)" in refused(as_json(IMAGE.manifest | {"schemaVersion": 3}))
    assert "damaged" in refused(as_json(IMAGE.manifest | {"schemaVersion": "2"}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"a": 1}}',
        b"\xef\xbb\xbf{}",
        b'{"schemaVersion": NaN}',
        b'{"a": "\xff"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' * 50_000,
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_what_is_no_json_object(data: bytes) -> None:
    assert "no JSON" in refused(data)
    assert "no JSON" in refused_config(data)


def test_sizes_below_zero_and_text_that_cannot_be_written() -> None:
    lying = json.dumps(IMAGE.manifest).replace('"size": ', '"size": -')
    assert ">= 0" in refused(lying.encode())
    assert refused_config(json.dumps(CONFIG | {"created": "\ud800"}).encode())


def test_documents_beyond_every_measure() -> None:
    assert "larger than 4,194,304 bytes" in refused(as_json(IMAGE.manifest | {"x": "y" * MAX_MANIFEST_BYTES}))
    assert "larger than 16,777,216 bytes" in refused_config(as_json(CONFIG | {"x": "y" * MAX_CONFIG_BYTES}))
    assert "more than 1,000,000 values" in refused_config(as_json(CONFIG | {"x": [[]] * 1_000_000}))
