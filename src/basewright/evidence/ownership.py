"""Whose bytes they are, for an image that others built: by what the image itself says, and by nothing else.

Package databases come first, then what distributions recorded, then runtimes, then what the config runs. What no
evidence owns is unexplained. Pure.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

import msgspec

from basewright.ecosystems.apk import DATABASES, read_apk_installed
from basewright.ecosystems.dist_info import read_distributions
from basewright.ecosystems.dpkg import STATUS, STATUS_DIRECTORY, read_file_lists
from basewright.ecosystems.golang import is_go_program
from basewright.ecosystems.interpreter import is_interpreter_package, runtime_patterns
from basewright.facts import Owner
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Entry, Tree

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHARED = re.compile(
    r"|(?:usr/(?:local/)?)?(?:bin|sbin|lib|lib32|lib64|libexec|share|include|etc|src|games)|usr|usr/local|opt|home"
    r"|var|var/(?:lib|cache|log|tmp|run|spool|opt|mail|backups)|dev|proc|sys|run|tmp|boot|media|mnt"
)
"""Folders that no application has for itself: to be started there, or from there, owns nothing but the file."""
_BYTECODE = re.compile(r"(?P<folder>(?:.*/)?)__pycache__/(?P<name>[^/]+)\.[^./]+-\d+[^/]*\.pyc")
_NODE_MODULE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*(?=/)")
_GEM = re.compile(r"(?P<home>(?:.*/)?)gems/(?P<gem>[^/]+-\d[^/]*)(?=/)")
_APPLICATION_VARIABLES = ("PYTHONPATH", "KO_DATA_PATH")
_CLASS_PATH_OPTIONS = ("-cp", "-classpath", "--class-path")
_MAX_FOLDERS = 100


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes (of a file with several names once) and names of regular files by owner; and where the most of what nothing
    explains lies: (path, bytes), folders end in `/`, the largest first."""

    owner_bytes: dict[Owner, int]
    owner_files: dict[Owner, int]
    unexplained: tuple[tuple[str, int], ...]
    by_path: dict[str, Owner]
    """Of every regular file that has an owner."""


def find_owners(tree: Tree, config: RunConfig) -> Ownership:
    """Owners of the regular files of a final tree whose package databases were kept (ecosystems/picks.py)."""
    files = [entry for entry in tree if entry.is_file]
    claims = _Claims(tree, files)
    claims.system()
    claims.distributions()
    claims.runtimes()
    claims.modules()
    claims.application(config)
    claims.bytecode()
    return _summed(files, claims.owners)


class _Claims:
    """Owners by path; who claims a file first keeps it."""

    def __init__(self, tree: Tree, files: list[Entry]) -> None:
        self.owners: dict[str, Owner] = {}
        self._tree, self._files = tree, files
        self._landed: dict[str, str | None] = {}

    def _claim(self, path: str, owner: Owner) -> None:
        """A path as a database has it: the folders above it may be links here."""
        if path not in self._tree:
            parent, _, name = path.rpartition("/")
            if parent not in self._landed:
                self._landed[parent] = self._tree.resolve(parent)
            landed = self._landed[parent]
            if landed is None:
                return
            path = f"{landed}/{name}" if landed else name
        self.owners.setdefault(path, owner)

    def _unowned(self) -> Iterator[Entry]:
        return (entry for entry in self._files if entry.path not in self.owners)

    def system(self) -> None:
        """What dpkg and apk list, interpreters apart from the rest; and their databases."""
        for deb, paths in read_file_lists(self._tree):
            self._claim_all(paths, _package_owner(deb.source, deb.name))
        for apk in read_apk_installed(self._tree):
            self._claim_all(apk.files, _package_owner(apk.origin, apk.name))
        databases = ["var/lib/dpkg/"] * (STATUS in self._tree or STATUS_DIRECTORY in self._tree)
        databases += [path.removesuffix("installed") for path in DATABASES if path in self._tree]
        if databases:
            for entry in self._unowned():
                if entry.path.startswith(tuple(databases)):
                    self.owners[entry.path] = Owner.SYSTEM

    def _claim_all(self, paths: Iterable[str], owner: Owner) -> None:
        for path in paths:
            self._claim(path, owner)

    def distributions(self) -> None:
        """What installed Python distributions recorded; one that was installed from a folder is the application."""
        for each in read_distributions(self._tree):
            if each.record not in self.owners:  # a distribution of a package is the package's
                self._claim_all(each.files, Owner.APPLICATION if each.from_folder else Owner.DEPENDENCIES)

    def runtimes(self) -> None:
        """What lies with interpreters that no package brought."""
        programs = (entry.path for entry in self._unowned() if entry.mode & 0o111)
        for prefix, pattern in list(runtime_patterns(self._tree, programs)):
            for entry in list(self._unowned()):
                if entry.path.startswith(prefix) and pattern.fullmatch(entry.path, len(prefix)):
                    self.owners[entry.path] = Owner.RUNTIME

    def modules(self) -> None:
        """Modules of node with their package.json, gems with their specification, and virtual environments."""
        for entry in list(self._unowned()):
            module = _NODE_MODULE.match(entry.path) if "node_modules/" in entry.path else None
            gem = _GEM.match(entry.path) if "gems/" in entry.path else None
            if (module and f"{module[0]}/package.json" in self._tree) or (
                gem and f"{gem['home']}specifications/{gem['gem']}.gemspec" in self._tree
            ):
                self.owners[entry.path] = Owner.DEPENDENCIES
            elif entry.path.endswith("/pyvenv.cfg"):
                self._virtual_environment(posixpath.dirname(entry.path))

    def _virtual_environment(self, folder: str) -> None:
        self.owners[f"{folder}/pyvenv.cfg"] = Owner.DEPENDENCIES
        for name in ("activate", "activate.csh", "activate.fish", "activate.nu", "Activate.ps1", "activate.bat"):
            if f"{folder}/bin/{name}" in self._tree:
                self.owners.setdefault(f"{folder}/bin/{name}", Owner.DEPENDENCIES)

    def application(self, config: RunConfig) -> None:
        """The files that the config runs with the folders they have for themselves, the working directory, the search
        paths of the application, and programs written in Go, which carry their dependencies in them."""
        env = dict(each.split("=", 1) for each in config.env or () if "=" in each)
        folders = {_relative(config.working_dir)}
        folders |= {_relative(part) for name in _APPLICATION_VARIABLES for part in env.get(name, "").split(":")}
        words = (*(config.entrypoint or ()), *(config.cmd or ()))
        classes = tuple(_class_path(words))
        folders |= {_relative(posixpath.join(config.working_dir, each)) for each in classes}
        for path in self._programs((*words, *classes), config.working_dir, env):
            if path not in self.owners:
                self.owners[path] = Owner.APPLICATION
                folders.add(posixpath.dirname(path))
        landed = (self._tree.resolve(each) for each in folders)
        below = tuple(f"{each}/" for each in landed if each is not None and not _SHARED.fullmatch(each))
        for entry in list(self._unowned()):
            if (below and entry.path.startswith(below)) or (len(entry.head) > 64 and is_go_program(entry.head)):
                self.owners[entry.path] = Owner.APPLICATION

    def _programs(self, words: Sequence[str], working_dir: str, env: dict[str, str]) -> Iterator[str]:
        """The files that entry point and command name: the program as PATH finds it, arguments as they are."""
        for position, word in enumerate(words):
            places = [posixpath.join(working_dir or "/", word)] if "/" in word or position else []
            if "/" not in word:
                places += [f"{folder}/{word}" for folder in env.get("PATH", _DEFAULT_PATH).split(":")]
            for place in places:
                resolved = self._tree.resolve(_relative(place))
                entry = self._tree.get(resolved) if resolved else None
                if entry is not None and entry.is_file:
                    yield entry.path
                    break

    def bytecode(self) -> None:
        """What Python compiled belongs to whoever owns the source."""
        for entry in list(self._unowned()):
            match = _BYTECODE.fullmatch(entry.path) if entry.path.endswith(".pyc") else None
            if match is None:
                continue
            source = f"{match['folder']}{match['name']}.py"
            owner = self.owners.get(source) or self.owners.get(self._tree.resolve(source) or "")
            if owner is not None:
                self.owners[entry.path] = owner


def _class_path(words: Sequence[str]) -> Iterator[str]:
    """What Java's class path names, and the files that `@` reads arguments from, as jib writes both. A `*` is all of
    a folder: https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html"""
    for option, word in pairwise(words):
        if word.startswith("@"):
            yield word[1:]
        elif option in _CLASS_PATH_OPTIONS:
            yield from (each.removesuffix("*") for each in word.split(":") if each)


def _package_owner(source: str, name: str) -> Owner:
    return Owner.RUNTIME if is_interpreter_package(name) or is_interpreter_package(source) else Owner.SYSTEM


def _relative(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _summed(files: list[Entry], owners: dict[str, Owner]) -> Ownership:
    """Names of one file count once, for whoever owns one of them."""
    owner_bytes, owner_files = dict.fromkeys(Owner, 0), dict.fromkeys(Owner, 0)
    seen: dict[str, set[int]] = {}
    unexplained: list[Entry] = []
    owned = (entry for entry in files if entry.path in owners)
    for entry in chain(owned, (entry for entry in files if entry.path not in owners)):
        owner = owners.get(entry.path, Owner.UNEXPLAINED)
        owner_files[owner] += 1
        offsets = seen.setdefault(entry.spool, set())
        if entry.spool and entry.offset in offsets:
            continue
        offsets.add(entry.offset)
        owner_bytes[owner] += entry.size
        if owner is Owner.UNEXPLAINED:
            unexplained.append(entry)
    return Ownership(
        owner_bytes=owner_bytes,
        owner_files=owner_files,
        unexplained=tuple(_gathered(unexplained, owners))[:_MAX_FOLDERS],
        by_path=owners,
    )


def _gathered(files: list[Entry], owners: dict[str, Owner]) -> list[tuple[str, int]]:
    """Files under the highest folder in which nothing has an owner, so that a list of them is short."""
    owned = _folders_of(owners)
    found: dict[str, int] = {}
    for entry in files:
        above = (each for each in _above(entry.path) if each not in owned and not _SHARED.fullmatch(each))
        place = next((f"{each}/" for each in above), entry.path)
        found[place] = found.get(place, 0) + entry.size
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def _folders_of(paths: Iterable[str]) -> set[str]:
    """The folders above the paths, and the root."""
    folders = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the highest first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
