"""Sources without manifests of their own: a config and tar files, for which a manifest is made here."""

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.layer_limits import MAX_LAYER_BYTES, LayerLimits
from basewright.oci.manifest import (
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_LAYER_TAR,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    parse_config,
    render_json,
)
from basewright.oci.span import Span
from basewright.oci.stream import gzip_stream, inflate
from basewright.oci.transports.transport import Source
from basewright.progress import Progress

_HEAD_BYTES = 6


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as it is to be had: what it is, and its bytes."""

    descriptor: Descriptor
    chunks: Callable[[], Iterator[bytes]]


class MadeSource(ABC):
    """`Source` of one image whose manifest is made here, the same one each time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._found: tuple[bytes, tuple[Part, ...]] | None = None

    @abstractmethod
    def _find(self) -> tuple[bytes, Sequence[Part]]:
        """The config's bytes and the layers, the lowest first; asked once."""

    @property
    def name(self) -> str:
        return self._name

    def parts(self) -> tuple[bytes, tuple[Part, ...]]:
        """The config's bytes and the layers, the lowest first."""
        with self._lock:
            if self._found is None:
                config, layers = self._find()
                self._found = config, tuple(layers)
            return self._found

    def manifest(self, digest: Digest | None) -> bytes:
        config, layers = self.parts()
        manifest = Manifest(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=Descriptor(media_type=OCI_CONFIG, digest=Digest.of(config), size=len(config)),
            layers=tuple(each.descriptor for each in layers),
        )
        data = render_json(manifest)
        if digest is not None and not digest.matches(data):
            raise InputError(f"{self.name} has no manifest {digest.short}")
        return data

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        config, layers = self.parts()
        if descriptor.checked_digest.matches(config):
            return iter((config,))
        for each in layers:
            if each.descriptor.digest == descriptor.digest:
                return each.chunks()
        raise InputError(f"{self.name} has no blob {descriptor.checked_digest.short}")

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return ()

    def packed(self, store: BlobStore, *, progress: Progress) -> Source:
        return _Packed(self, store, progress=progress)


class _Packed(MadeSource):
    """As `UnpackedSource` says: gzip stays, anything else is packed into `store`."""

    def __init__(
        self, source: MadeSource, store: BlobStore, *, progress: Progress, limits: LayerLimits = LayerLimits()
    ) -> None:
        super().__init__(source.name)
        self._source, self._store, self._progress, self._limits = source, store, progress, limits

    def _find(self) -> tuple[bytes, Sequence[Part]]:
        config, layers = self._source.parts()
        diff_ids = parse_config(config, name=f"the config of {self.name}").rootfs.diff_ids
        return config, [self._packed(part, diff_id) for part, diff_id in zip(layers, diff_ids, strict=True)]

    def _packed(self, part: Part, diff_id: str) -> Part:
        if part.descriptor.media_type == OCI_LAYER_GZIP:
            return part
        self._progress(f"packing a layer of {part.descriptor.size / 1e6:.0f} MB")
        hasher = hashlib.sha256()

        def tar() -> Iterator[bytes]:
            stream = inflate(part.chunks(), name=self.name)
            for chunk in self._limits.guard(stream, compressed_bytes=part.descriptor.size, name=self.name):
                hasher.update(chunk)
                yield chunk

        digest, size = self._store.write_stream(gzip_stream(tar()), expected=None, max_bytes=MAX_LAYER_BYTES)
        if hasher.hexdigest() != diff_id.rpartition(":")[2]:
            raise HostileInputError(f"a layer of {self.name} does not have the diff id that its config names")
        span = Span(self._store.path(digest), 0, size)
        return Part(descriptor=Descriptor(media_type=OCI_LAYER_GZIP, digest=digest, size=size), chunks=span.chunks)


def layer_type(head: bytes, *, name: str) -> str:
    """The media type of a layer that begins with `head`. Raises HostileInputError for xz and bzip2."""
    if head[:2] == b"\x1f\x8b":
        return OCI_LAYER_GZIP
    if head[1:4] == b"\x2a\x4d\x18" or head[:4] == b"\x28\xb5\x2f\xfd":
        return OCI_LAYER_ZSTD
    if head[:6] == b"\xfd7zXZ\0" or head[:3] == b"BZh":
        raise HostileInputError(f"{name}: layers packed with xz or bzip2 are not allowed by the specification")
    return OCI_LAYER_TAR


def part_of(span: Span, diff_id: str, *, name: str) -> Part:
    """A layer that stands in a file: a plain tar's digest is its diff id, which is checked where it is read; a packed
    one's is counted here."""
    head = next(span.chunks(), b"")[:_HEAD_BYTES]
    kind = layer_type(head, name=name)
    digest = diff_id if kind == OCI_LAYER_TAR else _digest(span.chunks())
    return Part(descriptor=Descriptor(media_type=kind, digest=digest, size=span.size), chunks=span.chunks)


def _digest(chunks: Iterator[bytes]) -> Digest:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return Digest(f"sha256:{hasher.hexdigest()}")
