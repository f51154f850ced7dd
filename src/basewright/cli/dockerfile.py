"""`basewright dockerfile CANDIDATE`."""

from pathlib import Path

import click

from basewright.cli.options import common_options, complete_candidate, directory_option, world_of
from basewright.cli.talk import Talk, print_result


@click.command("dockerfile")
@click.argument("candidate", shell_complete=complete_candidate)
@directory_option
@common_options
def command(candidate: str, directory: Path, quiet: bool, verbose: bool, color: bool | None) -> None:
    """Print CANDIDATE, which rests on a published or an empty base, as a multi-stage Dockerfile."""
    from basewright.pipeline import render_candidate_dockerfile
    from basewright.strategy_file import read_strategy

    strategy = read_strategy(directory)
    with Talk(quiet=quiet, verbose=verbose) as talk:
        text = render_candidate_dockerfile(strategy, candidate, world=world_of(talk))
    print_result(text)
