"""Copies one platform's image from wherever it is into a store, every byte checked on the way."""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Image, Layer
from basewright.oci.layer import MAX_LAYER_BYTES
from basewright.oci.manifest import (
    MAX_CONFIG_BYTES,
    Descriptor,
    Index,
    Manifest,
    parse_config,
    parse_manifest,
)

_MAX_DEPTH = 8
_ATTESTATION = "vnd.docker.reference.type"


class Source(Protocol):
    """Where an image comes from."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def manifest(self, digest: Digest | None) -> bytes:
        """The manifest or index with this digest, or (None) the one that the source's own name stands for."""
        ...

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes, not yet checked."""
        ...


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for: the digest of its index (or manifest), and for one platform the manifest's."""

    top_digest: Digest
    manifest_digest: Digest
    manifest_bytes: bytes
    manifest: Manifest


def resolve(source: Source, *, architecture: str) -> Resolved:
    """Finds the manifest for linux on `architecture`. Raises InputError listing the platforms that there are."""
    top = source.manifest(None)
    data, value, depth = top, parse_manifest(top), 0
    while isinstance(value, Index):
        depth += 1
        if depth > _MAX_DEPTH:
            raise HostileInputError(f"{source.name} nests its indexes deeper than {_MAX_DEPTH}")
        chosen = _choose(value, architecture, source.name)
        digest = chosen.checked_digest
        data = source.manifest(digest)
        _check(data, digest, source.name)
        value = parse_manifest(data)
    return Resolved(top_digest=Digest.of(top), manifest_digest=Digest.of(data), manifest_bytes=data, manifest=value)


def _choose(index: Index, architecture: str, name: str) -> Descriptor:
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
    return fitting[0]


def pull_image(source: Source, store: BlobStore, *, architecture: str, resolved: Resolved | None = None) -> Image:
    """Copies config and layers into `store`, checked against their digests and sizes; manifest bytes stay as they are.

    Raises HostileInputError, InputError (a missing blob, another architecture), OutOfReachError.
    """
    found = resolved or resolve(source, architecture=architecture)
    manifest = found.manifest
    config_bytes = b"".join(_bounded(source.blob(manifest.config), min(MAX_CONFIG_BYTES, manifest.config.size), source))
    _check(config_bytes, manifest.config.checked_digest, source.name)
    config = parse_config(config_bytes)
    if config.architecture != architecture:
        raise InputError(f"{source.name} is an image for {config.os}/{config.architecture}, not linux/{architecture}")
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        raise HostileInputError(
            f"{source.name} has {len(manifest.layers)} layers and {len(config.rootfs.diff_ids)} diff ids"
        )
    layers = []
    for descriptor, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True):
        if descriptor.urls or "foreign" in descriptor.media_type or "nondistributable" in descriptor.media_type:
            raise HostileInputError(f"{source.name} has a foreign layer: {descriptor.digest} ({descriptor.media_type})")
        digest = descriptor.checked_digest
        if digest not in store:
            limit = min(descriptor.size, MAX_LAYER_BYTES)
            _, size = store.write_stream(source.blob(descriptor), expected=digest, max_bytes=limit)
            if size != descriptor.size:
                raise HostileInputError(f"the layer {digest.short} of {source.name} has another size than announced")
        layers.append(Layer(descriptor=descriptor, diff_id=Digest(diff_id)))
    store.write(config_bytes)
    store.write(found.manifest_bytes)
    return Image(
        manifest_bytes=found.manifest_bytes,
        manifest=manifest,
        config=config,
        layers=tuple(layers),
        store_directory=store.directory,
    )


def _bounded(chunks: Iterator[bytes], limit: int, source: Source) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise HostileInputError(f"a blob of {source.name} is larger than {limit:,} bytes")
        yield chunk


def _check(data: bytes, digest: Digest, name: str) -> None:
    if digest.algorithm == "sha256" and Digest.of(data) != digest:
        raise HostileInputError(f"{name}: what is named {digest.short} has another digest")
