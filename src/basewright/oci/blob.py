"""Blobs by digest in a folder: written whole or not at all, checked on the way in, shared by processes."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from basewright._disk import disk_error
from basewright.errors import HostileInputError
from basewright.oci.digest import Digest


class BlobStore:
    """`DIRECTORY/blobs/sha256/HEX`, the arrangement of an OCI layout."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, digest: Digest) -> Path:
        return self.directory / "blobs" / digest.algorithm / digest.hex

    def __contains__(self, digest: Digest) -> bool:
        return self.path(digest).is_file()

    def open(self, digest: Digest) -> BinaryIO:
        """The blob for reading; FileNotFoundError where it is not there."""
        return self.path(digest).open("rb")

    def read(self, digest: Digest, *, max_bytes: int) -> bytes:
        """The whole blob, checked against its digest."""
        with self.open(digest) as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise HostileInputError(f"the blob {digest.short} is larger than {max_bytes:,} bytes")
        if hashlib.new(digest.algorithm, data).hexdigest() != digest.hex:
            raise HostileInputError(f"the blob {digest.short} does not have its digest")
        return data

    def write(self, data: bytes) -> Digest:
        """Keeps `data` and returns its digest."""
        digest = Digest.of(data)
        if digest not in self:
            self.write_stream((data,), expected=digest, max_bytes=len(data))
        return digest

    def write_stream(self, chunks: Iterable[bytes], *, expected: Digest | None, max_bytes: int) -> tuple[Digest, int]:
        """Keeps a stream of at most `max_bytes`; refuses one whose digest is not `expected`. Returns digest, size."""
        if expected is not None and expected in self:
            return expected, self.path(expected).stat().st_size
        algorithm = expected.algorithm if expected is not None else "sha256"
        hasher, size = hashlib.new(algorithm), 0
        folder = self.directory / "blobs" / algorithm
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-")
        except OSError as error:
            raise disk_error(folder, error) from None
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in chunks:
                    size += len(chunk)
                    if size > max_bytes:
                        raise HostileInputError(f"a blob is larger than the {max_bytes:,} bytes that were announced")
                    hasher.update(chunk)
                    file.write(chunk)
            digest = Digest(f"{algorithm}:{hasher.hexdigest()}")
            if expected is not None and digest != expected:
                raise HostileInputError(f"a blob has the digest {digest.short}, not {expected.short} as announced")
            partial.chmod(0o644)
            partial.replace(self.path(digest))
        except OSError as error:
            raise disk_error(partial, error) from None
        finally:
            partial.unlink(missing_ok=True)
        return digest, size
