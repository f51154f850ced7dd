"""An inspection as Markdown, for a pull request. Pure."""

from collections.abc import Iterator

from basewright.evidence.inspected import Inspection
from basewright.printable import printable
from basewright.view.inspection_lines import (
    facts,
    layer_rows,
    owner_rows,
    settings,
    summary,
    unexplained_rows,
    wasted_rows,
)
from basewright.view.inspection_tree import tree_lines
from basewright.view.markdown import code, escape_text, render_table
from basewright.view.number import format_share

_PROSE = ("platform", "created", "based on", "system", "runtime", "packages")
"""Facts that are words of ours; the others are the image's own."""


def render_inspection_markdown(inspection: Inspection, *, tree: str | None) -> str:
    """The same as the text, in tables; with `tree` the folder of that path instead."""
    parts = _page(inspection) if tree is None else _tree(inspection, tree)
    return "\n".join([f"### {code(printable(inspection.name))}\n", f"{escape_text(summary(inspection))}\n", *parts])


def _page(inspection: Inspection) -> Iterator[str]:
    for each in inspection.warnings:
        yield f"**Warning:** {escape_text(printable(each))}\n"
    told = [(label, escape_text(text) if label in _PROSE else code(text)) for label, text in facts(inspection)]
    yield render_table(("", "what"), told)
    yield from _owners(inspection)
    yield from _layers(inspection)
    yield from _waste(inspection)
    rows = [(kind, code(name), code(value)) for kind, name, value in settings(inspection)]
    if rows:
        yield "#### Environment and labels\n"
        yield render_table(("", "name", "value"), rows)


def _owners(inspection: Inspection) -> Iterator[str]:
    rows = [(name, text, format_share(share)) for name, _, text, share in owner_rows(inspection)]
    if not rows:
        return
    yield "#### Whose bytes they are\n"
    yield render_table(("owner", "bytes", "share"), rows, right=frozenset((1, 2)))
    paths, more = unexplained_rows(inspection)
    if paths:
        listed = ", ".join(f"{code(path)} {size}" for size, path in paths)
        yield f"Unexplained: {listed}{_more(more)}.\n"


def _layers(inspection: Inspection) -> Iterator[str]:
    rows = [
        (str(row.number), row.pulled, row.unpacked, f"+{row.added} ~{row.changed} −{row.removed}", code(row.made_by))
        for row in layer_rows(inspection)
    ]
    if rows:
        yield "#### Layers\n"
        header = ("", "pulled", "unpacked", "names", "made by")
        yield render_table(header, rows, right=frozenset((0, 1, 2)))


def _waste(inspection: Inspection) -> Iterator[str]:
    rows, more = wasted_rows(inspection)
    if rows:
        yield "#### Wasted: written, then hidden or rewritten\n"
        yield render_table(("bytes", "path", "how"), [(size, code(path), how) for size, path, how in rows])
        if more:
            yield f"and {more:,} more\n"


def _more(number: int) -> str:
    return f" and {number:,} more" if number else ""


def _tree(inspection: Inspection, path: str) -> Iterator[str]:
    rows = [
        (code(each.mode) if each.mode else "", each.owner, each.bytes, each.layer, code(each.branch + each.name))
        for each in tree_lines(inspection, path)
    ]
    yield render_table(("mode", "owner", "bytes", "layer", "path"), rows, right=frozenset((2,)))
