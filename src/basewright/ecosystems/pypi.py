"""Python packages as their specifications have them: wheel tags of a target, markers, names, pylock.toml.

https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/ and .../pylock-toml/
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from posixpath import basename
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from basewright.errors import InputError, OutOfReachError
from basewright.facts import RuntimeFacts
from basewright.strategy import Platform

MAX_PYLOCK_BYTES = 64 << 20

_MACHINES = {Platform.LINUX_AMD64: "x86_64", Platform.LINUX_ARM64: "aarch64"}
# PEP 600: the oldest glibc minor version that wheels of an architecture were ever built for, and its older spellings.
_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}
_LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_VERSION = re.compile(r"(\d+)\.(\d+)")


def machine(platform: Platform) -> str:
    """The kernel's name of a platform's architecture, such as `x86_64`."""
    return _MACHINES[platform]


def platform_tags(platform: Platform, libc: str, libc_version: str) -> tuple[str, ...]:
    """What a wheel's platform tag may be, the best first: manylinux from glibc's version down, musllinux from musl's,
    and the plain `linux` one. Raises OutOfReachError for a C library that has no tags."""
    match = _VERSION.match(libc_version)
    if match is None or libc not in ("glibc", "musl"):
        raise OutOfReachError(f"there are no wheels for the C library {libc} {libc_version}")
    architecture, major, minor = machine(platform), int(match[1]), int(match[2])
    tags: list[str] = []
    if libc == "musl":
        tags += [f"musllinux_{major}_{each}_{architecture}" for each in range(minor, -1, -1)]
    else:
        for each in range(minor, _OLDEST_GLIBC[architecture] - 1, -1):
            tags.append(f"manylinux_{major}_{each}_{architecture}")
            if each in _LEGACY_MANYLINUX:
                tags.append(f"{_LEGACY_MANYLINUX[each]}_{architecture}")
    return (*tags, f"linux_{architecture}")


def wheel_tags(platform: Platform, runtime: RuntimeFacts) -> tuple[Tag, ...]:
    """The tags of wheels that install on a base, the best first. Free-threaded builds are not assumed.

    Raises OutOfReachError where the base's Python or C library is not known.
    """
    if runtime.python_version is None:
        raise OutOfReachError("it is not known which Python the base has, so no wheel can be chosen")
    if runtime.libc is None or runtime.libc_version is None:
        raise OutOfReachError("it is not known which C library the base has, so no wheel can be chosen")
    python = python_minor(runtime.python_version)
    nodot = f"cp{python[0]}{python[1]}"
    platforms = platform_tags(platform, runtime.libc, runtime.libc_version)
    return (
        *cpython_tags(python, abis=[nodot], platforms=platforms),
        *compatible_tags(python, interpreter=nodot, platforms=platforms),
    )


def python_minor(version: str) -> tuple[int, int]:
    """`3.13.5` → (3, 13). Raises InputError."""
    match = _VERSION.match(version)
    if match is None:
        raise InputError(f"{version!r} is not a version of Python")
    return int(match[1]), int(match[2])


def best_wheel(file_names: Iterable[str], tags: Sequence[Tag]) -> str | None:
    """The file that suits the target best: by the rank of its tag, then by its build number; None where none fits."""
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    best: tuple[int, tuple[int, str], str] | None = None
    for name in file_names:
        try:
            _, _, build, its_tags = parse_wheel_filename(name)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        rank = min((ranks[tag] for tag in its_tags if tag in ranks), default=None)
        if rank is None:
            continue
        # A higher build number is the better one, so ranks are negated and the largest tuple wins.
        candidate = (-rank, build if build else (-1, ""), name)
        if best is None or candidate > best:
            best = candidate
    return None if best is None else best[2]


def is_wheel_of(file_name: str, name: str, version: str) -> bool:
    """Whether a wheel's name is that of a release of a project; a local version (`+cpu`) may be left out."""
    try:
        its_name, its_version, _, _ = parse_wheel_filename(file_name)
        wanted = Version(version)
    except (InvalidWheelFilename, InvalidVersion):
        return False
    return its_name == canonicalize_name(name) and wanted in (its_version, Version(its_version.public))


def marker_environment(platform: Platform, python_version: str) -> dict[str, str]:
    """Every variable of a marker for CPython on a target, nothing from this machine. `3.13` counts as `3.13.0`."""
    major, minor = python_minor(python_version)
    full = python_version if python_version.count(".") >= 2 else f"{major}.{minor}.0"
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": machine(platform),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "python_version": f"{major}.{minor}",
        "sys_platform": "linux",
        "extra": "",
    }


def marker_holds(marker: str, environment: dict[str, str]) -> bool:
    """Whether a marker (empty: always) holds in an environment of `marker_environment`. Raises InputError."""
    if not marker:
        return True
    try:
        return Marker(marker).evaluate(environment)
    except InvalidMarker:
        raise InputError(f"{marker[:200]!r} is not an environment marker") from None


def version_within(version: str, specifiers: str) -> bool:
    """Whether a Python version satisfies a `requires-python`; one that cannot be parsed excludes nothing."""
    try:
        return not specifiers or SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


class PylockFile(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel or source archive of a pylock.toml. `url` or `path` says where it lies."""

    hashes: dict[str, str]
    name: str | None = None
    url: str | None = None
    path: str | None = None
    size: int | None = None

    @property
    def file_name(self) -> str:
        """The name given, else the last part of where it lies."""
        if self.name:
            return self.name
        return basename(unquote(urlsplit(self.url).path)) if self.url else basename(self.path or "")


class PylockDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """A project in a folder."""

    path: str
    editable: bool = False
    subdirectory: str | None = None


class PylockElsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A version control source or an archive by URL."""

    type: str | None = None
    url: str | None = None
    path: str | None = None


class PylockPackage(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One package of a pylock.toml."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    version: str | None = None
    marker: str = ""
    requires_python: str = ""
    directory: PylockDirectory | None = None
    vcs: PylockElsewhere | None = None
    archive: PylockElsewhere | None = None
    sdist: PylockFile | None = None
    wheels: tuple[PylockFile, ...] = ()

    @property
    def files(self) -> tuple[PylockFile, ...]:
        return self.wheels if self.sdist is None else (*self.wheels, self.sdist)


class Pylock(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A lock file of https://packaging.python.org/en/latest/specifications/pylock-toml/, as far as it is used."""

    lock_version: str
    packages: tuple[PylockPackage, ...] = ()
    requires_python: str = ""
    default_groups: tuple[str, ...] = ()


def parse_pylock(data: bytes, source: str) -> Pylock:
    """Reads a pylock.toml that `source` names in errors. Raises InputError."""
    if len(data) > MAX_PYLOCK_BYTES:
        raise InputError(f"{source} is larger than {MAX_PYLOCK_BYTES:,} bytes")
    try:
        lock = msgspec.convert(tomllib.loads(data.decode("utf-8")), Pylock)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"{source} is not a pylock.toml: {error}") from None
    if not lock.lock_version.startswith("1."):
        raise InputError(f"{source} has lock-version {lock.lock_version}, basewright reads 1.x")
    return lock


def absolute_pylock(lock: Pylock, folder: Path) -> Pylock:
    """The same lock with its relative paths placed in `folder`."""

    def placed(file: PylockFile) -> PylockFile:
        return file if file.path is None else msgspec.structs.replace(file, path=str(folder / file.path))

    packages = []
    for package in lock.packages:
        where = package.directory
        packages.append(
            msgspec.structs.replace(
                package,
                wheels=tuple(placed(each) for each in package.wheels),
                sdist=None if package.sdist is None else placed(package.sdist),
                directory=None
                if where is None
                else msgspec.structs.replace(where, path=str((folder / where.path).resolve())),
            )
        )
    return msgspec.structs.replace(lock, packages=tuple(packages))
