"""Locked packages become a root filesystem that a service runs on."""

import datetime
import gzip
import hashlib
from pathlib import Path

import msgspec
import pytest
from tests.bases.debian.conftest import CERTIFICATE
from tests.doubles.debian_archive import NOW, DebianArchive

from basewright._http import PooledHttp
from basewright.bases.debian.distribution import (
    DebianRoot,
    assemble_debian,
    assembler_files,
    library_packages,
    missing_bytes,
    resolve_assembler_files,
    resolve_debian,
)
from basewright.ecosystems.dpkg import read_installed
from basewright.errors import ExitCode, HostileInputError, InputError, OutOfReachError
from basewright.facts import Basis
from basewright.lock import LockedDebian
from basewright.oci.tree import FileType, Tree
from basewright.strategy import DebianBase, Platform

AMD64 = Platform.LINUX_AMD64
MINIMAL = ("python3.13-minimal", "ca-certificates", "tzdata")


def lock(archive: DebianArchive, http: PooledHttp, cache: Path, *packages: str) -> LockedDebian:
    base = DebianBase(debian="trixie", packages=packages or MINIMAL)
    return resolve_debian(
        base, AMD64, http=http, cache=cache, now=NOW, progress=lambda _: None, mirrors=archive.mirrors
    )


def assemble(archive: DebianArchive, http: PooledHttp, cache: Path, *packages: str) -> DebianRoot:
    return build(lock(archive, http, cache, *packages), archive, http, cache)


def build(locked: LockedDebian, archive: DebianArchive, http: PooledHttp, cache: Path) -> DebianRoot:
    return assemble_debian(locked, AMD64, mirrors=archive.mirrors, http=http, cache=cache, progress=lambda _: None)


def text(tree: Tree, path: str) -> str:
    entry = tree.find(path)
    assert entry is not None and entry.data is not None, path
    return entry.data.decode()


def render(tree: Tree) -> str:
    digest = hashlib.sha256()
    for entry in tree:
        digest.update(msgspec.json.encode((entry.path, entry.type, entry.mode, entry.uid, entry.gid, entry.link)))
        digest.update(entry.data or b"")
    return digest.hexdigest()


def test_the_root_is_whole(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    root = assemble(archive, http, cache)
    tree = root.tree
    assert {name: entry.link for name in ("bin", "sbin", "lib", "lib64") if (entry := tree.get(name))} == {
        "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
    }  # fmt: skip
    assert tree.find("bin/python3") == tree.find("usr/bin/python") == tree.get("usr/bin/python3.13")
    assert "nonroot:x:65532:65532:nonroot:/home/nonroot" in text(tree, "etc/passwd")
    assert text(tree, "etc/passwd").startswith("root:x:0:0:root:/root:/sbin/nologin\n")
    assert "nonroot:x:65532:" in text(tree, "etc/group")
    home = tree.get("home/nonroot")
    assert home is not None and (home.uid, home.gid, home.mode) == (65532, 65532, 0o700)
    assert {path: entry.mode for path in ("tmp", "var/tmp", "root", "run") if (entry := tree.get(path))} == {
        "tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700, "run": 0o755,
    }  # fmt: skip
    assert "localhost" in text(tree, "etc/hosts") and "hosts: files dns" in text(tree, "etc/nsswitch.conf")
    assert "etc/shadow" not in tree
    assert tree.resolve("etc/localtime") == "usr/share/zoneinfo/Etc/UTC"
    assert (tree.get("var/run"), tree.get("var/lock")) != (None, None) and tree.resolve("var/lock") == "run/lock"
    assert "ID=debian" in text(tree, "etc/os-release")
    assert "usr/share/doc/libc6/copyright" in tree
    assert not [
        e.path for e in tree if e.path.startswith(("usr/share/man", "usr/share/locale")) or "changelog" in e.path
    ]


def test_what_is_known_of_it(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    root = assemble(archive, http, cache)
    assert root.packages == ("base-files", "ca-certificates", "libc6", "python3.13-minimal", "tzdata")
    assert (root.runtime.libc, root.runtime.libc_version) == ("glibc", "2.41")
    assert (root.runtime.interpreter, root.runtime.python_version) == ("/usr/bin/python3", "3.13.5")
    assert (root.runtime.distribution, root.runtime.distribution_version) == ("debian", "13")
    assert root.runtime_paths == {"usr/bin/python3.13": "runtime"}
    assert root.downloaded_bytes > 0 and root.download_seconds > 0
    assert root.cadence.change_dates == (datetime.date(2025, 10, 1), datetime.date(2025, 11, 2))
    assert (root.cadence.subject, root.cadence.basis) == ("trixie: 5 packages", Basis.MEASURED)
    assert root.cadence.base_created == datetime.date(2025, 11, 2)
    assert root.cadence.known_until == (NOW - datetime.timedelta(hours=1)).date()


def test_every_entry_has_its_folder_and_none_stands_below_a_link(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    tree = assemble(archive, http, cache).tree
    for entry in tree:
        parent = tree.get(entry.path.rpartition("/")[0]) if "/" in entry.path else None
        assert parent is None or parent.type is FileType.DIRECTORY, entry.path


def test_the_certificates_are_bundled_and_linked(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    tree = assemble(archive, http, cache).tree
    assert text(tree, "etc/ssl/certs/ca-certificates.crt") == CERTIFICATE + "\n"
    assert text(tree, "etc/ssl/certs/8cb5ee0f.0") == CERTIFICATE
    assert text(tree, "etc/ssl/certs/Amazon_Root_=CA=__3.pem") == CERTIFICATE
    assert text(tree, "etc/ca-certificates.conf") == "mozilla/Amazon_Root_(CA),_3.crt\n"


def test_scanners_find_the_packages(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    tree = assemble(archive, http, cache).tree
    assert [(each.name, each.source) for each in read_installed(tree)] == [
        ("base-files", "base-files"), ("ca-certificates", "ca-certificates"), ("libc6", "glibc"),
        ("python3.13-minimal", "python3.13"), ("tzdata", "tzdata"),
    ]  # fmt: skip
    sums = text(tree, "var/lib/dpkg/status.d/libc6.md5sums")
    assert "lib/x86_64-linux-gnu/libc.so.6" in sums and "man" not in sums


def test_the_same_lock_gives_the_same_tree_without_the_network(
    archive: DebianArchive, http: PooledHttp, cache: Path, tmp_path: Path
) -> None:
    locked = lock(archive, http, cache)
    first = build(locked, archive, http, cache)
    archive.asked.clear()
    again = build(locked, archive, http, cache)
    assert archive.asked == [] and missing_bytes(locked, cache) == 0
    assert (again.downloaded_bytes, again.download_seconds) == (0, 0.0)
    elsewhere = build(locked, archive, http, tmp_path / "other")
    assert render(first.tree) == render(again.tree) == render(elsewhere.tree)


def test_with_dpkg_there_is_a_whole_database(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.add("openssl", "3.5", files={"usr/bin/openssl": b""})
    archive.add("debconf", "1.5", files={"etc/debconf.conf": b"x"}, control={"conffiles": "/etc/debconf.conf\n"})
    archive.add("mawk", files={"usr/bin/mawk": b""}, fields={"Provides": "awk"}, control={"postinst": MAWK})
    archive.add(
        "dpkg",
        files={"usr/bin/dpkg": b"", "lib/libx.so": b""},
        fields={"Multi-Arch": "same"},
        control={"postinst": "#!/bin/sh\n", "triggers": "interest-noawait /usr/share/x\ninterest ldconfig\n"},
    )
    archive.publish()
    root = assemble(archive, http, cache, "ca-certificates", "dpkg")
    assert root.packages == ("base-files", "ca-certificates", "debconf", "dpkg", "mawk", "openssl")
    tree = root.tree
    status = text(tree, "var/lib/dpkg/status")
    assert f"Conffiles:\n /etc/debconf.conf {hashlib.md5(b'x').hexdigest()}\n" in status
    assert "Package: dpkg\nStatus: install ok installed\n" in status
    assert text(tree, "var/lib/dpkg/info/dpkg:amd64.list") == "/.\n/usr/bin/dpkg\n/lib/libx.so\n"
    script = tree.get("var/lib/dpkg/info/dpkg:amd64.postinst")
    assert script is not None and script.mode == 0o755
    assert text(tree, "var/lib/dpkg/triggers/File") == "/usr/share/x dpkg:amd64/noawait\n"
    assert text(tree, "var/lib/dpkg/triggers/ldconfig") == "dpkg:amd64\n"
    assert text(tree, "var/lib/dpkg/alternatives/awk").startswith(
        "auto\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5"
    )
    assert not [each.path for each in tree if each.path.startswith("var/lib/dpkg/status.d")]


MAWK = """#!/bin/sh
update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\
    --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\
    --slave /usr/bin/nawk nawk /usr/bin/mawk
update-alternatives --install "$link" x /usr/bin/mawk 1
"""


def test_alternatives_are_set_by_priority(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.add("mawk", files={"usr/bin/mawk": b"m"}, control={"postinst": MAWK})
    gawk = "update-alternatives --quiet --install /bin/awk awk /usr/bin/gawk 10\n"
    gawk += "update-alternatives --install /x x /none 1\n"
    archive.add("gawk", files={"usr/bin/gawk": b"g"}, control={"postinst": gawk})
    archive.publish()
    tree = assemble(archive, http, cache, "mawk", "gawk").tree
    assert text(tree, "usr/bin/awk") == "g"
    assert tree.get("x") is None
    assert text(assemble(archive, http, cache, "mawk").tree, "usr/bin/nawk") == "m"


def test_accounts_come_from_base_passwd_and_sysusers(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    master = b"root:*:0:0:root:/root:/bin/bash\n_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\n"
    archive.add(
        "base-passwd",
        files={
            "usr/share/base-passwd/passwd.master": master,
            "usr/share/base-passwd/group.master": b"root:*:0:\nadm:*:4:\n",
        },
    )
    lines = b'# comment\nu web - "The web" /srv/web\ng own 250\nm web adm\nu! fixed 300:own\nu "br\nu bad:name 1\n'
    archive.add("web", files={"usr/lib/sysusers.d/web.conf": lines})
    archive.publish()
    tree = assemble(archive, http, cache, "base-passwd", "web").tree
    passwd, group = text(tree, "etc/passwd"), text(tree, "etc/group")
    assert "_apt:*:42:" in passwd and "web:x:999:999:The web:/srv/web:/usr/sbin/nologin\n" in passwd
    assert "fixed:x:300:250:" in passwd and "bad" not in passwd
    assert "adm:*:4:web\n" in group and "own:x:250:\n" in group


def test_a_file_that_another_package_replaces_is_the_replacing_ones(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    archive.add("a", files={"usr/share/x": b"new", "usr/share/d/": b""}, fields={"Replaces": "b (<< 2)"})
    archive.add("b", files={"usr/share/x": b"old", "usr/share/d": "elsewhere"})
    archive.publish()
    tree = assemble(archive, http, cache, "a", "b").tree
    assert text(tree, "usr/share/x") == "new"


def test_a_file_below_a_link_moves_to_where_the_link_leads(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    archive.add("a", files={"opt/real/": b"", "opt/link": "real", "var/run/a/x": b"1"})
    archive.add("b", files={"opt/link/": b"", "opt/link/y": b"2"})
    archive.publish()
    tree = assemble(archive, http, cache, "a", "b").tree
    assert (text(tree, "opt/real/y"), text(tree, "run/a/x")) == ("2", "1")
    assert "opt/link/y" not in tree


@pytest.mark.parametrize("change", ["other bytes", "shorter"])
def test_a_wrong_package_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path, change: str) -> None:
    locked = lock(archive, http, cache)
    name = next(name for name in archive.files if "/libc6_" in name)
    good = archive.files[name]
    archive.files[name] = good[:-1] if change == "shorter" else good[:-1] + bytes((good[-1] ^ 1,))
    with pytest.raises(HostileInputError, match=r"libc6.*has the wrong contents") as caught:
        build(locked, archive, http, cache)
    assert caught.value.exit_code is ExitCode.FIX_INPUT
    assert not [path for path in (cache / "debian" / "packages").iterdir() if path.suffix != ".deb"]
    archive.files[name] = good
    assert build(locked, archive, http, cache).packages


def test_a_damaged_cache_is_filled_anew(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    first = assemble(archive, http, cache)
    for path in (cache / "debian" / "packages").iterdir():
        path.write_bytes(b"damaged")
    assert render(assemble(archive, http, cache).tree) == render(first.tree)


def test_what_the_mirror_no_longer_holds_comes_from_the_snapshot_archive(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    locked = lock(archive, http, cache)
    name = next(name for name in archive.files if "/libc6_" in name)
    gone = archive.files.pop(name)
    with pytest.raises(OutOfReachError, match=r"no mirror holds libc6 2\.41-12\+deb13u1 any more") as caught:
        build(locked, archive, http, cache)
    assert "--update-lock" in caught.value.hint
    asked = next(each for each in archive.asked if each.startswith("/snapshot/debian/"))
    archive.files[asked] = gone
    assert build(locked, archive, http, cache).packages


def test_a_lock_needs_no_release_file_that_is_still_valid(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    locked = lock(archive, http, cache)
    archive.publish(valid_until=NOW - datetime.timedelta(days=1))
    root = build(locked, archive, http, cache)
    assert root.packages


def test_an_edited_lock_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    locked = lock(archive, http, cache)
    for change in ({"pool_path": "../../x"}, {"sha256": "../../etc/passwd"}):
        package = msgspec.structs.replace(locked.packages[0], **change)
        edited = msgspec.structs.replace(locked, packages=(package,))
        with pytest.raises(InputError, match="damaged"):
            build(edited, archive, http, cache)


def test_a_cache_that_cannot_be_written_is_told(archive: DebianArchive, http: PooledHttp, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        lock(archive, http, tmp_path / "file")


def test_single_files_for_a_base_without_a_repository(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    def resolve(*names: str) -> LockedDebian:
        return resolve_assembler_files(
            names,
            AMD64,
            http=http,
            cache=cache,
            now=NOW,
            progress=lambda _: None,
            suite="trixie",
            mirrors=archive.mirrors,
        )

    def files(*, hash_links: bool) -> set[str]:
        tree = assembler_files(
            locked,
            mirrors=archive.mirrors,
            http=http,
            cache=cache,
            progress=lambda _: None,
            hash_links=hash_links,
        )
        return {each.path for each in tree if not each.is_directory}

    locked = resolve("tzdata", "ca-certificates")
    assert [each.name for each in locked.packages] == ["ca-certificates", "tzdata"]
    lean = {"etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo/Etc/UTC", "usr/share/zoneinfo/UTC"}
    assert files(hash_links=False) == lean
    assert files(hash_links=True) > lean | {"etc/ssl/certs/8cb5ee0f.0"}
    with pytest.raises(InputError, match="curl does not come from the assembler"):
        resolve("curl")


def test_libraries_are_found_by_their_names(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    wanted = {
        "libpq.so.5": "libpq5", "libGL.so.1": "libgl1", "libxml2.so.2": "libxml2", "libssl.so.3": "libssl3t64",
        "libcrypto.so.3": "libssl3t64", "libz.so.1": "zlib1g", "libsqlite3.so.0": "libsqlite3-0",
        "libglib-2.0.so.0": "libglib2.0-0t64", "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1",
        "libbz2.so.1.0": "libbz2-1.0", "libfoo.so.1.2.3": "libfoo1", "libmissing.so.1": None, "odd": None,
    }  # fmt: skip
    for name in {each for each in wanted.values() if each}:
        archive.add(name)
    archive.publish()
    found = library_packages(
        wanted,
        "trixie",
        AMD64,
        http=http,
        cache=cache,
        now=NOW,
        progress=lambda _: None,
        mirrors=archive.mirrors,
    )
    assert found == wanted


def test_a_changelog_that_is_no_changelog_does_no_harm(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.add(
        "odd", files={"usr/share/doc/odd/changelog.gz": b"\x1f\x8bnothing", "usr/share/doc/odd/changelog": b"\xff"}
    )
    bad_date = b"odd (1) trixie; urgency=low\n\n -- A <a@b>  never\n"
    archive.add("odder", files={"usr/share/doc/odder/changelog.Debian.gz": gzip.compress(bad_date)})
    archive.publish()
    assert assemble(archive, http, cache, "odd", "odder").cadence.change_dates == ()
