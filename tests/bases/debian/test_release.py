"""Release files and indexes: what is trusted, what is refused, what a second run asks for."""

from contextlib import suppress
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pysequoia
import pytest
from tests.doubles.debian_archive import NOW, DebianArchive, sign

from basewright._http import PooledHttp
from basewright.bases.debian.distribution import resolve_debian
from basewright.bases.debian.keys import ArchiveKeys
from basewright.bases.debian.mirrors import Mirror, Mirrors
from basewright.errors import ExitCode, HostileInputError, InputError, OutOfReachError
from basewright.lock import LockedDebian
from basewright.strategy import DebianBase, Platform

IN_RELEASE = "/debian/dists/trixie/InRelease"
PACKAGES = "/debian/dists/trixie/main/binary-amd64/Packages.gz"


def lock(
    archive: DebianArchive,
    http: PooledHttp,
    cache: Path,
    *packages: str,
    suite: str = "trixie",
    platform: Platform = Platform.LINUX_AMD64,
    mirrors: Mirrors | None = None,
) -> LockedDebian:
    base = DebianBase(debian=suite, packages=packages or ("tzdata",))
    mirrors = mirrors or archive.mirrors
    return resolve_debian(base, platform, http=http, cache=cache, now=NOW, progress=lambda _: None, mirrors=mirrors)


def test_the_lock_names_releases_packages_and_signers(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    locked = lock(archive, http, cache, "python3.13-minimal", "ca-certificates")
    assert [each.suite for each in locked.releases] == ["trixie", "trixie-updates", "trixie-security"]
    fingerprint = archive.key.extract_certificate().fingerprint.upper()
    assert all(each.signed_by == (fingerprint,) for each in locked.releases)
    assert [each.name for each in locked.packages] == ["base-files", "ca-certificates", "libc6", "python3.13-minimal"]
    assert locked.excluded == ("awk", "debconf", "debconf-2.0", "openssl")
    assert locked.requested == ("python3.13-minimal", "ca-certificates")


def test_another_key_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.publish(key=pysequoia.Tsk.generate("Mallory <m@example.org>"))
    with pytest.raises(
        HostileInputError, match=r"the signature of http://127.*InRelease by .* cannot be trusted"
    ) as caught:
        lock(archive, http, cache)
    assert caught.value.exit_code is ExitCode.FIX_INPUT
    assert "\n" not in caught.value.message and caught.value.hint


@pytest.mark.parametrize("change", [(b"stable", b"stale!"), (b"PGP SIGNATURE", b"PGP NOTHING")])
def test_a_changed_release_file_is_refused(
    archive: DebianArchive, http: PooledHttp, cache: Path, change: tuple[bytes, bytes]
) -> None:
    archive.files[IN_RELEASE] = archive.files[IN_RELEASE].replace(*change)
    with pytest.raises(HostileInputError, match="cannot be trusted"):
        lock(archive, http, cache)


def test_an_unsigned_release_file_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.files[IN_RELEASE] = b"Origin: Debian\nSuite: stable\nCodename: trixie\n"
    with pytest.raises(HostileInputError, match="InRelease"):
        lock(archive, http, cache)


def test_what_stands_before_the_signed_part_does_not_count(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    archive.files[IN_RELEASE] = b"Codename: mallory\nValid-Until: never\n\n" + archive.files[IN_RELEASE]
    with suppress(HostileInputError):  # refusing it is as good
        assert lock(archive, http, cache).releases[0].suite == "trixie"


def test_an_expired_release_file_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.publish(valid_until=NOW - timedelta(minutes=1))
    with pytest.raises(HostileInputError, match=r"the Release file of trixie.* expired on") as caught:
        lock(archive, http, cache)
    assert "clock" in caught.value.hint
    archive.publish(valid_until=NOW + timedelta(minutes=1))
    assert lock(archive, http, cache).packages


def test_a_release_file_of_the_future_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.publish(date=NOW + timedelta(days=3))
    with pytest.raises(HostileInputError, match="in the future"):
        lock(archive, http, cache)


def test_another_suites_release_file_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.publish("bookworm")
    archive.files[IN_RELEASE] = archive.files["/debian/dists/bookworm/InRelease"]
    with pytest.raises(HostileInputError, match="is that of bookworm"):
        lock(archive, http, cache)


def test_a_suite_that_does_not_exist(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    with pytest.raises(InputError, match="no suite 'trixy'"):
        lock(archive, http, cache, suite="trixy")


def test_an_alias_has_the_pockets_of_what_it_stands_for(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.files["/debian/dists/stable/InRelease"] = archive.files[IN_RELEASE]
    for name in [name for name in archive.files if "binary" in name and "/dists/trixie/" in name]:
        archive.files[name.replace("/dists/trixie/", "/dists/stable/")] = archive.files[name]
    locked = lock(archive, http, cache, suite="stable")
    assert (locked.suite, locked.releases[0].suite) == ("stable", "trixie")
    assert "/debian-security/dists/trixie-security/InRelease" in archive.asked


def test_a_suite_without_pockets_is_resolved(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.publish("sid", pockets=("",))
    assert [each.suite for each in lock(archive, http, cache, suite="sid").releases] == ["sid"]


def test_a_security_mirror_out_of_reach_is_never_left_out(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    mirrors = Mirrors(main=archive.mirrors.main, security=(Mirror(url="http://127.0.0.1:1/debian-security"),))
    with pytest.raises(OutOfReachError, match=r"127\.0\.0\.1:1") as caught:
        lock(archive, http, cache, mirrors=mirrors)
    assert "mirror" in caught.value.hint


def test_the_next_mirror_is_asked_where_one_is_out_of_reach(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    nowhere = (Mirror(url="http://127.0.0.1:1/debian"),)
    both = Mirrors(main=(*nowhere, *archive.mirrors.main), security=archive.mirrors.security)
    assert lock(archive, http, cache, mirrors=both).packages


def test_an_archive_of_others_that_was_guessed_is_passed_over(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    other = sign("Origin: Tools\nSuite: trixie\nCodename: trixie\n", pysequoia.Tsk.generate("Tools <t@example.org>"))
    archive.files["/tools/debian/dists/trixie/InRelease"] = other
    guess = Mirror(url=f"{archive.url}/tools/debian", is_guess=True)
    mirrors = Mirrors(main=(guess, *archive.mirrors.main), security=archive.mirrors.security)
    assert lock(archive, http, cache, mirrors=mirrors).packages


@pytest.mark.parametrize("damaged", [b"", b"short", None])
def test_a_wrong_index_is_refused(archive: DebianArchive, http: PooledHttp, cache: Path, damaged: bytes | None) -> None:
    good = archive.files[PACKAGES]
    archive.files[PACKAGES] = good[:-1] + bytes((good[-1] ^ 1,)) if damaged is None else damaged
    with pytest.raises(HostileInputError, match=r"index of trixie .* does not have the SHA-256"):
        lock(archive, http, cache)
    archive.files[PACKAGES] = good
    assert lock(archive, http, cache).packages


def test_an_index_that_is_larger_than_announced_is_refused(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    archive.files[PACKAGES] += bytes(1000)
    with pytest.raises(HostileInputError, match="larger than"):
        lock(archive, http, cache)


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_indexes_are_asked_by_hash_where_that_is_offered(
    archive: DebianArchive, http: PooledHttp, cache: Path, compression: str
) -> None:
    archive.publish(by_hash=True, compression=compression)
    archive.files.pop(PACKAGES, None)
    assert lock(archive, http, cache).packages
    assert any("/by-hash/SHA256/" in each for each in archive.asked)


def test_an_unchanged_index_is_not_asked_again(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    first = lock(archive, http, cache)
    archive.asked.clear()
    assert lock(archive, http, cache) == first
    assert archive.asked and all(each.endswith("InRelease") for each in archive.asked)


def test_a_damaged_cache_is_filled_anew_and_old_indexes_go(
    archive: DebianArchive, http: PooledHttp, cache: Path
) -> None:
    first = lock(archive, http, cache)
    for path in (cache / "debian" / "indexes").iterdir():
        path.write_bytes(path.read_bytes()[:20])
    assert lock(archive, http, cache) == first
    archive.add("more")
    archive.publish()
    assert lock(archive, http, cache, "more").packages
    assert len(list((cache / "debian" / "indexes").glob("trixie-amd64-*"))) == 1


def test_the_security_pocket_is_locked_as_such(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.add("tzdata", "2026f-0+deb13u9", pocket="-security", architecture="all")
    archive.publish()
    package = next(each for each in lock(archive, http, cache).packages if each.name == "tzdata")
    assert (package.version, package.archive) == ("2026f-0+deb13u9", "security")


def test_arm64_has_its_own_packages(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    archive.add("only-arm", architecture="arm64")
    archive.publish()
    assert lock(archive, http, cache, "only-arm", platform=Platform.LINUX_ARM64).packages
    with pytest.raises(InputError, match=r"no package only-arm in trixie \(amd64\)"):
        lock(archive, http, cache, "only-arm")


def test_a_package_that_is_asked_for_and_excluded(archive: DebianArchive, http: PooledHttp, cache: Path) -> None:
    base = DebianBase(debian="trixie", packages=("tzdata",), exclude=("tzdata",))
    with pytest.raises(InputError, match="both asked for and excluded"):
        resolve_debian(
            base,
            Platform.LINUX_AMD64,
            http=http,
            cache=cache,
            now=NOW,
            progress=lambda _: None,
            mirrors=archive.mirrors,
        )


def test_the_shipped_keys_are_those_that_are_documented(tmp_path: Path) -> None:
    text = (files("basewright.bases") / "keys" / "README.txt").read_text()
    listed = {line.split()[0] for line in text.splitlines() if line[40:42] == "  "}
    assert set(ArchiveKeys(host_directory=tmp_path).fingerprints) == listed
    assert len(listed) == 9


def test_keys_come_from_the_hosts_keyring_too(tmp_path: Path) -> None:
    key = pysequoia.Tsk.generate("Archive <a@example.org>")
    keyring = tmp_path / "debian-archive-test.gpg"
    keyring.write_bytes(bytes(key.extract_certificate()))
    (tmp_path / "debian-archive-broken.gpg").write_bytes(b"no keyring")
    content, signers = ArchiveKeys(host_directory=tmp_path).verify(sign("a\n", key), name="x")
    assert (content, signers) == (b"a\n", (key.extract_certificate().fingerprint.upper(),))
