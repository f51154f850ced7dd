"""What a command says: while it works on stderr, silent where that is no terminal; its result on stdout."""

import os
import sys
import time
from types import TracebackType
from typing import Self

import click

from basewright.errors import OutOfReachError
from basewright.printable import printable


def print_result(text: str) -> None:
    """`text` as it is, on standard output. A reader that went away (`| head`) changes no exit code."""
    try:
        click.echo(text, nl=False, color=True)
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_stdout()
    except OSError as error:
        _let_go_of_stdout()
        raise OutOfReachError(f"the result cannot be written to standard output: {error.strerror}") from None


def _let_go_of_stdout() -> None:
    """So that Python's own flush at the end does not fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Talk:
    """Progress, one line that changes on a terminal; plain lines with `verbose`; nothing otherwise or with `quiet`."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._terminal = sys.stderr.isatty() and not quiet and not verbose
        self._verbose = verbose
        self._quiet = quiet
        self._started = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def progress(self, text: str) -> None:
        """What is being done now."""
        shown = printable(text)
        seconds = time.monotonic() - self._started
        if self._terminal:
            line = f"{seconds:5.0f} s  {shown}"[:118]
            sys.stderr.write("\r" + line.ljust(self._width))
            sys.stderr.flush()
            self._width = len(line)
        elif self._verbose:
            sys.stderr.write(f"{seconds:7.1f} s  {shown}\n")

    def notice(self, text: str) -> None:
        """Something that the user should know, whatever stderr is; silent with `quiet` only."""
        self._clear()
        if not self._quiet:
            sys.stderr.write(printable(text) + "\n")

    def _clear(self) -> None:
        if self._terminal and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
