"""Copies one platform's image from wherever it is into a store, every byte checked on the way."""

from collections.abc import Iterator

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Image, Layer
from basewright.oci.layer import MAX_LAYER_BYTES
from basewright.oci.manifest import (
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_CONFIG_BYTES,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    parse_config,
    parse_manifest,
)
from basewright.oci.transports.transport import Source

_MAX_DEPTH = 8
_ATTESTATION = "vnd.docker.reference.type"
_BASELINES = {"amd64": ("", "v1"), "arm64": ("", "v8")}


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for: the digest of its index (or manifest), and for one platform the manifest's."""

    top_digest: Digest
    manifest_digest: Digest
    manifest_bytes: bytes
    manifest: Manifest


def resolve(source: Source, *, architecture: str) -> Resolved:
    """Finds the manifest for linux on `architecture`. Raises InputError listing the platforms that there are."""
    top = source.manifest(None)
    data, value, depth = top, parse_manifest(top, name=f"the manifest of {source.name}"), 0
    while isinstance(value, Index):
        depth += 1
        if depth > _MAX_DEPTH:
            raise HostileInputError(f"{source.name} nests its indexes deeper than {_MAX_DEPTH}")
        chosen = _choose(value, architecture, source.name)
        digest = chosen.checked_digest
        data = source.manifest(digest)
        if not digest.matches(data):
            raise HostileInputError(f"{source.name}: the manifest that is named {digest.short} has another digest")
        if len(data) != chosen.size:
            raise HostileInputError(f"{source.name}: the manifest {digest.short} has another size than announced")
        value = parse_manifest(data, name=f"the manifest {digest.short} of {source.name}")
        if chosen.media_type not in (INDEX_TYPES if isinstance(value, Index) else MANIFEST_TYPES):
            raise HostileInputError(f"{source.name}: the manifest {digest.short} is no {chosen.media_type[:100]}")
    return Resolved(top_digest=Digest.of(top), manifest_digest=Digest.of(data), manifest_bytes=data, manifest=value)


def _choose(index: Index, architecture: str, name: str) -> Descriptor:
    """The descriptor for linux on `architecture`: the processor that every machine of it is comes first."""
    real = [
        each
        for each in index.manifests
        if _ATTESTATION not in each.annotations and (each.platform is None or each.platform.os != "unknown")
    ]
    fitting = [
        each
        for each in real
        if each.platform is not None and each.platform.os == "linux" and each.platform.architecture == architecture
    ]
    if not fitting and len(real) == 1 and real[0].platform is None:
        fitting = real
    if not fitting:
        there = ", ".join(sorted({str(each.platform) for each in real if each.platform})) or "none named"
        raise InputError(f"{name} has no image for linux/{architecture}", hint=f"its platforms: {there}")
    variants = _BASELINES.get(architecture, ("",))
    plain = [each for each in fitting if each.platform is None or each.platform.variant in variants]
    return (plain or fitting)[0]


def pull_image(source: Source, store: BlobStore, *, architecture: str, resolved: Resolved | None = None) -> Image:
    """Copies config and layers into `store`, checked against their digests and sizes; manifest bytes stay as they are.

    Raises HostileInputError, InputError (a missing blob, another architecture), OutOfReachError.
    """
    found = resolved or resolve(source, architecture=architecture)
    manifest = found.manifest
    config_bytes, config = _pull_config(source, manifest)
    if config.os != "linux" or config.architecture != architecture:
        raise InputError(f"{source.name} is an image for {config.os}/{config.architecture}, not linux/{architecture}")
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        raise HostileInputError(
            f"{source.name} has {len(manifest.layers)} layers and {len(config.rootfs.diff_ids)} diff ids"
        )
    layers = []
    for descriptor, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True):
        if descriptor.urls or "foreign" in descriptor.media_type or "nondistributable" in descriptor.media_type:
            raise HostileInputError(f"{source.name} has a foreign layer: {descriptor.digest} ({descriptor.media_type})")
        layer = Layer(descriptor=descriptor, diff_id=Digest(diff_id))
        _pull_layer(source, store, layer)
        layers.append(layer)
    store.write_stream((config_bytes,), expected=manifest.config.checked_digest, max_bytes=len(config_bytes))
    store.write(found.manifest_bytes)
    return Image(
        manifest_bytes=found.manifest_bytes,
        manifest=manifest,
        config=config,
        layers=tuple(layers),
        store_directory=store.directory,
    )


def _pull_config(source: Source, manifest: Manifest) -> tuple[bytes, ImageConfig]:
    described = manifest.config
    if described.media_type not in CONFIG_TYPES:
        raise InputError(f"{source.name} is no container image: its config is {described.media_type[:100]!r}")
    if described.size > MAX_CONFIG_BYTES:
        raise HostileInputError(f"the config of {source.name} is larger than {MAX_CONFIG_BYTES:,} bytes")
    data = b"".join(_bounded(source.blob(described), described.size, source))
    if not described.checked_digest.matches(data):
        raise HostileInputError(f"{source.name}: the config does not have its digest {described.checked_digest.short}")
    if len(data) != described.size:
        raise HostileInputError(f"{source.name}: the config has another size than announced")
    return data, parse_config(data, name=f"the config of {source.name}")


def _pull_layer(source: Source, store: BlobStore, layer: Layer) -> None:
    announced, digest = layer.descriptor.size, layer.digest
    if announced > MAX_LAYER_BYTES:
        raise HostileInputError(f"the layer {digest.short} of {source.name} is larger than {MAX_LAYER_BYTES:,} bytes")
    try:
        _, size = store.write_stream(source.blob(layer.descriptor), expected=digest, max_bytes=announced)
    except HostileInputError as error:
        raise HostileInputError(f"{source.name}: {error.message}", hint=error.hint) from None
    if size != announced:
        raise HostileInputError(f"the layer {digest.short} of {source.name} has another size than announced")


def _bounded(chunks: Iterator[bytes], limit: int, source: Source) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise HostileInputError(f"a blob of {source.name} is larger than {limit:,} bytes")
        yield chunk
