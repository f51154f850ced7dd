"""uv.lock, read through uv's own export.

https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
"""

import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from basewright.apps.python_dependency_file import DependencyFile, read_project, table_of
from basewright.apps.python_requirements import decode, read_project_file
from basewright.apps.python_uv import Uv
from basewright.ecosystems.dist_info import normal_name
from basewright.ecosystems.pypi import Pylock, PylockPackage, absolute_pylock, parse_pylock
from basewright.errors import InputError


def export_uv_lock(found: DependencyFile, uv: Uv) -> Pylock:
    """uv.lock as pylock.toml. uv refuses where no Python of this machine suits the project, which decides nothing
    here: it works on a copy of the lock and its project files that ask for none."""
    root = found.path.parent
    if not found.folder.is_relative_to(root):
        raise InputError(f"{found.name} lies beside the app, not above it")
    _check_fresh(found)
    with tempfile.TemporaryDirectory(prefix="basewright-") as scratch:
        copy = Path(scratch).resolve()
        (copy / "uv.lock").write_bytes(read_project_file(found.path, found.name))
        for folder in _members(found, root):
            text = decode(read_project_file(root / folder / "pyproject.toml", "pyproject.toml"), "pyproject.toml")
            (copy / folder).mkdir(parents=True, exist_ok=True)
            loose = re.sub(r"(?m)^(\s*requires-python\s*=\s*).*$", r'\1">=3.8"', text)
            (copy / folder / "pyproject.toml").write_text(loose, "utf-8")
        where = copy / found.folder.relative_to(root)
        done = uv.run(
            ["export", "--frozen", "--no-default-groups", "--format", "pylock.toml", "--quiet", "--no-header"],
            cwd=where,
        )
        if done.returncode != 0:
            raise uv.failure(done, found.name)
        lock = absolute_pylock(parse_pylock(done.stdout, found.name), where)
        return msgspec.structs.replace(lock, packages=tuple(_moved(each, copy, root) for each in lock.packages))


def _moved(package: PylockPackage, copy: Path, root: Path) -> PylockPackage:
    where = package.directory
    if where is None or not Path(where.path).is_relative_to(copy):
        return package
    path = str(root / Path(where.path).relative_to(copy))
    return msgspec.structs.replace(package, directory=msgspec.structs.replace(where, path=path))


class _UvSource(msgspec.Struct, frozen=True):
    editable: str | None = None
    virtual: str | None = None
    directory: str | None = None


class _UvRequirement(msgspec.Struct, frozen=True):
    name: str


class _UvMetadata(msgspec.Struct, frozen=True, rename="kebab"):
    requires_dist: tuple[_UvRequirement, ...] = ()


class _UvPackage(msgspec.Struct, frozen=True):
    name: str
    source: _UvSource = _UvSource()
    metadata: _UvMetadata = _UvMetadata()


class _UvLock(msgspec.Struct, frozen=True):
    package: tuple[_UvPackage, ...] = ()


def _uv_lock(found: DependencyFile) -> _UvLock:
    try:
        return msgspec.convert(tomllib.loads(decode(read_project_file(found.path, found.name), found.name)), _UvLock)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"{found.name} is not a uv.lock: {error}") from None


def _members(found: DependencyFile, root: Path) -> Iterator[str]:
    """Folders, relative to the lock, whose project files uv reads."""
    folders = {"."}
    for package in _uv_lock(found).package:
        folder = package.source.editable or package.source.virtual or package.source.directory
        if folder is not None and (root / folder).resolve().is_relative_to(root):
            folders.add(folder)
    yield from sorted(each for each in folders if (root / each / "pyproject.toml").is_file())


def _check_fresh(found: DependencyFile) -> None:
    """A uv.lock that lacks what pyproject.toml names was not brought up to date."""
    project = table_of(read_project(found.folder / "pyproject.toml"), "project")
    name, wanted = project.get("name"), project.get("dependencies")
    if not isinstance(name, str) or not isinstance(wanted, list):
        return
    own = next((each for each in _uv_lock(found).package if normal_name(each.name) == normal_name(name)), None)
    if own is None:
        return
    known = {normal_name(each.name) for each in own.metadata.requires_dist}
    for each in wanted:
        try:
            missing = normal_name(Requirement(str(each)).name)
        except InvalidRequirement:
            continue
        if missing not in known:
            raise InputError(
                f"{found.name} is older than pyproject.toml: it does not know the requirement {missing}",
                hint="uv lock",
            )
