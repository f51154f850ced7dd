"""`basewright completion SHELL`."""

import click
from click.shell_completion import get_completion_class

from basewright.errors import InputError


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell: `eval "$(basewright completion bash)"`."""
    from basewright.cli.main import basewright

    kind = get_completion_class(shell)
    if kind is None:
        raise InputError(f"there is no completion for {shell}")
    click.echo(kind(basewright, {}, "basewright", "_BASEWRIGHT_COMPLETE").source())
