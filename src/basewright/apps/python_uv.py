"""uv, as a program: resolving, exporting and building, on the host's own settings, with errors for the reader.

https://docs.astral.sh/uv/reference/cli/
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

from basewright._process import Completed, Process
from basewright.apps.python_index import NO_INDEX, Credentials, uv_environment
from basewright.errors import BasewrightError, InputError, OutOfReachError

RESOLVE_SECONDS = 600.0
_OUT_OF_REACH = re.compile(
    r"error sending request|Failed to fetch|Could not connect|dns error|tcp connect error|timed out|offline|"
    r"authentication credentials|Git operation failed|Network connectivity is disabled|network was disabled|"
    r"40[13] (?:Unauthorized|Forbidden)|5\d\d [A-Z]",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"authentication credentials|40[13] (?:Unauthorized|Forbidden)")
_UNBUILT = re.compile(r"Failed to (?:download and )?build `(?P<name>[A-Za-z0-9._-]+)(?:==(?P<version>[^`\s]+))?`")


class Uv:
    """uv in one project's folder. `urls` are indexes that the project's own files name."""

    def __init__(
        self,
        process: Process,
        folder: Path,
        *,
        urls: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = process
        self.folder = folder
        self.environment = uv_environment(os.environ if environment is None else environment, folder)
        self.credentials = Credentials(self.environment, folder, urls)

    def run(
        self, arguments: Sequence[str], *, cwd: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> Completed:
        """Runs to the end; the status is the caller's to read. The interpreter is always ours: it only runs builds."""
        no_index = ("--no-index",) if self.environment.get(NO_INDEX) and arguments[0] != "export" else ()
        return self._process.run(
            (_program(), *arguments, *no_index, "--python", sys.executable),
            timeout_seconds=RESOLVE_SECONDS,
            cwd=cwd or self.folder,
            env={**self.environment, **(extra or {})},
        )

    def failure(self, done: Completed, what: str) -> BasewrightError:
        """What uv's errors are for the user: out of reach where an index was, else a fault of the input."""
        lines = [
            self.credentials.redact(line).strip()
            for line in done.stderr.decode("utf-8", "replace").splitlines()
            if line.strip() and not line.lstrip().startswith(("warning:", "Using ", "Resolved ", "DEBUG", "Building "))
        ]
        text = "\n".join(lines)
        told = [re.sub(r"^(?:error|cause|×|╰─▶|├─▶|│)[:\s]*", "", line) for line in lines]
        if _REFUSED.search(text):
            return OutOfReachError(
                f"{what}: the package index asks for credentials, or refuses those that it got",
                hint="give them to uv: UV_INDEX_<NAME>_USERNAME and _PASSWORD, the index's URL, or ~/.netrc",
            )
        if _OUT_OF_REACH.search(text):
            index = next((line for line in told if "://" in line), told[0] if told else "no answer")
            return OutOfReachError(f"{what}: the package index is out of reach: {_sentence(index)}")
        chain = list(takewhile(lambda line: not line.startswith("hint:"), dropwhile(_no_reason, told)))
        reason = " ".join(chain or told[:2])
        return InputError(f"{what}: {_sentence(reason)}", hint=_hint(lines))


def unbuilt(done: Completed) -> tuple[str, str] | None:
    """Name and version of the source archive that could not even tell its metadata, where that is why uv failed."""
    match = _UNBUILT.search(done.stderr.decode("utf-8", "replace"))
    return None if match is None or match["version"] is None else (match["name"], match["version"])


def uv_version() -> str:
    """The version of uv that is used, as the lock names it."""
    from importlib.metadata import version

    return f"uv {version('uv')}"


def _program() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _no_reason(line: str) -> bool:
    return "Because" not in line


def _sentence(text: str) -> str:
    return " ".join(text.split())[:600] or "uv said nothing"


def _hint(lines: Sequence[str]) -> str:
    return next((line.partition("hint:")[2].strip()[:300] for line in lines if line.startswith("hint:")), "")
