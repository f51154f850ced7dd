"""`basewright build CANDIDATE -o DIR|FILE`."""

from pathlib import Path

import click

from basewright.cli.options import common_options, complete_candidate, directory_option, world_of
from basewright.cli.talk import Talk, print_result


@click.command("build")
@click.argument("candidate", shell_complete=complete_candidate)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="A folder, or a .tar file.")
@directory_option
@click.option("--platform", type=click.Choice(["linux/amd64", "linux/arm64"]), help="Default: the strategy's first.")
@click.option("--update-lock", is_flag=True, help="Resolve tags, packages and toolchains anew.")
@common_options
def command(
    candidate: str,
    output: Path,
    directory: Path,
    platform: str | None,
    update_lock: bool,
    quiet: bool,
    verbose: bool,
    color: bool | None,
) -> None:
    """Write CANDIDATE as an OCI layout (a folder) or archive (a file that ends in .tar), the same bytes every time."""
    from basewright.pipeline import build_candidate
    from basewright.strategy import Platform
    from basewright.strategy_file import read_strategy

    strategy = read_strategy(directory)
    with Talk(quiet=quiet, verbose=verbose) as talk:
        built = build_candidate(
            strategy,
            candidate,
            output,
            platform=Platform(platform) if platform else None,
            update_lock=update_lock,
            world=world_of(talk),
        )
    print_result(f"{built.digest}\n")
    for line in built.next_steps:
        if not quiet:
            click.echo(line, err=True)
