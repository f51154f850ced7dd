"""`basewright cache`."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from basewright.cli.options import common_options
from basewright.cli.talk import Talk, print_result

if TYPE_CHECKING:
    from basewright._cache import Swept, Usage


@click.command("cache")
@click.option("--max-bytes", metavar="SIZE", help='Remove what was used longest ago until all takes at most "5 GB".')
@click.option("--clear", is_flag=True, help="Remove all of it.")
@common_options
def command(max_bytes: str | None, clear: bool, quiet: bool, verbose: bool, color: bool | None) -> None:
    """Show what is kept in the user's cache, and how much of it; bound it, or clear it.

    Nothing is removed that a running basewright relies on. Evaluating and building keep the cache within the setting
    cache.max-bytes by themselves. All of it can be made or downloaded again.
    """
    from basewright._cache import measure, sweep
    from basewright._disk import cache_directory
    from basewright._process import HostProcess
    from basewright.errors import InputError
    from basewright.quantity import parse_bytes
    from basewright.settings import read_settings

    if clear and max_bytes is not None:
        raise click.UsageError("--clear and --max-bytes are two ways to say how much is to go: name one.")
    cache = cache_directory()
    with Talk(quiet=quiet, verbose=verbose) as talk:
        if clear or max_bytes is not None:
            try:
                bound = 0 if max_bytes is None else parse_bytes(max_bytes)
            except ValueError as error:
                raise InputError(f"--max-bytes: {error}") from None
            talk.progress(f"sweeping {cache}")
            print_result(_told(sweep(cache, max_bytes=bound), bound))
            return
        talk.progress(f"counting {cache}")
        usages = measure(cache)
    settings = read_settings(os.environ, process=HostProcess())
    print_result(f"{cache}\n{_table(usages)}{'bound':<20}{_size(settings.cache_bytes):>12}\n")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _table(usages: "Sequence[Usage]") -> str:
    rows = [(each.kind.name, each.bytes, each.files) for each in usages if each.files]
    rows.append(("all", sum(size for _, size, _ in rows), sum(files for _, _, files in rows)))
    return "".join(
        f"{name:<20}{_size(size):>12}{files:>10,} {'file' if files == 1 else 'files'}\n" for name, size, files in rows
    )


def _told(swept: "Swept", bound: int) -> str:
    """What went, and why not more."""
    text = f"removed {_size(swept.removed_bytes)}, {_size(swept.left_bytes)} left\n"
    if swept.left_bytes > bound and swept.in_use_bytes:
        text += "what is left is in use by a running basewright\n"
    return text
