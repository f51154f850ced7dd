"""Parts of files: members of an archive, read where they stand; and chunks on their way, checked."""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import open_regular
from basewright.oci.manifest import Descriptor

if TYPE_CHECKING:
    from typing_extensions import Buffer

_COPY_BYTES = 1 << 20


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


def checked(chunks: Iterable[bytes], descriptor: Descriptor, *, name: str) -> Iterator[bytes]:
    """`chunks` as they come, once they prove to be what `descriptor` announces: HostileInputError at the latest behind
    the last one. `name` is where they come from."""
    digest, size = descriptor.checked_digest, 0
    hasher = hashlib.new(digest.algorithm)
    for chunk in chunks:
        size += len(chunk)
        if size > descriptor.size:
            raise HostileInputError(
                f"{name}: the blob {digest.short} is larger than the {descriptor.size:,} bytes that were announced"
            )
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != digest.hex:
        raise HostileInputError(f"{name}: a blob has the digest {hasher.hexdigest()[:12]}, not {digest.short}")
    if size != descriptor.size:
        raise HostileInputError(f"{name}: the blob {digest.short} has another size than announced")


def seeker(file: BinaryIO) -> Callable[[int], int]:
    """Passes over bytes of a file without reading them; returns how many there were."""
    size = os.fstat(file.fileno()).st_size

    def skip(count: int) -> int:
        here = file.tell()
        return file.seek(min(here + count, size)) - here

    return skip


def tar_places(path: Path, *, name: str) -> dict[str, Span]:
    """Where each file of an uncompressed archive stands. Links to files have their place."""
    from basewright.oci.tar import TarReader
    from basewright.oci.tree import FileType, clean_path

    places: dict[str, Span] = {}
    links: dict[str, str] = {}
    with open_regular(path) as archive:
        for member in TarReader(archive.read, name=name, skip=seeker(archive)):
            entry = member.entry
            if entry.is_file:
                places[entry.path] = Span(path, member.offset, member.content_bytes)
            elif entry.type is FileType.HARDLINK:
                links[entry.path] = entry.link
            elif entry.type is FileType.SYMLINK:
                links[entry.path] = f"{entry.path.rpartition('/')[0]}/{entry.link}"
    for link, target in links.items():  # docker before 25 links the layers that images share
        with suppress(HostileInputError):
            place = places.get(clean_path(target))
            if place is not None:
                places.setdefault(link, place)
    return places
