"""What a root filesystem tells of itself."""

import pytest

from basewright.bases.look import installed_packages, is_runtime_path, runtime_of
from basewright.ecosystems.picks import PICKS
from basewright.facts import RuntimeFacts
from basewright.oci.tree import Entry, FileType, Tree, file, symlink

APK = """C:Q1abc=
P:musl
V:1.2.4-r3
A:x86_64
T:the musl c library: (libc)

P:busybox
V:1.36.1-r7
"""
STATUS = """Package: libc6
Status: install ok installed
Version: 2.41-12

Package: python3.13-minimal
Status: install ok installed
Version: 3.13.5-2+deb13u1

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def root(files: dict[str, bytes], links: dict[str, str] | None = None) -> Tree:
    tree = Tree()
    for path, data in files.items():
        tree.add(file(path, data, mode=0o755))
    for path, target in (links or {}).items():
        tree.add(symlink(path, target))
    return tree


def test_an_alpine_root() -> None:
    tree = root(
        {
            "etc/os-release": b'ID=alpine\nVERSION_ID="3.18.9"\n',
            "lib/apk/db/installed": APK.encode(),
            "lib/ld-musl-x86_64.so.1": b"\x7fELF",
        }
    )
    assert installed_packages(tree) == {"musl": "1.2.4-r3", "busybox": "1.36.1-r7"}
    assert runtime_of(tree) == RuntimeFacts(
        libc="musl", libc_version="1.2.4", distribution="alpine", distribution_version="3.18.9"
    )


def test_a_debian_root_with_python() -> None:
    tree = root(
        {
            "etc/os-release": b"ID=debian\nVERSION_ID=13\n",
            "var/lib/dpkg/status": STATUS.encode(),
            "usr/lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF",
            "usr/bin/python3.13": b"\x7fELF",
        },
        {"usr/bin/python3": "python3.13", "bin": "usr/bin"},
    )
    assert "gone" not in installed_packages(tree)  # removed, its configuration left
    assert runtime_of(tree) == RuntimeFacts(
        libc="glibc",
        libc_version="2.41",
        interpreter="/usr/bin/python3",
        python_version="3.13.5",
        distribution="debian",
        distribution_version="13",
    )


def test_distroless_lists_a_file_a_package() -> None:
    tree = root(
        {
            "var/lib/dpkg/status.d/libc6": b"Package: libc6\nVersion: 2.36-9\n",
            "var/lib/dpkg/status.d/libc6.md5sums": b"Package: no\nVersion: 1\n",
        }
    )
    assert installed_packages(tree) == {"libc6": "2.36-9"}


def test_the_docker_library_states_its_python() -> None:
    tree = root({"usr/local/bin/python3.13": b""}, {"usr/local/bin/python3": "python3.13"})
    assert runtime_of(tree, ["PYTHON_VERSION=3.13.9"]).python_version == "3.13.9"
    assert runtime_of(tree, ["PYTHON_VERSION=3.12.1"]).python_version == "3.13"  # not of this interpreter


def test_an_empty_root_tells_nothing() -> None:
    assert runtime_of(Tree()) == RuntimeFacts()
    assert installed_packages(Tree()) == {}


@pytest.mark.parametrize(
    ("path", "is_runtime"),
    [
        ("usr/local/lib/python3.13/json/__init__.py", True),
        ("usr/bin/python3.13", True),
        ("usr/bin/perl", False),
        ("app/python3/main.py", False),
    ],
)
def test_what_belongs_to_the_interpreter(path: str, is_runtime: bool) -> None:
    assert is_runtime_path(path) is is_runtime


def test_only_small_files_of_interest_are_kept() -> None:
    assert PICKS.wants(file("etc/os-release", b"ID=x"))
    assert not PICKS.wants(file("usr/bin/bash", b"x"))
    assert not PICKS.wants(Entry(path="etc/os-release", type=FileType.FILE, mode=0o644, size=1 << 30))
