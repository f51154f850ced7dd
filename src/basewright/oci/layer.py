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
from msgspec.structs import force_setattr as fill

from basewright._cache import use
from basewright._disk import Partial, partial_file
from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Layer
from basewright.oci.layer_index import LayerIndex
from basewright.oci.layer_limits import MAX_LAYER_BYTES, LayerLimits
from basewright.oci.manifest import OCI_LAYER_GZIP, Descriptor
from basewright.oci.stream import CHUNK_BYTES, ChunkReader, cut_members, gzip_members, inflate, read_ahead
from basewright.oci.tar import TarReader, render_end, render_header
from basewright.oci.tree import DEFAULT_EPOCH, Entry, FileType, Tree

_ELF = b"\x7fELF"
_HEAD_BYTES = 64
_GO_HEAD_BYTES = 4096
_GO_NOTE = b"\x04\0\0\0Go\0\0"
"""Type and owner of the note that Go's linker puts before the first page's end: of its programs that much is kept."""


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


def spool_tree(
    tree: Tree, layer: Layer, folder: Path, *, keep: Callable[[Entry], bool], epoch: int = DEFAULT_EPOCH
) -> None:
    """Leaves the content of `tree`, which `layer` was written from, in the uncompressed archive that `folder` keeps of
    it, as though it had been read from there: in memory stays what `keep` says. On a full disk OutOfReachError."""
    spool = folder / f"{layer.diff_id.hex}.tar"
    if not use(spool) or spool.stat().st_size != layer.uncompressed_bytes:
        with partial_file(folder) as copy:
            for piece in _tar_pieces(tree, epoch):
                copy.write(piece)
            copy.become(spool)
    offset = 0
    for entry in _in_archive_order(tree):
        offset += len(render_header(entry, epoch=epoch))
        if entry.is_file:
            if entry.size and not keep(entry):
                tree.add(msgspec.structs.replace(entry, data=None, spool=spool.name, offset=offset, mtime=epoch))
            offset += entry.size + -entry.size % 512


def _tar_pieces(tree: Tree, epoch: int) -> Iterator[bytes]:
    for entry in _in_archive_order(tree):
        yield render_header(entry, epoch=epoch)
        if entry.is_file:
            if entry.data is None or len(entry.data) != entry.size:
                raise ValueError(f"{entry.path} has no data to write")
            yield entry.data
            yield bytes(-entry.size % 512)
    yield render_end()


def _in_archive_order(tree: Tree) -> Iterator[Entry]:
    """Hard links stand last: engines want what they lead to first."""
    entries = list(tree)
    files = (entry for entry in entries if entry.type is not FileType.HARDLINK)
    links = (
        msgspec.structs.replace(entry, link=_first_name(tree, entry))
        for entry in entries
        if entry.type is FileType.HARDLINK
    )
    yield from chain(files, links)


def _first_name(tree: Tree, entry: Entry) -> str:
    """The file that a hard link leads to, through any others."""
    path, seen = entry.link, {entry.path}
    while (target := tree.get(path)) is not None and target.type is FileType.HARDLINK:
        if path in seen:
            raise ValueError(f"the hard link {entry.path} leads back to itself")
        seen.add(path)
        path = target.link
    return path


def read_layer(
    stream: BinaryIO | Iterable[bytes],
    *,
    name: str,
    compressed_bytes: int,
    keep: Callable[[Entry], bool] = lambda entry: False,
    hashed: bool = False,
    spool: Path | None = None,
    place: str | None = None,
    diff_algorithm: str = "sha256",
    limits: LayerLimits = LayerLimits(),
    ahead: bool = True,
) -> LayerIndex:
    """Reads a gzip, zstd or plain tar layer, told by its first bytes, in one pass with bounded memory.

    `keep` says which files' data stay in their entries; with `hashed` files have their SHA-256. With `spool` the
    uncompressed archive is kept there; entries name it (else `place`, else `name`) and the offset of their content.
    With `ahead` another thread inflates. Raises HostileInputError; on a full disk OutOfReachError.
    """
    with nullcontext() if spool is None else partial_file(spool.parent) as copy:
        inflated = limits.guard(inflate(stream, name=name), compressed_bytes=compressed_bytes, name=name)
        counted = _Counted(read_ahead(inflated) if ahead else inflated, diff_algorithm, copy)
        entries = tuple(
            _entries(
                ChunkReader(counted.chunks()),
                name=name,
                spool=spool.name if spool is not None else name if place is None else place,
                keep=keep,
                hashed=hashed,
                limits=limits,
            )
        )
        if copy is not None and spool is not None:
            copy.become(spool)
    return LayerIndex(
        diff_id=Digest(f"{diff_algorithm}:{counted.diff.hexdigest()}"),
        uncompressed_bytes=counted.total,
        hashed=hashed,
        entries=entries,
    )


def _entries(
    chunks: ChunkReader, *, name: str, spool: str, keep: Callable[[Entry], bool], hashed: bool, limits: LayerLimits
) -> Iterator[Entry]:
    """The members of an uncompressed layer with what is kept of their contents."""
    reader = TarReader(chunks.read, name=name, skip=chunks.skip, max_entries=limits.entries, spool=spool)
    kept_bytes = 0
    for member in reader:
        entry = member.entry
        if entry.is_file:
            # The reader has just made the entry, and nobody else has it: it may be filled in.
            if entry.size >= _HEAD_BYTES and chunks.peek(4) == _ELF:
                start = chunks.peek(_GO_HEAD_BYTES)
                fill(entry, "head", start if _GO_NOTE in start[: entry.size] else start[:_HEAD_BYTES])
            if keep(entry):
                kept_bytes += entry.size
                if kept_bytes > limits.kept_bytes:
                    raise HostileInputError(
                        f"{name} has more than {limits.kept_bytes:,} bytes of package databases and the like",
                        hint="that is the limit on the content that is kept of one layer",
                    )
                data = b"".join(reader.content())
                fill(entry, "data", data)
                if hashed:
                    fill(entry, "sha256", hashlib.sha256(data).digest())
            elif hashed:
                digest = hashlib.sha256()
                for piece in reader.content(chunk_bytes=CHUNK_BYTES):
                    digest.update(piece)
                fill(entry, "sha256", digest.digest())
        yield entry


class _Counted:
    """The uncompressed chunks of a layer: hashed, counted, copied where wanted."""

    def __init__(self, chunks: Iterator[bytes], algorithm: str, copy: Partial | None) -> None:
        self._chunks, self._copy = chunks, copy
        self.diff = hashlib.new(algorithm)
        self.total = 0

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.total += len(chunk)
            self.diff.update(chunk)
            if self._copy is not None:
                self._copy.write(chunk)
            yield chunk
