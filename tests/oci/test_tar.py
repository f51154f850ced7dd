"""Tar archives: written as others read them, read in every form that they come in, refused where readers disagree."""

import gc
import io
import tarfile
import weakref

import pytest

from basewright.errors import HostileInputError
from basewright.oci.tar import TarReader, render_end, render_header
from basewright.oci.tree import Entry, FileType, directory, file, symlink
from tests.doubles.image import archive, listing, member, pax


def read(data: bytes, *, max_entries: int = 100) -> list[Entry]:
    return [each.entry for each in TarReader(io.BytesIO(data).read, name="layer", max_entries=max_entries)]


def contents(data: bytes) -> dict[str, bytes]:
    reader = TarReader(io.BytesIO(data).read, name="layer")
    return {each.entry.path: b"".join(reader.content()) for each in reader}


def refused(data: bytes) -> str:
    with pytest.raises(HostileInputError) as caught:
        read(data)
    assert caught.value.message.startswith("layer: ")
    return caught.value.message


def raw(name: bytes, *, size: bytes = b"00000000000\0", flag: bytes = b"0", mode: bytes = b"0000644\0") -> bytes:
    """A ustar header with these very bytes in it."""
    head = name.ljust(100, b"\0") + mode + b"0000000\0" * 2 + size + b"00000000000\0" + b" " * 8 + flag
    head = (head + bytes(100) + b"ustar\00000").ljust(512, b"\0")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


# Written


def written(*entries: Entry, epoch: int = 7) -> bytes:
    parts = [render_header(each, epoch=epoch) + (each.data or b"") + bytes(-each.size % 512) for each in entries]
    return b"".join(parts) + render_end()


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "x" * 100,
        "x" * 101,
        f"{'d' * 155}/{'f' * 100}",
        f"{'d' * 156}/{'f' * 99}",
        f"{'d' * 80}/{'e' * 80}/{'f' * 90}",
        "/".join(["deep"] * 500),
        "naïve/日本",
        "tail ",
    ],
)
def test_names_are_read_by_others_as_written(path: str) -> None:
    data = written(file(path, b"x"))
    assert list(listing(data)) == [path]
    assert contents(data) == {path: b"x"}


def test_names_that_are_no_text_survive() -> None:
    name = b"caf\xe9/\xff\xfe".decode("utf-8", "surrogateescape")
    data = written(file(name, b"x"), symlink("link", name))
    assert list(listing(data)) == [name, "link"]
    assert listing(data)["link"].linkname == name
    assert [each.path for each in read(data)] == [name, "link"]


def test_every_field_is_written_and_nothing_of_this_machine() -> None:
    entry = file("usr/bin/su", b"\x7fELF", mode=0o4755, uid=3, gid=4_000_000_000)
    found = listing(written(entry, directory("tmp", mode=0o1777)))
    su = found["usr/bin/su"]
    assert (su.mode, su.uid, su.gid, su.mtime, su.uname, su.gname) == (0o4755, 3, 4_000_000_000, 7, "", "")
    assert (found["tmp"].mode, found["tmp"].isdir()) == (0o1777, True)


def test_file_capabilities_survive() -> None:
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)
    entry = Entry(path="ping", type=FileType.FILE, mode=0o755, data=b"", capabilities=capability)
    data = written(entry)
    assert read(data)[0].capabilities == capability
    assert listing(data)["ping"].pax_headers["SCHILY.xattr.security.capability"].encode("latin1")[:1] == b"\x01"


def test_a_file_of_more_than_eight_gigabytes_has_its_size() -> None:
    entry = Entry(path="big", type=FileType.FILE, mode=0o644, size=9 << 30)
    head = render_header(entry, epoch=0)
    found = next(iter(TarReader(io.BytesIO(head).read, name="layer")))
    assert found.entry.size == 9 << 30
    assert b" size=9663676416\n" in head


# Read


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_python_writes_is_read(form: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as out:
        for name, kind, link in (
            ("./", tarfile.DIRTYPE, ""),
            ("./d", tarfile.DIRTYPE, ""),
            ("./d/" + "n" * 90, tarfile.REGTYPE, ""),
            ("./s", tarfile.SYMTYPE, "/abs/olute"),
            ("./h", tarfile.LNKTYPE, "./d/" + "n" * 90),
            ("./null", tarfile.CHRTYPE, ""),
            ("./pipe", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.uid = kind, link, 1000
            info.size = 5 if kind == tarfile.REGTYPE else 0
            out.addfile(info, io.BytesIO(b"hello"))
    found = {each.path: each for each in read(buffer.getvalue())}
    assert list(found) == ["", "d", "d/" + "n" * 90, "s", "h", "null", "pipe"]
    assert found["s"].link == "/abs/olute"
    assert found["h"].link == "d/" + "n" * 90
    assert found["null"].type is FileType.CHARACTER_DEVICE
    assert found["pipe"].type is FileType.FIFO
    assert found["d/" + "n" * 90].size == 5
    assert found["d"].uid == 1000


@pytest.mark.parametrize("name", ["/etc/x", "//etc//x", "./etc/./x", "etc/y/../x", "/etc/x/"])
def test_names_are_taken_from_the_root(name: str) -> None:
    assert [each.path for each in read(archive(member(name)))] == ["etc/x"]


def test_long_names_of_gnu_tar_and_pax() -> None:
    long = "x" * 3000
    assert [each.path for each in read(archive(member(long)))] == [long]
    assert [each.link for each in read(archive(member("s", kind=b"2", link=long)))] == [long]
    data = archive(pax({"path": long.encode(), "linkpath": b"t", "uid": b"70000000"}), member("s", kind=b"2", link="u"))
    assert [(each.path, each.link, each.uid) for each in read(data)] == [(long, "t", 70_000_000)]


def test_an_extended_header_holds_for_the_next_member_only() -> None:
    data = archive(pax({"path": b"renamed"}), member("a"), member("b"))
    assert [each.path for each in read(data)] == ["renamed", "b"]


def test_a_record_without_a_value_takes_back_what_was_said() -> None:
    data = archive(pax({"path": b"", "size": b"", "uid": b""}), member("a", b"123"))
    assert contents(data) == {"a": b"123"}


def test_a_size_in_an_extended_header_counts() -> None:
    data = archive(pax({"size": b"3"}), raw(b"a"), b"abc".ljust(512, b"\0"), member("b", b"x"))
    assert contents(data) == {"a": b"abc", "b": b"x"}


def test_binary_numbers() -> None:
    size = b"\x80" + (3).to_bytes(11, "big")
    assert contents(archive(raw(b"a", size=size), b"abc".ljust(512, b"\0"), member("b"))) == {"a": b"abc", "b": b""}


def test_a_header_of_an_old_program_that_sums_signed_bytes() -> None:
    head = raw(b"\xe9\xe9")
    signed = sum(head[:148] + head[156:]) + 8 * 32 - 512
    data = archive(head[:148] + b"%06o\0 " % signed + head[156:])
    assert [each.path for each in read(data)] == [b"\xe9\xe9".decode("utf-8", "surrogateescape")]


def test_numbers_between_spaces_and_zeros() -> None:
    assert [each.mode for each in read(archive(raw(b"a", mode=b"   755 \0"), raw(b"b", mode=bytes(8))))] == [0o755, 0]


def test_a_folder_of_an_archive_older_than_posix() -> None:
    assert [each.type for each in read(archive(raw(b"d/", flag=b"\0")))] == [FileType.DIRECTORY]


def test_links_folders_and_devices_have_no_content_whatever_their_size_says() -> None:
    five = b"00000000005\0"
    data = archive(
        raw(b"a"), *(raw(b"x" + flag, size=five, flag=flag) for flag in (b"3", b"4", b"5", b"6")), member("b")
    )
    assert [each.path for each in read(data)] == ["a", "x3", "x4", "x5", "x6", "b"]


def test_the_end_of_an_archive_may_be_missing_or_padded() -> None:
    assert len(read(member("a"))) == 1
    assert len(read(member("a") + bytes(512))) == 1
    assert len(read(member("a") + bytes(10240))) == 1
    assert read(b"") == []


def test_content_is_given_once_and_skipped_where_it_is_not_asked_for() -> None:
    data = archive(member("a", b"1" * 1000), member("b", b"2" * 1000))
    reader = TarReader(io.BytesIO(data).read, name="layer")
    members = iter(reader)
    first = next(members)
    assert next(reader.content(chunk_bytes=10)) == b"1" * 10
    second = next(members)
    assert b"".join(reader.content()) == b"2" * 1000
    assert data[first.offset : first.offset + 4] == b"1111"
    assert data[second.offset : second.offset + 4] == b"2222"


def test_a_global_header_of_comments_is_no_harm() -> None:
    data = archive(pax({"comment": b"c" * 40}, kind=b"g"), member("a"))
    assert [each.path for each in read(data)] == ["a"]


# Refused


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x", "a/b/../../../x"])
def test_a_name_that_leaves_the_root(name: str) -> None:
    assert "leaves the root" in refused(archive(member(name)))
    assert "leaves the root" in refused(archive(pax({"path": name.encode()}), member("a")))
    assert "leaves the root" in refused(archive(member("h", kind=b"1", link=name)))


def test_names_that_no_filesystem_has() -> None:
    assert "4,096 bytes" in refused(archive(member("x" * 4097)))
    assert "4,096 bytes" in refused(archive(pax({"path": "é".encode() * 2049}), member("a")))
    assert "NUL" in refused(archive(pax({"path": b"a\0b"}), member("a")))
    assert "has no name" in refused(archive(member("./")))
    assert "leads nowhere" in refused(archive(member("s", kind=b"2", link="")))
    assert "longer than" in refused(archive(member("s", kind=b"2", link="y" * 4097)))


@pytest.mark.parametrize("key", ["path", "size", "linkpath"])
def test_a_global_header_that_places_files(key: str) -> None:
    assert f"a global header sets {key}" in refused(archive(pax({key: b"1"}, kind=b"g"), member("a")))


def test_sparse_files() -> None:
    assert "a is a sparse file" in refused(archive(raw(b"a", flag=b"S")))
    for key in ("GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.name"):
        assert "a is a sparse file" in refused(archive(pax({key: b"1"}), member("a")))


@pytest.mark.parametrize("flag", [b"V", b"M", b"D", b"Z", b"\xff"])
def test_unknown_types(flag: bytes) -> None:
    assert "a has the unknown type" in refused(archive(raw(b"a", flag=flag)))


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 12,
        b"\x80" + b"\xff" * 11,
        b"-0000000001\0",
        b"0o000000001\0",
        b"0_000000001\0",
        b"00000000009\0",
        b"+1".ljust(12),
    ],
)
def test_sizes_that_are_negative_huge_or_no_number(size: bytes) -> None:
    assert "a number in a header" in refused(archive(raw(b"a", size=size)))


@pytest.mark.parametrize("size", [b"-1", b"1e3", b"0x10", b" 1", b"9" * 19, "٣".encode()])
def test_pax_sizes_that_are_no_number(size: bytes) -> None:
    assert "a number in an extended header" in refused(archive(pax({"size": size}), member("a")))


@pytest.mark.parametrize(
    "body",
    [
        b"12 path=abc",
        b"11 path=abc\n9 path=x",
        b"99 path=abc\n",
        b"3 =\n",
        b"12 pathabcd\n",
        b"path=abc\n",
        b"-5 a=b\n",
        b"0 a=b\n",
        b"7 =abc\n",
        b"11 path=abcX",
    ],
)
def test_damaged_extended_headers(body: bytes) -> None:
    assert "extended header is damaged" in refused(archive(member("p", body, kind=b"x"), member("a")))


def test_an_extended_header_without_bound() -> None:
    size = b"00040000001\0"
    assert "larger than 1,048,576 bytes" in refused(raw(b"a", size=size, flag=b"x") + bytes(512))
    assert "larger than 1,048,576 bytes" in refused(raw(b"a", size=size, flag=b"L") + bytes(512))


def test_an_archive_that_is_cut_off() -> None:
    data = archive(member("a", b"x" * 600))
    for length in (1, 511, 513, 900, 1200, 1535):
        assert "cut off" in refused(data[:length])
    assert len(read(data[:1536])) == 1


def test_damage_and_what_follows_the_end() -> None:
    data = bytearray(archive(member("a"), member("b")))
    data[600] ^= 1
    assert "512 bytes in" in refused(bytes(data))
    assert "follow the end" in refused(archive(member("a")) + b"x")
    assert "follow the end" in refused(archive(member("a")) + bytes(100_000) + archive(member("b")))
    assert "follow the end" in refused(member("a") + bytes(512) + member("b"))


def test_a_folder_with_content() -> None:
    assert "has content" in refused(archive(raw(b"d/", size=b"00000000005\0", flag=b"\0"), bytes(512)))


def test_more_entries_than_allowed() -> None:
    data = archive(*(member(f"f{number}") for number in range(11)))
    assert len(read(data, max_entries=11)) == 11
    with pytest.raises(HostileInputError, match="more than 10 entries") as caught:
        read(data, max_entries=10)
    assert "limit" in caught.value.hint


def test_a_reader_that_nobody_needs_lets_go_of_its_archive_at_once() -> None:
    class Archive(io.BytesIO):
        """One that can be watched."""

    archive = Archive(render_header(file("a", b""), epoch=0) + render_end())
    watched = weakref.ref(archive)
    gc.disable()
    try:
        assert len(list(TarReader(archive.read, name="layer"))) == 1
        del archive
        assert watched() is None
    finally:
        gc.enable()
