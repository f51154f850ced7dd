"""What the verbs share: common options, the env file, and the world that is handed to the pipeline."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from basewright.bounded import read_bounded
from basewright.cli.talk import Talk
from basewright.errors import InputError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from basewright.world import World

_P = ParamSpec("_P")
_R = TypeVar("_R")
_MAX_ENV_BYTES = 1 << 20
_MAX_COMPLETED_BYTES = 1 << 20
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def common_options(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """--quiet, --verbose, --color/--no-color (NO_COLOR is honoured)."""
    for option in (
        click.option("--color/--no-color", "color", default=None, help="Default: where it is a terminal."),
        click.option("--verbose", is_flag=True, help="Say what is done, and show tracebacks."),
        click.option("--quiet", is_flag=True, help="Say nothing but results and errors."),
    ):
        function = option(function)
    return function


directory_option = click.option(
    "--directory", "-C", type=click.Path(path_type=Path), default=Path(), help="The folder of basewright.toml."
)


def complete_candidate(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem[str]]":
    """The names of a strategy's candidates, for the shell. Quick and silent: a strategy with a fault has none."""
    import tomllib

    from click.shell_completion import CompletionItem

    folder = Path(context.params.get("directory") or ".").expanduser()
    try:
        with (folder / "basewright.toml" if folder.is_dir() else folder).open("rb") as file:
            candidates = tomllib.loads(file.read(_MAX_COMPLETED_BYTES).decode("utf-8-sig")).get("candidate", [])
        names = [str(each["name"]) for each in candidates]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    taken = context.params.get(parameter.name or "") or ()
    return [CompletionItem(each) for each in names if each.startswith(incomplete) and each not in taken]


def world_of(talk: Talk) -> "World":
    """This machine: its clock, its processes, its network, its cache."""
    import datetime

    from basewright._disk import cache_directory
    from basewright._http import PooledHttp
    from basewright._process import HostProcess
    from basewright.settings import read_settings
    from basewright.world import World

    process = HostProcess()
    return World(
        process=process,
        http=PooledHttp(),
        settings=read_settings(os.environ, process=process),
        cache=cache_directory(),
        now=datetime.datetime.now(datetime.UTC),
        epoch=source_date_epoch(),
        progress=talk.progress,
        notice=talk.notice,
    )


def wants_color(color: bool | None) -> bool:
    """--color and --no-color decide, else NO_COLOR, else whether standard output is a terminal."""
    if color is not None:
        return color
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def terminal_width() -> int:
    """Of a terminal; 120 columns elsewhere."""
    if not sys.stdout.isatty():
        return 120
    import shutil

    return shutil.get_terminal_size((120, 24)).columns


def source_date_epoch() -> int | None:
    """SOURCE_DATE_EPOCH in seconds, None where it is not set. Raises InputError."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not text.isdigit() or int(text) > 2**33 - 1:
        raise InputError(f"SOURCE_DATE_EPOCH is {text!r}, not seconds since 1970")
    return int(text)


def read_env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines as docker's --env-file reads them: `#` starts a comment line, quotes are kept; a bare `NAME`
    takes the value from this process's environment. Raises InputError, which never shows a value."""
    data = read_bounded(path, max_bytes=_MAX_ENV_BYTES)
    variables = {}
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        text = line.rstrip("\r").lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise InputError(f"{path}: line {number} is not NAME=value")
        if equals:
            variables[name] = value
        elif name in os.environ:
            variables[name] = os.environ[name]
    return variables
