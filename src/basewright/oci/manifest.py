"""Manifests, indexes and configs, OCI 1.1 and Docker schema 2.

https://github.com/opencontainers/image-spec/blob/main/manifest.md and image-index.md, config.md
"""

import json
from typing import Annotated, TypeVar

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.digest import Digest

MAX_MANIFEST_BYTES = 4 << 20
MAX_CONFIG_BYTES = 16 << 20
_MAX_MARKS = 1_000_000
"""Bounds the memory that a document of small values takes."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
CONFIG_TYPES = (OCI_CONFIG, "application/vnd.docker.container.image.v1+json", "application/octet-stream")
"""octet-stream: what docker wrote there before 1.13."""
REF_NAME = "org.opencontainers.image.ref.name"

_Struct = msgspec.Struct
_Kind = TypeVar("_Kind")


class ImagePlatform(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"os_version": "os.version"}):
    """Which machine an image is for."""

    architecture: str
    os: str
    os_version: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a blob is, its digest and its bytes."""

    media_type: str
    digest: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    annotations: dict[str, str] = {}
    platform: ImagePlatform | None = None
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @property
    def checked_digest(self) -> Digest:
        return Digest(self.digest)

    @property
    def is_artifact(self) -> bool:
        """Whether it is said to be something else than an image: ko and crane write an image's config type there."""
        return self.artifact_type not in ("", *CONFIG_TYPES)

    @property
    def is_foreign(self) -> bool:
        """Whether a layer is to be had from elsewhere only (Windows bases were): no registry needs to hold it."""
        return bool(self.urls) or "foreign" in self.media_type or "nondistributable" in self.media_type


class Manifest(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One image: its config and layers, the lowest first."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}

    @property
    def kind(self) -> str:
        """Its media type, which OCI allows it to leave out."""
        return self.media_type or OCI_MANIFEST


class Index(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One name for several platforms."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}

    @property
    def kind(self) -> str:
        """Its media type, which OCI allows it to leave out."""
        return self.media_type or OCI_INDEX


class RootFilesystem(_Struct, frozen=True, kw_only=True):
    """The digests of the uncompressed layers, the lowest first."""

    type: str
    diff_ids: tuple[str, ...] = ()


class History(_Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a layer came to be."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False


class RunConfig(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """What runs, as whom, with what."""

    user: str = ""
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    exposed_ports: dict[str, dict[str, str]] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""


class ImageConfig(_Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The config blob of an image."""

    architecture: str
    os: str
    rootfs: RootFilesystem
    config: RunConfig = RunConfig()
    history: tuple[History, ...] = ()
    created: str = ""
    variant: str = ""


_KEYS = frozenset(
    field.lower()
    for kind in (ImagePlatform, Descriptor, Manifest, Index, RootFilesystem, RunConfig, ImageConfig)
    for field in kind.__struct_encode_fields__
)


def parse_manifest(data: bytes, *, name: str = "a manifest") -> Manifest | Index:
    """Either kind, told by what it holds. What could be read as both, or has a media type that says otherwise, is
    refused (CVE-2021-41190). `name` is what an error calls it. Raises HostileInputError."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise HostileInputError(f"{name} is larger than {MAX_MANIFEST_BYTES:,} bytes")
    document = _parse_object(data, name)
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise HostileInputError(
            f"{name} is one of Docker's schema 1, which is no longer in use",
            hint="push the image again with a docker of this decade",
        )
    if "manifests" in document and document.keys() & {"layers", "config"}:
        raise HostileInputError(f"{name} could be read as an index and as the manifest of one image")
    kind: type[Manifest] | type[Index] = Index if "manifests" in document else Manifest
    value: Manifest | Index = _convert(document, kind, name)
    wanted = INDEX_TYPES if isinstance(value, Index) else MANIFEST_TYPES
    if value.schema_version != 2 or (value.media_type and value.media_type not in wanted):
        raise HostileInputError(f"{name} has an unknown schema ({value.schema_version}) or type {value.media_type!r}")
    return value


def parse_config(data: bytes, *, name: str = "an image's config") -> ImageConfig:
    """`name` is what an error calls it. Raises HostileInputError."""
    if len(data) > MAX_CONFIG_BYTES:
        raise HostileInputError(f"{name} is larger than {MAX_CONFIG_BYTES:,} bytes")
    return _convert(_parse_object(data, name), ImageConfig, name)


def _parse_object(data: bytes, name: str) -> dict[str, object]:
    """A JSON object as engines written in Go read it: null is as good as absent. A key that stands twice in one object
    is refused, and so are two of the specification's keys that differ in case only: Go takes them for the same."""

    def checked(pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = {key: item for key, item in pairs if item is not None}
        keys = [key.lower() if key.lower() in _KEYS else key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise HostileInputError(f"{name} has the key {twice[:80]!r} twice")
        return value

    if sum(data.count(mark) for mark in (b"[", b"{", b",")) > _MAX_MARKS:
        raise HostileInputError(f"{name} has more than {_MAX_MARKS:,} values")
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])  # the stricter of the two about what is JSON
        document: object = json.loads(data, object_pairs_hook=checked)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise HostileInputError(f"{name} is no JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise HostileInputError(f"{name} is no JSON object")
    return document


def _convert(document: dict[str, object], kind: type[_Kind], name: str) -> _Kind:
    try:
        value = msgspec.convert(document, kind)
        msgspec.json.encode(value)  # no text that cannot be written again
    except (msgspec.ValidationError, UnicodeError) as error:
        raise HostileInputError(f"{name} is damaged: {error}") from None
    return value


def render_json(value: Manifest | Index | ImageConfig) -> bytes:
    """The bytes whose digest names it: compact, fields in the specification's order."""
    return msgspec.json.encode(value, enc_hook=str)  # Digest is a str of its own
