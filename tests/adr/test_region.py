"""Marked regions: found by their own lines only, and replaced without touching another byte."""

from hypothesis import given
from hypothesis import strategies as st

from basewright.adr.region import parse_regions, render_region, replace_regions, split_lines

_REGION = render_region("evidence", {"id": "a#b", "decision": "x"}, "one\n\ntwo")


def test_a_rendered_region_reads_back_untouched() -> None:
    (region,) = parse_regions(f"before\n\n{_REGION}\nafter\n")
    assert region.kind == "evidence"
    assert region.attributes["id"] == "a#b"
    assert region.attributes["schema"] == "1"
    assert region.body == "\none\n\ntwo\n\n"
    assert region.untouched


def test_an_edit_inside_is_noticed() -> None:
    (region,) = parse_regions(_REGION.replace("two", "2"))
    assert not region.untouched


def test_a_checkout_with_crlf_is_no_edit() -> None:
    (region,) = parse_regions(_REGION.replace("\n", "\r\n"))
    assert region.untouched


def test_markers_in_a_code_fence_or_without_partner_are_text() -> None:
    assert parse_regions(f"```\n{_REGION}```\n") == ()
    assert parse_regions(_REGION.partition("<!-- basewright:end")[0]) == ()
    assert parse_regions("text <!-- basewright:begin evidence id=a -->\n<!-- basewright:end evidence -->\n") == ()


def test_line_ends_and_the_last_one_are_kept() -> None:
    old = ("head\n\n" + _REGION).replace("\n", "\r\n").removesuffix("\r\n")
    new = render_region("evidence", {"id": "a#b", "decision": "x"}, "three")
    text = replace_regions(old, {parse_regions(old)[0].first: new})
    assert text == ("head\n\n" + new).replace("\n", "\r\n").removesuffix("\r\n")


def test_only_cr_and_lf_end_a_line() -> None:
    assert split_lines("a\u2028b\x0bc\x85d\re\r\nf") == ["a\u2028b\x0bc\x85d\r", "e\r\n", "f"]


@given(st.text(alphabet="ab \r\n\u2028`~<!-", max_size=60), st.text(alphabet="ab \r\n\u2028|", max_size=60))
def test_replacing_touches_nothing_outside(before: str, after: str) -> None:
    before = before.replace("`", "").replace("~", "")
    text = f"{before}\n{_REGION}{after}"
    regions = parse_regions(text)
    assert replace_regions(text, {}) == text
    assert len(regions) == 1
    new = render_region("evidence", {"id": "c"}, "other")
    assert replace_regions(text, {regions[0].first: new}) == f"{before}\n{new}{after}"
