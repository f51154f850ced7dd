"""Blobs by digest in a folder: written whole or not at all, checked on the way in, shared by processes."""

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from basewright._cache import use
from basewright._disk import partial_file
from basewright.errors import HostileInputError, InputError
from basewright.oci.digest import Digest


def open_regular(path: Path) -> BinaryIO:
    """A regular file for reading; a FIFO or a device in its place is refused, and never waited on. InputError."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise HostileInputError(f"{path} is no regular file")
    return file


class BlobStore:
    """`DIRECTORY/blobs/sha256/HEX`, the arrangement of an OCI layout.

    In a cache that this process holds, what it asked for or wrote stays until it ends, whoever else sweeps.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, digest: Digest) -> Path:
        return self.directory / "blobs" / digest.algorithm / digest.hex

    def __contains__(self, digest: Digest) -> bool:
        return use(self.path(digest))

    def open(self, digest: Digest) -> BinaryIO:
        """The blob for reading; FileNotFoundError where it is not there."""
        use(self.path(digest))
        return self.path(digest).open("rb")

    def read(self, digest: Digest, *, max_bytes: int) -> bytes:
        """The whole blob, checked against its digest."""
        with self.open(digest) as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise HostileInputError(f"the blob {digest.short} is larger than {max_bytes:,} bytes")
        if not digest.matches(data):
            raise HostileInputError(f"the blob {digest.short} does not have its digest")
        return data

    def write(self, data: bytes) -> Digest:
        """Keeps `data` and returns its digest."""
        digest = Digest.of(data)
        if digest not in self:
            self.write_stream((data,), expected=digest, max_bytes=len(data))
        return digest

    def write_stream(self, chunks: Iterable[bytes], *, expected: Digest | None, max_bytes: int) -> tuple[Digest, int]:
        """Keeps a stream of at most `max_bytes`; refuses one whose digest is not `expected`. Returns digest, size.

        A blob that is here already is not asked for: nothing of `chunks` is read.
        """
        if expected is not None and expected in self:
            return expected, self.path(expected).stat().st_size
        algorithm = expected.algorithm if expected is not None else "sha256"
        named = f"the blob {expected.short}" if expected is not None else "a blob"
        hasher, size = hashlib.new(algorithm), 0
        with partial_file(self.directory / "blobs" / algorithm) as partial:
            for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise HostileInputError(f"{named} is larger than the {max_bytes:,} bytes that were announced")
                hasher.update(chunk)
                partial.write(chunk)
            digest = Digest(f"{algorithm}:{hasher.hexdigest()}")
            if expected is not None and digest != expected:
                raise HostileInputError(f"a blob has the digest {digest.short}, not {expected.short} as announced")
            partial.become(self.path(digest))
        return digest, size
