"""A comparison as Markdown, for a pull request. Pure."""

from collections.abc import Iterator

from basewright.evidence.difference import Difference
from basewright.printable import printable
from basewright.view.difference_lines import Line, build_reasons, measures, reasons_title, sections, verdict_sentence
from basewright.view.markdown import code, escape_text, render_table


def render_difference_markdown(difference: Difference) -> str:
    """The verdict, then tables of what the text has as well."""
    return "\n".join(_parts(difference))


def _parts(difference: Difference) -> Iterator[str]:
    one, two = difference.before, difference.after
    yield f"**{escape_text(verdict_sentence(difference))}**\n"
    yield render_table(
        ("", "A", "B"),
        [
            ("image", code(printable(one.name)), code(printable(two.name))),
            ("platform", code(printable(str(one.platform))), code(printable(str(two.platform)))),
            ("digest", code(one.digest), code(two.digest)),
        ],
    )
    for section in sections(difference):
        yield f"### {section.title}: {escape_text(section.count)}\n"
        yield render_table(("", "name", "what"), [_row(each) for each in section.lines])
        if section.more:
            yield f"and {section.more:,} more\n"
    reasons = build_reasons(difference)
    if reasons:
        yield f"### {reasons_title(difference)}\n"
        yield render_table(("what", "where"), [(word, escape_text(text)) for word, text in reasons])
    yield "### Sizes\n"
    rows = [(each.name, each.before, each.after, each.change) for each in measures(difference)]
    yield render_table(("", "A", "B", "change"), rows, right=frozenset((1, 2)))


def _row(line: Line) -> tuple[str, str, str]:
    return line.mark, f"{line.kind} {code(line.name)}".strip(), escape_text(line.detail)
