"""Compressed streams: read whatever they are packed with, written with libdeflate only.

ISA-L's and zlib's output follows the processor and the version; libdeflate's is the same everywhere.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import BinaryIO, cast

from basewright.errors import HostileInputError
from basewright.oci.zstd_frame import FrameWalk

MEMBER_BYTES = 8 << 20
"""Uncompressed bytes of one gzip member: what is held in memory for each thread that compresses."""
GZIP_LEVEL = 6
CHUNK_BYTES = 1 << 18
MAX_WINDOW_BYTES = 1 << 27
"""What a zstd stream may ask its reader to remember: `zstd --long`'s default."""
_INPUT_BYTES = 1 << 16
_OUTPUT_BYTES = 1 << 20
_THREADS = 2
_SKIPPABLE = tuple(bytes((byte,)) for byte in range(0x50, 0x60))


def gzip_stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` as gzip members of bounded size, always the same bytes."""
    return gzip_members(cut_members(pieces))


def gzip_members(members: Iterator[bytes]) -> Iterator[bytes]:
    """What `cut_members` cut, each compressed."""
    return _in_order(_gzip_member, members)


def cut_members(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The stream cut at every MEMBER_BYTES, however it comes."""
    held: list[bytes | memoryview] = []
    room = MEMBER_BYTES
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) >= room:
            held.append(rest[:room])
            yield b"".join(held)
            rest, held, room = rest[room:], [], MEMBER_BYTES
        if len(rest):
            held.append(rest)
            room -= len(rest)
    if held:
        yield b"".join(held)


def _gzip_member(data: bytes) -> bytes:
    import deflate

    return bytes(deflate.gzip_compress(data, GZIP_LEVEL))


def _in_order(work: Callable[[bytes], bytes], items: Iterator[bytes]) -> Iterator[bytes]:
    """Maps over threads (the compressor releases the interpreter's lock), a few items ahead and no more."""
    first = next(items, None)
    second = next(items, None)
    if first is None:
        return
    if second is None:
        yield work(first)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        pending = [pool.submit(work, first), pool.submit(work, second)]
        while pending:
            pending.extend(pool.submit(work, item) for item in islice(items, _THREADS + 1 - len(pending)))
            yield pending.pop(0).result()


class ChunkReader:
    """Chunks as a stream: `read(n)` returns n bytes, fewer only at the end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._position = 0

    def read(self, count: int) -> bytes:
        end = self._position + count
        if end <= len(self._held):
            data = self._held[self._position : end]
            self._position = end
            return data
        parts = [self._held[self._position :]]
        have = len(parts[0])
        self._held, self._position = b"", 0
        while have < count:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        if have > count:
            self._held, self._position = parts[-1], len(parts[-1]) - (have - count)
            parts[-1] = self._held[: self._position]
        return b"".join(parts)


def inflate(file: BinaryIO, *, name: str, any_format: bool = False) -> Iterator[bytes]:
    """Chunks of the uncompressed stream, told by its first bytes: gzip, zstd or none; with `any_format` also xz and
    bzip2, which root filesystems come in and layers may not. A stream that is cut off, damaged or followed by anything
    raises HostileInputError."""
    head = file.read(6)
    file.seek(0)
    if head[:2] == b"\x1f\x8b":
        yield from _gunzip(file, name)
    elif head[:4] == b"\x28\xb5\x2f\xfd" or (head[:1] in _SKIPPABLE and head[1:4] == b"\x2a\x4d\x18"):
        yield from _unpack_zstd(file, name)
    elif head[:6] == b"\xfd7zXZ\0" or head[:3] == b"BZh":
        if any_format:
            yield from _unpack_other(file, name, xz=head[:1] == b"\xfd")
            return
        raise HostileInputError(f"{name}: layers packed with xz or bzip2 are not allowed by the specification")
    else:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _gunzip(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Every member of a gzip stream; nothing may follow the last."""
    data = file.read(_INPUT_BYTES)
    while data:
        if not b"\x1f\x8b".startswith(data[:2]):
            raise HostileInputError(f"{name}: bytes follow the end of the gzip stream")
        data = (yield from _gunzip_member(file, data, name)) or file.read(_INPUT_BYTES)


def _gunzip_member(file: BinaryIO, data: bytes, name: str) -> Generator[bytes, None, bytes]:
    """One member's bytes; returns what was read beyond it."""
    from isal import isal_zlib

    damage = cast("type[Exception]", isal_zlib.error)  # the stubs call it an instance
    member = isal_zlib.decompressobj(wbits=31)
    try:
        while not member.eof:
            if not data:
                data = file.read(_INPUT_BYTES)
                if not data:
                    raise HostileInputError(f"{name}: the gzip stream is cut off")
            if chunk := member.decompress(data, _OUTPUT_BYTES):
                yield chunk
            data = member.unconsumed_tail
    except damage as error:
        raise HostileInputError(f"{name}: the gzip stream is damaged: {error}") from None
    return bytes(member.unused_data)


def _unpack_zstd(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Every frame of a zstd stream. The library takes a cut stream for a whole one, so its frames are followed too."""
    import zstandard

    walk = FrameWalk(file)
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    reader = unpacker.stream_reader(cast("BinaryIO", walk), read_across_frames=True)
    try:
        while chunk := reader.read(CHUNK_BYTES):
            yield chunk
    except zstandard.ZstdError as error:
        raise HostileInputError(f"{name}: the zstd stream is damaged, or bytes follow its end: {error}") from None
    if not walk.is_whole:
        raise HostileInputError(f"{name}: the zstd stream is cut off")


def _unpack_other(file: BinaryIO, name: str, *, xz: bool) -> Iterator[bytes]:
    import bz2
    import lzma

    try:
        with lzma.open(file) if xz else bz2.open(file) as unpacked:
            while chunk := unpacked.read(CHUNK_BYTES):
                yield chunk
    except (lzma.LZMAError, OSError, EOFError) as error:
        raise HostileInputError(f"{name}: the stream is damaged: {error}") from None
