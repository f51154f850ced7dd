"""A project with a build system, as the wheel that uv builds from a copy of it.

https://packaging.python.org/en/latest/specifications/pyproject-toml/#declaring-build-system-dependencies
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

from basewright._process import Completed, Process
from basewright.apps.python_dependency_file import read_project, table_of
from basewright.apps.python_install import Environment, install_wheel
from basewright.apps.python_requirements import read_project_file
from basewright.apps.python_uv import Uv
from basewright.apps.sources import read_app_folder
from basewright.errors import BasewrightError, BuildFailedError, InputError, OutOfReachError
from basewright.lock import LockedRequirement
from basewright.oci.tree import FileType, Tree, file

_VERSION_FROM_GIT = re.compile(
    r"setuptools[-_]scm|hatch-vcs|versioningit|versioneer|pdm-backend|dunamai|dynamic-versioning"
)
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Invalid\w*|NotFound): ")
_METADATA = ("README*", "LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "AUTHORS*")
_PRETENDED = "0.0.0"
# Where no history is at hand, these name a version to the plug-ins that would ask git for one.
_VERSION_VARIABLES = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "UV_DYNAMIC_VERSIONING_BYPASS")
_EPOCH = "315532800"  # 1980-01-01, the first that a zip archive can tell


def has_build_system(folder: Path) -> bool:
    """Whether the folder is a project that is built: it says so and does not take it back, or is only a setup.py."""
    path = folder / "pyproject.toml"
    if not path.is_file():
        return (folder / "setup.py").is_file()
    project = read_project(path)
    tool = table_of(project, "tool")
    virtual = table_of(tool, "uv").get("package") is False or table_of(tool, "poetry").get("package-mode") is False
    return bool(table_of(project, "build-system")) and not virtual


def is_src_layout(folder: Path) -> bool:
    """Whether the app's modules lie in `src` and nothing would build them."""
    source = folder / "src"
    return source.is_dir() and not (source / "__init__.py").exists() and not has_build_system(folder)


def build_wheel(
    folder: Path,
    *,
    strategy_directory: Path,
    pins: Sequence[LockedRequirement],
    into: Tree,
    environment: Environment,
    process: Process,
) -> tuple[str, ...]:
    """Builds the project in `folder` and installs it `into` a tree; returns notes for the reader.

    Raises BuildFailedError, with what the build printed, and where the wheel is for one platform only: native code
    would be this machine's, not the target's.
    """
    source = read_app_folder(folder, strategy_directory=strategy_directory, at="project")
    for path in _metadata_files(folder):
        if f"project/{path.name}" not in source:
            source.add(file(f"project/{path.name}", read_project_file(path, path.name)))
    uv = Uv(process, folder)
    with tempfile.TemporaryDirectory(prefix="basewright-") as scratch:
        copy, output = Path(scratch) / "project", Path(scratch) / "wheels"
        _write(source, Path(scratch))
        constraints = Path(scratch) / "build-requirements.txt"
        constraints.write_text("".join(_pin(each) for each in pins), "utf-8")
        extra, notes = _environment(folder, uv.environment)
        arguments = [
            "build", "--wheel", "--out-dir", str(output), "--no-create-gitignore",
            "--build-constraints", str(constraints), str(copy),
        ]  # fmt: skip
        # What the lock pins is mostly in uv's cache, and without this the index would be asked all the same.
        done = uv.run([*arguments, "--offline"], extra=extra)
        if done.returncode != 0 and isinstance(_failure(uv, done, folder.name, scratch), OutOfReachError):
            done = uv.run(arguments, extra=extra)
        if done.returncode != 0:
            raise _failure(uv, done, folder.name, scratch)
        wheels = sorted(output.glob("*.whl"))
        if len(wheels) != 1:
            raise BuildFailedError(f"the build of {folder.name} left {len(wheels)} wheels, not one")
        _check_pure(wheels[0].name, folder.name)
        install_wheel(wheels[0], wheels[0].name, into, environment)
    return notes


def _metadata_files(folder: Path) -> tuple[Path, ...]:
    """What a project's metadata is made from: needed to build, even where .dockerignore keeps it from the image."""
    readme = table_of(read_project(folder / "pyproject.toml"), "project").get("readme")
    names = [each for pattern in _METADATA for each in sorted(folder.glob(pattern))]
    if isinstance(readme, str) and "/" not in readme:
        names.append(folder / readme)
    return tuple(each for each in names if each.is_file() and not each.is_symlink())


def _failure(uv: Uv, done: Completed, name: str, scratch: str) -> BasewrightError:
    """uv's own reason where the build never began, else the exception that ended the build."""
    what = f"the project {name} cannot be built"
    failure = uv.failure(done, what)
    if not isinstance(failure, InputError):
        return failure
    printed = tuple(uv.credentials.redact(each).replace(f"{scratch}/", "") for each in done.last_lines(200))
    raised = [each for each in printed if _RAISED.match(each)]
    message = f"{what}: {raised[-1][:300]}" if raised else failure.message.replace(f"{scratch}/", "")
    return BuildFailedError(message, output=printed[-20:])


def _pin(requirement: LockedRequirement) -> str:
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    hashes = "".join(f" --hash=sha256:{file.sha256}" for file in requirement.files)
    return f"{requirement.name}=={requirement.version}{marker}{hashes}\n"


def _environment(folder: Path, own: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Variables under which a build does not depend on this machine, and what the reader should know of them."""
    extra = {"SOURCE_DATE_EPOCH": _EPOCH, "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    project = folder / "pyproject.toml"
    text = project.read_text("utf-8", "replace") if project.is_file() else ""
    dynamic = table_of(read_project(project), "project").get("dynamic")
    from_git = isinstance(dynamic, list) and "version" in dynamic and _VERSION_FROM_GIT.search(text)
    if not from_git or any(own.get(name) for name in _VERSION_VARIABLES):
        return extra, ()
    extra |= dict.fromkeys(_VERSION_VARIABLES, _PRETENDED)
    note = f"{folder.name} takes its version from git, whose history is no part of an image: built as {_PRETENDED}"
    return extra, (note,)


def _check_pure(name: str, project: str) -> None:
    try:
        tags = parse_wheel_filename(name)[3]
    except (InvalidWheelFilename, InvalidVersion):
        raise BuildFailedError(f"the build of {project} left a file that is no wheel: {name}") from None
    if not all(tag.platform == "any" and tag.abi == "none" for tag in tags):
        raise BuildFailedError(
            f"the project {project} builds native code ({name}), which would be for this machine, not for the target",
            hint="publish it as wheels for the target's platforms, and require it",
        )


def _write(tree: Tree, folder: Path) -> None:
    """The tree as files, with its modes and never the umask's."""
    for entry in tree:
        path = folder / entry.path
        if entry.type is FileType.DIRECTORY:
            path.mkdir(parents=True, exist_ok=True)
        elif entry.type is FileType.SYMLINK:
            path.symlink_to(entry.link)
        else:
            path.write_bytes(entry.data or b"")
        if entry.type is not FileType.SYMLINK:
            path.chmod(entry.mode | 0o700 if entry.is_directory else entry.mode)
