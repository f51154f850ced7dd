"""A Python application as work: wheels fetched first, then built, and built again from an edited copy."""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from basewright.apps.app import AppLayers, AppTarget
from basewright.apps.python import build_python, python_application, python_dependencies
from basewright.apps.python_wheels import WheelCache, choose_wheels
from basewright.apps.sources import app_folder, read_app_folder, repository_of
from basewright.candidate import Option
from basewright.errors import InputError
from basewright.lock import LockedPython
from basewright.oci.tree import Tree
from basewright.strategy import PythonApp, Strategy
from basewright.world import World

_IGNORED = shutil.ignore_patterns(".git", ".hg", ".jj", ".svn", ".venv", "venv", "node_modules", ".basewright")
_MIN_MODULES = 3


class PythonWork:
    """`AppWork` for Python."""

    def __init__(
        self,
        option: Option,
        strategy: Strategy,
        locked: LockedPython,
        target: AppTarget,
        world: World,
        *,
        exclude: Sequence[Path],
    ) -> None:
        assert isinstance(option.candidate.app, PythonApp)
        self._app = option.candidate.app
        self._option = option
        self._strategy = strategy
        self._locked = locked
        self._target = target
        self._world = world
        self._exclude = tuple(exclude)
        self._copied: Path | None = None
        self._edit = self._module = ""
        self.download_seconds = 0.0

    def download(self) -> None:
        """Fetches the wheels, so that no build waits for the network. What has no wheel is the build's to tell."""
        started = time.monotonic()
        chosen = choose_wheels(self._locked, self._target.platform, self._target.runtime)
        wheels = WheelCache(self._world.cache, process=self._world.process, http=self._world.http)
        wheels.fetch(self._strategy.directory, self._app, self._locked, chosen.wheels, progress=self._world.progress)
        self.download_seconds = time.monotonic() - started

    def build(self) -> AppLayers:
        return build_python(
            self._strategy.directory,
            self._app,
            self._option.command,
            self._locked,
            self._target,
            platforms=self._option.platforms,
            exclude=self._exclude,
            process=self._world.process,
            http=self._world.http,
            cache=self._world.cache,
            progress=self._world.progress,
        )

    def copy(self, folder: Path) -> None:
        """The whole repository, since an app's ignore rules and local requirements may lie above its folder; without
        files that are no part of the app, such as one of secrets."""
        directory = self._strategy.directory.resolve()
        repository = repository_of(directory)
        with suppress(shutil.Error):  # sockets and what may not be read: no source of the app, or its build says so
            shutil.copytree(repository, folder, symlinks=True, ignore=self._stays_behind)
        (folder / ".git").mkdir(exist_ok=True)  # so that the copy ends where the repository does
        self._copied = folder / directory.relative_to(repository)

    def _stays_behind(self, folder: str, names: list[str]) -> set[str]:
        excluded = {each.resolve() for each in self._exclude if each.is_file()}
        return _IGNORED(folder, names) | {name for name in names if Path(folder, name) in excluded}

    def edit_application(self, text: str) -> None:
        """Appends a statement to a module of the application, one that is part of the image."""
        folder = app_folder(self._copy, self._app.python)
        if not self._module:
            tree = read_app_folder(folder, strategy_directory=self._copy, at="")
            self._module = max(
                (entry.path for entry in tree if entry.is_file and entry.path.endswith(".py")), default=""
            )
        if not self._module:
            raise InputError(f"{self._app.python} has no Python module to edit")
        with (folder / self._module).open("a", encoding="utf-8") as file:
            file.write(f"\n_basewright_edit = {text!r}\n")

    def edit_dependency(self, text: str) -> bool:
        """Changes one requirement, as an update of it would: all its modules are new to the compiler."""
        self._edit = text
        return bool(self._locked.requirements)

    def rebuild_application(self) -> Tree:
        return python_application(
            self._copy,
            self._app,
            self._locked,
            self._target,
            exclude=self._exclude,
            process=self._world.process,
            progress=_silent,
        ).tree

    def rebuild_dependency(self) -> Sequence[Tree]:
        target = self._target
        if target.compile_bytecode is not None:
            target = msgspec.structs.replace(target, compile_bytecode=self._compile_edited)
        dependencies = python_dependencies(
            self._copy,
            self._app,
            self._locked,
            target,
            process=self._world.process,
            http=self._world.http,
            cache=self._world.cache,
            progress=_silent,
        )
        return (dependencies.tree,)

    def _compile_edited(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        assert self._target.compile_bytecode is not None
        edited = _one_package(sources)
        comment = f"\n# {self._edit}\n".encode()
        return self._target.compile_bytecode(
            {path: data + comment if path in edited else data for path, data in sources.items()}
        )

    @property
    def _copy(self) -> Path:
        assert self._copied is not None, "copied before it is edited"
        return self._copied


def _one_package(sources: Mapping[str, bytes]) -> frozenset[str]:
    """The modules of the first package that is more than a stub."""
    folders: dict[str, list[str]] = {}
    for path in sources:
        _, found, inside = path.partition("/site-packages/")
        top = inside.partition("/")[0]
        if found and top and not top.endswith(".py"):
            folders.setdefault(top, []).append(path)
    for name in sorted(folders):
        if len(folders[name]) >= _MIN_MODULES:
            return frozenset(folders[name])
    return frozenset(sources)


def _silent(text: str) -> None:
    """Rebuilds are many, and each is told by who asks for it."""
