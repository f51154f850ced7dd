"""An archive with one small, complete Python base in it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.debian_archive import DebianArchive

from basewright._http import PooledHttp

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBtjCCAVugAwIBAgITBmyf1XSXNmY/Owua2eiedgPySjAKBggqhkjOPQQDAjA5
MQswCQYDVQQGEwJVUzEPMA0GA1UEChMGQW1hem9uMRkwFwYDVQQDExBBbWF6b24g
Um9vdCBDQSAzMB4XDTE1MDUyNjAwMDAwMFoXDTQwMDUyNjAwMDAwMFowOTELMAkG
A1UEBhMCVVMxDzANBgNVBAoTBkFtYXpvbjEZMBcGA1UEAxMQQW1hem9uIFJvb3Qg
Q0EgMzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCmXp8ZBf8ANm+gBG1bG8lKl
ui2yEujSLtf6ycXYqm0fc4E7O5hrOXwzpcVOho6AF2hiRVd9RFgdszflZwjrZt6j
QjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgGGMB0GA1UdDgQWBBSr
ttvXBp43rDCGB5Fwx5zEGbF4wDAKBggqhkjOPQQDAgNJADBGAiEA4IWSoxe3jfkr
BqWTrBqYaGFy+uGh0PsceGCmQ5nFuMQCIQCcAu/xlJyzlvnrxir4tiz+OpAUFteM
YyRIHN8wfdVoOw==
-----END CERTIFICATE-----"""
"""Amazon Root CA 3; `openssl x509 -subject_hash` says 8cb5ee0f."""

CHANGELOG = b"""libc6 (2.41-12+deb13u2) trixie-security; urgency=medium

  * Mended.

 -- A <a@example.org>  Sun, 02 Nov 2025 10:00:00 +0000

libc6 (2.41-12+deb13u1) trixie; urgency=medium

  * Mended.

 -- A <a@example.org>  Wed, 01 Oct 2025 10:00:00 +0000

libc6 (2.41-12) unstable; urgency=medium

  * New.

 -- A <a@example.org>  Tue, 01 Jul 2025 10:00:00 +0000
"""

OS_RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'


@pytest.fixture
def archive() -> Iterator[DebianArchive]:
    """Serves an archive with base-files, libc6, Python, certificates and time zones, published as trixie."""
    archive = DebianArchive()
    archive.add(
        "base-files",
        "13.8",
        {
            "tmp/": b"", "var/run/": b"", "var/lock/": b"", "root/": b"", "usr/lib64/": b"",
            "usr/lib/os-release": OS_RELEASE, "etc/os-release": "../usr/lib/os-release",
            "bin": "usr/bin", "lib64": "usr/lib64", "usr/share/doc/base-files/copyright": b"terms",
        },
        fields={"Pre-Depends": "awk"},
    )  # fmt: skip
    archive.add(
        "libc6",
        "2.41-12+deb13u1",
        {
            "lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF GNU C Library stable release version 2.41\n",
            "lib64/ld-linux-x86-64.so.2": "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            "usr/share/doc/libc6/changelog.Debian.gz": gzip.compress(CHANGELOG, mtime=0),
            "usr/share/doc/libc6/copyright": b"terms", "usr/share/man/man7/libc.7.gz": b"manual",
            "usr/share/locale/de/LC_MESSAGES/libc.mo": b"words",
        },
        fields={"Source": "glibc", "Replaces": "libc0"},
    )  # fmt: skip
    archive.add(
        "python3.13-minimal",
        "3.13.5-2",
        {"usr/bin/python3.13": b"\x7fELF"},
        fields={"Source": "python3.13", "Pre-Depends": "libc6 (>= 2.38)"},
        method="zst",
    )
    archive.add(
        "ca-certificates",
        "20250419",
        {"usr/share/ca-certificates/mozilla/Amazon_Root_(CA),_3.crt": CERTIFICATE.encode()},
        fields={"Depends": "openssl (>= 1.1.1), debconf (>= 0.5) | debconf-2.0"},
        architecture="all",
        method="gz",
    )
    archive.add(
        "tzdata",
        "2026f-0",
        {"usr/share/zoneinfo/Etc/UTC": b"TZif2", "usr/share/zoneinfo/UTC": "Etc/UTC"},
        fields={"Depends": "debconf (>= 0.5) | debconf-2.0"},
        architecture="all",
    )
    archive.publish()
    with archive.serving():
        yield archive


@pytest.fixture
def http() -> PooledHttp:
    return PooledHttp()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
