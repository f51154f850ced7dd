"""What was asked: service, candidates, drivers, weights, requirements. `strategy_file.py` reads it from its file."""

import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from basewright.quantity import parse_bytes, parse_seconds


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

# A pattern's description is what an error says was expected.
Text = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[^\x00-\x1f\x7f]{1,4096}\Z", description="text that is not empty and has no control characters"
    ),
]
Word = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]{0,131072}\Z", description="text without a NUL")]
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[a-z0-9][a-z0-9._-]{0,62}\Z",
        description="a name of lower-case letters, digits, `.`, `_` and `-`, at most 63, the first a letter or digit",
    ),
]
UrlPath = Annotated[
    str,
    msgspec.Meta(pattern=r"\A/[!-~]{0,4095}\Z", description="a path that starts with `/`, without spaces"),
]
PackageName = Annotated[
    str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9+._-]{0,255}\Z", description="the name of a package")
]
Suite = Annotated[
    str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9-]{1,40}\Z", description="the name of a suite such as `trixie`")
]


class Service(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What is shipped."""

    name: Name
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    command: tuple[Word, ...] = ()
    health: UrlPath = "/"
    load: tuple[UrlPath, ...] = ()
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

    debian: Suite
    packages: tuple[PackageName, ...]
    exclude: tuple[PackageName, ...] = ()
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
    duration: str = "0.4 s"
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
