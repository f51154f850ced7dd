"""Layers: a tree written to one compressed blob, always the same bytes; and a blob read in one streaming pass.

Written with libdeflate, whose bytes follow neither processor nor system (ISA-L's and zlib's do); read with ISA-L.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from basewright._disk import Partial, partial_file
from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Layer
from basewright.oci.manifest import OCI_LAYER_GZIP, Descriptor
from basewright.oci.stream import ChunkReader, cut_members, gzip_members, inflate
from basewright.oci.tar import MAX_ENTRIES, TarReader, render_end, render_header
from basewright.oci.tree import Entry, FileType, Tree

DEFAULT_EPOCH = 1_704_067_200
"""2024-01-01: the one date of everything where SOURCE_DATE_EPOCH is not set, so that no commit changes a layer."""
MAX_LAYER_BYTES = 100 << 30


class LayerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer may unpack to. The ratio counts from `ratio_floor_bytes` on: small layers of zeros are harmless."""

    uncompressed_bytes: int = MAX_LAYER_BYTES
    ratio: int = 200
    ratio_floor_bytes: int = 256 << 20
    entries: int = MAX_ENTRIES

    def guard(self, chunks: Iterable[bytes], *, compressed_bytes: int, name: str) -> Iterator[bytes]:
        """The uncompressed `chunks` of what has `compressed_bytes`, up to a limit: HostileInputError that names it."""
        unpacked_bytes = 0
        for chunk in chunks:
            unpacked_bytes += len(chunk)
            self._check(unpacked_bytes, compressed_bytes, name)
            yield chunk

    def _check(self, unpacked_bytes: int, compressed_bytes: int, name: str) -> None:
        if unpacked_bytes > self.uncompressed_bytes:
            raise HostileInputError(
                f"{name} unpacks to more than {self.uncompressed_bytes:,} bytes",
                hint="that is the limit on the bytes of one layer",
            )
        if unpacked_bytes > self.ratio_floor_bytes and unpacked_bytes > self.ratio * compressed_bytes:
            raise HostileInputError(
                f"{name} unpacks to more than {self.ratio} times its {compressed_bytes:,} bytes",
                hint=f"that is the limit on the ratio, from {self.ratio_floor_bytes:,} bytes on",
            )


def write_layer(store: BlobStore, tree: Tree, *, created_by: str, epoch: int = DEFAULT_EPOCH) -> Layer:
    """Writes `tree` as a gzip layer. Every file of it has its data."""
    diff = hashlib.sha256()
    uncompressed_bytes = 0

    def members() -> Iterator[bytes]:
        nonlocal uncompressed_bytes
        for member in cut_members(_tar_pieces(tree, epoch)):
            diff.update(member)
            uncompressed_bytes += len(member)
            yield member

    digest, size = store.write_stream(gzip_members(members()), expected=None, max_bytes=MAX_LAYER_BYTES)
    return Layer(
        descriptor=Descriptor(media_type=OCI_LAYER_GZIP, digest=digest, size=size),
        diff_id=Digest(f"sha256:{diff.hexdigest()}"),
        created_by=created_by,
        uncompressed_bytes=uncompressed_bytes,
        files=sum(1 for entry in tree if entry.is_file),
    )


def _tar_pieces(tree: Tree, epoch: int) -> Iterator[bytes]:
    """Hard links stand last: engines want what they lead to first."""
    entries = list(tree)
    files = (entry for entry in entries if entry.type is not FileType.HARDLINK)
    links = (
        msgspec.structs.replace(entry, link=_first_name(tree, entry))
        for entry in entries
        if entry.type is FileType.HARDLINK
    )
    for entry in chain(files, links):
        yield render_header(entry, epoch=epoch)
        if entry.is_file:
            if entry.data is None or len(entry.data) != entry.size:
                raise ValueError(f"{entry.path} has no data to write")
            yield entry.data
            yield bytes(-entry.size % 512)
    yield render_end()


def _first_name(tree: Tree, entry: Entry) -> str:
    """The file that a hard link leads to, through any others."""
    path, seen = entry.link, {entry.path}
    while (target := tree.get(path)) is not None and target.type is FileType.HARDLINK:
        if path in seen:
            raise ValueError(f"the hard link {entry.path} leads back to itself")
        seen.add(path)
        path = target.link
    return path


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
    limits: LayerLimits = LayerLimits(),
) -> LayerContent:
    """Reads a gzip, zstd or plain tar layer, told by its first bytes, in one pass with bounded memory.

    `keep` says which files' data stay in their entries. With `spool` the uncompressed archive is kept there; entries
    name it (else `name`) and the offset of their content. Raises HostileInputError; on a full disk OutOfReachError.
    """
    spool_name = spool.name if spool is not None else name
    entries: list[Entry] = []
    with nullcontext() if spool is None else partial_file(spool.parent) as copy:
        stream = _Inflated(file, name=name, compressed_bytes=compressed_bytes, limits=limits, copy=copy)
        chunks = ChunkReader(stream.chunks())
        reader = TarReader(chunks.read, name=name, max_entries=limits.entries, spool=spool_name)
        for member in reader:
            entry = member.entry
            if entry.is_file and keep(entry):
                entry = msgspec.structs.replace(entry, data=b"".join(reader.content()))
            entries.append(entry)
        if copy is not None and spool is not None:
            copy.become(spool)
    return LayerContent(
        entries=tuple(entries),
        diff_id=Digest(f"sha256:{stream.diff.hexdigest()}"),
        uncompressed_bytes=stream.total,
    )


class _Inflated:
    """The uncompressed chunks of a layer: hashed, counted, bounded, copied where wanted."""

    def __init__(
        self, file: BinaryIO, *, name: str, compressed_bytes: int, limits: LayerLimits, copy: Partial | None
    ) -> None:
        self._file, self._name, self._limits, self._copy = file, name, limits, copy
        self._compressed_bytes = compressed_bytes
        self.diff = hashlib.sha256()
        self.total = 0

    def chunks(self) -> Iterator[bytes]:
        stream = inflate(self._file, name=self._name)
        for chunk in self._limits.guard(stream, compressed_bytes=self._compressed_bytes, name=self._name):
            self.total += len(chunk)
            self.diff.update(chunk)
            if self._copy is not None:
                self._copy.write(chunk)
            yield chunk
