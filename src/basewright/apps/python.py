"""A Python application as layers: its requirements in a virtual environment at /opt/venv, its folder at /app.

Public: `resolve_python` and `is_current` (python_resolve), `available` (python_wheels), and what is here.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from basewright._http import Http
from basewright._process import Process
from basewright.apps.app import DEFAULT_PATH, AppLayers, AppTarget
from basewright.apps.python_install import Environment, environment_of, install_wheel
from basewright.apps.python_project import build_wheel, has_build_system, is_src_layout
from basewright.apps.python_wheels import Chosen, WheelCache, available, choose_wheels, why_without
from basewright.apps.sources import app_folder, read_app_folder
from basewright.ecosystems.pypi import machine, version_within
from basewright.ecosystems.shared_library import missing_libraries
from basewright.errors import BuildFailedError, OutOfReachError
from basewright.facts import MissingLibrary, PackageFacts
from basewright.lock import LockedPython
from basewright.oci.tree import Tree, file
from basewright.progress import Progress
from basewright.strategy import Platform, PythonApp

VENV = "/opt/venv"
APP = "/app"
_SCRIPTS = f"{VENV.lstrip('/')}/bin/"
_MAX_NAMED = 50


class PythonTree(msgspec.Struct, frozen=True, kw_only=True):
    """One layer's files, and what is to be said of them."""

    tree: Tree
    notes: tuple[str, ...] = ()


def python_packages(locked: LockedPython, target: AppTarget, platforms: Sequence[Platform] = ()) -> PackageFacts:
    """What is known of the requirements without building anything. Raises OutOfReachError."""
    return PackageFacts(requirements=available(locked, platforms or (target.platform,), target.runtime))


def build_python(
    strategy_directory: Path,
    app: PythonApp,
    command: Sequence[str],
    locked: LockedPython,
    target: AppTarget,
    *,
    platforms: Sequence[Platform] = (),
    exclude: Sequence[Path] = (),
    process: Process,
    http: Http,
    cache: Path,
    progress: Progress,
) -> AppLayers:
    """Dependencies and application for one target. `platforms` are all that availability is told for.

    Raises BuildFailedError, such as for requirements without a wheel (all are named; `python_packages` still tells).
    """
    facts = python_packages(locked, target, platforms)
    dependencies = python_dependencies(
        strategy_directory, app, locked, target, process=process, http=http, cache=cache, progress=progress
    )
    application = python_application(
        strategy_directory, app, locked, target, exclude=exclude, process=process, progress=progress
    )
    if target.base_tree is not None:
        missing = missing_libraries(dependencies.tree, target.base_tree, machine=machine(target.platform))
        facts = msgspec.structs.replace(
            facts,
            missing_libraries=tuple(
                MissingLibrary(soname=soname, needed_by=path, package=None) for soname, path in missing
            ),
        )
    argv = _command(command, target, dependencies.tree, application.tree)
    return AppLayers(
        dependencies=dependencies.tree,
        application=application.tree,
        entrypoint=argv[:1],
        command=argv[1:],
        working_directory=APP,
        env=python_env(strategy_directory, app),
        packages=facts,
        notes=(*dependencies.notes, *application.notes),
    )


def python_env(strategy_directory: Path, app: PythonApp) -> dict[str, str]:
    """The variables of the image: the environment's programs first, the app importable, logs at once, nothing written
    beside the sources."""
    folder = app_folder(strategy_directory, app.python)
    paths = [APP, f"{APP}/src"] if is_src_layout(folder) else [APP]
    return {
        "PATH": f"{VENV}/bin:{DEFAULT_PATH}",
        "PYTHONPATH": ":".join(paths),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def python_dependencies(
    strategy_directory: Path,
    app: PythonApp,
    locked: LockedPython,
    target: AppTarget,
    *,
    process: Process,
    http: Http,
    cache: Path,
    progress: Progress,
) -> PythonTree:
    """The virtual environment with every requirement that holds on the target, from its wheel.

    Raises BuildFailedError where a requirement has no wheel, or the project does not allow the base's Python.
    """
    environment = environment_of(target, root=VENV)
    _check_python(locked, environment)
    chosen = _chosen(locked, target)
    wheels = WheelCache(cache, process=process, http=http)
    wheels.fetch(strategy_directory, app, locked, chosen.wheels, progress=progress)
    progress(f"installing {len(chosen.wheels)} wheels")
    tree = environment.tree()
    for wheel in sorted(chosen.wheels, key=lambda each: each.requirement.name):
        install_wheel(wheels.path(wheel), wheel.file.name, tree, environment)
    return _with_bytecode(tree, target, progress)


def _chosen(locked: LockedPython, target: AppTarget) -> Chosen:
    chosen = choose_wheels(locked, target.platform, target.runtime)
    if chosen.without:
        named = [f"{each.name} {each.version} ({why_without(each, target.runtime)})" for each in chosen.without]
        raise BuildFailedError(
            f"no wheel fits {target.platform} for {', '.join(named[:_MAX_NAMED])}",
            hint="choose a base that they have wheels for, or other versions",
        )
    return chosen


def python_application(
    strategy_directory: Path,
    app: PythonApp,
    locked: LockedPython,
    target: AppTarget,
    *,
    exclude: Sequence[Path] = (),
    process: Process,
    progress: Progress,
) -> PythonTree:
    """The app's folder at /app and, where it or a local requirement has a build system, the wheels built from them.

    `exclude` names paths of the repository that stay out, such as the records that basewright writes.
    """
    environment = environment_of(target, root=VENV)
    folder = app_folder(strategy_directory, app.python)
    tree = read_app_folder(folder, strategy_directory=strategy_directory, at=APP.lstrip("/"), exclude=exclude)
    notes: list[str] = []
    projects = [strategy_directory / each for each in locked.local_projects]
    if has_build_system(folder):
        projects.insert(0, folder)
    for project in projects:
        progress(f"building {project.name}")
        installed = Tree()
        notes += build_wheel(
            project,
            strategy_directory=strategy_directory,
            pins=locked.build_requirements,
            into=installed,
            environment=environment,
            process=process,
        )
        _merge(tree, installed, environment, flat=project == folder)
    return _with_bytecode(tree, target, progress, notes=tuple(notes))


def _merge(tree: Tree, installed: Tree, environment: Environment, *, flat: bool) -> None:
    """Adds what a project's wheel installed. Where its packages lie beside the project file, the copy at /app is what
    the working directory imports first: it gets what only the build made, such as a version file."""
    site = environment.site_packages.lstrip("/") + "/"
    for entry in installed:
        tree.add(entry)
    if not flat:
        return
    for entry in installed:
        relative = entry.path.removeprefix(site)
        top = f"{APP.lstrip('/')}/{relative.partition('/')[0]}"
        beside = f"{APP.lstrip('/')}/{relative}"
        if entry.is_file and entry.path.startswith(site) and "/" in relative and top in tree and beside not in tree:
            tree.add(file(beside, entry.data or b"", mode=entry.mode))


def _check_python(locked: LockedPython, environment: Environment) -> None:
    known = environment.python_version
    # Where only the minor version is known, a point release that would do is taken for granted.
    if not version_within(known if known.count(".") >= 2 else f"{known}.99", locked.requires_python):
        raise BuildFailedError(
            f"the app requires Python {locked.requires_python}, the base has {environment.python_version}",
            hint="choose another base, or change requires-python",
        )


def _with_bytecode(tree: Tree, target: AppTarget, progress: Progress, *, notes: tuple[str, ...] = ()) -> PythonTree:
    """Adds the bytecode of every `.py` file that is valid for the target's Python."""
    sources = {
        entry.path: entry.data
        for entry in tree
        if entry.is_file
        and entry.path.endswith(".py")
        and entry.data is not None
        and not entry.path.startswith(_SCRIPTS)
    }
    if target.compile_bytecode is None:
        return PythonTree(tree=tree, notes=notes)
    progress(f"compiling {len(sources)} Python files")
    compiled = target.compile_bytecode(sources)
    for path in sorted(compiled):
        tree.add(file(path, compiled[path]))
    left_out = len(sources) - len(compiled)
    if left_out < 0:
        raise OutOfReachError("the bytecode compiler answered more than it was asked")
    if left_out:
        notes = (*notes, f"{left_out} of {len(sources)} .py files are not valid for Python, and have no bytecode")
    return PythonTree(tree=tree, notes=notes)


def _command(command: Sequence[str], target: AppTarget, dependencies: Tree, application: Tree) -> tuple[str, ...]:
    """The command with an absolute program: found as a shell in /app with the image's PATH would find it."""
    program, *rest = command
    if "/" in program:
        if _is_interpreter(program, target):
            return (f"{VENV}/bin/python", *rest)
        return (program if program.startswith("/") else f"{APP}/{program.removeprefix('./')}", *rest)
    own = f"{VENV.lstrip('/')}/bin/{program}"
    if own in dependencies or own in application:
        return (f"/{own}", *rest)
    base = target.base_tree
    if base is None:
        return (program, *rest)
    for folder in DEFAULT_PATH.split(":"):
        if base.resolve(f"{folder}/{program}") is not None:
            return (f"{folder}/{program}", *rest)
    raise BuildFailedError(
        f"the command's program {program!r} comes with no requirement and is not in the base",
        hint="add the package that has it to the requirements, or name another command",
    )


def _is_interpreter(program: str, target: AppTarget) -> bool:
    """Whether an absolute program is the base's Python, which knows nothing of the environment."""
    interpreter = target.runtime.interpreter
    if interpreter is None or target.base_tree is None:
        return program == interpreter
    resolved = target.base_tree.resolve(program)
    return resolved is not None and resolved == target.base_tree.resolve(interpreter)
