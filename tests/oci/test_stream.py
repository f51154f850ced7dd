"""Packed streams: every way that layers come in, and every way that they may be damaged."""

import bz2
import gzip
import io
import itertools
import lzma
import random
import struct
import zlib

import pytest
import zstandard

from basewright.errors import HostileInputError
from basewright.oci.stream import MEMBER_BYTES, ChunkReader, gzip_stream, inflate

NOISE = random.Random(1).randbytes(300_000)
TEXTS = (b"", b"a", NOISE, b"x" * 3_000_000, NOISE[:1000] * 500)


def unpack(data: bytes, *, any_format: bool = False) -> bytes:
    return b"".join(inflate(io.BytesIO(data), name="layer", any_format=any_format))


def refused(data: bytes, *, any_format: bool = False) -> str:
    with pytest.raises(HostileInputError) as caught:
        unpack(data, any_format=any_format)
    assert caught.value.message.startswith("layer: ")
    return caught.value.message


# Written


def test_what_is_written_is_gzip_of_one_member_for_each_piece_of_a_fixed_size() -> None:
    data = NOISE * (2 * MEMBER_BYTES // len(NOISE) + 3)
    packed = b"".join(gzip_stream([data]))
    assert gzip.decompress(packed) == data
    assert unpack(packed) == data


def test_what_is_written_does_not_depend_on_the_pieces_that_came() -> None:
    data = NOISE * (MEMBER_BYTES // len(NOISE) + 1)
    whole = list(gzip_stream([data]))
    pieces = [data[at : at + 70_001] for at in range(0, len(data), 70_001)]
    assert list(gzip_stream(pieces)) == whole
    assert list(gzip_stream([b"", *itertools.chain.from_iterable((piece, b"") for piece in pieces)])) == whole


def test_a_gzip_header_holds_neither_time_nor_name() -> None:
    packed = b"".join(gzip_stream([b"x"]))
    assert packed[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_an_error_of_the_source_comes_through_the_threads() -> None:
    def pieces() -> itertools.chain[bytes]:
        def fail() -> bytes:
            raise LookupError("the source ended")

        return itertools.chain([bytes(MEMBER_BYTES)] * 5, (fail() for _ in range(1)))

    with pytest.raises(LookupError, match="the source ended"):
        list(gzip_stream(pieces()))


# Read


@pytest.mark.parametrize("text", TEXTS)
def test_streams_are_told_by_their_first_bytes(text: bytes) -> None:
    assert unpack(gzip.compress(text)) == text
    assert unpack(zstandard.ZstdCompressor().compress(text)) == text
    assert unpack(text) == text


def test_gzip_of_several_members_and_with_every_optional_field() -> None:
    body = gzip.compress(b"abc", mtime=0)[10:]
    fields = b"\x1f\x8b\x08\x1c\0\0\0\0\0\3" + struct.pack("<H", 3) + b"ext" + b"name\0" + b"comment\0"
    checked = b"\x1f\x8b\x08\x02\0\0\0\0\0\3"
    checked += struct.pack("<H", zlib.crc32(checked) & 0xFFFF)
    assert unpack(fields + body + checked + body + gzip.compress(b"") + gzip.compress(NOISE)) == b"abcabc" + NOISE


def test_many_small_members() -> None:
    assert unpack(gzip.compress(b"ab") * 20_000) == b"ab" * 20_000


@pytest.mark.parametrize("write_checksum", [True, False])
@pytest.mark.parametrize("write_content_size", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_zstd_of_several_frames_and_with_skippable_ones(
    text: bytes, write_checksum: bool, write_content_size: bool
) -> None:
    packed = zstandard.ZstdCompressor(write_checksum=write_checksum, write_content_size=write_content_size).compress(
        text
    )
    skipped = struct.pack("<II", 0x184D2A5E, 5) + b"extra"
    assert unpack(skipped + packed + skipped + packed + skipped) == text * 2


def test_xz_and_bzip2_are_for_root_filesystems_only() -> None:
    for packed in (lzma.compress(NOISE), bz2.compress(NOISE)):
        assert unpack(packed, any_format=True) == NOISE
        assert "xz or bzip2" in refused(packed)
        assert "damaged" in refused(packed[:-100], any_format=True)


# Refused


@pytest.mark.parametrize("text", TEXTS)
def test_a_cut_is_noticed_wherever_it_is(text: bytes) -> None:
    for packed in (
        gzip.compress(text),
        zstandard.ZstdCompressor(write_checksum=True).compress(text),
        zstandard.compress(text),
    ):
        places = {4, 5, 6, 9, 10, 11, len(packed) // 2, len(packed) - 4, len(packed) - 1}
        for place in sorted(each for each in places if 4 <= each < len(packed)):
            assert "cut off" in refused(packed[:place]), place
            assert "cut off" in refused(packed + packed[:place]), place


@pytest.mark.parametrize("garbage", [b"\0", bytes(512), b"x", b"\x1f", b"garbage!", b"\x28\xb5", NOISE])
def test_nothing_may_follow_the_end(garbage: bytes) -> None:
    gzipped, zstd = gzip.compress(NOISE), zstandard.compress(NOISE)
    assert refused(gzipped + garbage)
    assert refused(zstd + garbage)


def test_damage_is_noticed() -> None:
    checked = zstandard.ZstdCompressor(write_checksum=True)
    for packed in (gzip.compress(NOISE), checked.compress(NOISE), checked.compress(NOISE[:1000] * 500)):
        for place in (len(packed) // 3, len(packed) - 2):
            damaged = bytearray(packed)
            damaged[place] ^= 0x10
            assert "damaged" in refused(bytes(damaged)), place
    sizes = bytearray(gzip.compress(NOISE))
    sizes[-1] ^= 1
    assert "damaged" in refused(bytes(sizes))


def test_a_zstd_stream_that_wants_a_gigabyte_of_memory() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(b"x" * 1000) + packer.flush()
    assert "damaged" in refused(packed)


# Chunks


def test_chunks_are_read_in_any_measure() -> None:
    reader = ChunkReader(iter([b"abc", b"defghij", b"k"]))
    assert [reader.read(count) for count in (1, 4, 0, 2, 3, 5, 1)] == [b"a", b"bcde", b"", b"fg", b"hij", b"k", b""]
