"""`basewright diff A B`."""

from typing import TYPE_CHECKING

import click

from basewright.cli.options import common_options, terminal_width, wants_color, world_of
from basewright.cli.talk import Talk, print_result
from basewright.errors import ExitCode

if TYPE_CHECKING:
    from basewright.evidence.difference import Difference


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--platform", metavar="OS/ARCH", help="Of both images. Default: linux on this machine's architecture.")
@click.option("--strict", is_flag=True, help="Exit 1 unless both have the same manifest.")
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@common_options
def command(
    before: str,
    after: str,
    platform: str | None,
    strict: bool,
    form: str,
    quiet: bool,
    verbose: bool,
    color: bool | None,
) -> int:
    """Compare two images: files, packages, config, sizes; and whether they are the same build, and why not.

    Exits 0 where what runs is the same (times, order, compression, history and annotations aside), 1 where it differs.
    """
    from basewright.evidence.difference import Verdict
    from basewright.evidence.named_difference import compare_named_images

    with Talk(quiet=quiet, verbose=verbose) as talk:
        difference = compare_named_images(before, after, world_of(talk), platform=platform)
    print_result(_render(difference, form, wants_color(color)))
    same = (Verdict.IDENTICAL,) if strict else (Verdict.IDENTICAL, Verdict.SAME_CONTENT)
    return ExitCode.PASS if difference.verdict in same else ExitCode.GATE_SAYS_NO


def _render(difference: "Difference", form: str, color: bool) -> str:
    match form:
        case "json":
            from basewright.view.difference_document import render_difference_json

            return render_difference_json(difference)
        case "markdown":
            from basewright.view.difference_markdown import render_difference_markdown

            return render_difference_markdown(difference)
        case _:
            from basewright.view.difference_text import render_difference_text

            return render_difference_text(difference, width=terminal_width(), color=color)
