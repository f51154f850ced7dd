"""What an image's name stands for: the manifest and config of one platform, found through the indexes above them."""

from collections.abc import Iterator

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.digest import Digest
from basewright.oci.image import Layer
from basewright.oci.manifest import (
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    Descriptor,
    ImageConfig,
    ImagePlatform,
    Index,
    Manifest,
    parse_config,
    parse_manifest,
)
from basewright.oci.platform import distance, is_unknown, nearest, normalize
from basewright.oci.transports.transport import Source

MAX_DEPTH = 8
MAX_MANIFESTS = 1000
"""How many manifests of one name are looked at."""
_ATTESTATION = "vnd.docker.reference.type"
_ATTESTED = "vnd.docker.reference.digest"


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for: the digest of its index (or manifest), and for one platform the manifest and config."""

    top_digest: Digest
    top: Manifest | Index
    manifest_digest: Digest
    manifest_bytes: bytes
    manifest: Manifest
    config_bytes: bytes
    config: ImageConfig
    platform: ImagePlatform
    """What the image is for, by its index entry, else by its config."""
    fits: bool
    """Whether that is the platform that was asked for, or runs on it."""


def resolve(source: Source, *, platform: ImagePlatform) -> Resolved:
    """Finds the image that fits `platform` best. Raises InputError, which lists the platforms that there are,
    HostileInputError, OutOfReachError."""
    return _Resolution(source, platform).find(lone=False)


def resolve_any(source: Source, *, platform: ImagePlatform) -> Resolved:
    """As `resolve`, but where the image exists for one other platform only, that is found (`fits` is False then)."""
    return _Resolution(source, platform).find(lone=True)


class _Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image in an index. `descriptor` is None for an index that was not looked into."""

    platform: ImagePlatform
    descriptor: Descriptor | None


class _Resolution:
    """One search through the indexes of a source."""

    def __init__(self, source: Source, platform: ImagePlatform) -> None:
        self._source = source
        self._platform = platform
        self._manifests = 0

    def find(self, *, lone: bool) -> Resolved:
        top = self._source.manifest(None)
        name = self._source.name
        value = parse_manifest(top, name=f"the manifest of {name}")
        if isinstance(value, Manifest):
            return self._checked((Digest.of(top), value), Digest.of(top), top, value, None, lone)
        offers = list(self._offers(value, (Digest.of(top),)))
        chosen = nearest(self._platform, ((each.platform, each.descriptor) for each in offers))
        there = {str(each.platform): each.descriptor for each in reversed(offers)}
        if chosen is None and lone and len(there) == 1:
            (chosen,) = there.values()
        if chosen is None:
            raise InputError(
                f"{name} has no image for {self._platform}",
                hint="its platforms: " + (", ".join(sorted(there)) or "none named"),
            )
        data, manifest = read_child(self._source, chosen)
        if not isinstance(manifest, Manifest):
            raise HostileInputError(f"{name}: the manifest {chosen.checked_digest.short} is an index")
        return self._checked((Digest.of(top), value), chosen.checked_digest, data, manifest, chosen.platform, lone)

    def _offers(self, index: Index, above: tuple[Digest, ...]) -> Iterator[_Offer]:
        """Everything in an index that could be run, indexes in it looked into where they are for this platform."""
        if len(above) > MAX_DEPTH:
            raise HostileInputError(f"{self._source.name} nests its indexes deeper than {MAX_DEPTH}")
        for each in index.manifests:
            if is_attestation(each) or each.is_artifact:
                continue
            fits = each.platform is None or distance(self._platform, each.platform) is not None
            if each.media_type in INDEX_TYPES and fits:
                yield from self._offers(self._inner(each, above), (*above, each.checked_digest))
            elif each.platform is not None:
                is_image = each.media_type in MANIFEST_TYPES
                yield _Offer(platform=each.platform, descriptor=each if is_image else None)
            elif each.media_type in MANIFEST_TYPES and (platform := self._platform_of(each)) is not None:
                yield _Offer(platform=platform, descriptor=each)

    def _inner(self, descriptor: Descriptor, above: tuple[Digest, ...]) -> Index:
        if descriptor.checked_digest in above:
            raise HostileInputError(f"{self._source.name}: the index {descriptor.checked_digest.short} holds itself")
        self._count()
        _, value = read_child(self._source, descriptor)
        if not isinstance(value, Index):
            raise HostileInputError(
                f"{self._source.name}: the manifest {descriptor.checked_digest.short} is no {descriptor.media_type}"
            )
        return value

    def _platform_of(self, descriptor: Descriptor) -> ImagePlatform | None:
        """What an image is for whose index does not say it; None where it is nothing to run."""
        self._count()
        _, manifest = read_child(self._source, descriptor)
        if isinstance(manifest, Index) or manifest.config.media_type not in CONFIG_TYPES:
            return None
        platform = _platform(read_config(self._source, manifest)[1])
        return None if is_unknown(platform) else platform

    def _count(self) -> None:
        self._manifests += 1
        if self._manifests > MAX_MANIFESTS:
            raise HostileInputError(f"{self._source.name} has more than {MAX_MANIFESTS:,} manifests to look at")

    def _checked(
        self,
        top: tuple[Digest, Manifest | Index],
        digest: Digest,
        data: bytes,
        manifest: Manifest,
        told: ImagePlatform | None,
        lone: bool,
    ) -> Resolved:
        """The image, once its config agrees with what its index says and (unless `lone`) with what was asked for."""
        name = self._source.name
        config_bytes, config = read_config(self._source, manifest)
        own = _platform(config)
        if told is not None and (normalize(told).os, normalize(told).architecture) != (own.os, own.architecture):
            raise InputError(f"{name} is an image for {own}, not {told}, which its index says")
        platform = told or own
        fits = distance(self._platform, platform) is not None
        if is_unknown(own) or not (fits or lone):
            raise InputError(
                f"{name} is an image for {platform}, not {self._platform}",
                hint="" if is_unknown(own) else f"its platforms: {platform}",
            )
        return Resolved(
            top_digest=top[0],
            top=top[1],
            manifest_digest=digest,
            manifest_bytes=data,
            manifest=manifest,
            config_bytes=config_bytes,
            config=config,
            platform=normalize(platform),
            fits=fits,
        )


def is_attestation(listed: Descriptor, subject: Digest | None = None) -> bool:
    """Whether an index's entry is what BuildKit says of an image, of `subject` where that is given.

    https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
    """
    if _ATTESTATION not in listed.annotations and not (listed.platform and is_unknown(listed.platform)):
        return False
    return subject is None or listed.annotations.get(_ATTESTED, subject) == subject


def _platform(config: ImageConfig) -> ImagePlatform:
    return normalize(ImagePlatform(os=config.os, architecture=config.architecture, variant=config.variant))


def read_child(source: Source, descriptor: Descriptor) -> tuple[bytes, Manifest | Index]:
    """A manifest or index that an index names, checked against digest, size and media type."""
    digest = descriptor.checked_digest
    if descriptor.size > MAX_MANIFEST_BYTES:
        raise HostileInputError(
            f"{source.name}: the manifest {digest.short} is larger than {MAX_MANIFEST_BYTES:,} bytes"
        )
    data = source.manifest(digest)
    if not digest.matches(data):
        raise HostileInputError(f"{source.name}: the manifest that is named {digest.short} has another digest")
    if len(data) != descriptor.size:
        raise HostileInputError(f"{source.name}: the manifest {digest.short} has another size than announced")
    value = parse_manifest(data, name=f"the manifest {digest.short} of {source.name}")
    if descriptor.media_type not in (INDEX_TYPES if isinstance(value, Index) else MANIFEST_TYPES):
        raise HostileInputError(f"{source.name}: the manifest {digest.short} is no {descriptor.media_type[:100]}")
    return data, value


def read_config(source: Source, manifest: Manifest) -> tuple[bytes, ImageConfig]:
    """The config of an image, checked against digest and size. Raises InputError where it is no image's."""
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


def image_layers(source: Source, manifest: Manifest, config: ImageConfig) -> tuple[Layer, ...]:
    """The layers with their diff ids, the lowest first. Refused by digest and media type: foreign ones; and counts
    that do not match."""
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        raise HostileInputError(
            f"{source.name} has {len(manifest.layers)} layers and {len(config.rootfs.diff_ids)} diff ids"
        )
    for each in manifest.layers:
        if each.is_foreign:
            raise HostileInputError(f"{source.name} has a foreign layer: {each.digest[:200]} ({each.media_type[:100]})")
    return tuple(
        Layer(descriptor=descriptor, diff_id=Digest(diff_id))
        for descriptor, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True)
    )


def _bounded(chunks: Iterator[bytes], limit: int, source: Source) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise HostileInputError(f"a blob of {source.name} is larger than {limit:,} bytes")
        yield chunk
