"""Errors for the reader: one sentence, a hint, and the exit code that goes with them.

Exit codes: 0 a decision, or no difference; 1 no candidate qualifies, or a difference; 2 the input must be fixed;
3 could not tell; 130 interrupted.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status says."""

    PASS = 0
    GATE_SAYS_NO = 1
    FIX_INPUT = 2
    COULD_NOT_TELL = 3
    INTERRUPTED = 130


class BasewrightError(Exception):
    """Something the user should know: `message` is one sentence with the thing's name, `hint` says what to do."""

    exit_code = ExitCode.FIX_INPUT

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(BasewrightError):
    """The strategy, or something that it names, must be fixed (exit 2)."""


class HostileInputError(InputError):
    """An image, archive, index or feed lies, is damaged, or goes over a limit (exit 2)."""


class OutOfReachError(BasewrightError):
    """A registry, archive, index, toolchain or platform could not be asked (exit 3)."""

    exit_code = ExitCode.COULD_NOT_TELL


class UnreachableError(OutOfReachError):
    """There was no answer; `why` is one clause."""

    def __init__(self, message: str, *, why: str) -> None:
        super().__init__(f"{message}: {why}")
        self.why = why


class BuildFailedError(InputError):
    """A candidate's own input is at fault: no build, no wheel. `output` holds the last lines that were printed."""

    def __init__(self, message: str, *, hint: str = "", output: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.output = output
