"""Which of a module's packages is the service: the one named, else the only main package there is."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from basewright.apps.go_constraint import builds_on
from basewright.apps.go_module import GoModuleFolder
from basewright.errors import InputError
from basewright.strategy import Candidate, GoApp

MAX_SOURCE_HEAD_BYTES = 64 << 10
"""How far into a source its package clause is looked for."""
_SKIPPED = ("vendor", "testdata", "node_modules")


def find_main_package(module: GoModuleFolder, candidate: Candidate, architecture: str) -> str:
    """The package to build, as a folder relative to the module: `.` or `./cmd/server`.

    Without one named there must be exactly one main package for linux on `architecture`. Raises InputError.
    """
    app = candidate.app
    assert isinstance(app, GoApp)
    where = f'package (candidate "{candidate.name}")'
    if app.package is not None:
        return _named_package(module, app.package, where)
    found = list(_main_packages(module.folder, architecture))
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(
            f'app.go {app.go!r} (candidate "{candidate.name}") has no main package for linux/{architecture}',
            hint="a service needs a folder with `package main`",
        )
    listed = ", ".join(found[:20]) + (" …" if len(found) > 20 else "")
    raise InputError(
        f'app.go {app.go!r} (candidate "{candidate.name}") has several main packages: {listed}',
        hint=f'name one: app = {{ go = "{app.go}", package = "{found[0]}" }}',
    )


def _named_package(module: GoModuleFolder, text: str, where: str) -> str:
    prefix = f"{module.mod.module}/"
    relative = text.removeprefix(prefix) if text.startswith(prefix) else text
    if text == module.mod.module:
        relative = "."
    if "..." in relative or relative.startswith("-") or any(ord(each) < 32 for each in relative):
        raise InputError(f"{where}: {text!r} does not name one package", hint='such as package = "./cmd/server"')
    path = (module.folder / relative).resolve()
    if relative.startswith("/") or not path.is_relative_to(module.folder):
        raise InputError(f"{where}: {text!r} lies outside the module", hint="name a folder below the one with go.mod")
    if not path.is_dir():
        raise InputError(f"{where}: {text!r} is no folder of the module")
    inner = path.relative_to(module.folder).as_posix()
    return "." if inner == "." else f"./{inner}"


def _main_packages(folder: Path, architecture: str) -> Iterator[str]:
    """Folders whose `package main` a build for linux takes, as `./...` finds them; links are not followed."""
    for path, folders, files in os.walk(folder):
        here = Path(path)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED and name[0] not in "._" and not (here / name / "go.mod").is_file()
        )
        sources = (name for name in sorted(files) if name.endswith(".go") and not name.endswith("_test.go"))
        if any(_is_main(here / name, architecture) for name in sources if name[0] not in "._"):
            inner = PurePosixPath(here.relative_to(folder).as_posix())
            yield "." if str(inner) == "." else f"./{inner}"


_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def _is_main(path: Path, architecture: str) -> bool:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SOURCE_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return False
    text = text.removeprefix("\ufeff")
    if re.match(r"\s*package\s+main\b", _COMMENTS.sub(" ", text)) is None:
        return False
    return builds_on(path.name, text, architecture)
