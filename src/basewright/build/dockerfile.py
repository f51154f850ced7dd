"""A candidate as the multi-stage Dockerfile that a team would have written by hand, on a published or an empty base.

Reads what lies in the application's folder, and nothing else. Clean under hadolint: where one of its rules is set
aside, the line above says why.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from basewright.bases.base import NONROOT
from basewright.build import dockerfile_text
from basewright.build.dockerfile_go import GoStages
from basewright.build.dockerfile_python import PythonStages, entry_of
from basewright.errors import InputError
from basewright.lock import LockedGo, LockedPython
from basewright.strategy import ArchiveBase, Bytecode, Candidate, DebianBase, GoApp, Platform, Strategy


def render_dockerfile(
    strategy: Strategy,
    candidate: Candidate,
    *,
    digests: Mapping[str, str],
    locked_go: LockedGo | None = None,
    locked_python: LockedPython | None = None,
    bytecode: Bytecode | None = None,
) -> str:
    """The Dockerfile. `digests`: reference as the strategy writes it → index digest, where known. A Go app needs
    `locked_go`; a Python app needs `locked_python` where its own requirements have no hashes.

    Raises InputError for an assembled or archive base, and for what no Dockerfile can say.
    """
    if isinstance(candidate.base, DebianBase | ArchiveBase):
        kind = "is assembled from packages" if isinstance(candidate.base, DebianBase) else "lies in an archive"
        raise InputError(
            f'the base of candidate "{candidate.name}" {kind}, so no Dockerfile can start from it',
            hint=f"basewright build {candidate.name}",
        )
    if isinstance(candidate.app, GoApp):
        if locked_go is None:
            raise InputError(f'the toolchain of candidate "{candidate.name}" is not locked')
        platform = (strategy.target.platforms or (Platform.LINUX_AMD64,))[0]
        go = GoStages(strategy, candidate, locked_go, digests=digests, platform=platform)
        lines, context = go.lines(), go.context
        entry: tuple[str, ...] = (go.path,)
        arguments = candidate.arguments
    else:
        chosen = bytecode or candidate.bytecode or strategy.bytecode
        python = PythonStages(strategy, candidate, locked_python, digests=digests, bytecode=chosen)
        lines, context = python.lines(), python.context
        command = candidate.command or strategy.service.command
        if not command:
            raise InputError(f'candidate "{candidate.name}" has no command', hint="command = [...] in [service]")
        entry, arguments = entry_of(command), ()
    lines += _ending(strategy, entry, arguments)
    builders = "BuildKit or buildah"
    if any(line.startswith("COPY <<") for line in lines):
        builders = "BuildKit of docker 23 or later, or buildah 1.33 or later"
    return "\n".join([*_head(strategy, candidate, context, builders), *lines]) + "\n"


def _head(strategy: Strategy, candidate: Candidate, context: Path, builders: str) -> list[str]:
    name = strategy.service.name
    above = os.path.relpath(context, strategy.directory.resolve())
    where = "." if above == "." else f"-f Dockerfile {above}"
    return [
        f'# {name}, candidate "{candidate.name}": written by `basewright dockerfile {candidate.name}`.',
        f"# docker build -t {name} {where}   ({builders}; a .dockerignore keeps out .git and what was built)",
        "",
    ]


def _ending(strategy: Strategy, entry: tuple[str, ...], arguments: tuple[str, ...]) -> list[str]:
    """What runs, as whom; no HEALTHCHECK, which would need a program in the image, and which Fargate does not read."""
    lines = []
    if strategy.service.env:
        lines.append(dockerfile_text.env(strategy.service.env))
    lines += ["WORKDIR /app", f"USER {NONROOT}:{NONROOT}", f"EXPOSE {strategy.service.port}"]
    lines.append(dockerfile_text.exec_form("ENTRYPOINT", entry))
    if arguments:
        lines.append(dockerfile_text.exec_form("CMD", arguments))
    return lines
