"""A stack of layers as one filesystem. What is expected here is what `umoci unpack` and containerd make of it."""

import io

import pytest

from basewright.errors import HostileInputError
from basewright.oci.filesystem import Flattened, flatten
from basewright.oci.layer import read_layer
from basewright.oci.tree import Entry, FileType
from tests.doubles.image import archive, member

DIRECTORY, HARD, SOFT = b"5", b"1", b"2"


def layer(number: int, *members: bytes) -> tuple[Entry, ...]:
    data = archive(*members)
    return read_layer(io.BytesIO(data), name=f"layer {number}", compressed_bytes=len(data)).entries


def stack(*layers: tuple[bytes, ...]) -> Flattened:
    return flatten([layer(number, *members) for number, members in enumerate(layers)])


def paths(*layers: tuple[bytes, ...]) -> list[str]:
    return [each.path for each in stack(*layers).tree]


def refused(*layers: tuple[bytes, ...]) -> str:
    with pytest.raises(HostileInputError) as caught:
        stack(*layers)
    return caught.value.message


def test_the_highest_layer_counts() -> None:
    found = stack((member("a", b"old"), member("b")), (member("a", b"newer"),))
    entry = found.tree.find("a")
    assert entry is not None
    assert (entry.size, entry.spool) == (5, "layer 1")
    assert found.wasted_bytes == 3


def test_the_last_of_two_same_names_counts() -> None:
    found = stack((member("a", b"1"), member("./a", b"22"), member("/a", b"333")))
    entry = found.tree.find("a")
    assert entry is not None
    assert entry.size == 3
    assert found.wasted_bytes == 0


def test_folders_above_are_made() -> None:
    entry = stack((member("a/b/c"),)).tree.get("a/b")
    assert entry is not None
    assert (entry.type, entry.mode) == (FileType.DIRECTORY, 0o755)


def test_a_folder_over_a_folder_keeps_what_is_in_it() -> None:
    found = stack((member("d", kind=DIRECTORY), member("d/x")), (member("d", kind=DIRECTORY, mode=0o700),))
    entry = found.tree.get("d")
    assert entry is not None
    assert entry.mode == 0o700
    assert "d/x" in found.tree


@pytest.mark.parametrize(("kind", "link"), [(b"0", ""), (SOFT, "elsewhere"), (b"6", "")])
def test_anything_else_over_a_folder_takes_its_place(kind: bytes, link: str) -> None:
    found = stack((member("d/x/y", b"12345"), member("e")), (member("d", kind=kind, link=link),))
    assert [each.path for each in found.tree] == ["d", "e"]
    assert found.wasted_bytes == 5


def test_a_folder_over_a_link_to_a_folder_takes_the_link_s_place() -> None:
    lower = (member("usr/lib/x"), member("lib", kind=SOFT, link="usr/lib"))
    assert paths(lower, (member("lib", kind=DIRECTORY), member("lib/y"))) == [
        "lib",
        "lib/y",
        "usr",
        "usr/lib",
        "usr/lib/x",
    ]


# Whiteouts


def test_a_whiteout_hides_a_file_and_a_folder() -> None:
    lower = (member("a", b"12"), member("d/x", b"345"), member("keep"))
    found = stack(lower, (member(".wh.a"), member(".wh.d")))
    assert [each.path for each in found.tree] == ["keep"]
    assert found.wasted_bytes == 5


def test_a_whiteout_of_nothing_is_nothing() -> None:
    assert paths((member("a"),), (member(".wh.b"), member("none/.wh.c"))) == ["a"]


@pytest.mark.parametrize("step", [1, -1])
def test_a_whiteout_hides_lower_layers_only_wherever_it_stands(step: int) -> None:
    upper = (member("d/new"), member("d/.wh..wh..opq"), member("f", b"new"), member(".wh.f"))[::step]
    found = stack((member("d/old"), member("d/sub/old"), member("f", b"old!")), upper)
    assert [each.path for each in found.tree] == ["d", "d/new", "f"]
    entry = found.tree.get("f")
    assert entry is not None
    assert entry.size == 3


def test_an_opaque_folder_stays() -> None:
    lower = (member("d", kind=DIRECTORY, mode=0o700), member("d/x"))
    found = stack(lower, (member("d/.wh..wh..opq"),))
    entry = found.tree.get("d")
    assert entry is not None
    assert entry.mode == 0o700
    assert len(found.tree) == 1


def test_an_opaque_root_hides_everything_below() -> None:
    assert paths((member("a"), member("d/x")), (member(".wh..wh..opq"), member("b"))) == ["b"]


def test_a_whiteout_lands_where_a_link_leads() -> None:
    lower = (member("usr/lib/x"), member("lib", kind=SOFT, link="usr/lib"), member("usr/lib/y"))
    assert paths(lower, (member("lib/.wh.x"),)) == ["lib", "usr", "usr/lib", "usr/lib/y"]
    assert paths(lower, (member("lib/.wh..wh..opq"),)) == ["lib", "usr", "usr/lib"]


def test_what_aufs_kept_is_no_part_of_the_tree() -> None:
    kept = (
        member(".wh..wh.aufs"),
        member(".wh..wh.orph", kind=DIRECTORY),
        member(".wh..wh.orph/.wh.a"),
        member(".wh..wh.plnk", kind=DIRECTORY),
        member(".wh..wh.plnk/7.1", b"linked"),
    )
    found = stack((member("a"),), (*kept, member("d/b", kind=HARD, link=".wh..wh.plnk/7.1")))
    assert [each.path for each in found.tree] == ["a", "d", "d/b"]
    entry = found.tree.get("d/b")
    assert entry is not None
    assert (entry.type, entry.size, entry.spool) == (FileType.FILE, 6, "layer 1")
    assert found.changes[1].added == ("d", "d/b")
    assert "b leads to .wh..wh.plnk/8" in refused(kept, (member("b", kind=HARD, link=".wh..wh.plnk/8.1"),))
    assert "b leads to .wh..wh.plnk/7" in refused(kept, (member("b", kind=HARD, link=".wh..wh.plnk/7.1"),))


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh."])
def test_a_whiteout_of_no_name_hides_not_the_whole_root(name: str) -> None:
    assert "hides no name" in refused((member("a"), member("d/x")), (member(name),))


def test_whiteouts_in_the_lowest_layer_are_not_files() -> None:
    assert paths((member("d/.wh.a"), member(".wh..wh..opq"), member("b"))) == ["b"]


# Links


def test_what_is_below_a_link_lands_inside_the_root() -> None:
    lower = (member("s", kind=SOFT, link="../../../etc"), member("abs", kind=SOFT, link="/etc"), member("etc/x"))
    assert paths(lower, (member("s/y"), member("abs/z"))) == ["abs", "etc", "etc/x", "etc/y", "etc/z", "s"]


def test_what_is_below_a_link_to_nothing_makes_its_folder() -> None:
    assert paths((member("s", kind=SOFT, link="/a/b"),), (member("s/x"),)) == ["a", "a/b", "a/b/x", "s"]


def test_a_link_that_changes_between_layers() -> None:
    first = (member("one/x"), member("two/x"), member("s", kind=SOFT, link="one"), member("s/first"))
    second = (member("s", kind=SOFT, link="two"), member("s/second"))
    assert paths(first, second) == ["one", "one/first", "one/x", "s", "two", "two/second", "two/x"]


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "a/b"}])
def test_a_file_through_a_looping_link(links: dict[str, str]) -> None:
    members = tuple(member(name, kind=SOFT, link=target) for name, target in links.items())
    assert "loops" in refused((*members, member("a/x")))


def test_a_file_below_a_file() -> None:
    assert "a/x lies below a, which is no folder" in refused((member("a"), member("a/x")))
    assert refused((member("a"),), (member("a/b/c"),)).startswith("layer 2: a/b/c lies below a, which is no folder")


# Hard links


def test_a_hard_link_is_the_file_under_another_name() -> None:
    found = stack((member("a", b"123", mode=0o755), member("b", kind=HARD, link="a")))
    first, second = found.tree.get("a"), found.tree.get("b")
    assert first is not None
    assert second is not None
    assert (second.type, second.size, second.mode) == (FileType.FILE, 3, 0o755)
    assert (first.spool, first.offset) == (second.spool, second.offset)


def test_a_hard_link_across_layers_survives_its_first_name() -> None:
    lower, middle = (member("a", b"123"),), (member("b", kind=HARD, link="a"),)
    assert paths(lower, middle, (member(".wh.a"),)) == ["b"]
    assert stack(lower, middle, (member(".wh.a"),)).wasted_bytes == 0
    assert stack(lower, middle, (member(".wh.a"),), (member(".wh.b"),)).wasted_bytes == 3


def test_a_hard_link_keeps_its_content_when_the_first_name_is_rewritten() -> None:
    found = stack((member("a", b"123"), member("b", kind=HARD, link="a")), (member("a", b"4"),))
    entry = found.tree.get("b")
    assert entry is not None
    assert (entry.size, found.wasted_bytes) == (3, 0)


def test_a_hard_link_through_a_symbolic_one_and_to_one() -> None:
    lower = (member("usr/bin/x", b"1"), member("bin", kind=SOFT, link="usr/bin"), member("s", kind=SOFT, link="bin/x"))
    found = stack(lower, (member("y", kind=HARD, link="bin/x"), member("t", kind=HARD, link="s")))
    file, link = found.tree.get("y"), found.tree.get("t")
    assert file is not None
    assert link is not None
    assert (file.type, link.type, link.link) == (FileType.FILE, FileType.SYMLINK, "bin/x")


def test_a_hard_link_to_itself_is_no_change() -> None:
    assert paths((member("a", b"1"),), (member("a", kind=HARD, link="a"),)) == ["a"]


def test_hard_links_to_what_is_not_there() -> None:
    link = member("b", kind=HARD, link="a")
    assert "b leads to a" in refused((link,))
    assert "b leads to a" in refused((link, member("a")))
    assert "b leads to a" in refused((member("a", kind=DIRECTORY), link))
    assert "b leads to a" in refused((member("a"),), (member(".wh.a"), link))
    assert "b leads to a" in refused((member("a"),), (link, member(".wh.a")))


# Measure


def test_a_tree_deeper_than_the_interpreter_recurses() -> None:
    deep = "/".join(["d"] * 2000)
    found = stack((member(deep, b"1"), member("keep")), (member(".wh.d"),))
    assert [each.path for each in found.tree] == ["keep"]
    assert found.wasted_bytes == 1


def test_waste_counts_every_file_once() -> None:
    lower = (
        member("d/a", b"1" * 10),
        member("d/b", kind=HARD, link="d/a"),
        member("d/c", b"1" * 5),
        member("e", b"22"),
    )
    assert stack(lower, (member("d/.wh..wh..opq"), member("e", b"33"))).wasted_bytes == 17
    assert stack(lower, (member(".wh.d"),), (member("e", b"33"),), (member("e", b"44"),)).wasted_bytes == 19


# What each layer did


def changes(*layers: tuple[bytes, ...]) -> list[tuple[list[str], list[str], list[str]]]:
    return [(sorted(each.added), sorted(each.changed), sorted(each.removed)) for each in stack(*layers).changes]


def test_what_each_layer_added_changed_and_removed() -> None:
    lower = (member("d", kind=DIRECTORY), member("d/a", b"1"), member("d/b", b"2"), member("e", b"3"))
    middle = (member("d", kind=DIRECTORY), member("d/a", b"11"), member("d/.wh.b"), member("new/f"))
    upper = (member("d", kind=DIRECTORY, mode=0o700), member("d/.wh..wh..opq"), member("d/a", b"111"), member(".wh.no"))
    assert changes(lower, middle, upper) == [
        (["d", "d/a", "d/b", "e"], [], []),
        (["new", "new/f"], ["d/a"], ["d/b"]),
        ([], ["d", "d/a"], []),
    ]


def test_a_folder_that_becomes_a_file_takes_what_was_in_it_along() -> None:
    assert changes((member("d/a"), member("d/b")), (member("d", b"x"),), ()) == [
        (["d", "d/a", "d/b"], [], []),
        ([], ["d"], ["d/a", "d/b"]),
        ([], [], []),
    ]


def test_an_empty_lowest_layer() -> None:
    found = stack((), (member("a", b"1"),), (member("b", b"1"),))
    assert [len(each.added) for each in found.changes] == [0, 1, 1]
    assert (found.origins["a"], found.origins["b"]) == (1, 2)


def test_where_each_path_comes_from() -> None:
    lower = (member("d", kind=DIRECTORY), member("d/a", b"1"), member("d/b", b"2"), member("c", b"3"))
    middle = (member("d", kind=DIRECTORY), member("d/a", b"11"), member("h", kind=HARD, link="d/b"))
    found = stack(lower, middle, (member(".wh.c"), member("x/y")), (member("c", b"4"),))
    assert {each.path: found.origins[each.path] for each in found.tree} == {
        "c": 3,
        "d": 0,
        "d/a": 1,
        "d/b": 0,
        "h": 1,
        "x": 2,
        "x/y": 2,
    }


def test_waste_is_named_by_path_the_largest_first() -> None:
    lower = (member("d/a", b"1" * 10), member("d/h", kind=HARD, link="d/a"), member("e", b"22"), member("empty"))
    found = stack(lower, (member(".wh.d"), member("e", b"333")), (member("e", b"4444"), member(".wh.empty")))
    assert [each.bytes for each in found.waste] == [10, 5]
    assert found.waste[1].path == "e"
    assert found.waste[0].path in ("d/a", "d/h")
    assert found.wasted_bytes == 15


def test_a_link_that_comes_after_what_is_below_its_name_was_looked_for() -> None:
    lower = (member("real/x"), member("real/y"))
    upper = (member("s/.wh.x"), member("s", kind=SOFT, link="real"), member("s/z"))
    assert paths(lower, upper) == ["real", "real/x", "real/y", "real/z", "s"]


def test_many_links_and_what_is_below_them_take_no_time() -> None:
    members = [member("deep/" + "d/" * 100 + "x")]
    for number in range(3000):
        members += [member(f"s{number}", kind=SOFT, link="deep/" + "d/" * 100), member(f"s{number}/f{number}")]
    assert len(stack(tuple(members)).tree) == 1 + 101 + 6000
