"""Hostile text stays text in Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from basewright.view.markdown import code, escape_text, render_table

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_HOSTILE = [
    "<!-- basewright:end evidence -->",
    "line\n\n# heading\r\n---",
    "a | b | c",
    "`code` and ``more``",
    "<script>alert(1)</script>",
    "[link](https://example.org) ![image](x)",
    "*bold* _emphasis_ ~~gone~~ $a$",
    "- item",
    "1. item",
    "&lt;entity&gt;",
    "\x1b[31mred\x1b[0m \u202eright\u202c",
    "trailing \\",
]


def _text(html_tokens: str) -> str:
    (inline,) = (token for token in _MARKDOWN.parse(html_tokens) if token.type == "inline")
    return "".join(child.content for child in inline.children or [])


@pytest.mark.parametrize("hostile", _HOSTILE)
def test_prose_is_one_paragraph_that_says_the_same(hostile: str) -> None:
    tokens = _MARKDOWN.parse(escape_text(hostile))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children or []} <= {"text", "text_special"}
    assert "\x1b" not in tokens[1].content
    plain = " ".join("".join(" " if ord(each) < 32 or each in "\u202e\u202c" else each for each in hostile).split())
    assert _text(escape_text(hostile)) == plain


@given(st.text(alphabet="ab|`\\<>!-&*_# \n[]()$~.1", max_size=40), st.text(alphabet="ab|`\\\n", max_size=20))
def test_a_table_keeps_its_shape_whatever_the_cells_say(first: str, second: str) -> None:
    table = render_table(["One", "Two"], [[escape_text(first), code(second)], ["x", "y"]])
    tokens = [token for token in _MARKDOWN.parse(table) if token.level >= 0]
    assert [token.type for token in tokens].count("tr_open") == 3
    assert [token.type for token in tokens].count("td_open") == 4


def test_tables_have_six_columns_at_most() -> None:
    with pytest.raises(ValueError, match="6 columns"):
        render_table(["x"] * 7, [])


def test_columns_are_padded_for_the_reader_of_the_source() -> None:
    assert render_table(["A", "Wide"], [["1", "x"], ["22", "yy"]], right=frozenset({0})) == (
        "|   A | Wide |\n| --: | ---- |\n|   1 | x    |\n|  22 | yy   |\n"
    )
