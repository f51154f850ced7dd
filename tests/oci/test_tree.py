"""Trees: what stands where, and where links lead."""

import pytest

from basewright.errors import HostileInputError
from basewright.oci.tree import Entry, FileType, Tree, clean_path, directory, file, symlink


def tree(*entries: Entry) -> Tree:
    made = Tree()
    for entry in entries:
        made.add(entry)
    return made


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/etc//x/", "etc/x"),
        ("./a/./b", "a/b"),
        ("a/../b", "b"),
        ("", ""),
        (".", ""),
        ("...", "..."),
        ("..a/b", "..a/b"),
    ],
)
def test_paths_are_relative_to_the_root(path: str, clean: str) -> None:
    assert clean_path(path) == clean


@pytest.mark.parametrize("path", ["..", "../a", "/..", "a/../..", "a\0b", "x" * 4097, "\udce9" * 4097])
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(HostileInputError):
        clean_path(path)


def test_a_tree_makes_the_folders_above_and_stands_in_one_order() -> None:
    made = tree(file("a/b/c", b""), file("a-b", b""), file("a.b", b""), symlink("A", "x"))
    assert [each.path for each in made] == ["A", "a", "a/b", "a/b/c", "a-b", "a.b"]
    assert made.get("a") == directory("a")


def test_removing_takes_what_is_below() -> None:
    made = tree(file("a/b", b""), file("ab", b""))
    made.remove("a")
    assert [each.path for each in made] == ["ab"]


def test_links_are_followed_inside_the_root() -> None:
    made = tree(
        symlink("bin", "usr/bin"),
        file("usr/bin/python3.13", b"py"),
        symlink("usr/bin/python3", "python3.13"),
        symlink("usr/bin/python", "/usr/bin/python3"),
        symlink("out", "../../../usr/bin/python"),
        Entry(path="usr/bin/hard", type=FileType.HARDLINK, mode=0o755, link="usr/bin/python3.13"),
        symlink("loop", "pool"),
        symlink("pool", "loop"),
        symlink("dangling", "nowhere"),
    )
    for name in ("bin/python", "out", "bin/hard", "bin/../bin/python3", "/bin/./python3.13"):
        found = made.find(name)
        assert found is not None, name
        assert found.data == b"py"
    assert made.resolve("bin/python", follow_last=False) == "usr/bin/python"
    for name in ("loop", "loop/x", "dangling", "bin/none"):
        assert made.find(name) is None, name
