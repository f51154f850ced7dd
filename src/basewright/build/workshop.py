"""What building shares: the lock as it is completed, the bases as they come, caches, roots, and the interpreters."""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from basewright._cache import hold, sweep
from basewright._disk import ScratchFolder
from basewright._memory import free_large_at_once, give_back_memory
from basewright.apps.bytecode import CachedBytecode, Run, host_interpreter, host_runner
from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.catalog import BaseRequest, Provision, lock_base, provide_base
from basewright.build.stdlib import compile_standard_library
from basewright.build.work import AppWork
from basewright.candidate import Option, host_platform
from basewright.ecosystems.picks import PICKS
from basewright.errors import BasewrightError, OutOfReachError
from basewright.facts import Failure, FailureKind, PackageFacts
from basewright.lock import Lock, LockedImage
from basewright.oci.blob import BlobStore
from basewright.oci.image import Layer
from basewright.oci.layer import spool_tree, write_layer
from basewright.oci.tree import Entry, Tree
from basewright.parallel import map_parallel
from basewright.runner.root import RootStore, read_spooled
from basewright.runner.runner import Runner
from basewright.strategy import Bytecode, PublishedBase, Strategy
from basewright.world import World

_COMPILE_SECONDS = 900.0
_PROVIDERS = 4
_SMALL_BYTES = 4096
_SWEEP_SECONDS = 600.0
"""Counting a large cache takes as long as a small build."""


class Workshop:
    """One run's building. Close it (or leave its context) to let go of roots and scratch folders.

    `measuring` keeps the caches of what is timed in a scratch folder of this run, so that a cold build is cold.
    `left_out` are files that are no part of any application. `older` are images that a lock had: where `lock` lacks one
    and its registry is out of reach, it stays as it was.
    """

    def __init__(
        self,
        strategy: Strategy,
        lock: Lock,
        world: World,
        runner: Runner | None,
        *,
        measuring: bool = False,
        older: Mapping[str, LockedImage] = {},
        left_out: Sequence[Path] = (),
    ) -> None:
        self.strategy = strategy
        self.lock = lock
        self._older = older
        self.left_out = tuple(left_out)
        self.world = world
        self.runner = runner
        free_large_at_once()
        hold(world.cache)
        self.store = BlobStore(world.cache / "store")
        self.spool = world.cache / "layers"
        self.roots = RootStore(world.cache / "roots")
        self.failures: dict[str, Failure] = {}
        self.availability: dict[str, PackageFacts] = {}
        """What was learned of requirements, also for candidates that could not be built."""
        self.works: dict[str, AppWork] = {}
        """Applications whose downloads were made beside the bases."""
        self._scratch = ScratchFolder()
        self.scratch = self._scratch.path
        self.scratch_store = BlobStore(self.scratch / "store")
        self.build_cache: Path | None = self.scratch / "caches" if measuring else None
        self._provisions: dict[str, Provision | BasewrightError] = {}
        self._compilers: dict[str, tuple[str, CachedBytecode]] = {}
        self._layers: dict[str, Layer] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.roots.close()
        self._scratch.close()
        with suppress(BasewrightError):
            sweep(self.world.cache, max_bytes=self.world.settings.cache_bytes, every_seconds=_SWEEP_SECONDS)

    def request(self, option: Option) -> BaseRequest:
        """The option's base with its runtime packages."""
        return BaseRequest(
            base=option.candidate.base,
            platform=option.platform,
            runtime_packages=option.candidate.runtime_packages,
            directory=self.strategy.directory,
        )

    def _base_key(self, option: Option) -> str:
        """Two candidates with the same one share a base: bytecode of the standard library is part of it."""
        return f"{self.request(option).key} {option.bytecode}"

    def amend(self, change: Callable[[Lock], Lock]) -> None:
        """Changes the lock, one thread at a time."""
        with self._guard:
            self.lock = change(self.lock)

    def lock_bases(self, options: Sequence[Option]) -> None:
        """Completes the lock of assembled bases. Raises InputError; what is out of reach makes an option incomplete."""
        for option in options:
            try:
                found = lock_base(self.request(option), self.lock, self.world)
            except OutOfReachError as error:
                self.failures[option.name] = failure_of(error)
                continue
            if found:
                self.amend(lambda lock, found=found: _with(lock, debian={**lock.debian, **found}))  # type: ignore[misc]

    def provide(self, options: Sequence[Option]) -> None:
        """Brings the bases of all `options`, in parallel: first what has most to do, then what waits for a registry.
        Raises InputError."""
        wanted = {self._base_key(option): option for option in options if option.name not in self.failures}
        missing = {key: option for key, option in wanted.items() if key not in self._provisions}

        def bring(key: str) -> None:
            try:
                self._provisions[key] = self._provide(missing[key])
            except OutOfReachError as error:
                self._provisions[key] = error

        order = sorted(missing, key=lambda key: isinstance(missing[key].candidate.base, PublishedBase))
        map_parallel(bring, order, workers=_PROVIDERS)
        give_back_memory()
        for key, option in missing.items():
            found = self._provisions[key]
            if isinstance(found, Provision):
                try:
                    self._provisions[key] = self._finish(option, found)
                except OutOfReachError as error:
                    self._provisions[key] = error

    def _provide(self, option: Option) -> Provision:
        request, base = self.request(option), option.candidate.base
        provision = provide_base(request, self.lock, self.world, store=self.store, spool=self.spool)
        older = self._older.get(base.reference) if isinstance(base, PublishedBase) else None
        if older is not None and isinstance(provision.base, UnreachableBase) and provision.image is None:
            name = provision.base.name
            self.world.notice(f"{name} stays as it was locked on {older.seen_at[:10]}: its registry could not be asked")
            lock = _with(self.lock, images={**self.lock.images, name: older})
            provision = provide_base(request, lock, self.world, store=self.store, spool=self.spool)
        image = provision.image
        if image is not None and isinstance(base, PublishedBase):
            self.amend(lambda lock: _with(lock, images={**lock.images, base.reference: image}))
        if provision.debian:
            self.amend(lambda lock: _with(lock, debian={**lock.debian, **provision.debian}))
        return provision

    def _finish(self, option: Option, provision: Provision) -> Provision:
        """Gives an assembled base its bytecode and its layer."""
        base = provision.base
        if not provision.assembled or not isinstance(base, BaseImage):
            return provision
        if option.bytecode is Bytecode.COMPILED and base.runtime.interpreter:
            self.world.progress(f"compiling the standard library of {base.name}")
            compile_standard_library(base.tree, self.compiler(option, base))
        layer = self.write_layer(base.tree, f"basewright: {base.name}")
        return msgspec.structs.replace(provision, base=msgspec.structs.replace(base, layers=(layer,)))

    def write_layer(self, tree: Tree, created_by: str) -> Layer:
        """Writes a layer into the store; the same tree is compressed once in a run. The tree's large files move from
        memory to disk: they are read once more, when it is run."""
        key = f"{created_by} {tree_digest(tree)}"
        if key not in self._layers:
            self._layers[key] = write_layer(self.store, tree, created_by=created_by, epoch=self.world.file_epoch)
        layer = self._layers[key]
        spool_tree(tree, layer, self.spool, keep=_stays_in_memory, epoch=self.world.file_epoch)
        give_back_memory()
        return layer

    def provision(self, option: Option) -> Provision:
        """The base of `option`. Raises what kept it away."""
        found = self._provisions[self._base_key(option)]
        if isinstance(found, BasewrightError):
            raise found
        return found

    def base_if_known(self, option: Option) -> BaseImage | UnreachableBase | None:
        """The base of `option` where one came, or is published."""
        found = self._provisions.get(self._base_key(option))
        return found.base if isinstance(found, Provision) else None

    def compiler(self, option: Option, base: BaseImage | UnreachableBase) -> CachedBytecode:
        """What compiles bytecode for `base`: its own interpreter in the sandbox, else the like of it on this machine,
        or (for a base out of reach) in another base of this run. Raises OutOfReachError."""
        version = base.runtime.python_version
        if version is None:
            raise OutOfReachError(f"{base.name} has no Python interpreter that is known")
        key = f"{self._base_key(option)} {version}"
        if key not in self._compilers:
            self._compilers[key] = (version, self._new_compiler(option, base, version))
        return self._compilers[key][1]

    def _new_compiler(self, option: Option, base: BaseImage | UnreachableBase, version: str) -> CachedBytecode:
        cache = self.build_cache or self.world.cache
        own = isinstance(base, BaseImage) and base.runtime.interpreter
        if own and self.runner is not None and option.platform == host_platform():
            assert isinstance(base, BaseImage) and base.runtime.interpreter is not None
            binary = base.tree.find(base.runtime.interpreter)
            data = binary.data if binary is not None and binary.data is not None else (base.digest or "").encode()
            identity = f"{version} {base.runtime.interpreter} {hashlib.sha256(data).hexdigest()}"
            return CachedBytecode(
                self._sandboxed(base),
                base.runtime.interpreter,
                python_version=version,
                interpreter_key=identity,
                cache=cache,
            )
        found = host_interpreter(version, process=self.world.process)
        if found is None and isinstance(base, UnreachableBase):
            like = [each for other, each in self._compilers.values() if _minor(other) == _minor(version)]
            if like:
                return like[0]
            found = host_interpreter(_minor(version), process=self.world.process)
        if found is None:
            raise OutOfReachError(
                f"bytecode for Python {version} needs that interpreter, and none can be run here",
                hint='bytecode = "none" builds without',
            )
        return CachedBytecode(
            host_runner(self.world.process), found, python_version=version, interpreter_key=version, cache=cache
        )

    def _sandboxed(self, base: BaseImage) -> Run:
        runner, process = self.runner, self.world.process
        assert runner is not None
        root: list[Path] = []

        def run(argv: Sequence[str], stdin: bytes):  # type: ignore[no-untyped-def]
            if not root:
                root.append(self.materialise((base.tree,)))
            return runner.run_program(
                root[0],
                argv,
                process=process,
                env={"PYTHONHASHSEED": "0", "PATH": "/usr/local/bin:/usr/bin:/bin"},
                timeout_seconds=_COMPILE_SECONDS,
                user="65532:65532",
                stdin=stdin,
                max_bytes=1 << 30,
            )

        return run

    def materialise(self, trees: Sequence[Tree], *, directories: Sequence[str] = ()) -> Path:
        """The trees, stacked, as a root filesystem on disk."""
        key = hashlib.sha256(" ".join(tree_digest(tree) for tree in trees).encode()).hexdigest()
        return self.roots.materialise(trees, key=key, read=read_spooled(self.spool), directories=directories)


def _stays_in_memory(entry: Entry) -> bool:
    """Configuration, and what of any base is looked at."""
    return entry.size <= _SMALL_BYTES or PICKS.wants(entry)


def failure_of(error: BasewrightError) -> Failure:
    """incomplete where something outside was out of reach, failed where the candidate's own input is at fault."""
    kind = FailureKind.INCOMPLETE if isinstance(error, OutOfReachError) else FailureKind.FAILED
    return Failure(kind=kind, reason=error.message, output=tuple(getattr(error, "output", ())), hint=error.hint)


def tree_digest(tree: Tree) -> str:
    """A digest of names, modes, owners, links and contents."""
    digest = hashlib.sha256()
    for entry in tree:
        words = (entry.path, entry.type, f"{entry.mode:o}", str(entry.uid), str(entry.gid), entry.link, _place(entry))
        digest.update("\0".join(words).encode("utf-8", "surrogateescape"))
        digest.update(hashlib.sha256(entry.data).digest() if entry.data is not None else b"-")
    return digest.hexdigest()


def _place(entry: Entry) -> str:
    return f"{entry.spool}+{entry.offset}" if entry.spool else ""


def _with(lock: Lock, **fields: object) -> Lock:
    return msgspec.structs.replace(lock, **fields)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
