"""Reading an image: every byte checked and looked at once, what is kept of it believed only where it was read."""

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from basewright.errors import HostileInputError, InputError
from basewright.oci.digest import Digest
from basewright.oci.layer_index import LayerIndexes, Picks
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import Descriptor
from basewright.oci.platform import parse_platform
from basewright.oci.reading import ImageReading, read_image
from basewright.oci.resolution import resolve
from basewright.oci.tree import Entry
from tests.doubles.image import MadeImage, archive, make_image, member, packed, pax, sha256

ELF = b"\x7fELF" + bytes(range(4, 100))
LOWER = archive(member("etc/os-release", b"ID=x\n"), member("bin/tool", ELF, mode=0o755), member("a", b"1" * 5000))
UPPER = archive(member("a", b"2"), member(".wh.none"), member("b\udcff/\xe9", b"odd name"))
PICKS = Picks(version=3, wants=lambda entry: entry.path.startswith("etc/"))


class Counted:
    """A source of blobs by digest, true or not, that counts what it was asked for."""

    def __init__(self, image: MadeImage, blobs: Mapping[str, bytes] | None = None) -> None:
        self.top, self.blobs = image.manifest_bytes, dict(image.blobs if blobs is None else blobs)
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return "shelf"

    def manifest(self, digest: Digest | None) -> bytes:
        return self.top if digest is None else self.blobs[digest]

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        self.asked.append(descriptor.digest)
        if descriptor.digest not in self.blobs:
            raise InputError(f"shelf lacks {descriptor.digest}")
        data = self.blobs[descriptor.digest]
        yield b""
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return ()


def read(
    source: Counted,
    *,
    indexes: LayerIndexes | None = None,
    hashed: bool = False,
    picks: Picks = PICKS,
    limits: LayerLimits = LayerLimits(),
) -> ImageReading:
    resolved = resolve(source, platform=parse_platform("linux/amd64"))
    source.asked.clear()
    return read_image(source, resolved, picks=picks, indexes=indexes, hashed=hashed, limits=limits)


def refused(source: Counted, *, limits: LayerLimits = LayerLimits(), indexes: LayerIndexes | None = None) -> str:
    with pytest.raises(HostileInputError) as caught:
        read(source, limits=limits, indexes=indexes)
    assert "shelf" in caught.value.message
    return caught.value.message


def layer_named(image: MadeImage, number: int) -> dict[str, object]:
    layers = image.manifest["layers"]
    assert isinstance(layers, list)
    found: dict[str, object] = layers[number]
    return found


def by_path(reading: ImageReading, layer: int) -> dict[str, Entry]:
    return {each.path: each for each in reading.layers[layer].index.entries}


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar"])
def test_what_is_read_of_a_layer(packing: str) -> None:
    reading = read(Counted(make_image(LOWER, UPPER, packing=packing)), hashed=True)
    lower, upper = by_path(reading, 0), by_path(reading, 1)
    assert [each.diff_id for each in reading.layers] == [sha256(LOWER), sha256(UPPER)]
    assert [each.index.uncompressed_bytes for each in reading.layers] == [len(LOWER), len(UPPER)]
    assert (lower["etc/os-release"].data, lower["a"].data) == (b"ID=x\n", None)
    assert (lower["bin/tool"].head, lower["a"].head) == (ELF[:64], b"")
    assert lower["a"].sha256 == hashlib.sha256(b"1" * 5000).digest()
    assert upper["b\udcff/\xe9"].sha256 == hashlib.sha256(b"odd name").digest()
    assert lower["a"].spool != upper["a"].spool, "where a file lies tells two of a name apart"


def test_a_layer_that_stands_twice_is_read_once() -> None:
    source = Counted(make_image(LOWER, LOWER))
    assert len(read(source).layers) == 2
    assert len(source.asked) == 1


# What is kept


def test_a_kept_index_is_as_good_as_the_layer(tmp_path: Path) -> None:
    image, indexes = make_image(LOWER, UPPER), LayerIndexes(tmp_path)
    first = read(Counted(image), indexes=indexes, hashed=True)
    source = Counted(image)
    assert read(source, indexes=indexes, hashed=True) == first
    assert source.asked == []
    assert read(source, indexes=indexes) == first, "hashes are more than was asked for"
    assert source.asked == []


def test_what_was_kept_without_hashes_for_other_picks_or_is_damaged_is_read_anew(tmp_path: Path) -> None:
    image, indexes = make_image(UPPER), LayerIndexes(tmp_path)
    plain = read(Counted(image), indexes=indexes)
    source = Counted(image)
    hashed = read(source, indexes=indexes, hashed=True)
    assert (len(source.asked), hashed == plain) == (1, False)
    read(source, indexes=indexes, picks=msgspec.structs.replace(PICKS, version=4))
    assert len(source.asked) == 1
    (path,) = (tmp_path / "layers/sha256").iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole + b"x", *(_with_byte(whole, at) for at in range(0, len(whole), 7))):
        path.write_bytes(damaged)
        assert read(source, indexes=indexes) == plain
        assert len(source.asked) == 1
    (note,) = (tmp_path / "blobs/sha256").iterdir()
    for damaged in (b"", b"\x92\x01\xa1x", note.read_bytes()[:-1]):
        note.write_bytes(damaged)
        assert read(source, indexes=indexes) == plain
        assert len(source.asked) == 1


def _with_byte(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]


def test_a_config_that_names_another_s_diff_id_is_not_believed(tmp_path: Path) -> None:
    """Not when the layer is new, and not when it is known; what is kept of the true one stays right."""
    indexes, true = LayerIndexes(tmp_path), make_image(LOWER)
    read(Counted(true), indexes=indexes)
    liar = make_image(UPPER)
    liar.config["rootfs"] = {"type": "layers", "diff_ids": [sha256(LOWER)]}
    liar.seal()
    for _ in range(2):
        assert "does not have the diff id" in refused(Counted(liar), indexes=indexes)
        read(Counted(make_image(UPPER)), indexes=indexes)  # known from here on
    assert "a" in by_path(read(Counted(true), indexes=indexes), 0)


def test_a_size_that_lies_is_noticed_of_a_known_layer_too(tmp_path: Path) -> None:
    image, indexes = make_image(LOWER), LayerIndexes(tmp_path)
    read(Counted(image), indexes=indexes)
    layer_named(image, 0)["size"] = len(image.layers[0]) + 1
    assert "another size" in refused(Counted(image), indexes=indexes)
    assert "another size" in refused(Counted(image))


def test_limits_hold_for_what_is_kept(tmp_path: Path) -> None:
    image, indexes = make_image(LOWER), LayerIndexes(tmp_path)
    read(Counted(image), indexes=indexes)
    for kept in (indexes, None):
        assert "1,000 bytes" in refused(Counted(image), limits=LayerLimits(uncompressed_bytes=1000), indexes=kept)
        assert "2 entries" in refused(Counted(image), limits=LayerLimits(entries=2), indexes=kept)


def test_where_nothing_can_be_kept_all_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    source = Counted(make_image(LOWER))
    assert read(source, indexes=LayerIndexes(tmp_path / "file")) == read(source)


def test_an_index_of_very_many_files(tmp_path: Path) -> None:
    tar = archive(*(member(f"d/{number}", b"x" * (number % 3)) for number in range(10_000)))
    indexes = LayerIndexes(tmp_path)
    first = read(Counted(make_image(tar)), indexes=indexes)
    assert read(Counted(make_image(tar)), indexes=indexes) == first


# What lies


def test_a_blob_that_is_not_what_its_digest_says() -> None:
    image = make_image(LOWER)
    for other in (packed(UPPER, "gzip"), image.layers[0][:-20], image.layers[0] + b"\0", b"", os.urandom(500)):
        source = Counted(image)
        source.blobs[sha256(image.layers[0])] = other
        message = refused(source)
        assert "digest" in message or "announced" in message


def test_a_missing_blob_is_the_source_s_word() -> None:
    image = make_image(LOWER)
    source = Counted(image)
    del source.blobs[sha256(image.layers[0])]
    with pytest.raises(InputError, match="shelf lacks"):
        read(source)


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar"])
def test_damage_names_the_image_and_the_layer(packing: str) -> None:
    for tar in (LOWER[:1000], archive(member("../x")), LOWER + b"garbage", archive(pax({"size": b"-1"}), member("a"))):
        image = make_image(tar, packing=packing)
        message = refused(Counted(image))
        assert message.startswith(f"the layer {sha256(image.layers[0])[7:19]} of shelf: ")


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_what_follows_a_packed_stream(packing: str) -> None:
    image = make_image(LOWER, packing=packing)
    longer = image.layers[0] + b"\0\0\0\0\0"
    layer_named(image, 0).update({"digest": sha256(longer), "size": len(longer)})
    image.layers = [longer]
    assert "bytes follow" in refused(Counted(image))


def test_foreign_layers_are_refused_by_digest_and_type() -> None:
    image = make_image(LOWER)
    layer_named(image, 0)["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    message = refused(Counted(image))
    assert sha256(image.layers[0]) in message and "foreign" in message


def test_databases_without_bound() -> None:
    image = make_image(archive(*(member(f"etc/{number}", b"x" * 1000) for number in range(20))))
    assert "10,000 bytes of package databases" in refused(Counted(image), limits=LayerLimits(kept_bytes=10_000))


def test_a_diff_id_of_sha512() -> None:
    image = make_image(LOWER)
    image.config["rootfs"] = {"type": "layers", "diff_ids": ["sha512:" + hashlib.sha512(LOWER).hexdigest()]}
    image.seal()
    assert read(Counted(image)).layers[0].diff_id.algorithm == "sha512"


# Odd and right


def test_device_nodes_and_fifos_are_listed() -> None:
    tar = archive(
        member("dev/null", kind=b"3", mode=0o666), member("dev/sda", kind=b"4"), member("run/pipe", kind=b"6")
    )
    assert [each.type for each in read(Counted(make_image(tar))).layers[0].index.entries] == [
        "character-device",
        "block-device",
        "fifo",
    ]


@pytest.mark.parametrize("tar", [b"", bytes(1024), bytes(10240)])
@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar"])
def test_layers_that_are_empty(tar: bytes, packing: str) -> None:
    assert read(Counted(make_image(tar, packing=packing))).layers[0].index.entries == ()


def test_layers_packed_in_any_mix() -> None:
    image = make_image(LOWER, UPPER, archive(member("c")))
    image.layers = [
        packed(tar, how) for tar, how in zip((LOWER, UPPER, archive(member("c"))), ("zstd", "tar", "gzip"), strict=True)
    ]
    for number, layer in enumerate(image.layers):
        layer_named(image, number).update({"digest": sha256(layer), "size": len(layer)})
    assert [len(each.index.entries) for each in read(Counted(image)).layers] == [3, 3, 1]


def test_times_before_1970_and_beyond_the_header(tmp_path: Path) -> None:
    negative = member("old", mode=0o644)
    field = struct.pack(">iq", -1, -86_400)
    head = negative[:136] + field + b" " * 8 + negative[156:512]
    head = head[:148] + b"%06o\0 " % (sum(head)) + head[156:]
    tar = archive(head, pax({"mtime": b"1700000000.25"}), member("new"), pax({"mtime": b"-5.5"}), member("older"))
    found = by_path(read(Counted(make_image(tar)), indexes=LayerIndexes(tmp_path)), 0)
    assert [found[name].mtime for name in ("old", "new", "older")] == [-86_400, 1_700_000_000, -5]
