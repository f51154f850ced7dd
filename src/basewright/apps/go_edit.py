"""Edits for build trials, in a copy of the sources: one of the application, one of something that it depends on.

Both are real: the compiler has to compile a package again, and the linker to link what changed.
"""

import os
import shutil
from pathlib import Path

from basewright.apps.go_listing import ListedPackage, Listing
from basewright.apps.go_module import GoModuleFolder
from basewright.errors import InputError

_SNIPPET = """

var basewrightEdit = "{text}"

func init() {{
	if basewrightEdit == "" {{
		panic(basewrightEdit)
	}}
}}
"""
_MARK = '\n\nvar basewrightEdit = "'
_REPLACEMENT = ".basewright-dependency"


def edit_application(copy: Path, module: GoModuleFolder, listing: Listing, text: str) -> Path:
    """Changes the main package in `copy`, a copy of `module.copy_root`; `text` makes one edit unlike another.
    Returns the file."""
    return _edit(copy / _inside(Path(listing.main.dir), module), listing.main, text)


def edit_dependency(copy: Path, module: GoModuleFolder, listing: Listing, text: str) -> Path | None:
    """Changes one package of another module, as an update of it would: a module from the cache is copied and put in
    its place by a `replace` line, a vendored or local one is edited. None where there is no other module."""
    package = _dependency(module, listing)
    if package is None or package.module is None:
        return None
    folder = Path(package.dir)
    if folder.is_relative_to(module.copy_root):
        return _edit(copy / _inside(folder, module), package, text)
    source = Path(package.module.dir)
    start = copy / _inside(module.workspace or module.folder, module)
    target = start / _REPLACEMENT
    if not target.exists():
        shutil.copytree(source, target, symlinks=True)
        _make_writable(target)
        if not (target / "go.mod").exists():
            (target / "go.mod").write_text(f"module {package.module.path}\n", "utf-8")
        with (start / ("go.work" if module.workspace else "go.mod")).open("a", encoding="utf-8") as file:
            file.write(f"\nreplace {package.module.path} => ./{_REPLACEMENT}\n")
    return _edit(target / folder.relative_to(source), package, text)


def _dependency(module: GoModuleFolder, listing: Listing) -> ListedPackage | None:
    """The package of another module that is nearest to the program; one that no replace line names already."""
    found = [
        package
        for package in listing.packages
        if package.module is not None and package.module.path != module.mod.module and package.go_files
    ]
    cached = [package for package in found if not Path(package.dir).is_relative_to(module.repository)]
    unreplaced = [package for package in cached if package.module is not None and not package.module.replace]
    chosen = unreplaced or [package for package in found if package not in cached]
    return chosen[-1] if chosen else None


def _inside(folder: Path, module: GoModuleFolder) -> Path:
    return folder.resolve().relative_to(module.copy_root)


def _edit(folder: Path, package: ListedPackage, text: str) -> Path:
    """Appends the snippet, or puts it where the last edit stands."""
    path = folder / package.go_files[0]
    try:
        content = path.read_text("utf-8")
        path.unlink()  # it may be a link, or not for writing
        path.write_text(content.partition(_MARK)[0] + _SNIPPET.format(text=text), "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be edited for a build trial: {error}") from None
    return path


def _make_writable(folder: Path) -> None:
    for path, _, files in os.walk(folder):
        Path(path).chmod(0o755)
        for name in files:
            if not (Path(path) / name).is_symlink():
                (Path(path) / name).chmod(0o644)
