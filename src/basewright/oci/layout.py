"""OCI layouts: a folder or (an archive of it) one tar file.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from basewright._disk import disk_error, write_atomically
from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore
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
from basewright.oci.tar import TarReader, render_end, render_header
from basewright.oci.tree import Entry, FileType, directory, file

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_REF_NAME = "org.opencontainers.image.ref.name"
_COPY_BYTES = 1 << 20


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
            return b"".join(self._read(_blob_name(digest), MAX_MANIFEST_BYTES))
        if b"imageLayoutVersion" not in b"".join(self._read("oci-layout", 4096)):
            raise InputError(f"{self.path} is no OCI layout: its file oci-layout is damaged")
        data = b"".join(self._read("index.json", MAX_MANIFEST_BYTES))
        index = parse_manifest(data)
        if not isinstance(index, Index):
            raise HostileInputError(f"{self.path}: index.json is no index")
        return self._chosen(index, data)

    def _chosen(self, index: Index, data: bytes) -> bytes:
        """The one image of the layout; with several, the tagged one; platforms of one image stay an index."""
        names = {each.annotations.get(_REF_NAME, "") for each in index.manifests}
        found = [each for each in index.manifests if self._tag is None or each.annotations.get(_REF_NAME) == self._tag]
        if not found:
            raise InputError(f"{self.path} has no image {self._tag}", hint="it has: " + ", ".join(sorted(names - {""})))
        if len(found) == 1:
            return self.manifest(found[0].checked_digest)
        if len(names) > 1:
            raise InputError(f"{self.path} holds several images", hint="name one: " + ", ".join(sorted(names - {""})))
        return data

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self._read(_blob_name(descriptor.checked_digest), descriptor.size)

    def _read(self, name: str, max_bytes: int) -> Iterator[bytes]:
        span = self._span(name)
        if span.size > max_bytes:
            raise HostileInputError(f"{name} of {self.path} is larger than the {max_bytes:,} bytes allowed")
        return span.chunks()

    def _span(self, name: str) -> "Span":
        if self._places is None:
            target = self.path / name
            try:
                status = target.stat()
            except OSError:
                raise InputError(f"{self.path} lacks {name}") from None
            if not stat.S_ISREG(status.st_mode):
                raise HostileInputError(f"{name} of {self.path} is no regular file")
            return Span(target, 0, status.st_size)
        if name not in self._places:
            raise InputError(f"{self.path} lacks {name}")
        return Span(self.path, *self._places[name])


class Span:
    """A part of a file."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self.path, self.offset, self.size = path, offset, size

    def chunks(self) -> Iterator[bytes]:
        """Its bytes; HostileInputError where the file ends early."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            left = self.size
            while left:
                chunk = file.read(min(left, _COPY_BYTES))
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
        self._file = span.path.open("rb")

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
    """Where each file of an uncompressed archive stands: name → (offset, bytes)."""
    places: dict[str, tuple[int, int]] = {}
    with path.open("rb") as archive:
        for member in TarReader(archive.read, name=path.name):
            if member.entry.is_file:
                places[member.entry.path] = (member.offset, member.content_bytes)
    return places


def write_layout(image: Image, path: Path, *, reference: str) -> None:
    """Writes an OCI layout folder, or an archive where `path` ends in `.tar`; the old one stays whole until the end."""
    if path.suffix == ".tar":
        _write_archive(image, path, reference)
        return
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file", hint="name a folder, or a file that ends in .tar for an OCI archive")
    if path.is_dir() and any(path.iterdir()) and not (path / "oci-layout").is_file():
        raise InputError(f"{path} holds other files", hint="name an empty or a new folder")
    target, store, blobs = BlobStore(path), image.store(), _blobs(image)
    for digest, size in blobs.items():
        target.write_stream(Span(store.path(digest), 0, size).chunks(), expected=digest, max_bytes=size)
    write_atomically(path / "oci-layout", _LAYOUT)
    write_atomically(path / "index.json", _index(image, reference))
    keep = {digest.hex for digest in blobs}
    for stale in (path / "blobs" / "sha256").iterdir():
        if stale.name not in keep:
            stale.unlink()


def _blobs(image: Image) -> dict[Digest, int]:
    """Digest → bytes of every blob, the manifest last."""
    descriptors = (*image.manifest.layers, image.manifest.config)
    return {each.checked_digest: each.size for each in descriptors} | {image.digest: len(image.manifest_bytes)}


def _index(image: Image, reference: str) -> bytes:
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
                    annotations={_REF_NAME: reference},
                    platform=platform,
                ),
            ),
        )
    )


def _write_archive(image: Image, path: Path, reference: str) -> None:
    entries = [
        directory("blobs"),
        directory("blobs/sha256"),
        file("index.json", _index(image, reference)),
        file("oci-layout", _LAYOUT),
    ]
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as archive:
            for entry in entries:
                archive.write(render_header(entry, epoch=0) + (entry.data or b"") + bytes(-entry.size % 512))
            for digest, size in _blobs(image).items():
                entry = Entry(path=_blob_name(digest), type=FileType.FILE, mode=0o644, size=size)
                archive.write(render_header(entry, epoch=0))
                for chunk in Span(image.store().path(digest), 0, size).chunks():
                    archive.write(chunk)
                archive.write(bytes(-size % 512))
            archive.write(render_end())
        partial.replace(path)
    except OSError as error:
        raise disk_error(path, error) from None
    finally:
        partial.unlink(missing_ok=True)
