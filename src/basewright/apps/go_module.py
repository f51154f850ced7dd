"""A Go module as it lies in the repository: go.mod, go.work, vendor folder. Reads, never writes.

go.mod's grammar: https://go.dev/ref/mod#go-mod-file-grammar
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from basewright.apps.ignored import (
    DockerRule,
    GitRule,
    docker_ignores,
    git_ignores,
    parse_dockerignore,
    parse_gitignore,
    read_rules,
)
from basewright.apps.sources import repository_of
from basewright.bounded import read_bounded
from basewright.ecosystems.golang import GoVersion
from basewright.errors import InputError
from basewright.strategy import Candidate, GoApp

MAX_MODULE_FILE_BYTES = 4 << 20


class GoModFile(msgspec.Struct, frozen=True, kw_only=True):
    """What go.mod or go.work says, as far as a build of ours asks."""

    module: str | None
    go: str | None
    toolchain: str | None
    local_replacements: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


class GoModuleFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A module in a repository. All paths are absolute and without links; `workspace` is the folder of the go.work
    that counts, None where none does."""

    repository: Path
    folder: Path
    mod: GoModFile
    workspace: Path | None
    work: GoModFile | None
    vendored: bool
    local_folders: tuple[Path, ...]
    """Folders of other modules in the repository that it is built from."""

    @property
    def copy_root(self) -> Path:
        """The smallest folder that holds everything of the repository that the build reads."""
        parts = [self.folder, *self.local_folders, *([self.workspace] if self.workspace else [])]
        return Path(os.path.commonpath(parts))

    @property
    def wanted_go(self) -> str | None:
        """The version that go.mod and go.work ask for between them: the highest of their go and toolchain lines."""
        files = [self.mod, *([self.work] if self.work else [])]
        words = [word for file in files for word in (file.go, file.toolchain) if word and word != "default"]
        return max(words, key=GoVersion, default=None)

    @property
    def least_go(self) -> str | None:
        """The version below which `go` refuses to build it."""
        files = [self.mod, *([self.work] if self.work else [])]
        return max((file.go for file in files if file.go), key=GoVersion, default=None)


def find_module(strategy_directory: Path, candidate: Candidate) -> GoModuleFolder:
    """The module that a candidate names. Raises InputError where it is none, or leads out of the repository."""
    app = candidate.app
    assert isinstance(app, GoApp)
    label = f'app.go {app.go!r} (candidate "{candidate.name}")'
    repository = repository_of(strategy_directory)
    folder = (strategy_directory / app.go).resolve()
    if not folder.is_relative_to(repository):
        raise InputError(f"{label} lies outside the repository", hint=f"move it into {repository.name}")
    if not folder.is_dir():
        raise InputError(f"{label} is no folder")
    if not (folder / "go.mod").is_file():
        raise InputError(
            f"{label} has no go.mod",
            hint="name the folder that holds go.mod, and the main package with `package`, or run `go mod init`",
        )
    mod = read_mod_file(folder / "go.mod")
    workspace = _find_workspace(folder, repository)
    work = read_mod_file(workspace / "go.work") if workspace else None
    vendored = ((workspace or folder) / "vendor" / "modules.txt").is_file()
    return GoModuleFolder(
        repository=repository,
        folder=folder,
        mod=mod,
        workspace=workspace,
        work=work,
        vendored=vendored,
        local_folders=_local_folders(folder, mod, workspace, work, repository),
    )


def read_mod_file(path: Path) -> GoModFile:
    """Reads a go.mod or go.work. Raises InputError."""
    return parse_mod_file(_read(path), path.name)


def _read(path: Path) -> bytes:
    return read_bounded(path, max_bytes=MAX_MODULE_FILE_BYTES, name=path.name)


def parse_mod_file(data: bytes, name: str) -> GoModFile:
    """Raises InputError where a version of Go in it is none; other faults are left for `go` to name."""
    single: dict[str, str] = {}
    replacements: list[str] = []
    uses: list[str] = []
    requires: list[str] = []
    for words in _directives(data.decode("utf-8", "replace")):
        match words:
            case ["module" | "go" | "toolchain" as key, word, *_]:
                single.setdefault(key, word)
            case ["replace", *_, "=>", target] if _is_local(target):
                replacements.append(target)
            case ["use", folder, *_]:
                uses.append(folder)
            case ["require", path, *_]:
                requires.append(path)
            case _:
                pass
    for key in ("go", "toolchain"):
        _check_version(name, key, single.get(key))
    return GoModFile(
        module=single.get("module"),
        go=single.get("go"),
        toolchain=single.get("toolchain"),
        local_replacements=tuple(replacements),
        uses=tuple(uses),
        requires=tuple(requires),
    )


def _check_version(name: str, key: str, word: str | None) -> None:
    if word is None or word == "default":
        return
    try:
        GoVersion(word)
    except ValueError as error:
        raise InputError(f"{name}: the {key} line: {error}") from None


def absolute_workspace(folder: Path) -> str:
    """The go.work of `folder` with absolute paths, for another place: `go` writes go.work.sum beside it, which must
    not happen among the sources."""
    lines = []
    for words in _directives(_read(folder / "go.work").decode("utf-8", "replace")):
        match words:
            case ["use", path, *_]:
                written = ["use", str((folder / path).resolve())]
            case ["replace", *_, "=>", target] if _is_local(target):
                written = [*words[:-1], str((folder / target).resolve())]
            case _:
                written = words
        lines.append(" ".join(word if re.fullmatch(r"[\w./@~+=>-]+", word) else _quoted(word) for word in written))
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_local(target: str) -> bool:
    return re.match(r"\.\.?(/|$)|/", target) is not None


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|=>|[()]|//.*|[^\s()"`]+')


def _directives(text: str) -> Iterator[list[str]]:
    """Each line's words behind its keyword, blocks unfolded, comments and quotes taken off."""
    block: str | None = None
    for line in text.splitlines():
        words = [token for token in _TOKEN.findall(line) if not token.startswith("//")]
        words = [word[1:-1] if word[0] in '"`' and len(word) >= 2 else word for word in words]
        if not words:
            continue
        if block is None and len(words) >= 2 and words[1] == "(":
            block = words[0]
        elif words == [")"]:
            block = None
        else:
            yield words if block is None else [block, *words]


def _find_workspace(folder: Path, repository: Path) -> Path | None:
    """The folder of the nearest go.work in the repository, where it uses this module and is no one's private file:
    many projects tell git to ignore theirs, and another machine would build without it."""
    for above in (folder, *folder.parents):
        file = above / "go.work"
        if file.is_file():
            uses = {(above / use).resolve() for use in read_mod_file(file).uses}
            return above if folder in uses and not _is_ignored(file, repository) else None
        if above == repository:
            return None
    return None


def _is_ignored(file: Path, repository: Path) -> bool:
    """Whether .gitignore or .dockerignore files of the repository name it."""
    git: tuple[GitRule, ...] = ()
    docker: tuple[DockerRule, ...] = ()
    for folder in reversed([above for above in file.parents if above.is_relative_to(repository)]):
        inner = folder.relative_to(repository).as_posix()
        key = "" if inner == "." else f"{inner}/"
        git += parse_gitignore(read_rules(folder / ".gitignore"), key)
        docker += parse_dockerignore(read_rules(folder / ".dockerignore"), key)
    name = file.relative_to(repository).as_posix()
    return git_ignores(name, git, directory=False) or docker_ignores(name, docker)


def _local_folders(
    folder: Path, mod: GoModFile, workspace: Path | None, work: GoModFile | None, repository: Path
) -> tuple[Path, ...]:
    named = [(folder, target) for target in mod.local_replacements]
    if workspace is not None and work is not None:
        named += [(workspace, target) for target in (*work.uses, *work.local_replacements)]
    found: set[Path] = set()
    for start, target in named:
        path = (start / target).resolve()
        if not path.is_relative_to(repository):
            raise InputError(
                f"{folder.name}: the module folder {target!r} lies outside the repository",
                hint="publish that module, or move it into the repository",
            )
        if path != folder:
            found.add(path)
    return tuple(sorted(found))
