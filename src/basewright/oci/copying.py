"""Copies images between any two places: blobs at once and each once, children before their indexes, all or nothing."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import msgspec

from basewright._disk import ScratchFolder
from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
    ImagePlatform,
    Index,
    Manifest,
    parse_manifest,
)
from basewright.oci.platform import host_platform
from basewright.oci.resolution import (
    MAX_DEPTH,
    MAX_MANIFESTS,
    Resolved,
    image_layers,
    is_attestation,
    read_child,
    resolve,
)
from basewright.oci.span import checked
from basewright.oci.transports.referrer_tags import attached_tag
from basewright.oci.transports.transport import OrderedSink, Sink, Source, UnpackedSource
from basewright.parallel import map_parallel
from basewright.progress import Progress

PARALLEL_BLOBS = 4
_TOLD_BYTES = 1e6


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied. `digest` is of the index or manifest that the new name stands for; where the place keeps no
    manifests, of the config, which is an image's id there. `lost` says in words what did not come along."""

    digest: Digest
    copied_bytes: int
    present_bytes: int
    lost: tuple[str, ...]


def copy_image(
    source: Source,
    sink: Sink,
    *,
    platform: ImagePlatform | None,
    referrers: bool,
    progress: Progress,
    notice: Progress,
) -> Copied:
    """Copies the image that `source` stands for: all platforms, or the one that fits `platform`. `referrers`: with
    signatures and what else is about it. Where the sink keeps manifests, every digest stays as it is.

    Raises InputError (also where something is missing that an index names: no sparse copies), HostileInputError,
    OutOfReachError.
    """
    with ExitStack() as stack:
        if isinstance(source, UnpackedSource) and sink.keeps_manifests:
            scratch = ScratchFolder()
            stack.callback(scratch.close)
            source = source.packed(BlobStore(scratch.path), progress=progress)
        copy = _Copy(source, sink, progress=progress, notice=notice)
        if not sink.keeps_manifests:
            return copy.reduced(platform or host_platform(), asked=platform is not None, referrers=referrers)
        return copy.whole(platform, referrers=referrers)


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest or index to copy."""

    descriptor: Descriptor
    data: bytes
    value: Manifest | Index


class _Copy:
    """One copy: first everything is found, then sizes are told, then bytes move."""

    def __init__(self, source: Source, sink: Sink, *, progress: Progress, notice: Progress) -> None:
        self._source, self._sink = source, sink
        self._progress, self._notice = progress, notice
        self._items: dict[str, _Item] = {}
        """Children before what names them."""
        self._blobs: dict[str, Descriptor] = {}
        self._tags: dict[str, str] = {}
        """Tag that says what a manifest is about → its digest."""

    def whole(self, platform: ImagePlatform | None, *, referrers: bool) -> Copied:
        """Manifests as they are."""
        top, lost = self._top(platform)
        self._add(top, ())
        if referrers:
            self._add_referrers([Digest(each) for each in self._items], 0)
        moved, present = self._move_blobs()
        elsewhere = {top.descriptor.digest, *self._tags.values()}
        for digest, each in self._items.items():
            if digest not in elsewhere and not self._sink.has(each.descriptor, source=self._source):
                self._sink.put_manifest(each.descriptor, each.data)
        for tag, digest in self._tags.items():
            self._sink.put_manifest(self._items[digest].descriptor, self._items[digest].data, tag=tag)
        self._sink.finish(top.descriptor, top.data)
        return Copied(digest=top.descriptor.checked_digest, copied_bytes=moved, present_bytes=present, lost=lost)

    def _top(self, platform: ImagePlatform | None) -> tuple[_Item, tuple[str, ...]]:
        if platform is not None:
            found = resolve(self._source, platform=platform)
            others = (f"the platforms other than {found.platform}",) if _others(found) else ()
            return _item_of(found), (*others, *_attestations(found))
        data = self._source.manifest(None)
        value = parse_manifest(data, name=f"the manifest of {self._source.name}")
        descriptor = Descriptor(media_type=value.kind, digest=Digest.of(data), size=len(data))
        return _Item(descriptor=descriptor, data=data, value=value), ()

    def _add(self, item: _Item, above: tuple[str, ...]) -> None:
        """Finds everything that a manifest or index leads to."""
        digest = item.descriptor.digest
        if digest in self._items:
            return
        if digest in above:
            raise HostileInputError(f"{self._source.name}: the index {digest[7:19]} holds itself")
        if len(above) > MAX_DEPTH:
            raise HostileInputError(f"{self._source.name} nests its indexes deeper than {MAX_DEPTH}")
        if isinstance(item.value, Index):
            for each in item.value.manifests:
                self._add_child(each, (*above, digest))
        else:
            self._add_blobs(item.value)
        self._items[digest] = item
        if len(self._items) > MAX_MANIFESTS:
            raise HostileInputError(f"{self._source.name} has more than {MAX_MANIFESTS:,} manifests to copy")

    def _add_child(self, descriptor: Descriptor, above: tuple[str, ...]) -> None:
        if descriptor.media_type not in INDEX_TYPES + MANIFEST_TYPES:
            self._add_blob(descriptor)  # such as the layers of BuildKit's cache
            return
        if descriptor.digest in self._items:
            return
        try:
            data, value = read_child(self._source, descriptor)
        except HostileInputError:
            raise
        except InputError as error:
            raise InputError(
                f"{self._source.name} does not hold all that its index names: {error.message}",
                hint="copy what is there with --platform",
            ) from None
        self._add(_Item(descriptor=descriptor, data=data, value=value), above)

    def _add_blobs(self, manifest: Manifest) -> None:
        for each in (manifest.config, *manifest.layers):
            if each.is_foreign:
                raise HostileInputError(
                    f"{self._source.name} has a foreign layer: {each.digest[:200]} ({each.media_type[:100]})",
                    hint="its bytes are elsewhere, and a copy would lack them; name a platform without with --platform",
                )
            self._add_blob(each)

    def _add_blob(self, descriptor: Descriptor) -> None:
        digest = descriptor.checked_digest
        known = self._blobs.setdefault(digest, descriptor)
        if known.size != descriptor.size:
            raise HostileInputError(f"{self._source.name}: the blob {digest.short} is announced with two sizes")

    def _add_referrers(self, subjects: Sequence[Digest], depth: int) -> None:
        """What is about manifests, and what is about that."""
        if depth > MAX_DEPTH:
            raise HostileInputError(f"{self._source.name} nests its referrers deeper than {MAX_DEPTH}")
        new: list[Digest] = []
        listed = map_parallel(self._source.referrers, subjects, workers=PARALLEL_BLOBS)
        for subject, found in zip(subjects, listed, strict=True):
            for each in found:
                if each.digest not in self._items:
                    self._add_child(each, ())
                    new.append(each.checked_digest)
                if tag := attached_tag(each, subject):
                    self._tags[tag] = each.digest
        if new:
            self._add_referrers(new, depth + 1)

    def _move_blobs(self) -> tuple[int, int]:
        """Copies the blobs that are not there, large ones first; returns bytes copied and bytes that were there."""
        blobs = list(self._blobs.values())
        sink, source = self._sink, self._source
        if isinstance(sink, OrderedSink):
            sink.place([*blobs, *(each.descriptor for each in self._items.values())])
        there = map_parallel(lambda each: sink.has(each, source=source), blobs, workers=PARALLEL_BLOBS)
        missing = [each for each, has in zip(blobs, there, strict=True) if not has]
        total, moving = sum(each.size for each in blobs), sum(each.size for each in missing)
        if moving >= _TOLD_BYTES:
            kept = f", {(total - moving) / 1e6:.0f} MB are there already" if total != moving else ""
            self._notice(f"to copy: {source.name} ({moving / 1e6:.0f} MB{kept})")
        missing.sort(key=lambda each: each.size, reverse=True)
        map_parallel(self._move, missing, workers=PARALLEL_BLOBS)
        return moving, total - moving

    def _move(self, descriptor: Descriptor) -> None:
        self._progress(f"copying {descriptor.checked_digest.short} ({descriptor.size / 1e6:.1f} MB)")
        chunks = checked(self._source.blob(descriptor), descriptor, name=self._source.name)
        self._sink.put_blob(descriptor, chunks)

    def reduced(self, platform: ImagePlatform, *, asked: bool, referrers: bool) -> Copied:
        """One platform's config and layers, for a place that keeps nothing else."""
        found = resolve(self._source, platform=platform)
        layers = {
            each.descriptor.digest: each.descriptor for each in image_layers(self._source, found.manifest, found.config)
        }
        total = sum(each.size for each in layers.values())
        if total >= _TOLD_BYTES:
            self._notice(f"to copy: {self._source.name} ({total / 1e6:.0f} MB)")
        for each in (found.manifest.config, *layers.values()):
            self._move(each)
        item = _item_of(found)
        self._sink.finish(item.descriptor, item.data)
        return Copied(
            digest=Digest.of(found.config_bytes),
            copied_bytes=total,
            present_bytes=0,
            lost=tuple(self._lost(found, asked=asked, referrers=referrers)),
        )

    def _lost(self, found: Resolved, *, asked: bool, referrers: bool) -> Iterator[str]:
        if isinstance(self._source, UnpackedSource):
            return
        yield f"the manifest {found.manifest_digest} (the image's id {Digest.of(found.config_bytes)} stays)"
        if any(each.media_type.endswith(("gzip", "zstd")) for each in found.manifest.layers):
            yield "the compression of its layers"
        if found.manifest.annotations or any(each.annotations for each in found.manifest.layers):
            yield "its annotations"
        others = sorted({str(each.platform) for each in _others(found) if each.platform is not None})
        if others and not asked:
            yield f"the platforms {', '.join(others)}"
        yield from _attestations(found)
        if referrers and self._source.referrers(found.manifest_digest):
            yield "what refers to it"


def _others(found: Resolved) -> Sequence[Descriptor]:
    """The images beside the one that was found."""
    listed = found.top.manifests if isinstance(found.top, Index) else ()
    return [each for each in listed if each.digest != found.manifest_digest and not is_attestation(each)]


def _attestations(found: Resolved) -> Iterator[str]:
    listed = found.top.manifests if isinstance(found.top, Index) else ()
    if any(is_attestation(each, found.manifest_digest) for each in listed):
        yield "its attestations (provenance, SBOM)"


def _item_of(found: Resolved) -> _Item:
    descriptor = Descriptor(
        media_type=found.manifest.kind,
        digest=found.manifest_digest,
        size=len(found.manifest_bytes),
        platform=found.platform,
    )
    return _Item(descriptor=descriptor, data=found.manifest_bytes, value=found.manifest)
