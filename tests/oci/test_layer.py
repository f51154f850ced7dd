"""Layers: the same bytes each time, and read within limits."""

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import zstandard

from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.filesystem import flatten
from basewright.oci.layer import read_layer, spool_tree, write_layer
from basewright.oci.layer_index import LayerIndex
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.tar import render_header
from basewright.oci.tree import Entry, FileType, Tree, directory, file, symlink
from basewright.runner.root import read_spooled
from tests.doubles.image import archive, listing, member, packed, pax, sha256


def read(data: bytes, *, spool: Path | None = None, limits: LayerLimits = LayerLimits()) -> LayerIndex:
    return read_layer(
        io.BytesIO(data),
        name="layer",
        compressed_bytes=len(data),
        keep=lambda entry: entry.path.endswith(".txt"),
        spool=spool,
        limits=limits,
    )


def small_tree() -> Tree:
    tree = Tree()
    tree.add(file("etc/motd.txt", b"hello\n"))
    tree.add(file("usr/bin/tool", b"\x7fELF" * 1000, mode=0o755))
    tree.add(directory("tmp", mode=0o1777))
    tree.add(symlink("bin", "usr/bin"))
    return tree


def test_a_layer_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    layer = write_layer(store, small_tree(), created_by="test")
    content = read(store.read(layer.digest, max_bytes=1 << 20))
    assert content.diff_id == layer.diff_id
    assert content.uncompressed_bytes == layer.uncompressed_bytes
    assert [(each.path, each.mode) for each in content.entries] == [(each.path, each.mode) for each in small_tree()]
    assert layer.files == 2
    assert layer.descriptor.size == store.path(layer.digest).stat().st_size


def test_a_tree_whose_layer_is_written_leaves_its_content_where_a_reader_finds_it(tmp_path: Path) -> None:
    store, spools, tree = BlobStore(tmp_path / "store"), tmp_path / "layers", small_tree()
    tree.add(file("usr/share/" + "long" * 60, b"a name with a header of its own"))
    tree.add(file("usr/share/none", b""))
    before = [(entry.path, entry.data) for entry in tree]
    layer = write_layer(store, tree, created_by="test")
    for again in (tree, Tree({entry.path: entry for entry in tree})):  # the second finds the archive there
        spool_tree(again, layer, spools, keep=lambda entry: entry.path == "etc/motd.txt")
        assert [each.path for each in again if each.data] == ["etc/motd.txt"]
        read = read_spooled(spools)
        assert [(each.path, read(each) if each.is_file else None) for each in again] == before
    assert sha256((spools / f"{layer.diff_id.hex}.tar").read_bytes()) == layer.diff_id


def test_the_same_tree_is_the_same_layer_in_whatever_order_it_was_made(tmp_path: Path) -> None:
    store, other = BlobStore(tmp_path), Tree()
    for entry in reversed(list(small_tree())):
        other.add(entry)
    assert write_layer(store, small_tree(), created_by="x") == write_layer(store, other, created_by="x")


def test_hard_links_stand_after_what_they_lead_to(tmp_path: Path) -> None:
    store, tree = BlobStore(tmp_path), small_tree()
    for name, target in (("a", "b"), ("b", "usr/bin/tool"), ("z", "a")):
        tree.add(Entry(path=name, type=FileType.HARDLINK, mode=0o755, link=target))
    layer = write_layer(store, tree, created_by="x")
    members = listing(gzip.decompress(store.read(layer.digest, max_bytes=1 << 20)))
    assert list(members)[-3:] == ["a", "b", "z"]
    assert {members[name].linkname for name in "abz"} == {"usr/bin/tool"}
    with store.open(layer.digest) as file:
        content = read_layer(file, name="layer", compressed_bytes=layer.descriptor.size)
    found = flatten([content.entries]).tree.get("a")
    assert found is not None
    assert found.size == 4000


def test_every_file_has_the_one_date(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    layer = write_layer(store, small_tree(), created_by="x", epoch=1_000)
    members = listing(gzip.decompress(store.read(layer.digest, max_bytes=1 << 20)))
    assert {each.mtime for each in members.values()} == {1_000}


def test_data_is_kept_where_it_is_asked_for_and_found_where_it_is_not(tmp_path: Path) -> None:
    tar = archive(member("a.txt", b"kept"), member("b.bin", b"not kept"))
    spool = tmp_path / "spool" / "layer.tar"
    content = read(packed(tar, "gzip"), spool=spool)
    kept, found = content.entries
    assert (kept.data, found.data, found.spool) == (b"kept", None, "layer.tar")
    assert spool.read_bytes() == tar
    assert spool.read_bytes()[found.offset : found.offset + found.size] == b"not kept"
    assert content.diff_id == sha256(tar)
    assert [each.name for each in spool.parent.iterdir()] == ["layer.tar"]


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar"])
def test_layers_are_told_by_their_first_bytes(packing: str) -> None:
    tar = archive(member("a.txt", b"kept")) + bytes(9216)
    content = read(packed(tar, packing))
    assert (content.diff_id, content.uncompressed_bytes) == (sha256(tar), len(tar))


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar"])
def test_an_empty_layer(packing: str) -> None:
    assert read(packed(bytes(1024), packing)).entries == ()


def test_a_damaged_layer_leaves_no_file(tmp_path: Path) -> None:
    for data in (
        packed(archive(member("../x")), "gzip"),
        packed(archive(member("a", b"x" * 100_000)), "gzip")[:-50],
        packed(archive(pax({"size": b"x"}), member("a")), "zstd"),
    ):
        with pytest.raises(HostileInputError, match=r"^layer: "):
            read(data, spool=tmp_path / "layer.tar")
        assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_refused_by_its_ratio() -> None:
    limits = LayerLimits(ratio_floor_bytes=1 << 20)
    bomb = packed(archive(member("zeros", bytes(20 << 20))), "gzip")
    with pytest.raises(HostileInputError, match="more than 200 times its") as caught:
        read(bomb, limits=limits)
    assert "the limit on the ratio" in caught.value.hint
    assert read(bomb).uncompressed_bytes > 20 << 20
    assert read(bomb, limits=msgspec.structs.replace(limits, ratio=2_000)).entries[0].size == 20 << 20


def test_a_zstd_bomb_is_refused_too() -> None:
    bomb = packed(archive(member("zeros", bytes(20 << 20))), "zstd")
    with pytest.raises(HostileInputError, match="more than 200 times its"):
        read(bomb, limits=LayerLimits(ratio_floor_bytes=1 << 20))


def test_a_layer_is_refused_by_its_bytes_and_its_entries() -> None:
    tar = archive(*(member(f"f{number}", os.urandom(700)) for number in range(50)))
    with pytest.raises(HostileInputError, match="more than 10,000 bytes") as caught:
        read(tar, limits=LayerLimits(uncompressed_bytes=10_000))
    assert "limit" in caught.value.hint
    with pytest.raises(HostileInputError, match="more than 49 entries"):
        read(tar, limits=LayerLimits(entries=49))
    assert len(read(tar, limits=LayerLimits(entries=50)).entries) == 50


def test_a_large_layer_is_read_in_little_memory(tmp_path: Path) -> None:
    size, block = 128 << 20, os.urandom(1 << 20)
    with (tmp_path / "layer").open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as layer:
        layer.write(render_header(Entry(path="large", type=FileType.FILE, mode=0o644, size=size), epoch=0))
        for _ in range(size >> 20):
            layer.write(block)
        layer.write(bytes(1024))
    script = (
        "import re, sys; from pathlib import Path; from basewright.oci.layer import read_layer\n"
        "path = Path(sys.argv[1])\n"
        "with path.open('rb') as file:\n"
        "    content = read_layer(file, name='x', compressed_bytes=1 << 30, spool=path.with_name('spool'))\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(content.uncompressed_bytes, re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "layer")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    unpacked, kilobytes = map(int, done.stdout.split())
    assert unpacked == size + 1536
    assert kilobytes < 80_000
    (tmp_path / "spool").unlink()
