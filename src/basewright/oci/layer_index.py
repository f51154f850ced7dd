"""What a layer holds, kept by its diff id, so that a layer shared by a thousand images is read once.

A file is frames, each its length, its CRC-32 and MessagePack: first what it is, then entries, a few thousand a frame.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import BinaryIO
from zlib import crc32

import msgspec
from msgspec.structs import force_setattr as fill

from basewright._cache import mark
from basewright._disk import partial_file, write_atomically
from basewright.errors import BasewrightError, HostileInputError
from basewright.oci.digest import Digest
from basewright.oci.tree import Entry

FORMAT = 1
"""Of the files, and of what a reader refuses: a change of either is a new one."""
_FRAME = Struct("<II")
_FRAME_ENTRIES = 2048
_FRAME_BYTES = 1 << 20
_MAX_NOTE_BYTES = 4096


class Picks(msgspec.Struct, frozen=True, kw_only=True):
    """Which files keep their content while a layer is read: what the ecosystems ask for. A kept index answers for the
    same `version` only."""

    version: int
    wants: Callable[[Entry], bool]


class LayerIndex(msgspec.Struct, frozen=True, kw_only=True):
    """One layer's entries in the archive's order, whiteouts among them. `hashed`: files carry their SHA-256."""

    diff_id: Digest
    uncompressed_bytes: int
    hashed: bool
    entries: tuple[Entry, ...]


class Unpacked(msgspec.Struct, frozen=True, array_like=True):
    """What a blob was found to be when it was read: its bytes, and the digest of what it unpacks to."""

    size: int
    diff_id: str


class _Header(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    format: int
    picks: int
    diff_id: str
    uncompressed_bytes: int
    hashed: bool
    entries: int


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    """`odd`: number in the frame → path and link of an entry whose names are not UTF-8, and empty in `entries`."""

    odd: dict[int, tuple[bytes, bytes]]
    entries: list[Entry]


class LayerIndexes:
    """Indexes in a folder that processes share. What is damaged, older, or kept for other picks is as good as not
    there; where the folder cannot be written nothing is kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self, diff_id: Digest, *, picks: Picks, hashed: bool, place: str = "") -> LayerIndex | None:
        """The index of a layer, its files' `spool` being `place`."""
        path = self._path(diff_id)
        try:
            with path.open("rb") as file:
                index = _read_index(file, diff_id, picks, hashed=hashed, place=place)
            mark(path)
        except (OSError, ValueError, UnicodeError, msgspec.MsgspecError):
            return None
        return index

    def save(self, index: LayerIndex, *, picks: Picks) -> None:
        """Keeps an index; its entries name no spool yet."""
        with suppress(BasewrightError), partial_file(self._path(index.diff_id).parent) as partial:
            for frame in _frames(index, picks):
                partial.write(_FRAME.pack(len(frame), crc32(frame)))
                partial.write(frame)
            partial.become(self._path(index.diff_id))

    def unpacked(self, digest: Digest) -> Unpacked | None:
        """What the blob of this digest was found to be; None where it was never read."""
        path = self._note(digest)
        try:
            with path.open("rb") as file:
                found = msgspec.msgpack.decode(file.read(_MAX_NOTE_BYTES), type=Unpacked)
            Digest(found.diff_id)
        except (OSError, UnicodeError, msgspec.MsgspecError, HostileInputError):
            return None
        return found

    def note(self, digest: Digest, unpacked: Unpacked) -> None:
        """Keeps what the blob of this digest was found to be: every byte of it has been read and checked."""
        with suppress(BasewrightError):
            write_atomically(self._note(digest), msgspec.msgpack.encode(unpacked))

    def _path(self, diff_id: Digest) -> Path:
        return self.directory / "layers" / diff_id.algorithm / diff_id.hex

    def _note(self, digest: Digest) -> Path:
        return self.directory / "blobs" / digest.algorithm / digest.hex


def _frames(index: LayerIndex, picks: Picks) -> Iterator[bytes]:
    header = _Header(
        format=FORMAT,
        picks=picks.version,
        diff_id=str(index.diff_id),
        uncompressed_bytes=index.uncompressed_bytes,
        hashed=index.hashed,
        entries=len(index.entries),
    )
    yield msgspec.msgpack.encode(header)
    entries = iter(index.entries)
    while batch := list(_batch(entries)):
        try:
            yield msgspec.msgpack.encode(_Frame({}, batch))
        except UnicodeEncodeError:
            yield msgspec.msgpack.encode(_odd_frame(batch))


def _batch(entries: Iterator[Entry]) -> Iterator[Entry]:
    """The next entries, fewer where much content is kept."""
    size = 0
    for entry in islice(entries, _FRAME_ENTRIES):
        yield entry
        size += len(entry.data or b"")
        if size > _FRAME_BYTES:
            return


def _odd_frame(batch: Sequence[Entry]) -> _Frame:
    """MessagePack has no text that is not UTF-8."""
    odd, entries = {}, []
    for number, entry in enumerate(batch):
        path, link = (text.encode("utf-8", "surrogateescape") for text in (entry.path, entry.link))
        if path.decode("utf-8", "replace") == entry.path and link.decode("utf-8", "replace") == entry.link:
            entries.append(entry)
        else:
            odd[number] = (path, link)
            entries.append(msgspec.structs.replace(entry, path="", link=""))
    return _Frame(odd, entries)


def _read_index(file: BinaryIO, diff_id: Digest, picks: Picks, *, hashed: bool, place: str) -> LayerIndex | None:
    """Raises ValueError, UnicodeError or MsgspecError where the file is damaged; None where it is another's."""
    left = os.fstat(file.fileno()).st_size
    header = msgspec.msgpack.decode(_read_frame(file, left), type=_Header)
    if (header.format, header.picks, header.diff_id) != (FORMAT, picks.version, diff_id) or header.hashed < hashed:
        return None
    decoder = msgspec.msgpack.Decoder(_Frame)
    entries: list[Entry] = []
    while len(entries) < header.entries:
        frame = decoder.decode(_read_frame(file, left))
        if not frame.entries:
            raise ValueError("a frame without entries")
        for number, (path, link) in frame.odd.items():
            fill(frame.entries[number], "path", path.decode("utf-8", "surrogateescape"))
            fill(frame.entries[number], "link", link.decode("utf-8", "surrogateescape"))
        put_in_place(frame.entries, place)
        entries.extend(frame.entries)
    if len(entries) != header.entries or file.read(1):
        raise ValueError("another number of entries than announced")
    return LayerIndex(
        diff_id=diff_id, uncompressed_bytes=header.uncompressed_bytes, hashed=header.hashed, entries=tuple(entries)
    )


def _read_frame(file: BinaryIO, limit: int) -> bytes:
    head = file.read(_FRAME.size)
    length, checksum = _FRAME.unpack(head) if len(head) == _FRAME.size else (limit + 1, 0)
    data = file.read(length) if length <= limit else b""
    if len(data) != length or crc32(data) != checksum:
        raise ValueError("a frame is damaged")
    return data


def put_in_place(entries: Iterable[Entry], place: str) -> None:
    """Lets files say in which archive they stand, and neighbours share equal numbers: half a million of their own are
    14 MB. They have just been made: nobody else has them yet."""
    mode, mtime = -1, -1
    for entry in entries:
        if entry.is_file:
            fill(entry, "spool", place)
        if entry.mode == mode:
            fill(entry, "mode", mode)
        if entry.mtime == mtime:
            fill(entry, "mtime", mtime)
        mode, mtime = entry.mode, entry.mtime
