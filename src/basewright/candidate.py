"""What could answer a strategy: a base, an app and a platform, with the choices that the strategy left open made."""

import platform as host
from pathlib import Path

import msgspec

from basewright.apps.sources import app_folder
from basewright.errors import InputError
from basewright.strategy import ArchiveBase, Bytecode, Candidate, GoApp, Platform, PythonApp, Strategy
from basewright.strategy_fault import Place

_MACHINES = {
    "x86_64": Platform.LINUX_AMD64,
    "amd64": Platform.LINUX_AMD64,
    "aarch64": Platform.LINUX_ARM64,
    "arm64": Platform.LINUX_ARM64,
}


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate on the platform that it is measured on. `platforms` are all that the service targets."""

    candidate: Candidate
    platform: Platform
    platforms: tuple[Platform, ...]
    command: tuple[str, ...]
    """Of a Python app, or the arguments of a Go binary."""
    bytecode: Bytecode

    @property
    def name(self) -> str:
        return self.candidate.name


def host_platform() -> Platform | None:
    """Linux on this machine's architecture; None where basewright knows no images for it."""
    return _MACHINES.get(host.machine().lower())


def plan(strategy: Strategy, *, only: tuple[str, ...] = (), platform: Platform | None = None) -> tuple[Option, ...]:
    """The options of a strategy, in its order. Raises InputError for a name that is not in it, a folder that does not
    exist or leaves the repository, and a Python app without a command."""
    for name in only:
        named(strategy, name)
    platforms = target_platforms(strategy)
    here = host_platform()
    measured = platform or (here if here in platforms else platforms[0])
    options = []
    for index, candidate in enumerate(strategy.candidates):
        if only and candidate.name not in only:
            continue
        place = Place(file=strategy.file_name).at("candidate").at(index).of_candidate(candidate.name)
        _check_paths(strategy, candidate, place)
        command = candidate.command or strategy.service.command
        if isinstance(candidate.app, GoApp):
            command = candidate.arguments
        elif not command:
            raise place.fault(
                "a Python app needs a command",
                hint='command = ["uvicorn", "package:app", "--host", "0.0.0.0", "--port", "8000"] in [service]',
            )
        options.append(
            Option(
                candidate=candidate,
                platform=measured,
                platforms=platforms,
                command=command,
                bytecode=_bytecode(strategy, candidate),
            )
        )
    return tuple(options)


def _check_paths(strategy: Strategy, candidate: Candidate, place: Place) -> None:
    """What a candidate names on disk is there, before anything is fetched or built."""
    app, base = candidate.app, candidate.base
    try:
        app_folder(strategy.directory, app.python if isinstance(app, PythonApp) else app.go)
    except InputError as error:
        raise place.at("app").fault(error.message, hint=error.hint) from None
    if isinstance(base, ArchiveBase) and not (strategy.directory / base.archive).exists():
        raise place.at("base").fault(
            f"the archive {base.archive} does not exist",
            hint=f"it is looked for in {strategy.directory}",
        )


def named(strategy: Strategy, name: str) -> Candidate:
    """The candidate of that name. Raises InputError listing those that there are."""
    for candidate in strategy.candidates:
        if candidate.name == name:
            return candidate
    names = ", ".join(candidate.name for candidate in strategy.candidates)
    raise InputError(f"{strategy.file_name} has no candidate {name!r}", hint=f"it has: {names}")


def target_platforms(strategy: Strategy) -> tuple[Platform, ...]:
    """Those of the strategy, else linux on the host's architecture. Raises InputError on another host."""
    if strategy.target.platforms:
        return strategy.target.platforms
    here = host_platform()
    if here is None:
        raise InputError(
            f"this machine's architecture, {host.machine()}, has no default platform",
            hint='say platforms = ["linux/amd64"] in [target]',
        )
    return (here,)


def own_paths(strategy: Strategy) -> tuple[Path, ...]:
    """What basewright itself reads and writes in a repository: no part of an application."""
    names = [strategy.file_name, "basewright.lock", ".basewright", "docs/adr", "doc/adr", "docs/decisions"]
    if strategy.decision.directory is not None:
        names.append(strategy.decision.directory)
    return tuple(strategy.directory / name for name in names)


def _bytecode(strategy: Strategy, candidate: Candidate) -> Bytecode:
    if isinstance(candidate.app, GoApp):
        return Bytecode.NONE
    return candidate.bytecode or strategy.bytecode
