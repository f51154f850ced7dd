"""OCI layouts as sources: a folder, or one tar file of it.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.digest import Digest
from basewright.oci.manifest import (
    INDEX_TYPES,
    MAX_MANIFEST_BYTES,
    OCI_INDEX,
    REF_NAME,
    Descriptor,
    Index,
    Manifest,
    parse_manifest,
    render_json,
)
from basewright.oci.resolution import is_attestation, read_child
from basewright.oci.span import Span, tar_places
from basewright.oci.transports.referrer_tags import attached_tag, is_about, list_tag

LAYOUT_VERSION = "1.0.0"
LAYOUT_FILE = b'{"imageLayoutVersion":"%s"}' % LAYOUT_VERSION.encode()
CONTAINERD_NAME = "io.containerd.image.name"
"""containerd, and docker with its store, take the whole name from here and leave an image without it nameless."""
_MAX_VERSION_BYTES = 4096
_MAX_LISTED = 20
_MAX_LOOKED_INTO = 100
"""Manifests that are read only to tell images from what is about them."""


def blob_name(digest: Digest) -> str:
    """Of a blob in a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def described_as(subject: Descriptor, data: bytes, value: Manifest | Index) -> Descriptor:
    """How a list of referrers describes the manifest `value`, which `data` and `subject` (its own descriptor) are of.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
    """
    kind = value.artifact_type or (value.config.media_type if isinstance(value, Manifest) else "")
    return Descriptor(
        media_type=subject.media_type,
        digest=subject.digest,
        size=len(data),
        artifact_type=kind,
        annotations=value.annotations,
    )


class LayoutSource:
    """`Source` over an OCI layout folder or archive. `tag` or `digest` chooses one of several images."""

    def __init__(
        self, path: Path, *, tag: str | None = None, digest: Digest | None = None, name: str | None = None
    ) -> None:
        self.path = path
        self._name = name or str(path)
        self._tag, self._digest = tag, digest
        self._places: dict[str, Span] | None = None if path.is_dir() else tar_places(path, name=self._name)

    @property
    def name(self) -> str:
        return self._name

    def ref_name(self) -> tuple[str | None, str | None]:
        """The chosen image's own name in the layout, and containerd's name of it."""
        found = self._chosen(self.index())
        names = {each.annotations.get(REF_NAME) for each in found}
        whole = {each.annotations.get(CONTAINERD_NAME) for each in found}
        return names.pop() if len(names) == 1 else None, whole.pop() if len(whole) == 1 else None

    def manifest(self, digest: Digest | None) -> bytes:
        if digest is not None:
            return self._read(blob_name(digest), MAX_MANIFEST_BYTES)
        index = self.index()
        found = self._chosen(index)
        if len(found) == 1:
            return read_child(self, found[0])[0]
        if len(found) == len(index.manifests):
            return self._read("index.json", MAX_MANIFEST_BYTES)
        return render_json(Index(schema_version=2, media_type=OCI_INDEX, manifests=tuple(found)))

    def index(self) -> Index:
        """What the layout lists, its version checked."""
        try:
            version = msgspec.json.decode(self._read("oci-layout", _MAX_VERSION_BYTES), type=_LayoutVersion)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise HostileInputError(f"the file oci-layout of {self._name} is damaged") from None
        if version.version != LAYOUT_VERSION:
            raise InputError(f"{self._name} is an OCI layout of version {version.version!r}, not {LAYOUT_VERSION}")
        value = parse_manifest(self._read("index.json", MAX_MANIFEST_BYTES), name=f"the index.json of {self._name}")
        if not isinstance(value, Index):
            raise HostileInputError(f"the index.json of {self._name} is no index")
        return value

    def _chosen(self, index: Index) -> Sequence[Descriptor]:
        """The one image of the layout; with several, the one that was named; platforms of one image stay together."""
        if self._digest is not None:
            return (self._by_digest(index, self._digest),)
        found = _named(index, self._tag) if self._tag is not None else _images(index)
        names = {each.annotations.get(REF_NAME, "") for each in found}
        if not found:
            what = "no image" if self._tag is None else f"no image {self._tag}"
            raise InputError(f"{self._name} has {what}", hint=f"it has: {_listed(index)}" if index.manifests else "")
        if self._tag is None and 1 < len(found) <= _MAX_LOOKED_INTO:
            found = [each for each in found if not self._is_referrer(each)] or found
            names = {each.annotations.get(REF_NAME, "") for each in found}
        if len(found) > 1 and (len(names) > 1 or not _are_platforms(found)):
            raise InputError(f"{self._name} holds several images", hint=f"name one: {_listed(index)}")
        return found

    def _is_referrer(self, listed: Descriptor) -> bool:
        """Whether the manifest itself says that it is about another one; what cannot be read is told when it is."""
        with suppress(InputError):
            return read_child(self, listed)[1].subject is not None
        return False

    def require(self, descriptor: Descriptor) -> None:
        """As `LocalSource` says."""
        if self._span(blob_name(descriptor.checked_digest)).size != descriptor.size:
            raise HostileInputError(
                f"{self._name}: the blob {descriptor.checked_digest.short} has another size than announced"
            )

    def _by_digest(self, index: Index, digest: Digest) -> Descriptor:
        for each in index.manifests:
            if each.digest == digest:
                return each
        try:
            data = self.manifest(digest)
        except InputError:
            raise InputError(f"{self._name} has no image {digest}", hint=f"it has: {_listed(index)}") from None
        value = parse_manifest(data, name=f"the manifest {digest.short} of {self._name}")
        return Descriptor(media_type=value.kind, digest=digest, size=len(data))

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        span = self._span(blob_name(descriptor.checked_digest))
        if span.size > descriptor.size:
            raise HostileInputError(
                f"the blob {descriptor.checked_digest.short} of {self._name} is larger than the "
                f"{descriptor.size:,} bytes announced"
            )
        return span.chunks()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        found: dict[str, Descriptor] = {}
        for each in self.index().manifests:
            with suppress(InputError):  # one that is damaged or gone refers to nothing
                data, value = read_child(self, each)
                if attached_tag(each, subject):
                    found[each.digest] = each
                elif value.subject is not None and value.subject.digest == subject:
                    found[each.digest] = described_as(each, data, value)
                elif isinstance(value, Index) and each.annotations.get(REF_NAME) == list_tag(subject):
                    found.update({inner.digest: inner for inner in value.manifests})
        return tuple(found.values())

    def _read(self, name: str, max_bytes: int) -> bytes:
        span = self._span(name)
        if span.size > max_bytes:
            raise HostileInputError(f"{name} of {self._name} is larger than {max_bytes:,} bytes")
        return b"".join(span.chunks())

    def _span(self, name: str) -> Span:
        """Where a file of the layout is. A blob may be a link to a regular file elsewhere: its digest is checked."""
        if self._places is not None:
            if name not in self._places:
                raise InputError(f"{self._name} lacks {name}")
            return self._places[name]
        target = self.path / name
        try:
            status = target.stat()
        except FileNotFoundError:
            raise InputError(f"{self._name} lacks {name}") from None
        except OSError as error:
            raise InputError(f"{target} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            raise HostileInputError(f"{name} of {self._name} is no regular file")
        return Span(target, 0, status.st_size)


class _LayoutVersion(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="imageLayoutVersion")


def _named(index: Index, tag: str) -> list[Descriptor]:
    """By the layout's own names, else by containerd's whole ones."""
    found = [each for each in index.manifests if each.annotations.get(REF_NAME) == tag]
    if found:
        return found
    from basewright.oci.reference import parse_reference

    try:
        whole = str(parse_reference(tag))
    except InputError:
        return []
    return [each for each in index.manifests if each.annotations.get(CONTAINERD_NAME) == whole]


def _images(index: Index) -> list[Descriptor]:
    """What is listed and no attestation, signature or other thing that is about an image; all where nothing is left."""
    found = [
        each
        for each in index.manifests
        if not each.is_artifact and not is_attestation(each) and not is_about(each.annotations.get(REF_NAME, ""))
    ]
    return found or list(index.manifests)


def _are_platforms(found: Sequence[Descriptor]) -> bool:
    """Whether these are one image for several platforms: each says which, and none twice."""
    platforms = {each.platform for each in found}
    return (
        None not in platforms
        and len(platforms) == len(found)
        and not any(each.media_type in INDEX_TYPES for each in found)
    )


def _listed(index: Index) -> str:
    """The images of a layout as they can be named."""
    names = [each.annotations.get(REF_NAME) or f"@{each.digest[:200]}" for each in index.manifests]
    shown = sorted(set(names), key=lambda each: (each.startswith("@"), each))
    more = f" and {len(shown) - _MAX_LISTED} more" if len(shown) > _MAX_LISTED else ""
    return ", ".join(shown[:_MAX_LISTED]) + more if shown else "none"
