"""Wheels into a tree, by pypa's installer: fixed modes and owners, scripts for the image's interpreter, RECORD.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/ and .../recording-installed-packages/
"""

import base64
import hashlib
import io
import warnings
import zipfile
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from posixpath import basename, dirname, join, normpath, relpath
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from installer import install
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, RecordEntry
from installer.scripts import InvalidScript, Script
from installer.sources import WheelFile
from installer.utils import Scheme, fix_shebang

from basewright.apps.app import AppTarget
from basewright.ecosystems.pypi import python_minor
from basewright.errors import BuildFailedError, HostileInputError
from basewright.oci.tree import Tree, clean_path, directory, file, symlink

if TYPE_CHECKING:
    from installer.scripts import ScriptSection

INSTALLER = b"basewright\n"
MAX_UNPACKED_BYTES = 8 << 30
MAX_RATIO = 200
_SMALL_BYTES = 64 << 20
_MAX_FILES = 200_000
DEFAULT_INTERPRETER = "/usr/local/bin/python3"
"""Where the official images have theirs; taken where a base's bytes are out of reach."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The virtual environment that an app's requirements live in: one layout on every base.

    It keeps the order of sys.path (the standard library first), .pth files and namespace packages as they are meant,
    and what a base has of its own (pip, a distribution's modules) out of the app.
    """

    root: str
    """Absolute path in the image."""
    interpreter: str
    """Absolute path of the base's interpreter, links followed where the base can be looked at."""
    python_version: str

    @property
    def minor(self) -> str:
        major, minor = python_minor(self.python_version)
        return f"{major}.{minor}"

    @property
    def scripts(self) -> str:
        return f"{self.root}/bin"

    @property
    def python(self) -> str:
        return f"{self.root}/bin/python"

    @property
    def site_packages(self) -> str:
        return f"{self.root}/lib/python{self.minor}/site-packages"

    def tree(self) -> Tree:
        """The environment without anything in it: what `python -m venv --without-pip` leaves, without its host."""
        tree = Tree()
        config = f"home = {dirname(self.interpreter)}\ninclude-system-site-packages = false\nversion = {self.minor}\n"
        tree.add(file(f"{self.root}/pyvenv.cfg", config.encode()))
        tree.add(symlink(self.python, self.interpreter))
        for name in ("python3", f"python{self.minor}"):
            tree.add(symlink(f"{self.scripts}/{name}", "python"))
        tree.add(directory(self.site_packages))
        return tree


def environment_of(target: AppTarget, *, root: str) -> Environment:
    """Raises BuildFailedError where the base has no interpreter."""
    runtime = target.runtime
    interpreter = runtime.interpreter
    if target.base_tree is None:
        interpreter = interpreter or DEFAULT_INTERPRETER
    if interpreter is None or runtime.python_version is None:
        raise BuildFailedError(
            "the base has no Python interpreter",
            hint='name a base that has one: base = "python:3.13-slim", or python3-minimal among Debian\'s packages',
        )
    resolved = target.base_tree.resolve(interpreter) if target.base_tree is not None else None
    return Environment(
        root=root, interpreter=f"/{resolved}" if resolved else interpreter, python_version=runtime.python_version
    )


def install_wheel(path: Path, name: str, tree: Tree, environment: Environment) -> None:
    """Adds the contents of the wheel at `path`, whose file name is `name`, to `tree`. Raises HostileInputError."""
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            archive.filename = name  # in the cache it goes by its digest
            # Bytecode that a wheel brings along is left out: ours is compiled from its sources.
            warnings.simplefilter("ignore", RuntimeWarning)
            _check_size(archive, name)
            wheel = WheelFile(archive)
            install(wheel, _TreeDestination(tree, environment), {"INSTALLER": INSTALLER})
    except (zipfile.BadZipFile, InstallerError, ValueError, AssertionError, KeyError, EOFError, OSError) as error:
        raise HostileInputError(f"the wheel {name} is damaged: {' '.join(str(error).split())[:200]}") from None


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    entries = archive.infolist()
    total = sum(each.file_size for each in entries)
    packed = sum(each.compress_size for each in entries)
    if len(entries) > _MAX_FILES or total > MAX_UNPACKED_BYTES or total > max(_SMALL_BYTES, MAX_RATIO * packed):
        raise HostileInputError(f"the wheel {name} unpacks to more than it can honestly hold ({total:,} bytes)")


class _TreeDestination(WheelDestination):
    """Where installer writes: entries of a tree. Every path is kept below the environment's root."""

    def __init__(self, tree: Tree, environment: Environment) -> None:
        self._tree = tree
        self._environment = environment
        root, site = environment.root, environment.site_packages
        self._folders = {
            "purelib": site,
            "platlib": site,
            "scripts": environment.scripts,
            "data": root,
            "headers": f"{root}/include/site/python{environment.minor}",
        }

    def write_script(self, name: str, module: str, attr: str, section: "ScriptSection") -> RecordEntry:
        script = Script(name, module, attr, section)
        try:
            file_name, data = script.generate(self._environment.python, "posix")
        except InvalidScript as error:
            raise HostileInputError(f"the script {name!r} of a wheel is damaged: {error}") from None
        return self._add("scripts", file_name, data, executable=True)

    def write_file(
        self, scheme: Scheme, path: "str | PathLike[str]", stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        text = fspath(path)
        if scheme == "scripts":
            with fix_shebang(stream, self._environment.python) as fixed:
                return self._add(scheme, text, fixed.read(), executable=True)
        return self._add(scheme, text, stream.read(), executable=is_executable)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        """RECORD: paths relative to site-packages, sorted, so that it does not depend on the wheel's own order."""
        site = self._environment.site_packages
        rows = sorted(
            entry.to_row(f"{relpath(self._folders[where], site)}/" if self._folders[where] != site else None)
            for where, entry in records
        )
        text = io.StringIO()
        import csv

        csv.writer(text, lineterminator="\n").writerows(rows)
        self._tree.add(file(self._place(scheme, record_file_path), text.getvalue().encode()))

    def _add(self, scheme: str, path: str, data: bytes, *, executable: bool) -> RecordEntry:
        self._tree.add(file(self._place(scheme, path), data, mode=0o755 if executable else 0o644))
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
        return RecordEntry(path, Hash("sha256", digest), len(data))

    def _place(self, scheme: str, path: str) -> str:
        folder = self._folders[scheme]
        if scheme == "scripts" and "/" in path:
            raise HostileInputError(f"the script {path[:200]!r} of a wheel lies in a folder")
        placed = "/" + clean_path(join(folder, path))
        if placed != normpath(join(folder, path)) or not placed.startswith(f"{folder}/") or not basename(placed):
            raise HostileInputError(f"the path {path[:200]!r} of a wheel leaves its folder")
        return placed
