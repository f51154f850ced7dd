"""The stages of a Python candidate: wheels with hashes into a virtual environment, copied to a clean runtime stage."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from basewright.apps.python import python_env
from basewright.apps.python_dependency_file import DependencyFile, find_dependency_file, read_project, table_of
from basewright.apps.python_project import has_build_system
from basewright.apps.python_requirements import decode, logical_lines
from basewright.apps.sources import app_folder, repository_of
from basewright.build import dockerfile_text as text
from basewright.build.dockerfile_stage import StageImage, prepared, stage_image
from basewright.errors import InputError
from basewright.lock import LockedPython
from basewright.strategy import Bytecode, Candidate, PublishedBase, PythonApp, ScratchBase, Strategy

VENV = "/opt/venv"
_APP = "/app"
_CACHE = "/root/.cache/pip"
_REQUIREMENTS = "/build/requirements.txt"
_PIP = f"pip --python {VENV}/bin/python install --no-compile"


class PythonStages:
    """A Python candidate's stages. `context` is the folder that `docker build` is given: the strategy's, or the
    repository where what is copied lies beside it."""

    def __init__(
        self,
        strategy: Strategy,
        candidate: Candidate,
        locked: LockedPython | None,
        *,
        digests: Mapping[str, str],
        bytecode: Bytecode,
    ) -> None:
        app, base = candidate.app, candidate.base
        assert isinstance(app, PythonApp)
        if isinstance(base, ScratchBase):
            raise InputError(
                f'candidate "{candidate.name}" has an empty base, and a Python app needs an interpreter',
                hint='base = "python:3.13-slim", or { debian = "trixie", packages = ["python3-minimal"] }',
            )
        assert isinstance(base, PublishedBase)
        self._app = app
        self._candidate = candidate
        self._directory = strategy.directory
        self._image = stage_image(base.reference, digests)
        self._bytecode = bytecode
        self._locked = locked
        self._folder = app_folder(strategy.directory, app.python)
        self._source = find_dependency_file(strategy.directory, app)
        self._projects = (
            tuple((strategy.directory / each).resolve() for each in locked.local_projects) if locked else ()
        )
        _check_interpreter(self._image, candidate)
        copied = [self._folder, *self._projects, *([self._source.path] if self._source else [])]
        directory = strategy.directory.resolve()
        inside = all(each.is_relative_to(directory) for each in copied)
        self.context = directory if inside else repository_of(directory)

    def lines(self) -> list[str]:
        """Everything from the first FROM to the environment; what runs it is the caller's."""
        image, name = self._image, self._candidate.name
        settings = python_env(self._directory, self._app)
        settings["PATH"] = f"{VENV}/bin:$PATH"
        return [
            *image.from_line(name="build"),
            f"WORKDIR {_APP}",
            *self._dependencies(),
            *self._application(),
            "",
            *image.from_line(),
            *prepared(image, self._candidate.runtime_packages, where=f'runtime-packages (candidate "{name}")'),
            text.copy([VENV], VENV, stage="build"),
            text.copy([_APP], _APP, stage="build"),
            text.env(settings, extending=("PATH",)),
        ]

    def _dependencies(self) -> list[str]:
        """The virtual environment. It has no pip of its own: the base's installs into it."""
        commands = [f"python -m venv --without-pip {VENV}"]
        lines = self._requirements()
        mounts = []
        if lines:
            commands.append(f"{_PIP} \\\n    --require-hashes --only-binary :all: -r {_REQUIREMENTS}")
            commands += self._compile(f"{VENV}/lib")
            lines = [
                "# Dependencies first: this layer holds until they change. Wheels only, each with its hash.",
                *lines,
            ]
            mounts = [_CACHE]
        return [*lines, text.run(*commands, mounts=mounts)]

    def _requirements(self) -> list[str]:
        """The author's own file where it is whole, else one written from the lock; nothing where nothing is needed."""
        source, locked = self._source, self._locked
        if source is not None and _is_hashed(source):
            return [text.copy([self._inner(source.path)], _REQUIREMENTS)]
        if locked is not None:
            lines = _requirement_lines(locked)
            return [f"COPY <<'EOF' {_REQUIREMENTS}", *lines, "EOF", ""] if lines else []
        if source is not None and _names_dependencies(source):
            raise InputError(
                f"{source.name} has no hashes, and no lock says which were seen",
                hint="`uv pip compile --generate-hashes`, or let `basewright evaluate` write the lock first",
            )
        return []

    def _application(self) -> list[str]:
        inner = self._inner(self._folder)
        lines = [text.copy(["." if inner == "." else f"{inner}/"], "./")]
        built = []
        for number, project in enumerate(self._projects):
            built.append(f"/build/{number}/")
            lines.append(text.copy([f"{self._inner(project)}/"], built[-1]))
        if has_build_system(self._folder):
            built.append("./")
        commands = [f"{_PIP} --no-deps {' '.join(built)}"] if built else []
        commands += self._compile(f"{VENV}/lib {_APP}" if built else _APP)
        if commands:
            lines.append(text.run(*commands, mounts=[_CACHE] if built else []))
        return lines

    def _compile(self, folders: str) -> list[str]:
        """Files that are no Python of this version (templates, tests of syntax) make no difference to a service."""
        if self._bytecode is not Bytecode.COMPILED:
            return []
        return [f"{{ python -m compileall -q --invalidation-mode unchecked-hash {folders} || true; }}"]

    def _inner(self, path: Path) -> str:
        return path.relative_to(self.context).as_posix()


def entry_of(command: Sequence[str]) -> tuple[str, ...]:
    """The command, its program found as the assembler finds it: the environment's Python for the base's own, and what
    is named by a relative path in the application's folder."""
    program, *rest = command
    if re.fullmatch(r"/(?:usr/)?(?:local/)?bin/python[\d.]*", program):
        program = f"{VENV}/bin/python"
    elif "/" in program and not program.startswith("/"):
        program = f"{_APP}/{program.removeprefix('./')}"
    return (program, *rest)


def _check_interpreter(image: StageImage, candidate: Candidate) -> None:
    reference = image.reference.partition("@")[0]
    if "python" not in reference.rpartition("/")[2] and "pypy" not in reference.rpartition("/")[2]:
        raise InputError(
            f'candidate "{candidate.name}": {reference} is no image of Python, so nothing in it can install wheels',
            hint=f"basewright build {candidate.name}",
        )


def _is_hashed(source: DependencyFile) -> bool:
    """Whether it is a requirements file whose every line has a hash, and that includes no other."""
    if source.kind != "requirements.txt":
        return False
    lines = list(_lines(source))
    named = [line for line in lines if not line.startswith("-")]
    included = any(line.startswith(("-r", "-c", "-e", "--requirement", "--constraint", "--editable")) for line in lines)
    return bool(named) and not included and all("--hash=" in line for line in named)


def _names_dependencies(source: DependencyFile) -> bool:
    if source.kind == "requirements.txt":
        return any(not line.startswith("-") for line in _lines(source))
    project = table_of(read_project(source.folder / "pyproject.toml"), "project")
    dynamic = project.get("dynamic")
    return bool(project.get("dependencies")) or (isinstance(dynamic, list) and "dependencies" in dynamic)


def _lines(source: DependencyFile) -> Sequence[str]:
    name, data = source.files[0]
    return tuple(logical_lines(decode(data, name)))


def _requirement_lines(locked: LockedPython) -> list[str]:
    lines = []
    for requirement in locked.requirements:
        marker = f" ; {requirement.marker}" if requirement.marker else ""
        hashes = sorted({file.sha256 for file in requirement.files})
        words = [f"{requirement.name}=={requirement.version}{marker}", *(f"--hash=sha256:{each}" for each in hashes)]
        if any(not word.isprintable() for word in words):
            raise InputError(f"the lock's requirement {requirement.name!r} is damaged", hint="--update-lock")
        lines.append(" \\\n    ".join(words))
    return lines
