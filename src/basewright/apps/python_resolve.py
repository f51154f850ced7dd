"""A Python app's requirements, resolved once for every platform and locked with the hashes of all their files."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from basewright._process import Process
from basewright.apps.python_dependency_file import DependencyFile, find_dependency_file, read_project, table_of
from basewright.apps.python_requirements import decode, read_project_file
from basewright.apps.python_uv import Uv, unbuilt, uv_version
from basewright.apps.python_uv_lock import export_uv_lock
from basewright.apps.sources import repository_of
from basewright.ecosystems.dist_info import normal_name
from basewright.ecosystems.pypi import (
    Pylock,
    PylockFile,
    PylockPackage,
    absolute_pylock,
    parse_pylock,
    python_minor,
    version_within,
)
from basewright.errors import InputError, OutOfReachError
from basewright.lock import LockedFile, LockedPython, LockedRequirement
from basewright.progress import Progress
from basewright.strategy import Platform, PythonApp

OLDEST_PYTHON = "3.11"
"""What is resolved for where neither a base nor the project says which Python."""
BUILD_PYTHON = "3.11"
"""The oldest Python that may build a project: that of basewright itself."""
_MAX_UNBUILT = 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GROUP = re.compile(r"(['\"])(?P<name>[^'\"]+)\1\s+in\s+(?P<set>dependency_groups|extras)")


def is_current(
    strategy_directory: Path, app: PythonApp, locked: LockedPython, *, targets: Sequence[tuple[Platform, str | None]]
) -> bool:
    """Whether a lock still answers the dependency file, for the Pythons of all targets (none: those that it was made
    for). Raises InputError."""
    found = find_dependency_file(strategy_directory, app)
    if found is None:
        return locked.source == "" and not locked.requirements
    local = [strategy_directory / each for each in locked.local_projects]
    if (locked.source, locked.source_sha256) != (found.name, found.sha256(local)):
        return False
    return (
        not targets
        or found.kind in ("uv.lock", "pylock.toml")
        or version_within(f"{_floor(found.requires_python, targets)}.99", locked.requires_python)
    )


def resolve_python(
    strategy_directory: Path,
    app: PythonApp,
    *,
    targets: Sequence[tuple[Platform, str | None]],
    process: Process,
    cache: Path,
    progress: Progress,
) -> LockedPython:
    """One universal set of requirements with the hashes of every file that an index has of them.

    `targets` are the platforms with the Pythons of the bases (None: not known). A requirement without any wheel is
    part of the answer. Raises InputError where the file must be mended, OutOfReachError where an index is.
    """
    found = find_dependency_file(strategy_directory, app)
    if found is None:
        return LockedPython(source="", source_sha256="", requires_python="", requirements=(), resolver=uv_version())
    progress(f"resolving {app.python}/{found.name}")
    lock = read_pylock(found, process=process, floor=_floor(found.requires_python, targets), pins=())
    repository = repository_of(strategy_directory)
    local = _local_projects(found, lock.packages, repository, strategy_directory.resolve())
    return LockedPython(
        source=found.name,
        source_sha256=found.sha256([strategy_directory / each for each in local]),
        requires_python=lock.requires_python,
        requirements=tuple(_locked(found, lock)),
        resolver=uv_version(),
        local_projects=local,
        build_requirements=_build_requirements(
            (found.folder, *(strategy_directory / each for each in local)), process=process
        ),
    )


def _floor(requires_python: str, targets: Sequence[tuple[Platform, str | None]]) -> str:
    """The oldest Python of the targets that the project allows, else the oldest that it allows at all."""
    minors = sorted({python_minor(version) for _, version in targets if version is not None})
    allowed = [each for each in minors if version_within(f"{each[0]}.{each[1]}.99", requires_python)]
    if allowed:
        return f"{allowed[0][0]}.{allowed[0][1]}"
    if not requires_python:
        return f"{minors[0][0]}.{minors[0][1]}" if minors else OLDEST_PYTHON
    start = python_minor(OLDEST_PYTHON)[1]
    every = (f"3.{minor}" for minor in (*range(start, 40), *range(start - 1, 6, -1)))
    return next((each for each in every if version_within(f"{each}.99", requires_python)), OLDEST_PYTHON)


def read_pylock(found: DependencyFile, *, process: Process, floor: str, pins: Sequence[LockedRequirement]) -> Pylock:
    """What the dependency file stands for, with the places of all files: kept nowhere, since a URL may hold a secret.

    `pins` are the versions of a lock that it must come out with.
    """
    if found.kind == "pylock.toml":
        return parse_pylock(read_project_file(found.path, found.name), found.name)
    uv = Uv(process, found.folder, urls=found.urls)
    if found.kind == "uv.lock":
        return export_uv_lock(found, uv)
    return compile_requirements(uv, found.path, what=found.name, floor=floor, pins=pins)


def compile_requirements(
    uv: Uv, path: Path, *, what: str, floor: str, pins: Sequence[LockedRequirement] = ()
) -> Pylock:
    """Resolves a requirements or project file universally from Python `floor` on.

    A source archive whose metadata cannot be built here is taken as having no requirements of its own: it has no
    wheel, which is what matters, and the rest can still be told.
    """
    stubs: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="basewright-") as scratch:
        folder = Path(scratch)
        command = ["pip", "compile", str(path), "--universal", "--generate-hashes", "--format", "pylock.toml"]
        command += ["--quiet", "--no-header", "--python-version", floor]
        if pins:
            constraints = folder / "pins.txt"
            constraints.write_text("".join(f"{_pin(each)}\n" for each in pins), "utf-8")
            command += ["--constraints", str(constraints)]
        while True:
            cwd = uv.folder if not stubs else _with_stubs(uv.folder, folder / "project", stubs)
            done = uv.run(command, cwd=cwd)
            if done.returncode == 0:
                return absolute_pylock(parse_pylock(done.stdout, what), cwd)
            stub = unbuilt(done)
            if stub is None or stub in stubs or len(stubs) >= _MAX_UNBUILT:
                raise uv.failure(done, what)
            stubs.append(stub)


def _pin(requirement: LockedRequirement) -> str:
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}=={requirement.version}{marker}"


def _with_stubs(project: Path, scratch: Path, stubs: Sequence[tuple[str, str]]) -> Path:
    """A folder whose uv settings are the project's, and say that the source archives `stubs` require nothing."""
    scratch.mkdir(exist_ok=True)
    name, prefix, text = "uv.toml", "", ""
    for folder in (project, *project.parents):
        if (folder / "uv.toml").is_file():
            text = decode(read_project_file(folder / "uv.toml", "uv.toml"), "uv.toml")
            break
        if "uv" in table_of(read_project(folder / "pyproject.toml"), "tool"):
            name, prefix = "pyproject.toml", "tool.uv."
            text = decode(read_project_file(folder / name, name), name)
            break
    for stub, version in stubs:
        text += f'\n[[{prefix}dependency-metadata]]\nname = "{stub}"\nversion = "{version}"\nrequires-dist = []\n'
    (scratch / name).write_text(text, "utf-8")
    return scratch


def _local_projects(
    found: DependencyFile, packages: Sequence[PylockPackage], repository: Path, strategy_directory: Path
) -> tuple[str, ...]:
    """Folders of the repository, relative to the strategy, that are requirements; the app itself is none."""
    folders: set[str] = set()
    for package in packages:
        if package.vcs is not None or package.archive is not None:
            raise InputError(
                f"{found.name}: the requirement {package.name} is given by URL, file or version control; "
                "requirements come from a package index, or from a folder of the repository",
                hint="publish it to an index that uv knows, or keep its folder in the repository",
            )
        if package.directory is None:
            continue
        path = (found.path.parent / package.directory.path / (package.directory.subdirectory or "")).resolve()
        if not path.is_relative_to(repository):
            raise InputError(f"{found.name}: the requirement {package.name} lies outside of the repository")
        if path != found.folder and (path / "pyproject.toml").is_file():
            folders.add(_relative(path, strategy_directory))
        elif path != found.folder and not (path / "setup.py").is_file():
            raise InputError(f"{found.name}: the requirement {package.name} is a folder without a project file")
        elif path != found.folder:
            folders.add(_relative(path, strategy_directory))
    return tuple(sorted(folders))


def _relative(path: Path, directory: Path) -> str:
    ups = 0
    while not path.is_relative_to(directory):
        directory = directory.parent
        ups += 1
    return "/".join([".."] * ups + list(path.relative_to(directory).parts))


def _locked(found: DependencyFile, lock: Pylock) -> Iterator[LockedRequirement]:
    for package in sorted(lock.packages, key=lambda each: (normal_name(each.name), each.version or "", each.marker)):
        if package.directory is not None:
            continue
        if package.version is None:
            raise InputError(f"{found.name}: the requirement {package.name} has no version")
        name = normal_name(package.name)
        yield LockedRequirement(
            name=name,
            version=package.version,
            files=tuple(_locked_files(found, name, package)),
            marker=_plain_marker(package.marker, lock.default_groups),
        )


def _locked_files(found: DependencyFile, name: str, package: PylockPackage) -> Iterator[LockedFile]:
    given = found.hashes.get(name)
    first_seen = found.kind in ("requirements.txt", "pyproject.toml") and given is None
    files = sorted(package.files, key=lambda each: (each.file_name, each.hashes.get("sha256", "")))
    kept = [each for each in files if given is None or each.hashes.get("sha256") in given]
    if files and not kept:
        raise InputError(
            f"{found.name}: no file of {name} {package.version} on the index has a hash that is given for it",
            hint="compile the hashes anew, for this version",
        )
    seen: set[tuple[str, str]] = set()
    for file in kept:
        sha256 = file.hashes.get("sha256", "")
        if (file.file_name, sha256) in seen:  # an index and a find-links folder may both have it
            continue
        seen.add((file.file_name, sha256))
        if not _SHA256.fullmatch(sha256):
            raise InputError(f"{found.name}: {file.file_name} has no SHA-256 digest")
        yield LockedFile(name=file.file_name, sha256=sha256, first_seen=first_seen)


def _plain_marker(marker: str, groups: Sequence[str]) -> str:
    """A marker without the sets that only a pylock.toml has: its default groups are taken, and no extras."""

    def chosen(match: re.Match[str]) -> str:
        taken = match["set"] == "dependency_groups" and match["name"] in groups
        return "python_version >= '0'" if taken else "python_version < '0'"

    return _GROUP.sub(chosen, marker)


def _build_requirements(folders: Sequence[Path], *, process: Process) -> tuple[LockedRequirement, ...]:
    """What builds the app and its local projects, pinned: its version is written into every wheel that it makes."""
    wanted: set[str] = set()
    for folder in folders:
        project = read_project(folder / "pyproject.toml")
        requires = table_of(project, "build-system").get("requires")
        if isinstance(requires, list):
            wanted.update(str(each) for each in requires)
        elif (folder / "setup.py").is_file():
            wanted.add("setuptools")
    if not wanted:
        return ()
    with tempfile.TemporaryDirectory(prefix="basewright-") as scratch:
        path = Path(scratch) / "build-requirements.txt"
        path.write_text("".join(f"{each}\n" for each in sorted(wanted)), "utf-8")
        lock = compile_requirements(Uv(process, folders[0]), path, what="[build-system] requires", floor=BUILD_PYTHON)
        found = DependencyFile(folder=folders[0], path=path, name=path.name, kind="requirements.txt")
        return tuple(_locked(found, lock))


def locate_files(
    strategy_directory: Path,
    app: PythonApp,
    locked: LockedPython,
    wanted: Mapping[str, str],
    *,
    process: Process,
) -> tuple[dict[str, PylockFile], Uv]:
    """SHA-256 → where the file lies now, for every locked file in `wanted` (SHA-256 → name), and whom to ask as.

    Raises OutOfReachError where an index no longer has one.
    """
    found = find_dependency_file(strategy_directory, app)
    if found is None:
        raise InputError(f"the app {app.python} has no dependency file any more", hint="--update-lock")
    match = re.search(r"\d+\.\d+", locked.requires_python)
    lock = read_pylock(found, process=process, floor=match[0] if match else OLDEST_PYTHON, pins=locked.requirements)
    places = {file.hashes.get("sha256", ""): file for package in lock.packages for file in package.files}
    missing = sorted(name for sha256, name in wanted.items() if sha256 not in places)
    if missing:
        raise OutOfReachError(
            f"no package index has {', '.join(missing[:5])} with the digest of the lock",
            hint="--update-lock resolves anew",
        )
    if found.kind == "pylock.toml":
        places = {
            sha256: msgspec.structs.replace(file, path=str(found.path.parent / file.path)) if file.path else file
            for sha256, file in places.items()
        }
    return {sha256: places[sha256] for sha256 in wanted}, Uv(process, found.folder, urls=found.urls)
