"""Manifests, indexes and configs, OCI 1.1 and Docker schema 2.

https://github.com/opencontainers/image-spec/blob/main/manifest.md and image-index.md, config.md
"""

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.digest import Digest

MAX_MANIFEST_BYTES = 4 << 20
MAX_CONFIG_BYTES = 16 << 20

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)

_Struct = msgspec.Struct


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
    size: int
    annotations: dict[str, str] = {}
    platform: ImagePlatform | None = None
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @property
    def checked_digest(self) -> Digest:
        return Digest(self.digest)


class Manifest(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One image: its config and layers, the lowest first."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = ""
    annotations: dict[str, str] = {}


class Index(_Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One name for several platforms."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = ""
    annotations: dict[str, str] = {}


class RootFilesystem(_Struct, frozen=True, kw_only=True):
    """The digests of the uncompressed layers, the lowest first."""

    type: str
    diff_ids: tuple[str, ...]


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


def parse_manifest(data: bytes) -> Manifest | Index:
    """Either kind, told by what it holds (a media type that says otherwise is refused). Raises HostileInputError."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise HostileInputError(f"a manifest is larger than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        kind: type[Manifest] | type[Index] = Index if "manifests" in fields else Manifest
        value = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HostileInputError(f"a manifest is damaged: {error}") from None
    wanted = INDEX_TYPES if isinstance(value, Index) else MANIFEST_TYPES
    if value.schema_version != 2 or (value.media_type and value.media_type not in wanted):
        raise HostileInputError(f"a manifest of schema {value.schema_version} and type {value.media_type!r} is unknown")
    return value


def parse_config(data: bytes) -> ImageConfig:
    """Raises HostileInputError."""
    if len(data) > MAX_CONFIG_BYTES:
        raise HostileInputError(f"an image's config is larger than {MAX_CONFIG_BYTES:,} bytes")
    try:
        return msgspec.json.decode(data, type=ImageConfig)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HostileInputError(f"an image's config is damaged: {error}") from None


def render_json(value: Manifest | Index | ImageConfig) -> bytes:
    """The bytes whose digest names it: compact, fields in the specification's order."""
    return msgspec.json.encode(value, enc_hook=str)  # Digest is a str of its own
