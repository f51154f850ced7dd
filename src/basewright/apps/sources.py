"""An application's folder as a tree: what belongs to it, with fixed modes, and no link out of its repository."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from basewright.apps.ignored import (
    DockerRule,
    GitRule,
    docker_ignores,
    git_ignores,
    parse_dockerignore,
    parse_gitignore,
    read_rules,
)
from basewright.errors import InputError
from basewright.oci.tree import Tree, directory, file, symlink

MAX_FILES = 200_000
MAX_BYTES = 4 << 30
_MAX_DEPTH = 64
_ARCHIVE_HEAD_BYTES = 16 << 10
# Version control, bytecode, and what basewright itself reads and writes beside the application.
_NEVER = {".git", ".hg", ".svn", ".bzr", "_darcs", ".jj", "CVS", "__pycache__", ".basewright", ".DS_Store"}
_NEVER_BESIDE_THE_STRATEGY = {"basewright.toml", "basewright.lock"}


def repository_of(directory: Path) -> Path:
    """The nearest folder above (or at) `directory` that git calls a repository, else `directory` itself."""
    start = directory.resolve()
    return next((each for each in (start, *start.parents) if (each / ".git").exists()), start)


def app_folder(strategy_directory: Path, name: str) -> Path:
    """The folder that a strategy names, resolved. Raises InputError where it is none, or outside the repository."""
    folder = (strategy_directory / name).resolve()
    if not folder.is_dir():
        raise InputError(f"the app folder {name} does not exist", hint="app is relative to the strategy file")
    if not folder.is_relative_to(repository_of(strategy_directory)):
        raise InputError(f"the app folder {name} lies outside of the strategy's repository")
    return folder


def read_app_folder(folder: Path, *, strategy_directory: Path, at: str, exclude: Sequence[Path] = ()) -> Tree:
    """Every file of `folder` that belongs to the app, below the path `at` of a root.

    Folders without files are left out, as git leaves them out: a clone must build what this folder builds.
    Modes are 0755 for directories and executables and 0644 for the rest, owners 0:0, whatever the umask was.
    `exclude` names further paths that stay out. Raises InputError, such as for a link that leaves the repository.
    """
    walk = _Walk(folder.resolve(), repository_of(strategy_directory), at, strategy_directory.resolve(), exclude)
    walk.run()
    return walk.tree


def is_part_of(path: Path, folder: Path, *, strategy_directory: Path) -> bool:
    """Whether a file would become part of the app in `folder`: below it, and ignored by nothing."""
    within = path.resolve()
    if not within.is_relative_to(folder.resolve()):
        return False
    tree = read_app_folder(folder, strategy_directory=strategy_directory, at="app")
    return f"app/{within.relative_to(folder.resolve()).as_posix()}" in tree


class _Walk:
    """One reading of a folder. Paths of rules are relative to the repository."""

    def __init__(self, folder: Path, repository: Path, at: str, strategy: Path, exclude: Sequence[Path]) -> None:
        self.tree = Tree()
        self._folder = folder
        self._repository = repository
        self._at = at
        self._strategy = strategy
        self._exclude = {each.resolve() for each in exclude}
        self._files = self._bytes = 0

    def run(self) -> None:
        self.tree.add(directory(self._at))
        git: tuple[GitRule, ...] = ()
        docker: tuple[DockerRule, ...] = ()
        relative = self._folder.relative_to(self._repository).parts
        here = self._repository
        for part in relative:
            git += parse_gitignore(read_rules(here / ".gitignore"), self._key(here))
            here = here / part
        # A build context is the app's folder, the strategy's or the repository's: a rule of any of them counts.
        for context in sorted({self._repository, self._strategy, self._folder}):
            if self._folder.is_relative_to(context):
                docker += parse_dockerignore(read_rules(context / ".dockerignore"), self._key(context))
        self._walk(self._folder, self._at, git, docker, 0)

    def _key(self, folder: Path) -> str:
        """Of a folder as rules have it: relative to the repository, a slash behind it."""
        relative = folder.relative_to(self._repository).as_posix()
        return "" if relative == "." else f"{relative}/"

    def _walk(
        self, folder: Path, at: str, git: tuple[GitRule, ...], docker: tuple[DockerRule, ...], depth: int
    ) -> None:
        if depth > _MAX_DEPTH:
            raise InputError(f"{self._named(folder)} is nested more than {_MAX_DEPTH} folders deep")
        git += parse_gitignore(read_rules(folder / ".gitignore"), self._key(folder))
        for entry in self._entries(folder):
            path = folder / entry.name
            if self._stays_out(path, entry, git, docker):
                continue
            target = f"{at}/{entry.name}"
            if entry.is_symlink():
                self._link(path, target, git, docker, depth)
            elif entry.is_dir():
                self._walk(path, target, git, docker, depth + 1)
            elif entry.is_file(follow_symlinks=False):  # sockets and pipes stay out, as git leaves them out
                self._file(path, target)

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            raise InputError(f"{self._named(folder)} cannot be read: {error.strerror}") from None

    def _stays_out(
        self, path: Path, entry: os.DirEntry[str], git: tuple[GitRule, ...], docker: tuple[DockerRule, ...]
    ) -> bool:
        is_directory = entry.is_dir(follow_symlinks=False)
        if entry.name in _NEVER or (path.parent == self._strategy and entry.name in _NEVER_BESIDE_THE_STRATEGY):
            return True
        if path in self._exclude or (is_directory and (path / "pyvenv.cfg").exists()):
            return True
        if (is_directory and (path / "oci-layout").is_file()) or _is_image_archive(entry):
            return True  # what `basewright build` wrote here is no part of what it builds next
        key = path.relative_to(self._repository).as_posix()
        if git_ignores(key, git, directory=is_directory):
            return True
        # A later rule may keep something below an ignored folder, so Docker's rules are asked for each file.
        return docker_ignores(key, docker) and not (is_directory and any(rule.keeps for rule in docker))

    def _file(self, path: Path, target: str) -> None:
        try:
            # Not following: what was a file may have become a link out of the repository since.
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(handle, "rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return
                self._count(path, status.st_size)
                data = stream.read(status.st_size + 1)
        except OSError as error:
            raise InputError(f"{self._named(path)} cannot be read: {error.strerror}") from None
        self.tree.add(file(target, data, mode=0o755 if status.st_mode & 0o111 else 0o644))

    def _count(self, path: Path, size: int) -> None:
        self._files += 1
        self._bytes += size
        if self._files > MAX_FILES or self._bytes > MAX_BYTES:
            raise InputError(
                f"the app folder {self._named(self._folder)} holds more than {MAX_FILES:,} files "
                f"or {MAX_BYTES:,} bytes (reached at {self._named(path)})",
                hint="ignore what does not belong to the image in .gitignore or .dockerignore",
            )

    def _link(
        self, path: Path, target: str, git: tuple[GitRule, ...], docker: tuple[DockerRule, ...], depth: int
    ) -> None:
        """Inside the folder a link stays a link; to elsewhere in the repository, what it leads to is copied."""
        try:
            text = path.readlink()
            resolved = path.resolve()
        except (OSError, RuntimeError):
            raise InputError(f"the link {self._named(path)} leads in a circle") from None
        if not resolved.is_relative_to(self._repository):
            raise InputError(
                f"the link {self._named(path)} leaves the repository",
                hint="copy what it leads to into the repository, or ignore the link in .dockerignore",
            )
        lexical = Path(os.path.normpath(path.parent / text))
        if resolved.is_relative_to(self._folder) and lexical.is_relative_to(self._folder):
            self._count(path, 0)
            self.tree.add(symlink(target, os.path.relpath(lexical, path.parent)))
        elif resolved.is_dir():
            self._walk(resolved, target, git, docker, depth + 1)
        elif resolved.is_file():
            self._file(resolved, target)
        else:
            raise InputError(f"the link {self._named(path)} leads nowhere")

    def _named(self, path: Path) -> str:
        return path.relative_to(self._repository).as_posix() if path.is_relative_to(self._repository) else path.name


def _is_image_archive(entry: os.DirEntry[str]) -> bool:
    """Whether it is an OCI archive, told by its first names."""
    if not entry.name.endswith(".tar") or not entry.is_file(follow_symlinks=False):
        return False
    try:
        with Path(entry.path).open("rb") as file:
            head = file.read(_ARCHIVE_HEAD_BYTES)
    except OSError:
        return False
    blocks = (head[at : at + 512] for at in range(0, len(head), 512))
    return any(block.startswith(b"oci-layout\0") and block[257:262] == b"ustar" for block in blocks)
