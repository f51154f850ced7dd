"""Locks and builds all options of a run: assembled bases first, then bases side by side, then each application."""

from collections.abc import Callable, Sequence
from importlib.metadata import version

import msgspec

from basewright.apps.app import AppTarget
from basewright.apps.go import go_application, resolve_go
from basewright.apps.go import is_current as is_current_go
from basewright.apps.python import python_packages
from basewright.apps.python_resolve import is_current, resolve_python
from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.catalog import debian_key
from basewright.bases.debian.distribution import library_packages
from basewright.build.announce import announce_bases, announce_indexes, announce_wheels
from basewright.build.assemble import assemble
from basewright.build.go_work import GoWork
from basewright.build.product import ColdBuild, Product, measure_cold
from basewright.build.python_work import PythonWork
from basewright.build.work import AppWork
from basewright.build.workshop import Workshop, failure_of
from basewright.candidate import Option, own_paths, target_platforms
from basewright.errors import BasewrightError, BuildFailedError, OutOfReachError
from basewright.facts import Failure, MissingLibrary, PackageFacts, RuntimeFacts
from basewright.feeds.lifecycle import release_dates
from basewright.feeds.official import tag_runtime
from basewright.lock import Lock, LockedGo, LockedPython
from basewright.oci.stream import GZIP_LEVEL, MEMBER_BYTES
from basewright.parallel import beside
from basewright.strategy import Bytecode, Candidate, DebianBase, GoApp, PublishedBase, PythonApp, Strategy
from basewright.world import World


def go_key(candidate: Candidate) -> str:
    """Under which a candidate's toolchain stands in the lock."""
    assert isinstance(candidate.app, GoApp)
    return f"{candidate.app.go}: {candidate.toolchain or 'go.mod'}"


def python_key(app: PythonApp) -> str:
    """Under which an app's requirements stand in the lock."""
    return f"{app.python}: {app.requirements}" if app.requirements else app.python


def is_locked(strategy: Strategy, options: Sequence[Option], lock: Lock) -> bool:
    """Whether `lock` answers everything that can be locked before anything is fetched."""
    return lock.encoders == encoder_versions() and all(_is_locked(strategy, option, lock) for option in options)


def encoder_versions() -> dict[str, str]:
    """What shapes the bytes of layers here, with its version: the compressor and how it is used, what writes scripts
    and RECORD. Interpreters and build backends, which do so too, are locked as packages."""
    packages = {name: version(name) for name in ("deflate", "installer")}
    return {**packages, "gzip": f"level {GZIP_LEVEL} in members of {MEMBER_BYTES >> 20} MiB"}


def _is_locked(strategy: Strategy, option: Option, lock: Lock) -> bool:
    candidate = option.candidate
    if isinstance(candidate.base, DebianBase):
        packages = tuple(dict.fromkeys((*candidate.base.packages, *candidate.runtime_packages)))
        whole = msgspec.structs.replace(candidate.base, packages=packages)
        if debian_key(whole, option.platform) not in lock.debian:
            return False
    if lock.bytecode.get(option.name) != option.bytecode:
        return False
    if isinstance(candidate.app, GoApp):
        toolchain = lock.go.get(go_key(candidate))
        return toolchain is not None and is_current_go(strategy.directory, candidate, toolchain)
    locked = lock.python.get(python_key(candidate.app))
    return locked is not None and is_current(strategy.directory, candidate.app, locked, targets=())


def lock_all(workshop: Workshop, options: Sequence[Option], *, keep_errors: bool = True) -> None:
    """Locks bases and toolchains, brings the bases, then locks requirements for the interpreters that were found.

    Raises InputError before anything is built; what is out of reach makes an option incomplete. Without `keep_errors`
    a published base that is out of reach is raised, before anything large is fetched.
    """
    _lock_encoders(workshop)
    announce_indexes(workshop, options)
    workshop.lock_bases(options)
    for option in options:
        if isinstance(option.candidate.app, GoApp):
            _attempt(workshop, option, _lock_go)
    if not keep_errors:
        _bring_published(workshop, options)
    go_users = [option for option in options if isinstance(option.candidate.app, GoApp)]
    announce_bases(workshop, options, [workshop.lock.go.get(go_key(option.candidate)) for option in go_users])
    works = {go_key(option.candidate): option for option in go_users if option.name not in workshop.failures}
    with beside([_download(workshop, option) for option in works.values()]):
        workshop.provide(options)
        for option in options:
            workshop.amend(
                lambda lock, option=option: msgspec.structs.replace(  # type: ignore[misc]
                    lock, bytecode={**lock.bytecode, option.name: option.bytecode.value}
                )
            )
        _lock_python(workshop, options)
        announce_wheels(workshop, {option.name: _locked_python(workshop, option) for option in options}, options)


def _bring_published(workshop: Workshop, options: Sequence[Option]) -> None:
    """Raises OutOfReachError: whoever wants this one image hears in a second that its base cannot be had."""
    published = [option for option in options if isinstance(option.candidate.base, PublishedBase)]
    workshop.provide(published)
    for option in published:
        base = workshop.provision(option).base
        if isinstance(base, UnreachableBase):
            raise OutOfReachError(f"{option.name} cannot be built: {base.reason}", hint=base.hint)


def _locked_python(workshop: Workshop, option: Option) -> LockedPython | None:
    app = option.candidate.app
    return workshop.lock.python.get(python_key(app)) if isinstance(app, PythonApp) else None


def _lock_encoders(workshop: Workshop) -> None:
    here, locked = encoder_versions(), workshop.lock.encoders
    for name, known in locked.items():
        if known != here.get(name, known):
            workshop.world.notice(f"the lock was made with {name} {known}, this is {here[name]}: layers may differ")
    workshop.amend(lambda lock: msgspec.structs.replace(lock, encoders=here))


def _attempt(workshop: Workshop, option: Option, work: Callable[[Workshop, Option], None]) -> None:
    try:
        work(workshop, option)
    except OutOfReachError as error:
        workshop.failures.setdefault(option.name, failure_of(error))


def _lock_go(workshop: Workshop, option: Option) -> None:
    key, world = go_key(option.candidate), workshop.world
    known = workshop.lock.go.get(key)
    if known is not None and is_current_go(workshop.strategy.directory, option.candidate, known):
        return
    locked = resolve_go(
        workshop.strategy.directory,
        option.candidate,
        release_dates=release_dates("go"),
        process=world.process,
        http=world.http,
        progress=world.progress,
    )
    workshop.amend(lambda lock: msgspec.structs.replace(lock, go={**lock.go, key: locked}))


def _download(workshop: Workshop, option: Option) -> Callable[[], None]:
    """Fetches toolchain and modules beside the bases; a fault comes up again where the candidate is built."""

    def download() -> None:
        try:
            workshop.works[option.name] = _go_work(workshop, option)
        except BasewrightError:
            return

    return download


def _lock_python(workshop: Workshop, options: Sequence[Option]) -> None:
    apps: dict[str, list[Option]] = {}
    for option in options:
        if isinstance(option.candidate.app, PythonApp):
            apps.setdefault(python_key(option.candidate.app), []).append(option)
    for key, users in apps.items():
        app = users[0].candidate.app
        assert isinstance(app, PythonApp)
        targets = [(option.platform, _python_version(workshop, option)) for option in users]
        locked = workshop.lock.python.get(key)
        if locked is not None and is_current(workshop.strategy.directory, app, locked, targets=targets):
            continue
        try:
            resolved = resolve_python(
                workshop.strategy.directory,
                app,
                targets=targets,
                process=workshop.world.process,
                cache=workshop.world.cache,
                progress=workshop.world.progress,
            )
        except OutOfReachError as error:
            for option in users:
                workshop.failures.setdefault(option.name, failure_of(error))
            continue
        workshop.amend(
            lambda lock, key=key, resolved=resolved: msgspec.structs.replace(  # type: ignore[misc]
                lock, python={**lock.python, key: resolved}
            )
        )


def lock_for_dockerfile(strategy: Strategy, candidate: Candidate, lock: Lock, world: World) -> "LockedApp":
    """What a Dockerfile must know of its application: from the lock, else resolved now. Raises InputError."""
    if isinstance(candidate.app, GoApp):
        known = lock.go.get(go_key(candidate))
        return LockedApp(
            go=known
            or resolve_go(
                strategy.directory,
                candidate,
                release_dates=release_dates("go"),
                process=world.process,
                http=world.http,
                progress=world.progress,
            )
        )
    locked = lock.python.get(python_key(candidate.app))
    if locked is None or not is_current(strategy.directory, candidate.app, locked, targets=()):
        reference = candidate.base.reference if isinstance(candidate.base, PublishedBase) else ""
        runtime = tag_runtime(reference)
        python = runtime.python_version if runtime is not None else None
        locked = resolve_python(
            strategy.directory,
            candidate.app,
            targets=[(platform, python) for platform in target_platforms(strategy)],
            process=world.process,
            cache=world.cache,
            progress=world.progress,
        )
    return LockedApp(python=locked)


class LockedApp(msgspec.Struct, frozen=True, kw_only=True):
    """The locked half of a candidate's application."""

    go: LockedGo | None = None
    python: LockedPython | None = None


def _python_version(workshop: Workshop, option: Option) -> str | None:
    base = workshop.base_if_known(option)
    return None if base is None else base.runtime.python_version


def build_all(
    workshop: Workshop, options: Sequence[Option], *, keep_errors: bool = True
) -> dict[str, Product | Failure]:
    """Every option, built, or why not. Without `keep_errors` the first error is raised."""
    built: dict[str, Product | Failure] = {}
    colds: dict[str, ColdBuild] = {}
    # What is here goes first: an interpreter that ran for one base stands in for the like of it that is out of reach.
    for option in sorted(options, key=lambda each: not isinstance(workshop.base_if_known(each), BaseImage)):
        if option.name in workshop.failures:
            built[option.name] = workshop.failures[option.name]
            continue
        workshop.world.progress(f"building {option.name}")
        try:
            built[option.name] = _build(workshop, option, colds)
        except BasewrightError as error:
            if not keep_errors:
                raise
            built[option.name] = failure_of(error)
    return {option.name: built[option.name] for option in options}


def _build(workshop: Workshop, option: Option, colds: dict[str, ColdBuild]) -> Product:
    provision = workshop.provision(option)
    base = provision.base
    runtime = _runtime(workshop, option, base)
    work = _work(workshop, option, base)
    shared = _cold_key(workshop, option, runtime)
    app, cold = measure_cold(work.build, work.download_seconds)
    cold = colds.setdefault(shared, cold)
    if app.packages.missing_libraries:
        app = msgspec.structs.replace(app, packages=_named_libraries(workshop, option, runtime, app.packages))
    assembled = assemble(
        option,
        workshop.strategy,
        base,
        provision.additions,
        app,
        store=workshop.store,
        write=workshop.write_layer,
        created=workshop.world.created,
    )
    return Product(
        option=option,
        base=base,
        runtime=runtime,
        app=app,
        assembled=assembled,
        work=work,
        cold=cold,
        missing_packages=provision.missing,
        has_dependencies=bool(app.packages.requirements),
    )


def _runtime(workshop: Workshop, option: Option, base: BaseImage | UnreachableBase) -> RuntimeFacts:
    if not isinstance(option.candidate.app, GoApp):
        return base.runtime
    return msgspec.structs.replace(base.runtime, go_version=_locked_go(workshop, option).toolchain)


def _cold_key(workshop: Workshop, option: Option, runtime: RuntimeFacts) -> str:
    """Candidates with the same application and toolchain share one cold build."""
    if isinstance(option.candidate.app, GoApp):
        return f"{go_key(option.candidate)} {option.candidate.app.package} {option.platform}"
    key = python_key(option.candidate.app)
    return f"{key} {runtime.libc} {runtime.python_version} {option.platform} {option.bytecode}"


def _locked_go(workshop: Workshop, option: Option) -> LockedGo:
    return workshop.lock.go[go_key(option.candidate)]


def _work(workshop: Workshop, option: Option, base: BaseImage | UnreachableBase) -> AppWork:
    if isinstance(option.candidate.app, GoApp):
        return workshop.works.get(option.name) or _go_work(workshop, option)
    locked = workshop.lock.python[python_key(option.candidate.app)]
    target = _target(workshop, option, base, locked)
    work = PythonWork(
        option,
        workshop.strategy,
        locked,
        target,
        workshop.world,
        exclude=(*own_paths(workshop.strategy), *workshop.left_out),
    )
    work.download()
    return work


def _go_work(workshop: Workshop, option: Option) -> GoWork:
    application = go_application(
        workshop.strategy.directory,
        option.candidate,
        _locked_go(workshop, option),
        option.platform,
        process=workshop.world.process,
        cache=workshop.world.cache,
        progress=workshop.world.progress,
    )
    builds = workshop.build_cache / "go" if workshop.build_cache is not None else None
    return GoWork(application, builds=builds)


def _target(workshop: Workshop, option: Option, base: BaseImage | UnreachableBase, locked: LockedPython) -> AppTarget:
    if isinstance(base, BaseImage) and base.runtime.python_version is None:
        raise BuildFailedError(
            f"{option.name} is a Python application, and its base {base.name} has no Python interpreter",
            hint="python3-minimal and libpython3-stdlib are Debian's packages of one",
        )
    if isinstance(base, UnreachableBase) and base.runtime.python_version is None:
        raise OutOfReachError(base.reason, hint=base.hint)
    target = AppTarget(
        platform=option.platform,
        runtime=base.runtime,
        base_tree=base.tree if isinstance(base, BaseImage) else None,
        compile_bytecode=None,
    )
    workshop.availability[option.name] = python_packages(locked, target, option.platforms)
    if option.bytecode is Bytecode.NONE:
        return target
    return msgspec.structs.replace(target, compile_bytecode=workshop.compiler(option, base))


def _named_libraries(workshop: Workshop, option: Option, runtime: RuntimeFacts, facts: PackageFacts) -> PackageFacts:
    """Names the Debian package of each missing library, where the base is Debian and its archive answers."""
    base = option.candidate.base
    suite = base.debian if isinstance(base, DebianBase) else ""
    if runtime.distribution != "debian" or not suite:
        return facts
    try:
        packages = library_packages(
            [each.soname for each in facts.missing_libraries],
            suite,
            option.platform,
            http=workshop.world.http,
            cache=workshop.world.cache,
            now=workshop.world.now,
            progress=workshop.world.progress,
        )
    except BasewrightError:  # a name to help with, no more
        return facts
    named = tuple(
        MissingLibrary(soname=each.soname, needed_by=each.needed_by, package=packages.get(each.soname))
        for each in facts.missing_libraries
    )
    return msgspec.structs.replace(facts, missing_libraries=named)
