"""The command: parses, calls one library function, prints. The one place where errors become words and exit codes."""

from collections.abc import Sequence
from importlib import import_module

import click

from basewright import __version__
from basewright.errors import BasewrightError, ExitCode

_VERBS = {
    "evaluate": "Build, run and measure every candidate; rank them; write the decision record.",
    "build": "Write one candidate as an OCI layout or archive.",
    "diff": "Compare two images, and say whether they are the same build and why not.",
    "inspect": "Show what an image is: its layers, whose bytes they are, what is wasted, what it is based on.",
    "copy": "Copy an image between registries, layouts, archives and engines.",
    "cache": "Show what is kept in the user's cache; bound it, or clear it.",
    "dockerfile": "Render one candidate as a multi-stage Dockerfile.",
    "completion": "Print the shell's completion script.",
}


class _LazyGroup(click.Group):
    """Imports a verb's module when it is called, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(f"basewright.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="basewright %(version)s")
def basewright() -> None:
    """Makes a container base image decision executable: your service, built, run and measured on every candidate base.

    Exit codes: 0 a decision, or no difference; 1 no candidate qualifies, or a difference; 2 the input must be fixed;
    3 could not tell; 130 interrupted.
    """


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code."""
    try:
        result = basewright.main(list(argv), prog_name="basewright", standalone_mode=False)
        return int(result) if isinstance(result, int) else ExitCode.PASS
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("error: interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.FIX_INPUT
    except BasewrightError as error:
        return _told(error, verbose="--verbose" in argv)
    except SystemExit as exit_:  # click's, after completing words, and with 1 where standard output was closed
        return ExitCode.COULD_NOT_TELL if exit_.code else ExitCode.PASS
    except Exception as error:
        # A fault of ours must not look like a no, which is what Python's own status 1 says.
        if "--verbose" in argv:
            _trace()
        _say(f"error: basewright itself failed ({type(error).__name__})")  # its words may hold anything
        _say("hint: run it again with --verbose, and report the traceback")
        return ExitCode.COULD_NOT_TELL


def _told(error: BasewrightError, *, verbose: bool) -> ExitCode:
    """Says an error, what a program printed, and what to do."""
    if verbose:
        _trace()
    _say(f"error: {error.message}")
    for line in getattr(error, "output", ()):
        _say(f"  | {line}")
    if error.hint:
        _say(f"hint: {error.hint}")
    return error.exit_code


def _trace() -> None:
    import traceback

    for line in traceback.format_exc().rstrip("\n").split("\n"):
        _say(line)  # it shows what errors say, and those name what strangers named


def _say(text: str) -> None:
    """Control characters of strangers never reach the terminal."""
    from basewright.printable import printable

    click.echo(printable(text), err=True)
