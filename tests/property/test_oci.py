"""Laws of layers: what is written is read again, and others read the same."""

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.filesystem import flatten
from basewright.oci.layer import read_layer, write_layer
from basewright.oci.layer_index import LayerIndexes, Picks
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.stream import gzip_stream, inflate
from basewright.oci.tar import TarReader
from basewright.oci.tree import Entry, FileType, Tree, clean_path, directory, file
from tests.doubles.image import archive, member, packed

# Names as filesystems have them: any byte but zero and the slash; Python's way to keep such bytes in text.
_BYTES = st.binary(min_size=1, max_size=40).map(lambda name: name.replace(b"/", b"x").replace(b"\0", b"y"))
NAMES = (
    (_BYTES | st.text("abé日.~ ", min_size=1, max_size=120).map(str.encode))
    .map(lambda name: name.decode("utf-8", "surrogateescape"))
    .filter(
        lambda name: (
            name not in (".", "..")
            and not name.startswith(".wh.")
            and len(name.encode("utf-8", "surrogateescape")) < 256
        )
    )
)
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)
MODES = st.integers(0, 0o7777)
OWNERS = st.integers(0, 2**32 - 2)
TARGETS = st.lists(NAMES | st.just(".."), min_size=1, max_size=40).map("/".join) | PATHS.map("/{}".format)


def _file(path: str, mode: int, uid: int, gid: int, data: bytes, capabilities: bytes) -> Entry:
    return Entry(
        path=path, type=FileType.FILE, mode=mode, uid=uid, gid=gid, size=len(data), data=data, capabilities=capabilities
    )


FEW_PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)
"""So few that two trees have many of them in common."""


@st.composite
def trees(draw: st.DrawFn, paths: st.SearchStrategy[str] = PATHS) -> Tree:
    """A tree in which nothing lies below what is no folder."""
    data, capabilities = st.binary(max_size=2000), st.just(b"") | st.binary(max_size=24)
    files = st.builds(_file, paths, MODES, OWNERS, OWNERS, data, capabilities)
    links = st.builds(lambda path, link: Entry(path=path, type=FileType.SYMLINK, mode=0o777, link=link), paths, TARGETS)
    folders = st.builds(
        lambda path, mode, uid: Entry(path=path, type=FileType.DIRECTORY, mode=mode, uid=uid), paths, MODES, OWNERS
    )
    tree = Tree()
    for entry in draw(st.lists(files | links | folders, max_size=12)):
        above = ["/".join(entry.path.split("/")[:depth]) for depth in range(1, entry.path.count("/") + 1)]
        if all(found is None or found.is_directory for found in map(tree.get, above)) and entry.path not in tree:
            tree.add(entry)
    return tree


def facts(entry: Entry) -> tuple[object, ...]:
    return (
        entry.path,
        entry.type,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size,
        entry.link,
        entry.data if entry.is_file else None,
        entry.capabilities,
    )


@settings(deadline=None, max_examples=60)
@given(trees())
def test_a_tree_through_a_layer_and_back_is_the_same_tree(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        layer = write_layer(store, tree, created_by="test")
        with store.open(layer.digest) as file:
            content = read_layer(file, name="layer", compressed_bytes=layer.descriptor.size, keep=lambda _: True)
        assert content.diff_id == layer.diff_id
        assert [facts(each) for each in flatten([content.entries]).tree] == [facts(each) for each in tree]


def _over(lower: Tree, upper: Tree) -> Tree:
    """The layer that makes `upper` of `lower`: what differs, and whiteouts of what is gone or of another type."""
    layer = Tree()
    for entry in upper:
        before = lower.get(entry.path)
        if before is None or facts(before) != facts(entry):
            layer.add(entry, implied_directory=lambda path: upper.get(path) or directory(path))
    for entry in lower:
        parent, slash, name = entry.path.rpartition("/")
        after = upper.get(parent)
        if entry.path not in upper and (not parent or (after is not None and after.is_directory)):
            layer.add(
                file(f"{parent}{slash}.wh.{name}", b""),
                implied_directory=lambda path: upper.get(path) or directory(path),
            )
    return layer


@settings(deadline=None, max_examples=100)
@given(trees(FEW_PATHS), trees(FEW_PATHS))
def test_a_tree_through_two_layers_and_their_kept_indexes_is_the_same_tree(lower: Tree, upper: Tree) -> None:
    picks = Picks(version=1, wants=lambda _: True)
    with tempfile.TemporaryDirectory() as folder:
        store, kept, read = BlobStore(Path(folder) / "store"), LayerIndexes(Path(folder) / "indexes"), []
        for tree in (lower, _over(lower, upper)):
            layer = write_layer(store, tree, created_by="test")
            with store.open(layer.digest) as packed_layer:
                size = layer.descriptor.size
                index = read_layer(packed_layer, name="x", compressed_bytes=size, keep=picks.wants, place="")
            kept.save(index, picks=picks)
            read.append(kept.load(layer.diff_id, picks=picks, hashed=False))
            assert read[-1] == index
    flattened = flatten(index.entries for index in read if index is not None)
    assert [facts(each) for each in flattened.tree] == [facts(each) for each in upper]
    below, above = {each.path for each in lower}, {each.path for each in upper}
    assert set(flattened.changes[0].added) == below
    assert (set(flattened.changes[1].added), set(flattened.changes[1].removed)) == (above - below, below - above)
    assert sum(each.bytes for each in flattened.waste) == sum(
        each.size
        for each in lower
        if each.is_file and ((now := upper.get(each.path)) is None or facts(now) != facts(each))
    )


@settings(deadline=None, max_examples=60)
@given(trees())
def test_python_reads_a_layer_as_it_was_meant(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        layer = write_layer(store, tree, created_by="test", epoch=5)
        data = gzip.decompress(store.read(layer.digest, max_bytes=1 << 30))
    kinds = {tarfile.REGTYPE: FileType.FILE, tarfile.DIRTYPE: FileType.DIRECTORY, tarfile.SYMTYPE: FileType.SYMLINK}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        found = []
        for each in opened:
            body = opened.extractfile(each) if each.isfile() else None
            content = body.read() if body is not None else None
            found.append(
                (
                    each.name,
                    kinds[each.type],
                    each.mode,
                    each.uid,
                    each.gid,
                    each.size,
                    each.linkname,
                    content,
                    each.mtime,
                )
            )
    assert found == [(*facts(each)[:8], 5) for each in tree]


@settings(deadline=None, max_examples=60)
@given(trees(), st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_what_python_writes_is_read_as_it_was_meant(tree: Tree, form: int) -> None:
    kinds = {FileType.FILE: tarfile.REGTYPE, FileType.DIRECTORY: tarfile.DIRTYPE, FileType.SYMLINK: tarfile.SYMTYPE}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as opened:
        for each in tree:
            info = tarfile.TarInfo(each.path)
            info.type, info.mode, info.uid, info.gid = kinds[each.type], each.mode, each.uid, each.gid
            info.size, info.linkname = each.size, each.link
            opened.addfile(info, io.BytesIO(each.data or b""))
    buffer.seek(0)
    reader = TarReader(buffer.read, name="layer")
    found = [(*facts(each.entry)[:7], b"".join(reader.content())) for each in reader]
    assert found == [(*facts(each)[:7], each.data or b"") for each in tree]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=3000), max_size=8), st.integers(1, 5000))
def test_packing_and_unpacking_in_any_pieces(pieces: list[bytes], size: int) -> None:
    text = b"".join(pieces)
    gzipped = b"".join(gzip_stream(pieces))
    assert b"".join(gzip_stream([text])) == gzipped
    for data in (gzipped, packed(text, "gzip"), packed(text, "zstd")):
        assert b"".join(inflate(io.BytesIO(data), name="x")) == text

    class Trickle(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(size if count is None or count < 0 else min(size, count))

    for data in (packed(text, "gzip"), packed(text, "zstd")):
        if size >= 6:
            assert b"".join(inflate(Trickle(data), name="x")) == text


def read_anything(data: bytes) -> None:
    limits = LayerLimits(uncompressed_bytes=1 << 24, entries=1000)
    content = read_layer(io.BytesIO(data), name="x", compressed_bytes=len(data), keep=lambda _: True, limits=limits)
    flatten([content.entries])


VALID = archive(
    member("etc", kind=b"5"),
    member("etc/" + "long" * 60, b"x" * 700),
    member("s", kind=b"2", link="/etc"),
    member("s/y", b"1"),
    member("h", kind=b"1", link="s/y"),
    member("etc/.wh.none"),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_damage_is_refused_and_never_a_crash(damage: list[tuple[int, int]], mend: bool) -> None:
    data = bytearray(VALID)
    for place, value in damage:
        data[place] = value
        if mend and place % 512 not in range(148, 156):
            start = place - place % 512
            head = data[start : start + 512]
            data[start + 148 : start + 156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 256)
    try:
        read_anything(bytes(data))
    except HostileInputError as error:
        assert error.message


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["gzip", "zstd", "tar"]), st.integers(0, 600), st.integers(0, 255), st.integers(0, 5000))
def test_damage_of_packed_layers_is_refused_and_never_a_crash(packing: str, place: int, value: int, cut: int) -> None:
    data = bytearray(packed(VALID, packing))
    data[place % len(data)] = value
    try:
        read_anything(bytes(data[: max(1, len(data) - cut % 40)]))
    except HostileInputError as error:
        assert error.message


@given(st.text(alphabet="a/.", max_size=12))
def test_clean_paths_stay_in_the_root(path: str) -> None:
    try:
        cleaned = clean_path(path)
    except HostileInputError:
        return
    assert clean_path(cleaned) == cleaned
    assert not cleaned.startswith("/")
    assert ".." not in cleaned.split("/")
