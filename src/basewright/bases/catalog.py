"""The table of bases: how each kind is locked and provided, and what is put over it for a candidate."""

from pathlib import Path

import msgspec

from basewright.bases.archive import provide_archive
from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.debian.distribution import (
    ASSEMBLER_FILES,
    assemble_debian,
    assembler_files,
    find_mirrors,
    resolve_assembler_files,
    resolve_debian,
)
from basewright.bases.look import is_runtime_path, os_release
from basewright.bases.published import provide_published
from basewright.bases.scratch import scratch_tree
from basewright.errors import OutOfReachError
from basewright.facts import NotMeasured, RuntimeFacts
from basewright.lock import Lock, LockedDebian, LockedImage
from basewright.oci.blob import BlobStore
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Tree
from basewright.strategy import ArchiveBase, Base, DebianBase, Platform, PublishedBase, ScratchBase
from basewright.world import World


class Provision(msgspec.Struct, frozen=True, kw_only=True):
    """A base for one candidate. An assembled one has no layers yet: its `tree` is to be written as one.

    `additions` are the runtime packages that go over it, `missing` those that could not be had, with the reason.
    """

    base: BaseImage | UnreachableBase
    additions: Tree
    missing: tuple[str, ...] = ()
    assembled: bool = False
    image: LockedImage | None = None
    debian: dict[str, LockedDebian] = {}
    """What had to be locked on the way."""


class BaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's base on a platform, with its runtime packages. `directory` is the strategy's."""

    base: Base
    platform: Platform
    runtime_packages: tuple[str, ...]
    directory: Path

    @property
    def key(self) -> str:
        """Two candidates with the same one share the base."""
        words = msgspec.json.encode(self.base).decode()
        return f"{self.platform} {type(self.base).__name__} {words} {' '.join(self.runtime_packages)}"


def debian_key(base: DebianBase, platform: Platform) -> str:
    """Under which a set of packages stands in the lock."""
    without = f" without {' '.join(sorted(base.exclude))}" if base.exclude else ""
    return f"{base.debian} {platform}: {' '.join(sorted(base.packages))}{without}"


def assembler_key(names: tuple[str, ...], platform: Platform) -> str:
    """Under which the assembler's own files stand in the lock."""
    return f"assembler {platform}: {' '.join(sorted(names))}"


def whole_set(request: BaseRequest) -> DebianBase | None:
    """The packages of an assembled base together with the runtime packages; None for another kind of base."""
    if not isinstance(request.base, DebianBase):
        return None
    packages = tuple(dict.fromkeys((*request.base.packages, *request.runtime_packages)))
    return msgspec.structs.replace(request.base, packages=packages)


def lock_base(request: BaseRequest, lock: Lock, world: World) -> dict[str, LockedDebian]:
    """What can be resolved before any base is here, where `lock` lacks it. Raises InputError, OutOfReachError."""
    base = whole_set(request)
    if base is not None:
        key = debian_key(base, request.platform)
        if key in lock.debian:
            return {}
        locked = resolve_debian(
            base, request.platform, http=world.http, cache=world.cache, now=world.now, progress=world.progress
        )
        return {key: locked}
    names = _from_assembler(request)
    if not isinstance(request.base, ScratchBase) or not names:
        return {}
    key = assembler_key(names, request.platform)
    if key in lock.debian:
        return {}
    locked = resolve_assembler_files(
        names, request.platform, http=world.http, cache=world.cache, now=world.now, progress=world.progress
    )
    return {key: locked}


def provide_base(request: BaseRequest, lock: Lock, world: World, *, store: BlobStore, spool: Path) -> Provision:
    """The base with its runtime packages. Raises InputError, HostileInputError, and OutOfReachError where nothing
    stands in for what is out of reach."""
    match request.base:
        case DebianBase():
            return _provide_debian(request, lock, world)
        case ScratchBase():
            base = BaseImage(
                name="scratch",
                layers=(),
                tree=scratch_tree(),
                runtime=RuntimeFacts(),
                run_config=RunConfig(),
                cadence=NotMeasured(reason="nothing is not rebuilt"),
            )
            return _with_packages(request, lock, world, Provision(base=base, additions=Tree(), assembled=True))
        case ArchiveBase():
            loaded = provide_archive(
                request.base,
                request.directory,
                request.platform,
                world=world,
                store=store,
                spool_directory=spool,
            )
            return _with_packages(request, lock, world, Provision(base=loaded, additions=Tree()))
        case PublishedBase():
            answer = provide_published(
                request.base,
                request.platform,
                locked=lock.images.get(request.base.reference),
                world=world,
                store=store,
                spool_directory=spool,
            )
            provision = Provision(base=answer.base, additions=Tree(), image=answer.locked)
            return _with_packages(request, lock, world, provision)


def _provide_debian(request: BaseRequest, lock: Lock, world: World) -> Provision:
    base = whole_set(request)
    assert base is not None
    locked = lock.debian[debian_key(base, request.platform)]
    root = assemble_debian(
        locked,
        request.platform,
        mirrors=find_mirrors(base),
        http=world.http,
        cache=world.cache,
        progress=world.progress,
    )
    image = BaseImage(
        name=f"debian {base.debian}, {len(locked.packages)} package{'s' * (len(locked.packages) != 1)}",
        layers=(),
        tree=root.tree,
        runtime=root.runtime,
        run_config=RunConfig(),
        packages=root.packages,
        notes=root.notes,
        cadence=root.cadence,
        download_seconds=root.download_seconds,
        runtime_paths=frozenset(root.runtime_paths),
    )
    return Provision(base=image, additions=Tree(), assembled=True)


def _from_assembler(request: BaseRequest) -> tuple[str, ...]:
    return tuple(name for name in request.runtime_packages if name in ASSEMBLER_FILES)


def _with_packages(request: BaseRequest, lock: Lock, world: World, provision: Provision) -> Provision:
    """Runtime packages over a base that is not assembled: from its own distribution where that is Debian, else CA
    certificates and time zones from the assembler, and the rest is said to be missing."""
    if not request.runtime_packages:
        return provision
    base = provision.base
    if isinstance(base, BaseImage) and base.runtime.distribution == "debian":
        return _with_debian_packages(request, lock, world, provision)
    names = _from_assembler(request)
    distribution = base.runtime.distribution or base.name
    missing = [
        f"{name}: basewright installs no packages of {distribution} yet"
        for name in request.runtime_packages
        if name not in names
    ]
    if not names:
        return msgspec.structs.replace(provision, missing=tuple(missing))
    key = assembler_key(names, request.platform)
    try:
        locked = lock.debian.get(key) or resolve_assembler_files(
            names, request.platform, http=world.http, cache=world.cache, now=world.now, progress=world.progress
        )
        files = assembler_files(
            locked,
            mirrors=find_mirrors(),
            http=world.http,
            cache=world.cache,
            progress=world.progress,
            hash_links=not isinstance(request.base, ScratchBase),
        )
    except OutOfReachError as error:
        missing = [*missing, *(f"{name}: {error.message}" for name in names)]
        return msgspec.structs.replace(provision, missing=tuple(missing))
    return msgspec.structs.replace(provision, additions=files, missing=tuple(missing), debian={key: locked})


def _with_debian_packages(request: BaseRequest, lock: Lock, world: World, provision: Provision) -> Provision:
    """Resolves the packages in the base's own suite, and adds what is not there."""
    base = provision.base
    assert isinstance(base, BaseImage)
    suite = os_release(base.tree).get("VERSION_CODENAME", "")
    wanted = tuple(name for name in request.runtime_packages if name not in base.packages)
    if not wanted:
        return provision
    extra = DebianBase(debian=suite or "stable", packages=wanted, exclude=("base-files",))
    key = debian_key(extra, request.platform)
    try:
        locked = lock.debian.get(key) or resolve_debian(
            extra, request.platform, http=world.http, cache=world.cache, now=world.now, progress=world.progress
        )
        lacking = tuple(package for package in locked.packages if package.name not in base.packages)
        root = assemble_debian(
            msgspec.structs.replace(locked, packages=lacking),
            request.platform,
            mirrors=find_mirrors(extra),
            http=world.http,
            cache=world.cache,
            progress=world.progress,
        )
    except OutOfReachError as error:
        missing = tuple(f"{name}: {error.message}" for name in wanted)
        return msgspec.structs.replace(provision, missing=missing)
    additions = Tree()
    for entry in root.tree:
        known = base.tree.resolve(entry.path)
        if not entry.is_directory and (known is None or entry.path.startswith(("usr/", "etc/ssl/", "var/lib/dpkg/"))):
            additions.add(entry)
    return msgspec.structs.replace(provision, additions=additions, debian={key: locked})


def owns_runtime(base: BaseImage, path: str) -> bool:
    """Whether a path of a base belongs to its interpreter."""
    return path in base.runtime_paths if base.runtime_paths else is_runtime_path(path)
