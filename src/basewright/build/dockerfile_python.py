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
        lines += [f"COPY <<'EOF' {_REQUIREMENTS}", *_requirement_lines(locked), "EOF", ""]
        hashed = True
    elif source is not None and locked is None and _names_dependencies(source):
        raise InputError(
            f"{source.name} has no hashes, and no lock says which were seen",
            hint="`uv pip compile --generate-hashes`, or let `basewright evaluate` write the lock first",
        )
    if hashed:
        commands.append(f"{_PIP} \\\n    --require-hashes --only-binary :all: -r {_REQUIREMENTS}")
        if bytecode is Bytecode.COMPILED:
            commands.append(_compile(f"{VENV}/lib"))
    comment = "# Dependencies first: this layer holds until they change. Wheels only, each with its hash."
    return [comment, *lines, text.run(*commands, mounts=["/root/.cache/pip"] if hashed else [])]


def _compile(folder: str) -> str:
    """Files that are no Python of this version (templates, tests of syntax) make no difference to a service."""
    return f"{{ python -m compileall -q --invalidation-mode unchecked-hash {folder} || true; }}"


def _application(folder: Path, context: Path, *, built: bool, bytecode: Bytecode) -> list[str]:
    inner = folder.relative_to(context).as_posix()
    lines = [text.copy(["." if inner == "." else f"{inner}/"], "./")]
    commands = [f"{_PIP} --no-deps ./"] if built else []
    if bytecode is Bytecode.COMPILED:
        commands.append(_compile(f"{VENV}/lib {_APP}" if built else _APP))
    if commands:
        lines.append(text.run(*commands, mounts=["/root/.cache/pip"] if built else []))
    return lines


def _dependency_file(app: PythonApp, folder: Path) -> Path | None:
    if app.requirements is not None:
        named = (folder / app.requirements).resolve()
        if not named.is_file() or not named.is_relative_to(folder):
            raise InputError(f"app.requirements {app.requirements!r} is no file of the app's folder")
        return named
    return next((folder / name for name in _FILES if (folder / name).is_file()), None)


def _is_hashed(path: Path) -> bool:
    """Whether it is a requirements file whose every line has a hash, and that includes no other."""
    if path.suffix not in (".txt", ".in"):
        return False
    lines = _logical_lines(path)
    named = [line for line in lines if not line.startswith("-")]
    includes = any(re.match(r"-[rce]\b|--(requirement|constraint|editable)\b", line) for line in lines)
    return bool(named) and not includes and all("--hash=" in line for line in named)


def _names_dependencies(path: Path) -> bool:
    if path.name == "pyproject.toml":
        project = _project(path.parent)
        dynamic = project.get("dynamic")
        return bool(project.get("dependencies")) or (isinstance(dynamic, list) and "dependencies" in dynamic)
    return path.suffix not in (".txt", ".in") or bool(_logical_lines(path))


def _logical_lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        content = file.read(MAX_REQUIREMENTS_BYTES).decode("utf-8", "replace")
    joined = re.sub(r"\\\r?\n", " ", content)
    stripped = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in stripped if line]


def _requirement_lines(locked: LockedPython) -> list[str]:
    lines = []
    for requirement in locked.requirements:
        marker = f" ; {requirement.marker}" if requirement.marker else ""
        hashes = sorted({file.sha256 for file in requirement.files})
        words = [f"{requirement.name}=={requirement.version}{marker}", *(f"--hash=sha256:{each}" for each in hashes)]
        if any("\n" in word or "\r" in word or word.strip() == "EOF" for word in words):
            raise InputError(f"the lock's requirement {requirement.name!r} is damaged", hint="--update-lock")
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
