"""What an image is, told from its bytes."""

import pytest

from basewright.evidence.inspected import Inspection
from basewright.evidence.inspection import inspect_reading
from basewright.facts import Owner
from basewright.oci.manifest import ImagePlatform
from tests.doubles.elf_file import make_elf
from tests.doubles.image import MadeImage, archive, make_image, member
from tests.doubles.reading import reading_of

AMD64 = ImagePlatform(os="linux", architecture="amd64")
FOLDER, HARDLINK = b"5", b"1"


def inspect(image: MadeImage, wanted: ImagePlatform = AMD64) -> Inspection:
    return inspect_reading(reading_of(image, "oci:image"), wanted=wanted)


def layered() -> MadeImage:
    """A file that is rewritten, one that is deleted, a folder that goes."""
    return make_image(
        archive(member("a", b"1" * 100), member("b", b"2" * 50), member("d", kind=FOLDER), member("d/x", b"3" * 30)),
        archive(member("a", b"1" * 120), member(".wh.b"), member("c", b"4" * 10)),
        archive(member(".wh.d"), member("a", b"5" * 5)),
    )


def test_layers_say_what_each_did() -> None:
    found = inspect(layered())
    assert [(each.added, each.changed, each.removed) for each in found.layers] == [
        (4, 0, 0), (1, 1, 1), (0, 1, 2),
    ]  # fmt: skip
    assert found.browsed.changes[1].removed == ("b",)
    assert (found.files, found.file_bytes) == (2, 15)


def test_waste_says_which_layers_wrote_and_took_away() -> None:
    found = inspect(layered())
    assert [(each.path, each.bytes, each.written, each.removed) for each in found.waste] == [
        ("a", 220, (0, 1, 2), ()), ("b", 50, (0,), (1,)), ("d/x", 30, (0,), (2,)),
    ]  # fmt: skip
    assert found.wasted_bytes == 300
    assert 0 < found.efficiency < 1
    assert inspect(make_image(archive(member("a", b"1")))).efficiency == 1


def test_history_lines_belong_to_layers_where_their_number_fits() -> None:
    image = layered()
    image.config["history"] = [
        {"created_by": "one"}, {"created_by": "no layer", "empty_layer": True}, {"created_by": "two"},
        {"created_by": "three"},
    ]  # fmt: skip
    found = inspect(image.seal())
    assert [each.history.created_by if each.history else None for each in found.layers] == ["one", "two", "three"]
    assert found.warnings == ()
    image.config["history"] = [{"created_by": "one"}]
    found = inspect(image.seal())
    assert [each.history for each in found.layers] == [None, None, None]
    assert found.warnings == ("the history tells of 1 layer, and there are 3",)


def test_executables_for_another_machine_are_listed() -> None:
    arm, own = make_elf(machine="aarch64", executable=True), make_elf(executable=True)
    found = inspect(make_image(archive(member("bin/arm", arm, mode=0o755), member("bin/own", own, mode=0o755))))
    assert [(each.path, each.machine) for each in found.foreign] == [("bin/arm", "aarch64")]
    assert found.warnings == ("1 executable is for aarch64, and the config says amd64: /bin/arm",)


def test_a_long_list_of_them_is_cut_in_words_and_whole_in_the_record() -> None:
    arm = make_elf(machine="aarch64", executable=True)
    found = inspect(make_image(archive(*(member(f"bin/{each:02}", arm, mode=0o755) for each in range(30)))))
    assert len(found.foreign) == 30
    assert found.warnings[0].startswith("30 executables are for aarch64, and the config says amd64: /bin/00, ")
    assert found.warnings[0].endswith("/bin/09 and 20 more")


def test_a_database_that_is_not_read_is_said() -> None:
    found = inspect(make_image(archive(member("var/lib/rpm/rpmdb.sqlite", b"x"), member("usr/bin/tool", b"x"))))
    assert found.warnings == ("the package database of RPM is not read here: what it installed is unexplained",)
    assert found.owner_bytes[Owner.UNEXPLAINED] == 2


def test_the_only_platform_there_is_is_told_from_the_one_that_was_asked_for() -> None:
    image = make_image(archive(member("a", b"1")), architecture="arm64")
    found = inspect(image)
    assert (str(found.platform), found.wanted) == ("linux/arm64", AMD64)
    assert inspect(image, ImagePlatform(os="linux", architecture="arm64")).wanted is None
    variant = ImagePlatform(os="linux", architecture="amd64", variant="v3")  # runs what was made for every amd64
    assert inspect(make_image(archive(member("a", b"1"))), variant).wanted is None


@pytest.mark.parametrize(
    ("config", "volumes"),
    [
        ({"Volumes": {"/data": {}, "/b": {}}}, ("/b", "/data")),
        ({"Volumes": None}, ()),
        ({}, ()),
        (None, ()),
        ({"Volumes": ["/data"]}, ()),  # no engine writes it so
    ],
)
def test_volumes(config: object, volumes: tuple[str, ...]) -> None:
    image = make_image(archive(member("a", b"1")))
    image.config["config"] = config
    assert inspect(image.seal()).volumes == volumes


def test_an_image_without_layers_has_nothing_in_it() -> None:
    found = inspect(make_image())
    assert (found.files, found.file_bytes, found.wasted_bytes, found.efficiency) == (0, 0, 0, 1)
    assert found.foundation is None


def test_a_hard_link_in_two_places_counts_once() -> None:
    found = inspect(make_image(archive(member("a", b"1" * 10), member("b", kind=HARDLINK, link="a"))))
    assert found.files == 2
