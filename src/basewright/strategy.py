"""What was asked: service, candidates, drivers, weights, requirements. Reads `basewright.toml`.

Errors name the file, the key path counted from 0, the candidate's name, and what was expected.
"""

import datetime
import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from basewright.errors import InputError
from basewright.quantity import parse_bytes, parse_seconds

MAX_STRATEGY_BYTES = 1 << 20


class DriverName(StrEnum):
    """The decision drivers of ADR-007 that are measured today."""

    IMAGE_SIZE = "image_size"
    SECURITY_POSTURE = "security_posture"
    BUILD_PERFORMANCE = "build_performance"
    RUNTIME_PERFORMANCE = "runtime_performance"
    PACKAGE_AVAILABILITY = "package_availability"
    UPDATE_FREQUENCY = "update_frequency"
    RESOURCE_EFFICIENCY = "resource_efficiency"


class Platform(StrEnum):
    """What an image is built for."""

    LINUX_AMD64 = "linux/amd64"
    LINUX_ARM64 = "linux/arm64"

    @property
    def architecture(self) -> str:
        """The OCI and Debian name: `amd64`, `arm64`."""
        return self.partition("/")[2]


class Bytecode(StrEnum):
    """Whether Python bytecode is part of the image."""

    COMPILED = "compiled"
    NONE = "none"


_Struct = msgspec.Struct
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Service(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What is shipped."""

    name: Name
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    command: tuple[Text, ...] = ()
    health: Annotated[str, msgspec.Meta(pattern=r"^/[!-~]*$")] = "/"
    load: tuple[Annotated[str, msgspec.Meta(pattern=r"^/[!-~]*$")], ...] = ()
    env: dict[str, str] = {}
    start_timeout: str = "30 s"

    @property
    def load_paths(self) -> tuple[str, ...]:
        return self.load or (self.health,)

    @property
    def start_timeout_seconds(self) -> float:
        return parse_seconds(self.start_timeout)


class PythonApp(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A Python application: `python` is its folder, relative to the strategy file."""

    python: Text
    requirements: Text | None = None
    """The dependency file that counts, relative to the folder; None: the first found."""


class GoApp(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A Go application: `go` is its module's folder, relative to the strategy file."""

    go: Text
    package: Text | None = None
    """The main package, such as `./cmd/server`; None: the only one there is."""


class DebianBase(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A root filesystem assembled from Debian packages. `debian` is the suite."""

    debian: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,40}$")]
    packages: tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{1,}$")], ...]
    exclude: tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{1,}$")], ...] = ()
    mirror: Text | None = None
    security_mirror: Text | None = None


class ArchiveBase(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """An OCI layout folder, an OCI or docker archive, or a root filesystem tarball, relative to the strategy file."""

    archive: Text


class ScratchBase(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing but what the assembler itself adds. Written `base = "scratch"`."""


class PublishedBase(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image in a registry, by the reference that was written."""

    reference: Text


App = PythonApp | GoApp
Base = DebianBase | ArchiveBase | ScratchBase | PublishedBase


class Candidate(_Struct, frozen=True, kw_only=True):
    """One option: an implementation of the service, the toolchain that builds it, the runtime base."""

    name: str
    app: App
    base: Base
    toolchain: str | None = None
    runtime_packages: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    bytecode: Bytecode | None = None


class ValueFunction(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reference points that override a driver's own: the measure worth 1 and the one worth 0."""

    one: float
    zero: float
    scale: str = "linear"


class DriverSettings(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a strategy changes of one driver."""

    weight: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 1.0
    require: Text | None = None
    value: ValueFunction | None = None
    measure: Text | None = None
    """Another measure than the headline, by its name in `also`."""


class Requirement(_Struct, frozen=True, kw_only=True):
    """A hard limit on a driver's measure, in the driver's own unit."""

    driver: DriverName
    text: str
    operator: str
    limit: str
    """The number with its unit, as written after the operator."""


class DecisionSettings(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The record that this decision answers."""

    supersedes: Text | None = None
    previous_date: datetime.date | None = None
    directory: Text | None = None
    title: Text | None = None


class Target(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Where it will run. No platform named: linux on the host's architecture."""

    platforms: tuple[Platform, ...] = ()
    region: Text = "us-east-1"


class Bench(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How it is measured. `duration` is the seconds of each load phase of each round."""

    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    rate: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 100.0
    duration: str = "1 s"
    rounds: Annotated[int, msgspec.Meta(ge=1, le=100)] = 6
    memory: str = "2 GiB"
    processes: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 512

    @property
    def duration_seconds(self) -> float:
        return parse_seconds(self.duration)

    @property
    def memory_bytes(self) -> int:
        return parse_bytes(self.memory)


class Strategy(_Struct, frozen=True, kw_only=True):
    """A whole strategy. `directory` is the folder that holds the file: paths in it are relative to that."""

    directory: Path
    file_name: str
    service: Service
    candidates: tuple[Candidate, ...]
    drivers: dict[DriverName, DriverSettings]
    requirements: tuple[Requirement, ...]
    decision: DecisionSettings
    target: Target
    bench: Bench
    bytecode: Bytecode = Bytecode.COMPILED

    @property
    def path(self) -> Path:
        return self.directory / self.file_name

    def weight(self, driver: DriverName) -> float:
        settings = self.drivers.get(driver)
        return 1.0 if settings is None else settings.weight


class _RawCandidate(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    name: Name
    app: dict[str, str]
    base: str | dict[str, str | tuple[str, ...]]
    toolchain: Text | None = None
    runtime_packages: tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+._-]*$")], ...] = ()
    command: tuple[Text, ...] = ()
    arguments: tuple[str, ...] = ()
    bytecode: Bytecode | None = None


class _RawStrategy(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    service: Service
    candidate: Annotated[tuple[_RawCandidate, ...], msgspec.Meta(min_length=1)]
    drivers: dict[str, DriverSettings] = {}
    decision: DecisionSettings = DecisionSettings()
    target: Target = Target()
    bench: Bench = Bench()
    bytecode: Bytecode = Bytecode.COMPILED


def read_strategy(path: Path) -> Strategy:
    """Reads a strategy file, or the `basewright.toml` of a folder. Raises InputError."""
    file = path / "basewright.toml" if path.is_dir() else path
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{file} does not exist", hint="write one: see the README's section on the strategy") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MAX_STRATEGY_BYTES:
        raise InputError(f"{file} is larger than {MAX_STRATEGY_BYTES:,} bytes")
    return parse_strategy(data, file.resolve())


def parse_strategy(data: bytes, path: Path) -> Strategy:
    """Decodes a strategy whose file is `path`. Raises InputError at the first fault."""
    name = path.name
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML: {error}") from None
    try:
        raw = msgspec.convert(document, _RawStrategy)
    except msgspec.ValidationError as error:
        raise _fault(name, document, str(error)) from None
    _check_service(name, raw)
    candidates = tuple(_candidate(name, index, each) for index, each in enumerate(raw.candidate))
    _check_names(name, candidates)
    drivers = _drivers(name, raw.drivers)
    return Strategy(
        directory=path.parent,
        file_name=name,
        service=raw.service,
        candidates=candidates,
        drivers=drivers,
        requirements=tuple(
            _requirement(name, driver, settings.require)
            for driver, settings in drivers.items()
            if settings.require is not None
        ),
        decision=raw.decision,
        target=raw.target,
        bench=raw.bench,
        bytecode=raw.bytecode,
    )


_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")


def _fault(name: str, document: dict[str, object], text: str) -> InputError:
    """msgspec's message with our key path: `$.candidate[2].base` → `candidate[2].base (candidate "python-slim")`."""
    match = _PATH.search(text)
    where = match["path"].removeprefix("$").lstrip(".") if match else ""
    what = text[: match.start()] if match else text
    return InputError(f"{name}: {_named(document, where)}{_plain(what)}")


def _named(document: dict[str, object], where: str) -> str:
    if not where:
        return ""
    index = re.match(r"candidate\[(\d+)\]", where)
    if index is None:
        return f"{where}: "
    candidates = document.get("candidate")
    table = candidates[int(index[1])] if isinstance(candidates, list) and int(index[1]) < len(candidates) else None
    label = table.get("name") if isinstance(table, dict) else None
    return f'{where} (candidate "{label}"): ' if isinstance(label, str) else f"{where}: "


def _plain(what: str) -> str:
    """msgspec's wording in TOML's words."""
    for old, new in (
        ("Object contains unknown field", "there is no key"),
        ("Object missing required field", "the required key is missing:"),
        ("`object`", "a table"),
        ("`array`", "a list"),
        ("`str`", "text"),
        ("`int`", "a whole number"),
        ("`float`", "a number"),
        ("`bool`", "true or false"),
        ("Expected", "expected"),
    ):
        what = what.replace(old, new)
    return what[:1].lower() + what[1:] if what[:1].isupper() else what


def _check_service(name: str, raw: _RawStrategy) -> None:
    checks = (
        ("service.start-timeout", raw.service.start_timeout, parse_seconds),
        ("bench.duration", raw.bench.duration, parse_seconds),
        ("bench.memory", raw.bench.memory, parse_bytes),
    )
    for where, text, parse in checks:
        try:
            parse(text)
        except ValueError as error:
            raise InputError(f"{name}: {where}: {error}") from None
    for key in raw.service.env:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise InputError(f"{name}: service.env: {key!r} is not the name of a variable")


def _candidate(name: str, index: int, raw: _RawCandidate) -> Candidate:
    where = f'{name}: candidate[{index}].{{}} (candidate "{raw.name}")'
    app = _app(where.format("app"), raw.app)
    base = _base(where.format("base"), raw.base)
    if isinstance(app, GoApp) and raw.command:
        raise InputError(
            f"{where.format('command')}: is for Python apps; a Go candidate runs its binary", hint="use `arguments`"
        )
    if isinstance(app, PythonApp) and raw.arguments:
        raise InputError(f"{where.format('arguments')}: is for Go apps", hint="use `command`")
    if isinstance(app, PythonApp) and raw.toolchain is not None:
        raise InputError(f"{where.format('toolchain')}: is for Go apps; a Python app runs on its base's interpreter")
    return Candidate(
        name=raw.name,
        app=app,
        base=base,
        toolchain=raw.toolchain,
        runtime_packages=raw.runtime_packages,
        command=raw.command,
        arguments=raw.arguments,
        bytecode=raw.bytecode,
    )


def _app(where: str, table: dict[str, str]) -> App:
    kinds = [kind for kind in ("python", "go") if kind in table]
    if len(kinds) != 1:
        raise InputError(f'{where}: expected one of {{ python = "folder" }} and {{ go = "folder" }}')
    kind: type[App] = PythonApp if kinds == ["python"] else GoApp
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {_plain(_PATH.sub('', str(error)))}") from None


def _base(where: str, raw: str | dict[str, str | tuple[str, ...]]) -> Base:
    if isinstance(raw, str):
        if not raw.strip():
            raise InputError(f"{where}: expected the reference of an image, `scratch`, or a table")
        return ScratchBase() if raw == "scratch" else PublishedBase(reference=raw)
    kinds = [kind for kind in ("debian", "archive") if kind in raw]
    if len(kinds) != 1:
        raise InputError(
            f"{where}: expected the reference of an image, `scratch`, "
            '{ debian = "suite", packages = [...] } or { archive = "path" }'
        )
    kind: type[Base] = DebianBase if kinds == ["debian"] else ArchiveBase
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        match = _PATH.search(str(error))
        key = match["path"].removeprefix("$") if match else ""
        head, _, tail = where.partition(" (")
        raise InputError(f"{head}{key} ({tail}: {_plain(_PATH.sub('', str(error)))}") from None


def _check_names(name: str, candidates: tuple[Candidate, ...]) -> None:
    seen: dict[str, int] = {}
    for index, candidate in enumerate(candidates):
        if candidate.name in seen:
            raise InputError(
                f'{name}: candidate[{index}].name (candidate "{candidate.name}"): '
                f"is the name of candidate[{seen[candidate.name]}] too"
            )
        seen[candidate.name] = index


def _drivers(name: str, raw: dict[str, DriverSettings]) -> dict[DriverName, DriverSettings]:
    drivers: dict[DriverName, DriverSettings] = {}
    for key, settings in raw.items():
        if key not in set(DriverName):
            raise InputError(
                f"{name}: drivers.{key}: there is no such driver", hint="drivers: " + ", ".join(DriverName)
            )
        if settings.value is not None and settings.value.scale not in ("linear", "log", "log1p"):
            raise InputError(f"{name}: drivers.{key}.value.scale: expected linear, log or log1p")
        drivers[DriverName(key)] = settings
    if all(drivers.get(driver, DriverSettings()).weight == 0 for driver in DriverName):
        raise InputError(f"{name}: drivers: every driver has weight 0, so nothing could be ranked")
    return drivers


def _requirement(name: str, driver: DriverName, text: str) -> Requirement:
    match = re.fullmatch(r"\s*(<=|>=|<|>|==)\s*(\d[\d_]*(?:\.\d+)?\s*[^\s\d]*(?:\s*[^\s\d]*)?)\s*", text)
    if match is None:
        raise InputError(f"{name}: drivers.{driver}.require: expected an operator and a quantity such as `<= 150 MB`")
    return Requirement(driver=driver, text=" ".join(text.split()), operator=match[1], limit=match[2].strip())
