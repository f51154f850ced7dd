"""A comparison as a user sees it: short, bounded, safe for a terminal, and documented as JSON."""

import json
import re
from pathlib import Path

import pytest
from msgspec import inspect

from basewright.evidence.build_difference import Why
from basewright.evidence.difference import Difference, compare_images
from basewright.evidence.inspected import PackageKind
from basewright.view.columns import display_width
from basewright.view.difference_document import DifferenceDocument, render_difference_json
from basewright.view.difference_lines import WORDS
from basewright.view.difference_markdown import render_difference_markdown
from basewright.view.difference_text import render_difference_text
from tests.conftest import Golden
from tests.doubles.document import keys
from tests.doubles.image import MadeImage, archive, make_image, member
from tests.doubles.reading import reading_of

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "diff-json.md"
STATUS = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {1}\n\n"


def compare(one: MadeImage, two: MadeImage, names: tuple[str, str] = ("oci:one", "oci:two")) -> Difference:
    return compare_images(reading_of(one, names[0]), reading_of(two, names[1]))


def different() -> Difference:
    """Something of everything."""
    debs = "".join(STATUS.format(f"package{each}", "1.0") for each in range(15))
    newer = debs.replace("1.0", "1.1") + STATUS.format("curl", "8.14")
    one = make_image(
        archive(member("usr/bin/tool", b"x" * 9000), member("var/lib/dpkg/status", debs.encode())),
        archive(*(member(f"usr/share/doc/f{each}", b"d" * 100 * each) for each in range(30))),
    )
    two = make_image(
        archive(member("usr/bin/tool", b"y" * 9100, mode=0o4755), member("var/lib/dpkg/status", newer.encode())),
        archive(
            member("evil\x1b[31m\u202e\udcff", b"e" * 50),
            member("日本語/ファイル", b"n" * 5000),
            *(member(f"srv/file{each}", b"s" * each) for each in range(20)),
            member("link", kind=b"2", link="srv/\x07"),
        ),
        packing="zstd",
    )
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    one.config["config"] = {"Env": [path, "A=b"], "User": "7"}
    two.config["config"] = {"Env": [f"{path}:/opt/bin", "A=b"], "Labels": {"x\x1b": "\x1b]0;title\x07"}}
    one.config["created"], two.config["created"] = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    two.config["history"] = [{"created_by": "RUN make"}]
    name = f"docker://registry.example/team/service@sha256:{'a' * 64}"
    return compare(one.seal(), two.seal(), ("oci:build/one", name))


def same_content() -> Difference:
    members = (member("a", b"1"), member("b", b"2"))
    one, two = make_image(archive(*members)), make_image(archive(*members[::-1]))
    one.config["created"], two.config["created"] = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    return compare(one.seal(), two.seal())


@pytest.mark.parametrize("width", [80, 120])
def test_it_looks_like_the_golden_one(golden: Golden, width: int) -> None:
    text = render_difference_text(different(), width=width, color=False)
    assert max(map(display_width, text.split("\n"))) <= width
    golden(f"diff-{width}.txt", text)


def test_the_markdown_looks_like_the_golden_one(golden: Golden) -> None:
    golden("diff.md", render_difference_markdown(different()))


def test_nothing_of_an_image_writes_to_the_terminal() -> None:
    difference = different()
    shown = [render_difference_text(difference, width=120, color=False), render_difference_json(difference)]
    for text in (*shown, render_difference_markdown(difference)):
        assert all(each.isprintable() or each == "\n" for each in text)
    assert r"/evil\x1b[31m\xe2\x80\xae\xff" in shown[0]
    assert json.loads(shown[1])["files"]["added"][0]["path"] == r"evil\x1b[31m\xe2\x80\xae\xff"


def test_colour_adds_nothing_but_colour() -> None:
    plain = render_difference_text(different(), width=100, color=False)
    coloured = render_difference_text(different(), width=100, color=True)
    assert coloured != plain
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


def test_same_content_says_why_the_builds_differ() -> None:
    text = render_difference_text(same_content(), width=80, color=False)
    assert text.startswith("Same content")
    assert "created 2026-01-01T00:00:00Z → 2026-01-02T00:00:00Z" in text
    assert "order" in text
    assert "Files" not in text


def test_identical_images_are_told_by_their_digest() -> None:
    image = make_image(archive(member("a", b"1")))
    text = render_difference_text(compare(image, image), width=120, color=False)
    assert text.startswith(f"Identical: both are {compare(image, image).before.digest}")
    assert "Why" not in text


def test_everything_is_in_the_json_where_the_text_is_bounded() -> None:
    document = json.loads(render_difference_json(different()))
    assert len(document["packages"]) == 16
    assert "and 4 more" in render_difference_text(different(), width=80, color=False)
    assert len(document["files"]["added"]) == 25
    assert document["files"]["changed"][0]["what"] == ["content", "mode"]
    assert document["files"]["changed"][0]["after"]["mode"] == "4755"
    fields = {each["field"]: each for each in document["config"]}
    assert fields["config.User"] == {"field": "config.User", "before": "7", "after": None, "matters": True}
    assert not fields["created"]["matters"]


@pytest.mark.skipif(not DOCUMENT.is_file(), reason="the documents are not here")
def test_the_document_s_keys_and_words_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = text[text.index("## The document") :]
    assert set(re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE)) == set(keys(inspect.type_info(DifferenceDocument)))
    reasons = re.findall(r"^\| `([\w ]+)` \| .* \| (yes|no) \|$", text, re.MULTILINE)
    assert reasons == [(str(each), "yes" if each.is_content else "no") for each in Why]
    assert set(WORDS) == {each for each in Why if not each.is_content}
    for kind in PackageKind:
        assert f"`{kind}`" in text
