"""One .deb, whole, damaged and hostile."""

import hashlib
import tarfile

import pytest
from tests.doubles.debian_archive import build_deb

from basewright.bases.debian.unpack import merged_path, unpack_deb
from basewright.errors import HostileInputError
from basewright.oci.tree import FileType


def _link(path: str, target: str, kind: bytes = tarfile.LNKTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("method", ["xz", "gz", "zst", ""])
def test_every_compression_is_read(method: str) -> None:
    deb = unpack_deb(build_deb("a", "1", {"usr/bin/a": b"program"}, method=method), name="a")
    assert [(each.path, each.data, each.mode) for each in deb.entries] == [("usr/bin/a", b"program", 0o755)]
    assert "Package: a" in deb.text("control")
    assert deb.listed == ("/.", "/usr/bin/a")


def test_files_move_to_a_merged_usr_and_documentation_is_left_out() -> None:
    files: dict[str, bytes | str] = {
        "lib/x/y.so": b"1", "bin/tool": b"2", "sbin": "usr/sbin", "usr/share/doc/a/copyright": b"3",
        "usr/share/doc/a/README": b"4", "usr/share/doc/b": "a", "usr/share/man/man1/a.1.gz": b"5",
        "usr/share/locale/de/a.mo": b"6", "usr/share/info/a.info": b"7", "usr/share/doc/a/changelog.Debian.gz": b"8",
        "usr/share/lintian/overrides/a": b"9",
    }  # fmt: skip
    deb = unpack_deb(build_deb("a", "1", files), name="a")
    assert {each.path for each in deb.entries} == {
        "usr/lib/x/y.so", "usr/bin/tool", "sbin", "usr/share/doc/a/copyright", "usr/share/doc/b",
    }  # fmt: skip
    assert deb.changelogs == (b"8",)
    assert len(deb.listed) == len(files) + 1


def test_a_hard_link_to_what_is_left_out_becomes_a_file() -> None:
    kept, lost = _link("usr/bin/b", "./usr/bin/a"), _link("usr/lib/text", "usr/share/doc/a/README")
    files: dict[str, bytes | str] = {"usr/bin/a": b"1", "usr/share/doc/a/README": b"words"}
    deb = unpack_deb(build_deb("a", "1", files, members=[kept, lost]), name="a")
    entries = {each.path: each for each in deb.entries}
    assert (entries["usr/bin/b"].type, entries["usr/bin/b"].link) == (FileType.HARDLINK, "usr/bin/a")
    assert entries["usr/lib/text"].data == b"words"


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../../etc/passwd"),
        tarfile.TarInfo("usr/../../x"),
        _link("usr/bin/b", "../../etc/passwd"),
        _link("usr/bin/b", "usr/bin/none"),
        _link("dev/sda", "", tarfile.BLKTYPE),
        _link("dev/mem", "", tarfile.CHRTYPE),
    ],
    ids=["climbs", "climbs inside", "link climbs", "link to nothing", "block device", "character device"],
)
def test_hostile_entries_are_refused(member: tarfile.TarInfo) -> None:
    with pytest.raises(HostileInputError):
        unpack_deb(build_deb("a", "1", members=[member]), name="a")


def test_a_bomb_is_refused() -> None:
    member = tarfile.TarInfo("zeros")
    member.size = 100 << 20
    deb = build_deb("a", "1", members=[member], method="zst")
    assert len(deb) < 100_000
    with pytest.raises(HostileInputError, match="unpacks to more than"):
        unpack_deb(deb, name="a")


def test_damage_is_told_in_one_sentence() -> None:
    deb = build_deb("a", "1", {"usr/bin/a": hashlib.sha256().digest() * 100})
    for damaged in (b"", b"!<arch>\n", deb[:100], deb[:-20], deb.replace(b"2.0\n", b"9.0\n"), deb[:-60] + bytes(60)):
        with pytest.raises(HostileInputError):
            unpack_deb(damaged, name="a")


@pytest.mark.parametrize(
    ("path", "merged"),
    [("lib/a", "usr/lib/a"), ("usr/lib/a", "usr/lib/a"), ("lib64/a", "usr/lib64/a"), ("library/a", "library/a")],
)
def test_merged_paths(path: str, merged: str) -> None:
    assert merged_path(path) == merged
    assert merged_path("lib", is_link=True) == "lib"
