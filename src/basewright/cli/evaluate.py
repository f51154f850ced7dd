"""`basewright evaluate [DIR]`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from basewright.cli.options import (
    common_options,
    complete_candidate,
    read_env_file,
    terminal_width,
    wants_color,
    world_of,
)
from basewright.cli.talk import Talk, print_result
from basewright.errors import ExitCode

if TYPE_CHECKING:
    import datetime


@click.command("evaluate")
@click.argument("directory", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--only",
    multiple=True,
    metavar="CANDIDATE",
    help="Evaluate this candidate only; may be repeated.",
    shell_complete=complete_candidate,
)
@click.option("--no-run", is_flag=True, help="Build, and do not run: what needs a run is not measured.")
@click.option("--fresh", is_flag=True, help="Measure again, whatever evidence there is.")
@click.option("--strict", is_flag=True, help="Exit 3 where anything was not measured.")
@click.option("--update-lock", is_flag=True, help="Resolve tags, packages and toolchains anew.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Judge lifecycles at another day.")
@click.option("--env-file", type=click.Path(path_type=Path), help="Variables that are not written down.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of order and draws.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@common_options
def command(
    directory: Path,
    only: tuple[str, ...],
    no_run: bool,
    fresh: bool,
    strict: bool,
    update_lock: bool,
    as_of: "datetime.datetime | None",
    env_file: Path | None,
    seed: int,
    form: str,
    quiet: bool,
    verbose: bool,
    color: bool | None,
) -> int:
    """Build, run and measure every candidate of DIRECTORY's basewright.toml, rank them, write the decision record."""
    from basewright.pipeline import EvaluateOptions, evaluate
    from basewright.strategy_file import read_strategy
    from basewright.view.document import render_json
    from basewright.view.terminal import render_terminal

    strategy = read_strategy(directory)
    secrets = read_env_file(env_file) if env_file else {}
    with Talk(quiet=quiet, verbose=verbose) as talk:
        world = world_of(talk)
        options = EvaluateOptions(
            only=only,
            run=not no_run,
            fresh=fresh,
            update_lock=update_lock,
            as_of=as_of.date() if as_of else None,
            seed=seed,
            secrets=secrets,
            env_file=env_file,
        )
        evaluation = evaluate(strategy, options, world)
    if form == "json":
        text = render_json(evaluation.view)
    else:
        text = render_terminal(evaluation.view, width=terminal_width(), color=wants_color(color))
    print_result(text)
    if strict and evaluation.anything_unmeasured and evaluation.exit_code is ExitCode.PASS:
        return ExitCode.COULD_NOT_TELL
    return evaluation.exit_code
