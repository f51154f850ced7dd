"""Compressed streams: read whatever they are packed with, written with libdeflate only.

ISA-L's and zlib's output follows the processor and the version; libdeflate's is the same everywhere.
"""

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Full, Queue
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
_OUTPUT_BYTES = 1 << 18
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
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_THREADS) as pool:
        pending = [pool.submit(work, first), pool.submit(work, second)]
        while pending:
            pending.extend(pool.submit(work, item) for item in islice(items, _THREADS + 1 - len(pending)))
            yield pending.pop(0).result()


def file_chunks(file: BinaryIO) -> Iterator[bytes]:
    """What is left of a file."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


class ChunkReader:
    """Chunks as a stream, without a copy where a chunk holds what is asked for."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = filter(None, chunks)
        self._held = b""
        self._position = 0

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end."""
        end = self._position + count
        if end > len(self._held):
            self._gather(count)
            end = min(count, len(self._held))
        data = self._held[self._position : end]
        self._position = end
        return data

    def peek(self, count: int) -> bytes:
        """What `read` would return, left where it is."""
        if self._position + count > len(self._held):
            self._gather(count)
        return self._held[self._position : self._position + count]

    def _gather(self, count: int) -> None:
        """Lets `count` bytes, or what there is, be at hand from position 0 on."""
        parts = [self._held[self._position :]]
        have = len(parts[0])
        while have < count and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            have += len(chunk)
        self._held, self._position = b"".join(parts), 0

    def take(self, count: int) -> bytes:
        """From 1 to `count` bytes: what is at hand; none at the end."""
        if self._position == len(self._held):
            self._held, self._position = next(self._chunks, b""), 0
        start = self._position
        self._position = min(start + count, len(self._held))
        return self._held[start : self._position]

    def put_back(self, count: int) -> None:
        """Lets the last `count` bytes that `take` returned come again."""
        self._position -= count

    def skip(self, count: int) -> int:
        """Passes over `count` bytes, fewer only at the end, and returns how many."""
        left = count - (len(self._held) - self._position)
        if left <= 0:
            self._position += count
            return count
        while chunk := next(self._chunks, b""):
            if left <= len(chunk):
                self._held, self._position = chunk, left
                return count
            left -= len(chunk)
        self._held, self._position = b"", 0
        return count - left


def read_ahead(chunks: Iterable[bytes], *, count: int = 4) -> Iterator[bytes]:
    """`chunks` as they come, made by a thread of their own that is up to `count` ahead: inflating and hashing release
    the interpreter's lock. The thread ends with the chunks, with an error (raised here), or when nobody asks on."""
    ready: Queue[bytes | BaseException] = Queue(count)
    stop = threading.Event()
    threading.Thread(target=_run_ahead, args=(chunks, ready, stop), daemon=True).start()
    try:
        while item := ready.get():
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()


def _run_ahead(chunks: Iterable[bytes], ready: "Queue[bytes | BaseException]", stop: threading.Event) -> None:
    def put(item: bytes | BaseException) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.2)
            except Full:
                continue
            return

    try:
        for chunk in filter(None, chunks):
            put(chunk)
            if stop.is_set():
                return
        put(b"")
    except BaseException as error:
        put(error)


def inflate(stream: BinaryIO | Iterable[bytes], *, name: str, any_format: bool = False) -> Iterator[bytes]:
    """Chunks of the uncompressed stream, told by its first bytes: gzip, zstd or none; with `any_format` also xz and
    bzip2, which root filesystems come in and layers may not. A stream that is cut off, damaged or followed by anything
    raises HostileInputError."""
    is_file = isinstance(stream, io.IOBase)
    packed = ChunkReader(file_chunks(cast("BinaryIO", stream)) if is_file else stream)
    head = packed.peek(6)
    if head[:2] == b"\x1f\x8b":
        yield from _gunzip(packed, name)
    elif head[:4] == b"\x28\xb5\x2f\xfd" or (head[:1] in _SKIPPABLE and head[1:4] == b"\x2a\x4d\x18"):
        yield from _unpack_zstd(packed, name)
    elif head[:6] == b"\xfd7zXZ\0" or head[:3] == b"BZh":
        if any_format:
            yield from _unpack_other(packed, name, xz=head[:1] == b"\xfd")
            return
        raise HostileInputError(f"{name}: layers packed with xz or bzip2 are not allowed by the specification")
    else:
        while chunk := packed.take(CHUNK_BYTES):
            yield chunk


def _gunzip(packed: ChunkReader, name: str) -> Iterator[bytes]:
    """Every member of a gzip stream; nothing may follow the last."""
    while head := packed.peek(2):
        if head != b"\x1f\x8b":
            raise HostileInputError(f"{name}: bytes follow the end of the gzip stream")
        yield from _gunzip_member(packed, name)


def _gunzip_member(packed: ChunkReader, name: str) -> Iterator[bytes]:
    """One member's bytes; what was read beyond it is put back."""
    from isal import isal_zlib

    damage = cast("type[Exception]", isal_zlib.error)  # the stubs call it an instance
    member = isal_zlib.decompressobj(wbits=31)
    data = b""
    try:
        while not member.eof:
            if not data:
                data = packed.take(_INPUT_BYTES)
                if not data:
                    raise HostileInputError(f"{name}: the gzip stream is cut off")
            if chunk := member.decompress(data, _OUTPUT_BYTES):
                yield chunk
            data = member.unconsumed_tail
    except damage as error:
        raise HostileInputError(f"{name}: the gzip stream is damaged: {error}") from None
    packed.put_back(len(member.unused_data))


def _unpack_zstd(packed: ChunkReader, name: str) -> Iterator[bytes]:
    """Every frame of a zstd stream. The library takes a cut stream for a whole one, so its frames are followed too."""
    import zstandard

    walk = FrameWalk(packed.take)
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    reader = unpacker.stream_reader(cast("BinaryIO", walk), read_across_frames=True)
    try:
        while chunk := reader.read(CHUNK_BYTES):
            yield chunk
    except zstandard.ZstdError as error:
        raise HostileInputError(f"{name}: the zstd stream is damaged, or bytes follow its end: {error}") from None
    if not walk.is_whole:
        raise HostileInputError(f"{name}: the zstd stream is cut off")


def _unpack_other(packed: ChunkReader, name: str, *, xz: bool) -> Iterator[bytes]:
    import bz2
    import lzma

    file = cast("BinaryIO", packed)  # both only read
    try:
        with lzma.open(file) if xz else bz2.open(file) as unpacked:
            while chunk := unpacked.read(CHUNK_BYTES):
                yield chunk
    except (lzma.LZMAError, OSError, EOFError) as error:
        raise HostileInputError(f"{name}: the stream is damaged: {error}") from None
