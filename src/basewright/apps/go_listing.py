"""What a Go package is built from, as `go list -deps` names it: whose files, and what stays out without cgo."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import msgspec

from basewright.apps.go_constraint import builds_on
from basewright.apps.go_module import GoModuleFolder
from basewright.errors import HostileInputError, InputError

_MAX_HEAD_BYTES = 64 << 10
_IMPORT_C = re.compile(r'^\s*(?:import\s+)?"C"\s*$', re.MULTILINE)


class ListedModule(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The module that a package belongs to."""

    path: str = ""
    version: str = ""
    dir: str = ""
    replace: dict[str, object] | None = None


class ListedPackage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A package that is part of the build."""

    import_path: str = ""
    name: str = ""
    dir: str = ""
    standard: bool = False
    module: ListedModule | None = None
    go_files: tuple[str, ...] = ()
    s_files: tuple[str, ...] = ()
    h_files: tuple[str, ...] = ()
    embed_files: tuple[str, ...] = ()
    ignored_go_files: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.go_files, *self.s_files, *self.h_files, *self.embed_files)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The packages of a build outside the standard library, what is imported before what imports it."""

    FLAGS: ClassVar[tuple[str, ...]] = (
        "-json=ImportPath,Name,Dir,Standard,Module,GoFiles,SFiles,HFiles,EmbedFiles,IgnoredGoFiles",
    )
    packages: tuple[ListedPackage, ...]

    @property
    def main(self) -> ListedPackage:
        return self.packages[-1]

    def notes(self, architecture: str) -> tuple[str, ...]:
        """Modules whose parts in C are left out: they may only say so when they run."""
        with_c = {
            package.module.path
            for package in self.packages
            if package.module is not None
            and any(_is_cgo(package, name, architecture) for name in package.ignored_go_files)
        }
        return tuple(f"{path} has parts in C; they are left out of a static binary" for path in sorted(with_c))


def _is_cgo(package: ListedPackage, name: str, architecture: str) -> bool:
    """Whether a file was left out for want of cgo, and for nothing else."""
    try:
        with (Path(package.dir) / name).open("rb") as file:
            text = file.read(_MAX_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return False
    return _IMPORT_C.search(text) is not None and builds_on(name, text, architecture, cgo=True)


def parse_listing(data: bytes) -> Listing:
    """Reads the documents that `go list -json` prints one after another. Raises HostileInputError."""
    try:
        packages = tuple(package for package in _documents(data.decode("utf-8", "replace")) if not package.standard)
    except (ValueError, msgspec.ValidationError) as error:
        raise HostileInputError(f"`go list` printed what cannot be read: {error}") from None
    return Listing(packages=packages)


def _documents(text: str) -> Iterator[ListedPackage]:
    decoder = json.JSONDecoder()
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        yield msgspec.convert(value, ListedPackage)


def check_files(listing: Listing, module: GoModuleFolder, module_cache: Path, candidate: str) -> None:
    """Refuses a package that is no program, and a source that a link leads to from outside the repository."""
    if not listing.packages or listing.main.name != "main":
        name = listing.main.name if listing.packages else "nothing"
        raise InputError(
            f'app.go (candidate "{candidate}"): {listing.main.import_path if listing.packages else "the package"} '
            f"is `package {name}`, not a program",
            hint='name the main package: package = "./cmd/server"',
        )
    cache = module_cache.resolve()
    for package in listing.packages:
        folder = Path(package.dir)
        if folder.is_relative_to(cache) or folder.is_relative_to(module_cache):
            continue
        for path in (folder, *(folder / name for name in package.files)):
            if not path.resolve().is_relative_to(module.repository):
                raise InputError(
                    f'app.go (candidate "{candidate}"): {_shown(path, module)} is a link out of the repository',
                    hint="put the file itself there",
                )


def _shown(path: Path, module: GoModuleFolder) -> str:
    return path.relative_to(module.folder).as_posix() if path.is_relative_to(module.folder) else path.name
