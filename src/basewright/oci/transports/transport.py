"""What every transport answers to: a source that images are read from, a sink that they are written to.

Names are containers/image's: https://github.com/containers/image/blob/main/docs/containers-transports.5.md
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.manifest import Descriptor
from basewright.progress import Progress


class Source(Protocol):
    """Where an image comes from. Nothing that it returns has been checked against a digest yet."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def manifest(self, digest: Digest | None) -> bytes:
        """The manifest or index with this digest, or (None) the one that the source's own name stands for."""
        ...

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes. Raises InputError where the source has none, OutOfReachError where it cannot be asked."""
        ...

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """The manifests whose subject is this one, and those with a tag (annotated as in a layout) that says so; empty
        where the source keeps none."""
        ...


@runtime_checkable
class LocalSource(Protocol):
    """A source that can tell at once what it has."""

    def require(self, descriptor: Descriptor) -> None:
        """Raises InputError, HostileInputError where a blob is not there, no regular file or of another size; reads
        nothing of it."""
        ...


@runtime_checkable
class UnpackedSource(Protocol):
    """A source that has no manifests, and makes one of what it finds."""

    def packed(self, store: BlobStore, *, progress: Progress) -> Source:
        """The same image with its layers packed as they are pulled; `store` holds those that were not."""
        ...


class Sink(Protocol):
    """Where an image goes. Blobs come before the manifests that name them, and manifests before their index; nothing
    stands under the sink's own name before `finish`."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def keeps_manifests(self) -> bool:
        """Whether manifests and layers stay byte for byte. A docker-archive and an engine keep one platform's config
        and its layers uncompressed, and lose the rest."""
        ...

    def has(self, descriptor: Descriptor, *, source: Source) -> bool:
        """Whether the blob or manifest is there already, or came there (by a mount) without passing through here."""
        ...

    def put_blob(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """Keeps a blob, whose `chunks` raise HostileInputError where they are not what `descriptor` announces."""
        ...

    def put_manifest(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        """Keeps a manifest or index under its digest; under `tag` where it is about another one and found by that."""
        ...

    def finish(self, top: Descriptor, data: bytes) -> None:
        """Keeps the manifest or index that the image begins with, and lets the sink's own name stand for it."""
        ...

    def close(self) -> None:
        """Lets go of what is held; what was not finished is undone where the sink can."""
        ...


@runtime_checkable
class OrderedSink(Protocol):
    """A sink that keeps one thing behind the other, and is the same each time where it knows the order."""

    def place(self, descriptors: Sequence[Descriptor]) -> None:
        """Blobs and manifests will come, and are to stand in this order."""
        ...
