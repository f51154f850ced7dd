"""The file that says what a Python app needs: which one counts, what it includes, what it is."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from basewright.apps.python_requirements import decode, read_project_file, read_requirement_files
from basewright.apps.sources import app_folder, repository_of
from basewright.errors import InputError
from basewright.strategy import PythonApp

DEPENDENCY_FILES = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")
"""In the order in which one counts."""


class DependencyFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file that says what an app needs. `name` is relative to its folder; `files` are it and all that it includes,
    with the app's pyproject.toml."""

    folder: Path
    path: Path
    name: str
    kind: str
    """`uv.lock`, `pylock.toml`, `requirements.txt` or `pyproject.toml`, whatever its name is."""
    files: tuple[tuple[str, bytes], ...] = ()
    hashes: dict[str, frozenset[str]] = {}
    urls: tuple[str, ...] = ()
    requires_python: str = ""
    """The project's own, where there is a pyproject.toml."""

    def sha256(self, projects: Sequence[Path] = ()) -> str:
        """Of everything that the answer depends on; `projects` are folders that are requirements too."""
        digest = hashlib.sha256()
        own = ((each.name, each / "pyproject.toml") for each in projects)
        others = tuple((name, read_project_file(path, path.name)) for name, path in own if path.is_file())
        for name, data in (*self.files, *others):
            digest.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
            digest.update(data)
        return digest.hexdigest()


def find_dependency_file(strategy_directory: Path, app: PythonApp) -> DependencyFile | None:
    """The one named, else the first of DEPENDENCY_FILES; None for an app without any. Raises InputError."""
    folder = app_folder(strategy_directory, app.python)
    repository = repository_of(strategy_directory)
    names = DEPENDENCY_FILES if app.requirements is None else (app.requirements,)
    name = next(
        (each for each in names if (folder / each).is_file() and (app.requirements or _counts(folder / each))), None
    )
    if name is None:
        if app.requirements is not None:
            raise InputError(f"{app.python}/{app.requirements} does not exist")
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(repository):
        raise InputError(f"the dependency file {name} lies outside of the strategy's repository")
    kind = _kind(path)
    files: tuple[tuple[str, bytes], ...] = ((path.name, read_project_file(path, name)),)
    hashes: dict[str, frozenset[str]] = {}
    urls: tuple[str, ...] = ()
    if kind == "requirements.txt":
        read = read_requirement_files(path, repository=repository)
        files, hashes, urls = read.files, read.hashes, read.urls
    project = folder / "pyproject.toml"
    if project.is_file() and project != path:
        files = (*files, ("pyproject.toml", read_project_file(project, "pyproject.toml")))
    return DependencyFile(
        folder=folder,
        path=path,
        name=name,
        kind=kind,
        files=files,
        hashes=hashes,
        urls=urls,
        requires_python=_requires_python(project),
    )


def _counts(path: Path) -> bool:
    """A pyproject.toml that describes no project only holds the settings of tools."""
    return path.name != "pyproject.toml" or not {"project", "build-system"}.isdisjoint(read_project(path))


def _kind(path: Path) -> str:
    if path.name in ("uv.lock", "pyproject.toml"):
        return path.name
    if re.fullmatch(r"pylock(\..+)?\.toml", path.name):
        return "pylock.toml"
    if path.suffix in (".txt", ".in"):
        return "requirements.txt"
    raise InputError(
        f"{path.name} is no dependency file that basewright reads", hint="it reads " + ", ".join(DEPENDENCY_FILES)
    )


def read_project(path: Path) -> dict[str, object]:
    """A pyproject.toml's tables; empty where there is none. Raises InputError."""
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(decode(read_project_file(path, path.name), path.name))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not TOML: {error}") from None


def table_of(document: Mapping[str, object], name: str) -> dict[str, object]:
    """A table of a TOML document; empty where it is none."""
    table = document.get(name)
    return table if isinstance(table, dict) else {}


def _requires_python(project: Path) -> str:
    text = table_of(read_project(project), "project").get("requires-python")
    return text if isinstance(text, str) else ""
