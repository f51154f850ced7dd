"""The program: `basewright`, and `python -m basewright`. The process is ours here, and only here."""

import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

_ALLOCATIONS = 50_000
"""Garbage is looked for after so many new objects, not after Python's 700: imports make tens of thousands that stay."""


def start() -> NoReturn:
    """Runs the command and ends the process with its exit code.

    Whoever ends it politely gets the same tidying up as Ctrl-C. What the kernel takes back anyway is not taken down.
    """
    gc.set_threshold(_ALLOCATIONS)
    _fill_closed_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _interrupt)
    from basewright.cli.main import main

    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # results are flushed, and their faults told, where they are printed
            stream.flush()
    os._exit(code)


def _fill_closed_streams() -> None:
    """What was closed (`>&-`) is /dev/null, so that no file of ours gets its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    start()
