"""A root filesystem in one tar file, packed in any way: an image of one layer, whose manifest is made here."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from basewright.errors import InputError
from basewright.oci.blob import open_regular
from basewright.oci.digest import Digest
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import (
    OCI_LAYER_TAR,
    Descriptor,
    History,
    ImageConfig,
    ImagePlatform,
    RootFilesystem,
    render_json,
)
from basewright.oci.span import Span
from basewright.oci.stream import ChunkReader, inflate
from basewright.oci.tar import TarReader
from basewright.oci.transports.made import MadeSource, Part, part_of


class RootfsSource(MadeSource):
    """`Source` over a root filesystem tarball for `platform`. gzip and zstd stay as they are, xz and bzip2 are
    unpacked, since layers may not be packed with them. `created` (RFC 3339) is the image's date."""

    def __init__(
        self, path: Path, *, platform: ImagePlatform, created: str, limits: LayerLimits = LayerLimits()
    ) -> None:
        super().__init__(str(path))
        self._path, self._platform, self._created, self._limits = path, platform, created, limits

    def _find(self) -> tuple[bytes, Sequence[Part]]:
        diff_id, size = self._measured()
        config = ImageConfig(
            architecture=self._platform.architecture,
            os=self._platform.os,
            variant=self._platform.variant,
            created=self._created,
            rootfs=RootFilesystem(type="layers", diff_ids=(diff_id,)),
            history=(History(created=self._created, created_by=f"root filesystem {self._path.name}"),),
        )
        span = Span(self._path, 0, self._path.stat().st_size)
        if self._is_foreign(next(span.chunks(), b"")):
            plain = Descriptor(media_type=OCI_LAYER_TAR, digest=diff_id, size=size)
            return render_json(config), [Part(descriptor=plain, chunks=self._tar)]
        return render_json(config), [part_of(span, diff_id, name=self.name)]

    def _measured(self) -> tuple[Digest, int]:
        """The diff id and the bytes of the tar, which is one: its members are followed to the end."""
        diff, size = hashlib.sha256(), 0

        def told() -> Iterator[bytes]:
            nonlocal size
            for chunk in self._tar():
                diff.update(chunk)
                size += len(chunk)
                yield chunk

        chunks = told()
        entries = sum(1 for _ in TarReader(ChunkReader(chunks).read, name=self.name, max_entries=self._limits.entries))
        for _ in chunks:
            pass
        if not entries:
            raise InputError(f"{self.name} is an empty archive")
        return Digest(f"sha256:{diff.hexdigest()}"), size

    @staticmethod
    def _is_foreign(head: bytes) -> bool:
        return head[:6] == b"\xfd7zXZ\0" or head[:3] == b"BZh"

    def _tar(self) -> Iterator[bytes]:
        with open_regular(self._path) as file:
            stream = inflate(file, name=self.name, any_format=True)
            yield from self._limits.guard(stream, compressed_bytes=self._path.stat().st_size, name=self.name)
