"""Reads `basewright.toml` into a `Strategy`; the first fault is an InputError that says where it is."""

import math
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from basewright.errors import InputError
from basewright.oci.reference import parse_reference
from basewright.quantity import parse_bytes, parse_seconds
from basewright.strategy import (
    App,
    ArchiveBase,
    Base,
    Bench,
    Bytecode,
    Candidate,
    DebianBase,
    DecisionSettings,
    DriverName,
    DriverSettings,
    GoApp,
    Name,
    PackageName,
    PublishedBase,
    PythonApp,
    Requirement,
    ScratchBase,
    Service,
    Strategy,
    Target,
    Text,
    Word,
)
from basewright.strategy_fault import Place, convert, parse_toml, shown

FILE_NAME = "basewright.toml"
MAX_STRATEGY_BYTES = 1 << 20
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REQUIREMENT = re.compile(r"(<=|>=|<|>|==)\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:\s*[^\s0-9][^\s]*){0,2})")
_APPS: dict[str, type[App]] = {"python": PythonApp, "go": GoApp}
_BASES: dict[str, type[Base]] = {"debian": DebianBase, "archive": ArchiveBase}
_APP_WORDS = '{ python = "folder" } or { go = "folder" }'
_BASE_WORDS = '"image:tag", "scratch", { debian = "suite", packages = [...] } or { archive = "path" }'


class _RawCandidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    name: Name
    app: object
    base: object
    toolchain: Text | None = None
    runtime_packages: tuple[PackageName, ...] = ()
    command: tuple[Word, ...] = ()
    arguments: tuple[Word, ...] = ()
    bytecode: Bytecode | None = None


class _RawStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    service: Service
    candidate: Annotated[
        tuple[_RawCandidate, ...], msgspec.Meta(min_length=1, description="one table `[[candidate]]` or more")
    ]
    drivers: dict[str, object] = {}
    decision: DecisionSettings = DecisionSettings()
    target: Target = Target()
    bench: Bench = Bench()
    bytecode: Bytecode = Bytecode.COMPILED


def read_strategy(path: Path) -> Strategy:
    """Reads a strategy file, or the `basewright.toml` of a folder. Raises InputError."""
    file = path / FILE_NAME if path.is_dir() else path
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise InputError(f"{file} is no regular file")
        with file.open("rb") as source:
            data = source.read(MAX_STRATEGY_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{file} does not exist", hint="write one: see the README's section on the strategy") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MAX_STRATEGY_BYTES:
        raise InputError(f"{file} is larger than {MAX_STRATEGY_BYTES:,} bytes")
    return parse_strategy(data, file.resolve())


def parse_strategy(data: bytes, path: Path) -> Strategy:
    """Decodes a strategy whose file is `path`. Raises InputError at the first fault."""
    top = Place(file=path.name)
    document = parse_toml(data, top)
    if isinstance(document.get("candidate"), dict):
        raise top.at("candidate").fault("expected `[[candidate]]`, a list, not `[candidate]`")
    _check_environment(document.get("service"), top.at("service").at("env"))
    raw = convert(document, _RawStrategy, top)
    _check_quantities(raw, top)
    candidates = tuple(
        _candidate(top.at("candidate").at(index).of_candidate(each.name), each)
        for index, each in enumerate(raw.candidate)
    )
    _check_names(top, candidates)
    drivers = _drivers(top.at("drivers"), raw.drivers)
    return Strategy(
        directory=path.parent,
        file_name=path.name,
        service=raw.service,
        candidates=candidates,
        drivers=drivers,
        requirements=tuple(
            _requirement(top.at("drivers").at(driver).at("require"), driver, settings.require)
            for driver, settings in drivers.items()
            if settings.require is not None
        ),
        decision=raw.decision,
        target=raw.target,
        bench=raw.bench,
        bytecode=raw.bytecode,
    )


def _check_environment(service: object, place: Place) -> None:
    """Names and values of `[service.env]`, here since an error may name the variable and must not show its value."""
    env = service.get("env") if isinstance(service, dict) else None
    if not isinstance(env, dict):
        return
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise place.fault(f"{shown(name)} is not the name of a variable")
        if not isinstance(value, str) or "\0" in value:
            raise place.at(name).fault("expected text without a NUL", hint='write numbers as text, such as "8"')


def _check_quantities(raw: _RawStrategy, top: Place) -> None:
    checks: tuple[tuple[Place, str, Callable[[str], float]], ...] = (
        (top.at("service").at("start-timeout"), raw.service.start_timeout, parse_seconds),
        (top.at("bench").at("duration"), raw.bench.duration, parse_seconds),
        (top.at("bench").at("memory"), raw.bench.memory, parse_bytes),
    )
    for place, text, parse in checks:
        try:
            value = parse(text)
        except ValueError as error:
            raise place.fault(str(error)) from None
        if not value:
            raise place.fault(f"expected more than zero, not {shown(text)}")
    if not math.isfinite(raw.bench.rate):
        raise top.at("bench").at("rate").fault("expected a finite number")
    platforms = raw.target.platforms
    if len(set(platforms)) != len(platforms):
        raise top.at("target").at("platforms").fault("a platform stands here twice")
    _check_command(top.at("service").at("command"), raw.service.command)


def _check_command(place: Place, command: tuple[str, ...]) -> None:
    if command and not command[0].strip():
        raise place.at(0).fault('expected the name of a program, not ""')


def _candidate(place: Place, raw: _RawCandidate) -> Candidate:
    app = _app(place.at("app"), raw.app)
    _check_command(place.at("command"), raw.command)
    if isinstance(app, GoApp) and raw.command:
        raise place.at("command").fault(
            "is for Python apps; a Go candidate runs its binary", hint="give it words with `arguments`"
        )
    if isinstance(app, PythonApp) and raw.arguments:
        raise place.at("arguments").fault("is for Go apps", hint="say the whole command with `command`")
    if isinstance(app, PythonApp) and raw.toolchain is not None:
        raise place.at("toolchain").fault("is for Go apps; a Python app runs on its base's interpreter")
    if isinstance(app, GoApp) and raw.bytecode is not None:
        raise place.at("bytecode").fault("is for Python apps")
    return Candidate(
        name=raw.name,
        app=app,
        base=_base(place.at("base"), raw.base),
        toolchain=raw.toolchain,
        runtime_packages=raw.runtime_packages,
        command=raw.command,
        arguments=raw.arguments,
        bytecode=raw.bytecode,
    )


def _app(place: Place, raw: object) -> App:
    kinds = [kind for kind in _APPS if isinstance(raw, dict) and kind in raw]
    if len(kinds) != 1:
        raise place.fault(f"expected {_APP_WORDS}, not {'both' if kinds else _without(raw)}")
    return convert(raw, _APPS[kinds[0]], place)


def _without(raw: object) -> str:
    """What stands where one of some tables belongs."""
    if isinstance(raw, dict):
        return "a table with " + ", ".join(f"`{key}`" for key in raw) if raw else "an empty table"
    return shown(raw)


def _base(place: Place, raw: object) -> Base:
    if isinstance(raw, str):
        return _named_base(place, raw)
    kinds = [kind for kind in _BASES if isinstance(raw, dict) and kind in raw]
    if len(kinds) != 1:
        raise place.fault(f"expected {_BASE_WORDS}, not {'both tables in one' if kinds else _without(raw)}")
    base = convert(raw, _BASES[kinds[0]], place)
    if isinstance(base, DebianBase) and not base.packages:
        raise place.at("packages").fault("expected a package or more, not an empty list")
    return base


def _named_base(place: Place, text: str) -> Base:
    if text == "scratch":
        return ScratchBase()
    if not text.strip():
        raise place.fault(f"expected {_BASE_WORDS}, not {shown(text)}")
    try:
        parse_reference(text)
    except InputError as error:
        path_like = text.startswith(("/", ".")) or text.endswith((".tar", ".gz", ".xz", ".zst", ".tgz"))
        hint = f'for a file or a folder say base = {{ archive = "{text}" }}' if path_like else error.hint
        raise place.fault(error.message, hint=hint) from None
    return PublishedBase(reference=text)


def _check_names(top: Place, candidates: tuple[Candidate, ...]) -> None:
    seen: dict[str, int] = {}
    for index, candidate in enumerate(candidates):
        if candidate.name in seen:
            place = top.at("candidate").at(index).at("name")
            raise place.of_candidate(candidate.name).fault(f"is the name of candidate[{seen[candidate.name]}] too")
        seen[candidate.name] = index


def _drivers(place: Place, raw: dict[str, object]) -> dict[DriverName, DriverSettings]:
    drivers: dict[DriverName, DriverSettings] = {}
    for key, table in raw.items():
        if key not in set(DriverName):
            raise place.at(key).fault("there is no such driver", hint="drivers: " + ", ".join(DriverName))
        settings = convert(table, DriverSettings, place.at(key))
        if not math.isfinite(settings.weight):
            raise place.at(key).at("weight").fault("expected a finite number")
        drivers[DriverName(key)] = settings
    if all(drivers.get(driver, DriverSettings()).weight == 0 for driver in DriverName):
        raise place.fault("every driver has weight 0, so nothing could be ranked")
    return drivers


def _requirement(place: Place, driver: DriverName, text: str) -> Requirement:
    match = _REQUIREMENT.fullmatch(text.strip())
    if match is None:
        raise place.fault(f"expected an operator and a quantity such as `<= 150 MB`, not {shown(text)}")
    return Requirement(driver=driver, text=" ".join(text.split()), operator=match[1], limit=match[2].strip())
