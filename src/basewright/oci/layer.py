"""Layers: a tree written to one compressed blob, always the same bytes; and a blob read in one streaming pass.

Written with libdeflate, whose bytes follow neither processor nor system (ISA-L's and zlib's do); read with ISA-L.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from basewright._disk import disk_error
from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Layer
from basewright.oci.manifest import OCI_LAYER_GZIP, Descriptor
from basewright.oci.stream import CHUNK_BYTES, ChunkReader, gzip_stream, inflate
from basewright.oci.tar import TarReader, render_end, render_header
from basewright.oci.tree import Entry, Tree

DEFAULT_EPOCH = 1_704_067_200
"""2024-01-01: the one date of everything where SOURCE_DATE_EPOCH is not set, so that no commit changes a layer."""
MAX_LAYER_BYTES = 100 << 30
MAX_RATIO = 200
RATIO_FLOOR_BYTES = 256 << 20


def write_layer(store: BlobStore, tree: Tree, *, created_by: str, epoch: int = DEFAULT_EPOCH) -> Layer:
    """Writes `tree` as a gzip layer. Every file of it has its data."""
    diff = hashlib.sha256()
    uncompressed_bytes = 0

    def tar() -> Iterator[bytes]:
        nonlocal uncompressed_bytes
        for piece in _tar_pieces(tree, epoch):
            diff.update(piece)
            uncompressed_bytes += len(piece)
            yield piece

    digest, size = store.write_stream(gzip_stream(tar()), expected=None, max_bytes=MAX_LAYER_BYTES)
    return Layer(
        descriptor=Descriptor(media_type=OCI_LAYER_GZIP, digest=digest, size=size),
        diff_id=Digest(f"sha256:{diff.hexdigest()}"),
        created_by=created_by,
        uncompressed_bytes=uncompressed_bytes,
        files=sum(1 for entry in tree if entry.is_file),
    )


def _tar_pieces(tree: Tree, epoch: int) -> Iterator[bytes]:
    for entry in tree:
        yield render_header(entry, epoch=epoch)
        if entry.is_file:
            if entry.data is None or len(entry.data) != entry.size:
                raise ValueError(f"{entry.path} has no data to write")
            yield entry.data
            yield bytes(-entry.size % 512)
    yield render_end()


class LayerContent(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer holds, in the archive's order (the last of two same names counts)."""

    entries: tuple[Entry, ...]
    diff_id: Digest
    uncompressed_bytes: int


def read_layer(
    file: BinaryIO,
    *,
    name: str,
    compressed_bytes: int,
    keep: Callable[[Entry], bool] = lambda entry: False,
    spool: Path | None = None,
) -> LayerContent:
    """Reads a gzip, zstd or plain tar layer, told by its first bytes, in one pass with bounded memory.

    `keep` says which files' data stay in their entries. With `spool` the uncompressed archive is kept there; entries
    name it (else `name`) and the offset of their content. Raises HostileInputError.
    """
    stream = _Inflated(file, name=name, compressed_bytes=compressed_bytes)
    partial = spool.with_name(f".{spool.name}.partial") if spool is not None else None
    spool_name = spool.name if spool is not None else name
    entries: list[Entry] = []
    try:
        stream.copy = partial.open("wb") if partial is not None else None
        chunks = ChunkReader(stream.chunks())
        reader = TarReader(chunks.read, name=name)
        for member in reader:
            entry = member.entry
            if entry.is_file:
                data = b"".join(reader.content()) if keep(entry) else None
                entry = msgspec.structs.replace(entry, data=data, spool=spool_name, offset=member.offset)
            entries.append(entry)
        while chunks.read(CHUNK_BYTES):
            pass
    except OSError as error:
        raise disk_error(spool or Path(name), error) from None
    finally:
        if stream.copy is not None:
            stream.copy.close()
    if partial is not None and spool is not None:
        partial.replace(spool)
    return LayerContent(
        entries=tuple(entries),
        diff_id=Digest(f"sha256:{stream.diff.hexdigest()}"),
        uncompressed_bytes=stream.total,
    )


class _Inflated:
    """The uncompressed chunks of a layer: hashed, counted, bounded, copied where wanted."""

    def __init__(self, file: BinaryIO, *, name: str, compressed_bytes: int) -> None:
        self._name = name
        self._file = file
        self._limit = min(max(RATIO_FLOOR_BYTES, MAX_RATIO * compressed_bytes), MAX_LAYER_BYTES)
        self.diff = hashlib.sha256()
        self.total = 0
        self.copy: BinaryIO | None = None

    def chunks(self) -> Iterator[bytes]:
        for chunk in inflate(self._file, name=self._name):
            self.total += len(chunk)
            if self.total > self._limit:
                raise HostileInputError(
                    f"{self._name}: unpacks to more than {self._limit:,} bytes",
                    hint=f"the limit is {MAX_RATIO} times what it is packed",
                )
            self.diff.update(chunk)
            if self.copy is not None:
                self.copy.write(chunk)
            yield chunk
