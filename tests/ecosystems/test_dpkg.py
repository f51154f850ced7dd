"""Version order, relations, paragraphs and installed sets of dpkg."""

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basewright.ecosystems.dpkg import (
    Relation,
    compare_versions,
    parse_paragraph,
    parse_relations,
    parse_source,
    read_installed,
)
from basewright.errors import HostileInputError
from basewright.oci.tree import Tree, file

ORDER = (
    "0~", "0", "0a", "1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-1~bpo12+1", "1.0-1", "1.0-1+b1", "1.0-1+deb13u1",
    "1.0-1.1", "1.0a", "1.0+dfsg", "1.0.1", "1.2", "1.10", "2025b-0", "1:0.1", "1:1.3.dfsg+really1.3.1-1+b1", "2:0",
)  # fmt: skip


def test_versions_stand_in_dpkgs_order() -> None:
    for one, other in pairwise(ORDER):
        assert compare_versions(one, other) < 0 < compare_versions(other, one), (one, other)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.", "1.0"), ("1.01", "1.1"), ("", "0")])
def test_versions_that_are_the_same(one: str, other: str) -> None:
    assert compare_versions(one, other) == 0


versions = st.text(alphabet="0129az~.+-:", min_size=1, max_size=8)


@given(versions, versions, versions)
def test_the_order_is_an_order(one: str, two: str, three: str) -> None:
    assert compare_versions(one, two) == -compare_versions(two, one)
    if compare_versions(one, two) <= 0 and compare_versions(two, three) <= 0:
        assert compare_versions(one, three) <= 0


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not on this machine")
@pytest.mark.parametrize("one", ["1.0~rc1-1", "1:0.5", "0.9+git1-2+b3", "10.2-1+deb13u1", "1.0-1", "9a"])
@pytest.mark.parametrize("other", ["1.0-1~", "1.0-1", "0:10.2-1", "9", "1:0.5-0"])
def test_dpkg_agrees(one: str, other: str) -> None:
    for word, holds in (
        ("lt", compare_versions(one, other) < 0),
        ("eq", compare_versions(one, other) == 0),
        ("gt", compare_versions(one, other) > 0),
    ):
        answer = subprocess.run(["dpkg", "--compare-versions", one, word, other], check=False)
        assert (answer.returncode == 0) is holds, (one, word, other)


def test_an_endless_version_is_refused() -> None:
    with pytest.raises(HostileInputError):
        compare_versions("1" * 5000, "1")


def test_relations_have_groups_alternatives_versions_and_qualifiers() -> None:
    groups = parse_relations(
        "libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0, python3:any (<<3.14~), a [amd64] <!nocheck>"
    )
    assert groups[0] == (Relation(name="libc6", operator=">=", version="2.38"),)
    assert [str(each) for each in groups[1]] == ["debconf (>= 0.5)", "debconf-2.0"]
    assert groups[2] == (Relation(name="python3", operator="<<", version="3.14~", qualifier="any"),)
    assert groups[3] == (Relation(name="a"),)
    assert parse_relations("") == ()
    with pytest.raises(HostileInputError, match="relation"):
        parse_relations("libc6 (>= ")


@pytest.mark.parametrize(
    ("operator", "accepted"),
    [("<<", "0.9"), ("<=", "0.9 1.0"), ("=", "1.0"), (">=", "1.0 1.1"), (">>", "1.1"), ("", "0.9 1.0 1.1")],
)
def test_relations_accept_versions(operator: str, accepted: str) -> None:
    relation = Relation(name="a", operator=operator, version="1.0" if operator else "")
    assert [each for each in ("0.9", "1.0", "1.1") if relation.accepts(each)] == accepted.split()


def test_paragraphs_keep_folded_lines() -> None:
    fields = parse_paragraph("Package: a\nDescription: short\n long\n .\n more\nX:\n one\n")
    assert fields == {"Package": "a", "Description": "short\nlong\n.\nmore", "X": "\none"}


def test_sources_are_named_with_their_own_version() -> None:
    assert parse_source({"Package": "a", "Version": "2", "Source": "b (1)"}) == ("b", "1")
    assert parse_source({"Package": "a", "Version": "2", "Source": "b"}) == ("b", "2")
    assert parse_source({"Package": "a", "Version": "2"}) == ("a", "2")


def test_installed_packages_come_from_both_databases() -> None:
    tree = Tree()
    status = (
        "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\nSource: src (9)\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    )
    tree.add(file("var/lib/dpkg/status", status.encode()))
    tree.add(file("var/lib/dpkg/status.d/b", b"Package: b\nVersion: 2\nArchitecture: all\n"))
    tree.add(file("var/lib/dpkg/status.d/b.md5sums", b"Package: no\nVersion: 2\n"))
    found = read_installed(tree)
    assert [(each.name, each.version, each.source, each.source_version) for each in found] == [
        ("a", "1-1", "src", "9"),
        ("b", "2", "b", "2"),
    ]
