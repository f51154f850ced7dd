"""The stages of a Python candidate: wheels with hashes into a virtual environment, copied to a clean runtime stage."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from basewright.apps.go_module import find_repository
from basewright.build import dockerfile_text as text
from basewright.build.dockerfile_stage import StageImage, prepared, stage_image
from basewright.errors import InputError
from basewright.lock import LockedPython
from basewright.strategy import Bytecode, Candidate, PublishedBase, PythonApp, ScratchBase, Strategy

MAX_REQUIREMENTS_BYTES = 8 << 20
VENV = "/opt/venv"
_APP = "/app"
_REQUIREMENTS = "/build/requirements.txt"
_PIP = f"pip --python {VENV}/bin/python install --no-compile"
_FILES = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")
"""Dependency files in the order in which one counts."""


def python_stages(
    strategy: Strategy,
    candidate: Candidate,
    locked: LockedPython | None,
    *,
    digests: Mapping[str, str],
    bytecode: Bytecode,
) -> list[str]:
    """Everything from the first FROM to the environment; what runs it is the caller's."""
    if isinstance(candidate.base, ScratchBase):
        raise InputError(
            f'candidate "{candidate.name}" has an empty base, and a Python app needs an interpreter',
            hint='base = "python:3.13-slim", or { debian = "trixie", packages = ["python3-minimal"] }',
        )
    assert isinstance(candidate.base, PublishedBase) and isinstance(candidate.app, PythonApp)
    image = stage_image(candidate.base.reference, digests)
    _check_interpreter(image, candidate)
    folder, context = _folders(strategy, candidate.app)
    built = _has_build_system(folder)
    lines = [
        *image.from_line(name="build"),
        f"WORKDIR {_APP}",
        *_dependencies(candidate.app, folder, context, locked, bytecode),
        *_application(folder, context, built=built, bytecode=bytecode),
        "",
        *image.from_line(),
        *prepared(image, candidate.runtime_packages, where=f'runtime-packages (candidate "{candidate.name}")'),
        text.copy([VENV], VENV, stage="build"),
        text.copy([_APP], _APP, stage="build"),
    ]
    path = f"{_APP}:{_APP}/src" if (folder / "src").is_dir() and not built else _APP
    settings = {
        "PATH": f"{VENV}/bin:$PATH",
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return [*lines, text.env(settings, extending=("PATH",))]


def context_of(strategy: Strategy, app: PythonApp) -> Path:
    """The folder that `docker build` is given."""
    return _folders(strategy, app)[1]


def _folders(strategy: Strategy, app: PythonApp) -> tuple[Path, Path]:
    directory = strategy.directory.resolve()
    folder = (directory / app.python).resolve()
    repository = find_repository(directory)
    if not folder.is_dir() or not folder.is_relative_to(repository):
        raise InputError(f"app.python {app.python!r} is no folder of the repository")
    return folder, directory if folder.is_relative_to(directory) else repository


def _check_interpreter(image: StageImage, candidate: Candidate) -> None:
    name = image.reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    if "python" not in name and "pypy" not in name:
        raise InputError(
            f'candidate "{candidate.name}": {image.reference.partition("@")[0]} is no image of Python, '
            "so nothing in it can install wheels",
            hint=f"basewright build {candidate.name}",
        )


def _dependencies(
    app: PythonApp, folder: Path, context: Path, locked: LockedPython | None, bytecode: Bytecode
) -> list[str]:
    """The virtual environment. It has no pip of its own: the base's installs into it."""
    commands = [f"python -m venv --without-pip {VENV}"]
    source = _dependency_file(app, folder)
    hashed = source is not None and _is_hashed(source)
    lines: list[str] = []
    if hashed and source is not None:
        lines.append(text.copy([source.relative_to(context).as_posix()], _REQUIREMENTS))
    elif locked is not None and locked.requirements:
        lines.append(" \\\n    ".join(words))
    return lines


def _has_build_system(folder: Path) -> bool:
    return "build-system" in _pyproject(folder)


def _project(folder: Path) -> dict[str, object]:
    project = _pyproject(folder).get("project")
    return project if isinstance(project, dict) else {}


def _pyproject(folder: Path) -> dict[str, object]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"pyproject.toml cannot be read: {error}") from None
