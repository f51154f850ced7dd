"""The whole flow on one page: strategy → candidates → images → evidence → measurements → decision → record."""

import datetime
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from basewright import __version__
from basewright._disk import check_writable
from basewright.adr.directory import find_home
from basewright.adr.record import write_record
from basewright.apps.sources import app_folder, is_part_of
from basewright.build.dockerfile import render_dockerfile
from basewright.build.factory import build_all, is_locked, lock_all, lock_for_dockerfile
from basewright.build.workshop import Workshop
from basewright.candidate import Option, named, plan
from basewright.decide.criterion import criteria_of
from basewright.decide.decision import Decision, decide
from basewright.decide.standing import Status
from basewright.drivers.driver import DriverContext
from basewright.errors import ExitCode, InputError, OutOfReachError
from basewright.evidence.gather import gather, now_utc
from basewright.evidence.key import inputs_digest, key_of
from basewright.evidence.machine import read_machine
from basewright.evidence.reach import ask_bases, is_worth_another_try, with_moved_tags
from basewright.evidence.store import SCHEMA, EvidenceFile, read_evidence, write_evidence
from basewright.facts import Failure, Unmeasured
from basewright.feeds.catalog import feed_dates
from basewright.feeds.pricing import fargate_facts
from basewright.lock import Lock, LockedImage, merge_locks, read_lock, render_lock, write_lock
from basewright.oci.digest import Digest
from basewright.oci.writing import check_target, write_layout
from basewright.runner.catalog import NOT_ASKED_FOR, FoundRunner, find_runner
from basewright.strategy import Bytecode, Platform, PythonApp, Strategy
from basewright.view.compose import view_evaluation
from basewright.view.evaluation import EvaluationView
from basewright.world import World

LOCK_NAME = "basewright.lock"
EVIDENCE_DIRECTORY = Path(".basewright") / "evidence"


class EvaluateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of one evaluation. `secrets` are variables that are never written down, `env_file` the
    file that they are from, which is never part of an image."""

    as_of: datetime.date | None = None
    """None: the evidence's own day, so that an unchanged run says the same tomorrow."""
    only: tuple[str, ...] = ()
    run: bool = True
    fresh: bool = False
    update_lock: bool = False
    seed: int = 1
    secrets: Mapping[str, str] = {}
    env_file: Path | None = None

    @property
    def left_out(self) -> tuple[Path, ...]:
        """Files that are no part of an application, wherever they lie."""
        return (self.env_file,) if self.env_file is not None else ()


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation came to."""

    view: EvaluationView
    exit_code: ExitCode
    anything_unmeasured: bool


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was written, and the lines that load or push it."""

    digest: Digest
    next_steps: tuple[str, ...]


def evaluate(strategy: Strategy, options: EvaluateOptions, world: World) -> Evaluation:
    """Builds, runs, measures, ranks and records. What is wrong in the strategy raises before anything is built."""
    criteria_of(strategy)
    find_home(strategy.directory, strategy.decision.directory)
    chosen = plan(strategy, only=options.only)
    _tell_of_secrets(strategy, chosen, options, world)
    inputs = inputs_digest(strategy, chosen, left_out=options.left_out)
    lock = Lock() if options.update_lock else read_lock(lock_path(strategy))
    found = find_runner(world.process)
    if found.why_not:
        world.notice(f"not running images: {found.why_not}" + (f" (mend it: {found.hint})" if found.hint else ""))
    elif not options.run:
        found = msgspec.structs.replace(found, description="none", why_not=NOT_ASKED_FOR)
    before = read_evidence(evidence_directory(strategy), [option.name for option in chosen])
    files = kept = None
    if not options.fresh and before is not None and is_locked(strategy, chosen, lock):
        key = _key(inputs, lock, found, options, world)
        files = kept = before if all(file.key == key for file in before) else None
    answers = ask_bases(chosen, files, lock, world.settings.registries)
    if files is None or is_worth_another_try(chosen, files, answers):
        files = _measure(strategy, chosen, inputs, lock, found, options, world)
    files = with_moved_tags(chosen, files, before, lock, answers, now=world.now)
    if files != kept:
        write_evidence(evidence_directory(strategy), files)
    return _conclude(strategy, chosen, files, options, world)


def _tell_of_secrets(strategy: Strategy, chosen: Sequence[Option], options: EvaluateOptions, world: World) -> None:
    """A build elsewhere knows nothing of --env-file, and would take the file into the image."""
    folders = {option.candidate.app.python for option in chosen if isinstance(option.candidate.app, PythonApp)}
    for path in options.left_out:
        for name in sorted(folders):
            folder = app_folder(strategy.directory, name)
            if is_part_of(path, folder, strategy_directory=strategy.directory):
                world.notice(
                    f"{path.name} lies in the app folder {name} and stays out of the images: --env-file names it\n"
                    "hint: name it in .dockerignore, since `build` and docker would take it along"
                )


def _measure(
    strategy: Strategy,
    chosen: Sequence[Option],
    inputs: str,
    lock: Lock,
    found: FoundRunner,
    options: EvaluateOptions,
    world: World,
) -> tuple[EvidenceFile, ...]:
    """Candidates → images → evidence."""
    home = [] if options.only else [find_home(strategy.directory, strategy.decision.directory).path]
    for folder in (lock_path(strategy).parent, evidence_directory(strategy), *home):
        check_writable(folder)  # else the end of all measuring is where it shows
    older = _older_images(strategy) if options.update_lock else {}
    with Workshop(
        strategy, lock, world, found.runner, measuring=True, older=older, left_out=options.left_out
    ) as workshop:
        lock_all(workshop, chosen)
        built = build_all(workshop, chosen)
        lock = _keep_lock(strategy, workshop.lock, part=bool(options.only))
        evidence = gather(
            workshop, chosen, built, seed=options.seed, secrets=options.secrets, why_not_run=found.why_not
        )
    key = _key(inputs, lock, found, options, world)
    return tuple(
        EvidenceFile(
            schema=SCHEMA,
            key=key,
            version=__version__,
            evaluated_at=now_utc(world.now),
            runner=found.description,
            machine=read_machine(),
            lock=str(Digest.of(render_lock(lock))),
            seed=options.seed,
            feeds=dict(feed_dates()),
            evidence=each,
        )
        for each in evidence
    )


def _conclude(
    strategy: Strategy,
    chosen: Sequence[Option],
    files: Sequence[EvidenceFile],
    options: EvaluateOptions,
    world: World,
) -> Evaluation:
    """Evidence → measurements → decision → record."""
    decision, view = judge(strategy, files, as_of=options.as_of, seed=options.seed)
    directory = evidence_directory(strategy)
    written = [lock_path(strategy), *(directory / f"{option.name}.json" for option in chosen)]
    if view.stands and not options.only:  # a part of the candidates is no decision to record
        written += write_record(view, strategy, notify=world.notice)
    view = msgspec.structs.replace(view, wrote=tuple(_shown(path) for path in written))
    return Evaluation(view=view, exit_code=_exit_code(decision), anything_unmeasured=_anything_unmeasured(decision))


def judge(
    strategy: Strategy, files: Sequence[EvidenceFile], *, as_of: datetime.date | None = None, seed: int = 1
) -> tuple[Decision, EvaluationView]:
    """Evidence → measurements → decision, with nothing built, run or asked. `files` are of one run."""
    evidence, first = [file.evidence for file in files], files[0]
    day = as_of or first.evaluated_at.date()
    context = DriverContext(as_of=day, fargate=fargate_facts(strategy.target.region), bench=strategy.bench)
    decision = decide(evidence, strategy, context, seed=seed)
    view = view_evaluation(
        strategy,
        evidence,
        decision,
        evaluated_at=first.evaluated_at,
        as_of=day,
        runner=first.runner,
        machine=first.machine,
        lock_digest=first.lock,
        version=first.version,
    )
    return decision, view


def build_candidate(
    strategy: Strategy, name: str, output: Path, *, platform: Platform | None, update_lock: bool, world: World
) -> BuiltImage:
    """Builds one candidate and writes it to `output`. Raises what stands in its way."""
    check_target(output)
    (option,) = plan(strategy, only=(name,), platform=platform)
    lock = Lock() if update_lock else read_lock(lock_path(strategy))
    found = find_runner(world.process)
    if found.runner is None and option.bytecode is Bytecode.COMPILED:
        mend = f" (mend it: {found.hint})" if found.hint else ""
        world.notice(f"no image's own interpreter can compile its bytecode here: {found.why_not}{mend}")
    older = _older_images(strategy) if update_lock else {}
    with Workshop(strategy, lock, world, found.runner, older=older) as workshop:
        lock_all(workshop, [option], keep_errors=False)
        built = build_all(workshop, [option], keep_errors=False)[name]
        if isinstance(built, Failure):
            raise OutOfReachError(f"{name} cannot be built: {built.reason}", hint=built.hint)
        image = built.assembled.image
        assert image is not None  # a base out of reach was raised before
        reference = f"{strategy.service.name}:{name}"
        write_layout(image, output, reference=reference)
        _keep_lock(strategy, workshop.lock, part=True)
    return BuiltImage(digest=image.digest, next_steps=_next_steps(output, reference))


def render_candidate_dockerfile(strategy: Strategy, name: str, *, world: World) -> str:
    """One candidate as a multi-stage Dockerfile, pinned where the lock knows digests. Raises InputError."""
    candidate = named(strategy, name)
    lock = read_lock(lock_path(strategy))
    locked = lock_for_dockerfile(strategy, candidate, lock, world)
    return render_dockerfile(
        strategy,
        candidate,
        digests={reference: image.index_digest for reference, image in lock.images.items()},
        locked_go=locked.go,
        locked_python=locked.python,
    )


def lock_path(strategy: Strategy) -> Path:
    """Beside the strategy."""
    return strategy.directory / LOCK_NAME


def evidence_directory(strategy: Strategy) -> Path:
    """Beside the strategy."""
    return strategy.directory / EVIDENCE_DIRECTORY


def _older_images(strategy: Strategy) -> dict[str, LockedImage]:
    """What a lock that is to be updated has of images; a damaged one nothing, since it is replaced."""
    try:
        return read_lock(lock_path(strategy)).images
    except InputError:
        return {}


def _keep_lock(strategy: Strategy, lock: Lock, *, part: bool) -> Lock:
    """Writes the lock; a `part` of the candidates answers for itself only, and what the others stand on stays."""
    path = lock_path(strategy)
    whole = merge_locks(read_lock(path), lock) if part else lock
    write_lock(path, whole)
    return whole


def _key(inputs: str, lock: Lock, found: FoundRunner, options: EvaluateOptions, world: World) -> str:
    return key_of(
        inputs,
        lock,
        runner=found.description,
        machine=read_machine(),
        secrets=options.secrets,
        epoch=world.file_epoch,
        feeds=feed_dates(),
    )


def _shown(path: Path) -> str:
    """Relative to where the user is, where it lies below."""
    here = Path.cwd()
    absolute = path.absolute()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def _exit_code(decision: Decision) -> ExitCode:
    """0: a decision stands; 1: all are disqualified; 2: all failed; 3: no decision for want of evidence."""
    if decision.stands:
        return ExitCode.PASS
    statuses = {each.status for each in decision.candidates}
    if statuses == {Status.DISQUALIFIED}:
        return ExitCode.GATE_SAYS_NO
    return ExitCode.FIX_INPUT if statuses == {Status.FAILED} else ExitCode.COULD_NOT_TELL


def _anything_unmeasured(decision: Decision) -> bool:
    return any(
        isinstance(measurement, Unmeasured)
        for candidate in decision.candidates
        for measurement in candidate.measurements.values()
    )


def _next_steps(output: Path, reference: str) -> tuple[str, ...]:
    """The lines that load what was written into an engine, or push it."""
    shown = shlex.quote(str(output))
    if output.suffix == ".tar":
        source = f"oci-archive:{shown}"
        loads: tuple[str, ...] = (f"load:  docker load -i {shown}    (or podman load -i {shown})",)
    else:
        source = f"oci:{shown}"
        loads = (
            f"load:  skopeo copy {source} docker-daemon:{reference}",
            f"       skopeo copy {source} containers-storage:localhost/{reference}    (podman)",
        )
    return (*loads, f"push:  skopeo copy {source} docker://REGISTRY/{reference}")
