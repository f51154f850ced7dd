"""`basewright inspect IMAGE`."""

from typing import TYPE_CHECKING

import click

from basewright.cli.options import common_options, terminal_width, wants_color, world_of
from basewright.cli.talk import Talk, print_result

if TYPE_CHECKING:
    from basewright.evidence.inspected import Inspection


@click.command("inspect")
@click.argument("image", required=False)
@click.option("--platform", metavar="OS/ARCH", help="Default: linux on this machine's architecture.")
@click.option(
    "--tree",
    is_flag=False,
    flag_value="/",
    metavar="[PATH]",
    help="Browse the files, from PATH down; with --format json all of them.",
)
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@common_options
def command(
    image: str | None,
    platform: str | None,
    tree: str | None,
    form: str,
    quiet: bool,
    verbose: bool,
    color: bool | None,
) -> None:
    """Show what IMAGE is: why it is so large, whose bytes they are, what is wasted, what it is based on.

    IMAGE is named as for copy: docker://REF, oci:DIR[:TAG], docker-archive:FILE, rootfs:FILE and so on, or a path or a
    reference alone. Nothing is unpacked to disk.
    """
    from basewright.evidence.named_inspection import inspect_named_image

    if image is None:
        if tree is None:
            raise click.UsageError("Missing argument 'IMAGE'.")
        image, tree = tree, "/"  # `--tree IMAGE`
    everything = tree is not None and form == "json"
    with Talk(quiet=quiet, verbose=verbose) as talk:
        inspection = inspect_named_image(
            image,
            world_of(talk),
            platform=platform,
            contents=tree is not None,
            hashed=everything,
        )
    if form == "json":
        from basewright.view.inspection_document import render_inspection_json

        for piece in render_inspection_json(inspection, tree=tree is not None):
            print_result(piece)
    else:
        print_result(_render(inspection, form, tree, wants_color(color)))


def _render(inspection: "Inspection", form: str, tree: str | None, color: bool) -> str:
    match form:
        case "markdown":
            from basewright.view.inspection_markdown import render_inspection_markdown

            return render_inspection_markdown(inspection, tree=tree)
        case _ if tree is not None:
            from basewright.view.inspection_tree import render_inspection_tree

            return render_inspection_tree(inspection, tree, width=terminal_width(), color=color)
        case _:
            from basewright.view.inspection_text import render_inspection_text

            return render_inspection_text(inspection, width=terminal_width(), color=color)
