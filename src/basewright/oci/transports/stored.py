"""An image in a store as a source."""

from collections.abc import Iterator

import msgspec

from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.manifest import MAX_MANIFEST_BYTES, Descriptor
from basewright.oci.span import Span


class StoreSource(msgspec.Struct, frozen=True, kw_only=True):
    """`Source` of the image (or index) `digest` in `store`. What is gone raises FileNotFoundError or InputError."""

    name: str
    store: BlobStore
    digest: Digest

    def manifest(self, digest: Digest | None) -> bytes:
        return self.store.read(digest or self.digest, max_bytes=MAX_MANIFEST_BYTES)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        path = self.store.path(descriptor.checked_digest)
        return Span(path, 0, path.stat().st_size if path.exists() else descriptor.size).chunks()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return ()
