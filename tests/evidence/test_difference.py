"""Comparisons: what a user is told of two images, and whether they are the same."""

from collections.abc import Mapping

import pytest

from basewright.evidence.build_difference import Why
from basewright.evidence.difference import Difference, Verdict, compare_images
from basewright.evidence.tree_difference import Aspect
from tests.doubles.image import MadeImage, archive, make_image, member, pax
from tests.doubles.reading import reading_of

FOLDER = b"5"
SYMLINK = b"2"
HARDLINK = b"1"


def compare(one: MadeImage, two: MadeImage) -> Difference:
    return compare_images(reading_of(one, "one"), reading_of(two, "two"))


def with_config(image: MadeImage, **fields: object) -> MadeImage:
    image.config |= fields
    return image.seal()


def run_config(image: MadeImage, **fields: object) -> MadeImage:
    image.config["config"] = {"Env": ["A=b"], "User": "7"} | fields
    return image.seal()


def whys(difference: Difference) -> set[Why]:
    return {each.why for each in difference.reasons}


def aspects(difference: Difference) -> Mapping[str, tuple[Aspect, ...]]:
    return {each.path: each.aspects for each in difference.files.changed}


BASIC = archive(member("etc", kind=FOLDER), member("etc/a", b"1"), member("etc/b", b"22"))


def test_an_image_and_itself_are_identical() -> None:
    found = compare(make_image(BASIC), make_image(BASIC))
    assert found.verdict is Verdict.IDENTICAL
    assert found.reasons == ()
    assert (found.before.files, found.before.file_bytes, found.before.layers) == (2, 3, 1)


# What is the same content, and why it is not the same build


@pytest.mark.parametrize("packings", [("gzip", "zstd"), ("gzip", "tar"), ("tar", "zstd")])
def test_compression_is_no_content(packings: tuple[str, str]) -> None:
    found = compare(make_image(BASIC, packing=packings[0]), make_image(BASIC, packing=packings[1]))
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.COMPRESSION}


def test_times_of_files_and_of_the_image_are_no_content() -> None:
    later = archive(
        member("etc", kind=FOLDER), pax({"mtime": b"1700000000"}), member("etc/a", b"1"), member("etc/b", b"22")
    )
    one = with_config(make_image(BASIC), created="2026-01-01T00:00:00Z")
    two = with_config(make_image(later), created="2026-01-02T00:00:00Z")
    found = compare(one, two)
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.TIMES}
    assert [each.path for each in found.files.touched] == ["etc/a"]
    assert found.reasons[0].count == 2
    assert "created" in found.reasons[0].examples


def test_order_in_the_archive_is_no_content() -> None:
    other = archive(member("etc", kind=FOLDER), member("etc/b", b"22"), member("etc/a", b"1"))
    found = compare(make_image(BASIC), make_image(other))
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.ORDER}


def test_headers_that_say_the_same_in_other_words_are_no_content() -> None:
    other = archive(
        member("etc", kind=FOLDER), pax({"comment": b"hello"}), member("etc/a", b"1"), member("etc/b", b"22")
    )
    found = compare(make_image(BASIC), make_image(other))
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.ARCHIVE}


def test_other_layers_with_the_same_tree_are_no_content() -> None:
    first, second = archive(member("etc", kind=FOLDER), member("etc/a", b"1")), archive(member("etc/b", b"22"))
    found = compare(make_image(BASIC), make_image(first, second))
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.LAYERS}
    assert found.reasons[0].examples == ("1 → 2",)


def test_what_a_lower_layer_hides_is_told() -> None:
    """Such as a secret that a later step removed: nothing of the final tree, and still in one of the images."""
    whiteout = archive(member(".wh.secret"))
    with_secret = archive(
        member("etc", kind=FOLDER), member("etc/a", b"1"), member("etc/b", b"22"), member("secret", b"x")
    )
    one, two = make_image(BASIC, whiteout), make_image(with_secret, whiteout)
    found = compare(one, two)
    assert found.verdict is Verdict.SAME_CONTENT
    assert [(each.why, each.examples) for each in found.reasons] == [(Why.LAYERS, ("secret",))]


def test_history_and_builders_notes_are_no_content() -> None:
    one = with_config(make_image(BASIC), history=[{"created_by": "RUN a", "created": "2026-01-01T00:00:00Z"}])
    two = with_config(
        make_image(BASIC),
        history=[{"created_by": "RUN b", "created": "2026-01-02T00:00:00Z"}],
        author="me",
        docker_version="20.10",
    )
    found = compare(one, two)
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.TIMES, Why.HISTORY, Why.NOTES}
    assert ("history[0].created_by", "RUN a", "RUN b") in [
        (each.field, each.before, each.after) for each in found.config
    ]


def test_annotations_media_types_and_artifact_types_are_no_content() -> None:
    one, two = make_image(BASIC), make_image(BASIC)
    two.manifest["annotations"] = {"org.opencontainers.image.created": "now"}
    two.manifest["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    two.manifest["artifactType"] = "application/x"
    found = compare(one, two)
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.ANNOTATIONS, Why.MEDIA_TYPES, Why.MANIFEST}


def test_empty_values_are_as_good_as_none() -> None:
    found = compare(run_config(make_image(BASIC)), run_config(make_image(BASIC), Cmd=None, Volumes={}, Tty=False))
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.ENCODING}


def test_the_order_of_variables_is_no_content() -> None:
    one, two = run_config(make_image(BASIC), Env=["A=1", "B=2"]), run_config(make_image(BASIC), Env=["B=2", "A=1"])
    assert whys(compare(one, two)) == {Why.ORDER}


# What is a difference of content


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("Env", ["A=c"], "config.Env.A"),
        ("Env", ["A=b", "B="], "config.Env.B"),
        ("User", "8", "config.User"),
        ("Entrypoint", ["/bin/sh"], "config.Entrypoint"),
        ("Cmd", ["x"], "config.Cmd"),
        ("WorkingDir", "/srv", "config.WorkingDir"),
        ("Labels", {"a": "b"}, "config.Labels.a"),
        ("ExposedPorts", {"80/tcp": {}}, "config.ExposedPorts.80/tcp"),
        ("Volumes", {"/data": {}}, "config.Volumes./data"),
        ("StopSignal", "SIGINT", "config.StopSignal"),
        ("Healthcheck", {"Test": ["NONE"]}, "config.Healthcheck"),
        ("Shell", ["/bin/bash", "-c"], "config.Shell"),
        ("OnBuild", ["RUN x"], "config.OnBuild"),
    ],
)
def test_a_field_that_an_engine_reads_is_content(field: str, value: object, path: str) -> None:
    found = compare(run_config(make_image(BASIC)), run_config(make_image(BASIC), **{field: value}))
    assert found.verdict is Verdict.DIFFERENT
    assert whys(found) == {Why.CONFIG}
    assert [each.field for each in found.config if each.matters] == [path]


def test_variables_that_stand_twice_are_compared_in_their_order() -> None:
    one, two = run_config(make_image(BASIC), Env=["A=1", "A=2"]), run_config(make_image(BASIC), Env=["A=2", "A=1"])
    assert compare(one, two).verdict is Verdict.DIFFERENT


def test_a_label_that_is_a_date_is_a_time() -> None:
    one, two = (
        run_config(make_image(BASIC), Labels={"org.opencontainers.image.created": day})
        for day in ("2026-01-01", "2026-01-02")
    )
    found = compare(one, two)
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.TIMES}


def test_another_platform_is_content() -> None:
    found = compare(make_image(BASIC), make_image(BASIC, architecture="arm64"))
    assert found.verdict is Verdict.DIFFERENT
    assert [each.field for each in found.config] == ["architecture"]


def test_a_variant_that_goes_without_saying_is_no_content() -> None:
    one, two = make_image(BASIC, architecture="arm64"), make_image(BASIC, architecture="arm64")
    found = compare(one, with_config(two, variant="v8"))
    assert found.verdict is Verdict.SAME_CONTENT
    assert whys(found) == {Why.ENCODING}


OTHERS = {
    "content of the same size": (member("etc/b", b"23"), (Aspect.CONTENT,)),
    "content": (member("etc/b", b"222"), (Aspect.CONTENT,)),
    "mode": (member("etc/b", b"22", mode=0o4644), (Aspect.MODE,)),
    "owner": (member("etc/b", b"22", uid=3), (Aspect.OWNER,)),
    "group": (member("etc/b", b"22", gid=3), (Aspect.OWNER,)),
    "type": (member("etc/b", kind=SYMLINK, link="a"), (Aspect.TYPE,)),
    "capabilities": (
        pax({"SCHILY.xattr.security.capability": b"\1\0\0\2"}) + member("etc/b", b"22"),
        (Aspect.CAPABILITIES,),
    ),
    "hard link to another": (member("etc/b", kind=HARDLINK, link="etc/a"), (Aspect.CONTENT,)),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_changed_of_a_file_is_told(other: str) -> None:
    entry, what = OTHERS[other]
    found = compare(make_image(BASIC), make_image(archive(member("etc", kind=FOLDER), member("etc/a", b"1"), entry)))
    assert found.verdict is Verdict.DIFFERENT
    assert aspects(found) == {"etc/b": what}
    assert whys(found) == {Why.FILES}


def test_names_that_came_and_went_are_told() -> None:
    other = archive(member("etc", kind=FOLDER), member("etc/a", b"1"), member("etc/c", b"22"))
    found = compare(make_image(BASIC), make_image(other))
    assert [each.path for each in found.files.added] == ["etc/c"]
    assert [each.path for each in found.files.removed] == ["etc/b"]
    assert found.verdict is Verdict.DIFFERENT


def test_a_link_s_target_is_content_and_its_mode_is_none() -> None:
    one = make_image(archive(member("l", kind=SYMLINK, link="a", mode=0o777)))
    two = make_image(archive(member("l", kind=SYMLINK, link="a", mode=0o755)))
    assert compare(one, two).verdict is Verdict.SAME_CONTENT
    three = make_image(archive(member("l", kind=SYMLINK, link="b", mode=0o777)))
    assert aspects(compare(one, three)) == {"l": (Aspect.LINK,)}


def test_the_root_s_own_mode_is_content() -> None:
    one = make_image(archive(member("./", kind=FOLDER, mode=0o755)))
    two = make_image(archive(member("./", kind=FOLDER, mode=0o700)))
    assert aspects(compare(one, two)) == {".": (Aspect.MODE,)}
    assert compare(one, make_image(archive())).verdict is Verdict.SAME_CONTENT


def test_a_hard_link_is_as_good_as_a_copy() -> None:
    one = make_image(archive(member("a", b"1"), member("b", kind=HARDLINK, link="a")))
    two = make_image(archive(member("a", b"1"), member("b", b"1")))
    found = compare(one, two)
    assert found.verdict is Verdict.SAME_CONTENT
    assert [(each.why, each.examples) for each in found.reasons] == [(Why.LAYERS, ("b",))]


# Packages


STATUS = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {1}\n\n"


def test_packages_of_every_kind_are_told_with_their_versions() -> None:
    def image(*debs: tuple[str, str], apk: str, distribution: str) -> MadeImage:
        status = "".join(STATUS.format(*each) for each in debs).encode()
        return make_image(
            archive(
                member("var/lib/dpkg/status", status),
                member("lib/apk/db/installed", f"P:musl\nV:{apk}\n\n".encode()),
                member(f"usr/lib/python3.13/site-packages/Foo_Bar-{distribution}.dist-info/METADATA", b"Name: x\n"),
            )
        )

    one = image(("bash", "5.2-1"), ("openssl", "3.5.1-1"), apk="1.2.5-r0", distribution="1.0")
    two = image(("openssl", "3.5.2-1"), ("curl", "8"), apk="1.2.5-r1", distribution="1.1")
    found = [(str(each.kind), each.name, each.before, each.after) for each in compare(one, two).packages]
    assert found == [
        ("apk", "musl", "1.2.5-r0", "1.2.5-r1"),
        ("deb", "openssl", "3.5.1-1", "3.5.2-1"),
        ("python", "foo-bar", "1.0", "1.1"),
        ("deb", "bash", "5.2-1", None),
        ("deb", "curl", None, "8"),
    ]


# Layers


def test_layers_stand_side_by_side_where_they_are_the_same() -> None:
    base, app, new = (archive(member(name, b"1")) for name in ("base", "app", "new"))
    found = compare(make_image(base, app), make_image(base, new, app))
    pairs = [(pair.before is not None, pair.after is not None) for pair in found.layers]
    assert pairs == [(True, True), (False, True), (True, True)]


def test_a_config_that_is_nested_too_deep_is_refused_or_compared() -> None:
    deep: object = "x"
    for _ in range(60):
        deep = [deep]
    one, two = run_config(make_image(BASIC), Odd=deep), run_config(make_image(BASIC), Odd=[deep])
    assert compare(one, two).verdict is Verdict.DIFFERENT
