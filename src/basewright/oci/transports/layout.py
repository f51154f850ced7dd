"""OCI layouts: a folder or (an archive of it) one tar file.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from basewright._disk import partial_file, write_atomically
from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore, open_regular
from basewright.oci.digest import Digest
from basewright.oci.image import Image
from basewright.oci.manifest import (
    MAX_MANIFEST_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImagePlatform,
    Index,
    parse_manifest,
    render_json,
)
from basewright.oci.reference import Reference, parse_reference
from basewright.oci.tar import TarReader, render_end, render_header
from basewright.oci.tree import Entry, FileType, clean_path, directory, file

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LAYOUT_VERSION = "1.0.0"
_LAYOUT = b'{"imageLayoutVersion":"%s"}' % _LAYOUT_VERSION.encode()
_MAX_VERSION_BYTES = 4096
_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
"""containerd, and docker with its store, take the whole name from here and leave an image without it nameless."""
_HEX = re.compile(r"[0-9a-f]{64}")
_COPY_BYTES = 1 << 20
_COMPRESSED = (".gz", ".tgz", ".zst", ".xz", ".bz2", ".zip")


class LayoutSource:
    """`Source` over an OCI layout folder or archive. `tag` chooses one of several images."""

    def __init__(self, path: Path, *, tag: str | None = None) -> None:
        self.path = path
        self._tag = tag
        self._places: dict[str, tuple[int, int]] | None = None if path.is_dir() else tar_places(path)

    @property
    def name(self) -> str:
        return str(self.path)

    def manifest(self, digest: Digest | None) -> bytes:
        if digest is not None:
            return self._read(_blob_name(digest), MAX_MANIFEST_BYTES)
        self._check_version()
        data = self._read("index.json", MAX_MANIFEST_BYTES)
        index = parse_manifest(data, name=f"the index.json of {self.path}")
        if not isinstance(index, Index):
            raise HostileInputError(f"the index.json of {self.path} is no index")
        return self._chosen(index, data)

    def _check_version(self) -> None:
        try:
            version = msgspec.json.decode(self._read("oci-layout", _MAX_VERSION_BYTES), type=_LayoutVersion)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise HostileInputError(f"the file oci-layout of {self.path} is damaged") from None
        if version.version != _LAYOUT_VERSION:
            raise InputError(f"{self.path} is an OCI layout of version {version.version!r}, not {_LAYOUT_VERSION}")

    def _chosen(self, index: Index, data: bytes) -> bytes:
        """The one image of the layout; with several, the tagged one; platforms of one image stay an index."""
        names = {each.annotations.get(_REF_NAME, "") for each in index.manifests}
        there = ", ".join(sorted(names - {""})) or "none with a name"
        found = [each for each in index.manifests if self._tag is None or each.annotations.get(_REF_NAME) == self._tag]
        if not found:
            named = "no image" if self._tag is None else f"no image {self._tag}"
            raise InputError(f"{self.path} has {named}", hint=f"it has: {there}")
        if len(found) == 1:
            return self._described(found[0])
        if len(names) > 1:
            raise InputError(f"{self.path} holds several images", hint=f"name one: {there}")
        return data

    def _described(self, descriptor: Descriptor) -> bytes:
        digest = descriptor.checked_digest
        data = self.manifest(digest)
        if not digest.matches(data):
            raise HostileInputError(f"{self.path}: the manifest that is named {digest.short} has another digest")
        if len(data) != descriptor.size:
            raise HostileInputError(f"{self.path}: the manifest {digest.short} has another size than announced")
        return data

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        span = self._span(_blob_name(descriptor.checked_digest))
        if span.size > descriptor.size:
            raise HostileInputError(
                f"the blob {descriptor.checked_digest.short} of {self.path} is larger than the "
                f"{descriptor.size:,} bytes announced"
            )
        return span.chunks()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return ()

    def _read(self, name: str, max_bytes: int) -> bytes:
        span = self._span(name)
        if span.size > max_bytes:
            raise HostileInputError(f"{name} of {self.path} is larger than {max_bytes:,} bytes")
        return b"".join(span.chunks())

    def _span(self, name: str) -> "Span":
        """Where a file of the layout is. A blob may be a link to a regular file elsewhere: its digest is checked."""
        if self._places is None:
            target = self.path / name
            try:
                status = target.stat()
            except FileNotFoundError:
                raise InputError(f"{self.path} lacks {name}") from None
            except OSError as error:
                raise InputError(f"{target} cannot be read: {error.strerror}") from None
            if not stat.S_ISREG(status.st_mode):
                raise HostileInputError(f"{name} of {self.path} is no regular file")
            return Span(target, 0, status.st_size)
        if name not in self._places:
            raise InputError(f"{self.path} lacks {name}")
        return Span(self.path, *self._places[name])


class _LayoutVersion(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="imageLayoutVersion")


class Span:
    """A part of a file."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self.path, self.offset, self.size = path, offset, size

    def chunks(self) -> Iterator[bytes]:
        """Its bytes; HostileInputError where the file ends early."""
        left = self.size
        with open_regular(self.path) as file:
            file.seek(self.offset)
            while left:
                try:
                    chunk = file.read(min(left, _COPY_BYTES))
                except OSError as error:
                    raise InputError(f"{self.path} cannot be read: {error.strerror}") from None
                if not chunk:
                    raise HostileInputError(f"{self.path} is cut off")
                left -= len(chunk)
                yield chunk

    def read(self, max_bytes: int) -> bytes:
        """All of it. Raises HostileInputError where it is larger than `max_bytes`."""
        if self.size > max_bytes:
            raise HostileInputError(f"a part of {self.path} is larger than the {max_bytes:,} bytes allowed")
        return b"".join(self.chunks())

    def open(self) -> BinaryIO:
        """As a file of its own."""
        return cast("BinaryIO", io.BufferedReader(_SpanFile(self), _COPY_BYTES))


class _SpanFile(io.RawIOBase):
    """A span for readers that want a file."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._position = 0
        self._file = open_regular(span.path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._span.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._span.size - self._position))
        data = os.pread(self._file.fileno(), count, self._span.offset + self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def tar_places(path: Path) -> dict[str, tuple[int, int]]:
    """Where each file of an uncompressed archive stands: name → (offset, bytes). Links to files have their place."""
    places: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    with open_regular(path) as archive:
        for member in TarReader(archive.read, name=path.name):
            entry = member.entry
            if entry.is_file:
                places[entry.path] = (member.offset, member.content_bytes)
            elif entry.type is FileType.HARDLINK:
                links[entry.path] = entry.link
            elif entry.type is FileType.SYMLINK:
                links[entry.path] = f"{entry.path.rpartition('/')[0]}/{entry.link}"
    for name, target in links.items():  # docker before 25 links the layers that images share
        with suppress(HostileInputError):
            place = places.get(clean_path(target))
            if place is not None:
                places.setdefault(name, place)
    return places


def write_layout(image: Image, path: Path, *, reference: str) -> None:
    """Writes an OCI layout folder, or where `path` ends in `.tar` an archive, which is one for `docker load` as well;
    the old one stays whole until the end."""
    check_target(path)
    if path.suffix == ".tar":
        _write_archive(image, path, reference)
        return
    _refuse_others(path, reference)
    target, store, blobs = BlobStore(path), image.store(), _blobs(image)
    for digest, size in blobs.items():
        target.write_stream(Span(store.path(digest), 0, size).chunks(), expected=digest, max_bytes=size)
    write_atomically(path / "oci-layout", _LAYOUT)
    write_atomically(path / "index.json", _index(image, reference))
    _remove_stale(path / "blobs" / "sha256", keep={digest.hex for digest in blobs})


def _refuse_others(path: Path, reference: str) -> None:
    """A layout that holds images of other names is somebody's: nothing of theirs is replaced or removed."""
    if not (path / "index.json").is_file():
        return
    index = parse_manifest(Span(path / "index.json", 0, (path / "index.json").stat().st_size).read(MAX_MANIFEST_BYTES))
    found = index.manifests if isinstance(index, Index) else ()
    others = sorted({each.annotations.get(_REF_NAME, "an image without a name") for each in found} - {reference})
    if others:
        raise InputError(f"{path} holds other images: {', '.join(others)}", hint="name an empty or a new folder")


def check_target(path: Path) -> None:
    """Whether a layout may be written to `path`, before anything is built for it. Raises InputError."""
    if path.suffix == ".tar":
        if path.is_dir():
            raise InputError(f"{path} is a folder", hint="an archive is one file; a name without .tar is a folder")
        return
    if path.suffix in _COMPRESSED:
        raise InputError(
            f"{path} names a compressed file, and layers are compressed already",
            hint="a name that ends in .tar is an OCI archive, any other one a folder",
        )
    try:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file", hint="name a folder, or a file that ends in .tar for an OCI archive")
        if path.is_dir() and any(path.iterdir()) and not (path / "oci-layout").is_file():
            raise InputError(f"{path} holds other files", hint="name an empty or a new folder")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _remove_stale(folder: Path, *, keep: set[str]) -> None:
    """The blobs of the image that stood here before; what others are writing is left alone."""
    for blob in folder.iterdir():
        if blob.name not in keep and _HEX.fullmatch(blob.name):
            blob.unlink(missing_ok=True)


def _blobs(image: Image) -> dict[Digest, int]:
    """Digest → bytes of every blob, the manifest last."""
    descriptors = (*image.manifest.layers, image.manifest.config)
    return {each.checked_digest: each.size for each in descriptors} | {image.digest: len(image.manifest_bytes)}


def _index(image: Image, reference: str) -> bytes:
    name = _name(reference)
    platform = ImagePlatform(architecture=image.config.architecture, os=image.config.os, variant=image.config.variant)
    return render_json(
        Index(
            schema_version=2,
            media_type=OCI_INDEX,
            manifests=(
                Descriptor(
                    media_type=image.manifest.media_type or OCI_MANIFEST,
                    digest=image.digest,
                    size=len(image.manifest_bytes),
                    annotations={_REF_NAME: reference} | ({_CONTAINERD_NAME: str(name)} if name else {}),
                    platform=platform,
                ),
            ),
        )
    )


def _name(reference: str) -> Reference | None:
    """`reference` where an engine would take it as a name."""
    with suppress(InputError):
        return parse_reference(reference)
    return None


def _docker_manifest(image: Image, reference: str) -> bytes:
    """What `docker load` reads, which knows no layout before docker 25: https://github.com/moby/docker-image-spec"""
    name = _name(reference)
    item = {
        "Config": _blob_name(image.manifest.config.checked_digest),
        "RepoTags": [name.familiar] if name else [],
        "Layers": [_blob_name(layer.checked_digest) for layer in image.manifest.layers],
    }
    return msgspec.json.encode([item])


def _write_archive(image: Image, path: Path, reference: str) -> None:
    entries = [
        directory("blobs"),
        directory("blobs/sha256"),
        file("index.json", _index(image, reference)),
        file("oci-layout", _LAYOUT),
        file("manifest.json", _docker_manifest(image, reference)),
    ]
    with partial_file(path.parent) as partial:
        for entry in entries:
            partial.write(render_header(entry, epoch=0) + (entry.data or b"") + bytes(-entry.size % 512))
        for digest, size in _blobs(image).items():
            partial.write(render_header(_blob_entry(digest, size), epoch=0))
            hasher = hashlib.new(digest.algorithm)
            for chunk in Span(image.store().path(digest), 0, size).chunks():
                hasher.update(chunk)
                partial.write(chunk)
            if hasher.hexdigest() != digest.hex:
                raise HostileInputError(f"the blob {digest.short} of the store is damaged", hint="delete the cache")
            partial.write(bytes(-size % 512))
        partial.write(render_end())
        partial.become(path)


def _blob_entry(digest: Digest, size: int) -> Entry:
    return Entry(path=_blob_name(digest), type=FileType.FILE, mode=0o644, size=size)
