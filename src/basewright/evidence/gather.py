"""All facts of all candidates of a run: built, run in rounds, edited in rounds, looked at."""

import datetime
from collections.abc import Mapping, Sequence

import msgspec

from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.catalog import owns_runtime
from basewright.bench.build_trial import EditTimes, EditTrial, time_edits
from basewright.bench.observe import ServiceUnderTest
from basewright.bench.trial import run_trials
from basewright.build.product import Product, Rebuilder
from basewright.build.workshop import Workshop, failure_of
from basewright.candidate import Option, host_platform
from basewright.errors import BasewrightError
from basewright.evidence.inventory import size_facts
from basewright.evidence.posture import posture_facts
from basewright.facts import (
    BuildFacts,
    CadenceFacts,
    Evidence,
    Failure,
    FailureKind,
    ImageFacts,
    NotMeasured,
    PackageFacts,
    PostureFacts,
    RunFacts,
    RuntimeFacts,
    SizeFacts,
)
from basewright.feeds.cadence import go_cadence
from basewright.feeds.lifecycle import known_lifecycles
from basewright.oci.filesystem import flatten
from basewright.strategy import Bytecode, GoApp

Built = Product | Failure


def gather(
    workshop: Workshop,
    options: Sequence[Option],
    built: Mapping[str, Built],
    *,
    seed: int,
    secrets: Mapping[str, str],
    why_not_run: str,
) -> tuple[Evidence, ...]:
    """The evidence of every option, in order. `why_not_run` is empty where programs can be run here. Values of
    `secrets` reach the service and nothing else."""
    runs = _runs(workshop, built, seed=seed, secrets=secrets, why_not=why_not_run)
    edits = _edits(workshop, built, seed=seed)
    return tuple(
        _evidence(workshop, option, built[option.name], runs[option.name], edits[option.name]) for option in options
    )


def _runs(
    workshop: Workshop, built: Mapping[str, Built], *, seed: int, secrets: Mapping[str, str], why_not: str
) -> dict[str, RunFacts | Failure | NotMeasured]:
    runs: dict[str, RunFacts | Failure | NotMeasured] = {}
    services = []
    for name, product in built.items():
        reason = _why_not_run(product, why_not)
        if reason:
            runs[name] = NotMeasured(reason=reason)
        elif isinstance(product, Product):
            try:
                services.append(_service(workshop, product, secrets))
            except BasewrightError as error:  # a full disk, such as it is
                runs[name] = failure_of(error)
    if services:
        assert workshop.runner is not None
        runs |= run_trials(
            services,
            workshop.strategy.bench,
            workshop.strategy.service,
            runner=workshop.runner,
            process=workshop.world.process,
            seed=seed,
            progress=workshop.world.progress,
        )
    return runs


def _why_not_run(product: Built, why_not: str) -> str:
    if isinstance(product, Failure):
        return product.reason
    if product.assembled.image is None:
        return _out_of_reach(product)
    if product.option.platform != host_platform():
        return f"an image for {product.option.platform} is not run on this machine"
    return why_not


def _out_of_reach(product: Product) -> str:
    reason: str = getattr(product.base, "reason", "")
    return reason or f"{product.base.name} is out of reach"


def _service(workshop: Workshop, product: Product, secrets: Mapping[str, str]) -> ServiceUnderTest:
    workshop.world.progress(f"unpacking {product.option.name}")
    config = product.assembled.run_config
    variables = dict(each.split("=", 1) for each in config.env or ())
    return ServiceUnderTest(
        name=product.option.name,
        root=workshop.materialise(product.assembled.trees, directories=(config.working_dir,)),
        argv=(*(config.entrypoint or ()), *(config.cmd or ())),
        env={**variables, **secrets},
        secrets=tuple(secrets.values()),
        user=config.user,
        cwd=config.working_dir or "/",
        bytecode=None
        if isinstance(product.option.candidate.app, GoApp)
        else product.option.bytecode is Bytecode.COMPILED,
    )


def _edits(
    workshop: Workshop, built: Mapping[str, Built], *, seed: int
) -> dict[str, BuildFacts | Failure | NotMeasured]:
    """Edits of every product whose application can be built here. Candidates with the same application layers are
    built alike: one of them is edited for all, so that no noise stands between equals."""
    found: dict[str, BuildFacts | Failure | NotMeasured] = {}
    leaders: dict[str, str] = {}
    rebuilders: dict[str, Rebuilder] = {}
    for name, product in built.items():
        if isinstance(product, Failure):
            found[name] = NotMeasured(reason=product.reason)
        elif not isinstance(product.base, BaseImage) and not isinstance(product.option.candidate.app, GoApp):
            found[name] = NotMeasured(reason=_out_of_reach(product))
        else:
            leader = leaders.setdefault(product.assembled.application_key, name)
            if leader == name:
                rebuilders[name] = Rebuilder(product, workshop)
    trials = [
        EditTrial(
            name=name,
            edit_application=each.edit_application,
            rebuild_application=each.rebuild_application,
            edit_dependency=each.edit_dependency if each.has_dependencies else None,
            rebuild_dependency=each.rebuild_dependency,
        )
        for name, each in rebuilders.items()
    ]
    times = time_edits(trials, rounds=workshop.strategy.bench.rounds, seed=seed, progress=workshop.world.progress)
    for name, product in built.items():
        if isinstance(product, Product) and name not in found:
            leader = leaders[product.assembled.application_key]
            found[name] = _build_facts(product, times[leader], rebuilders[leader].pushed_bytes)
    return found


def _build_facts(product: Product, times: EditTimes | Failure, pushed_bytes: int | None) -> BuildFacts | Failure:
    if isinstance(times, Failure):
        return times
    return BuildFacts(
        application_edit_seconds=times.application_seconds,
        dependency_edit_seconds=times.dependency_seconds,
        application_edit_ratios=times.application_ratios,
        dependency_edit_ratios=times.dependency_ratios,
        cold_seconds=product.cold.seconds,
        download_seconds=product.cold.download_seconds,
        cpu_seconds=product.cold.cpu_seconds,
        push_bytes_after_edit=pushed_bytes,
        application_edit_round_median=times.application_round_median,
        dependency_edit_round_median=times.dependency_round_median,
    )


def _evidence(
    workshop: Workshop,
    option: Option,
    built: Built,
    run: RunFacts | Failure | NotMeasured,
    edits: BuildFacts | Failure | NotMeasured,
) -> Evidence:
    if isinstance(built, Failure):
        return _of_failure(workshop, option, built)
    failure = run if isinstance(run, Failure) else edits if isinstance(edits, Failure) else _incomplete(built)
    ran = NotMeasured(reason=run.reason) if isinstance(run, Failure) else run
    return Evidence(
        candidate=option.name,
        platform=option.platform,
        runtime=built.runtime,
        failure=failure,
        image=_image_facts(built),
        size=_size(built),
        posture=_posture(built, ran),
        build=NotMeasured(reason=edits.reason) if isinstance(edits, Failure) else edits,
        run=ran,
        packages=msgspec.structs.replace(built.app.packages, missing_packages=built.missing_packages),
        cadence=_cadence(built),
        lifecycles=known_lifecycles(built.runtime),
    )


def _incomplete(product: Product) -> Failure | None:
    if product.assembled.image is not None:
        return None
    hint = product.base.hint if isinstance(product.base, UnreachableBase) else ""
    return Failure(kind=FailureKind.INCOMPLETE, reason=_out_of_reach(product), hint=hint)


def _of_failure(workshop: Workshop, option: Option, failure: Failure) -> Evidence:
    """What is known of a candidate that could not be built: its packages, and how its base is kept."""
    nothing = NotMeasured(reason=failure.reason)
    base = workshop.base_if_known(option)
    runtime = base.runtime if base is not None else RuntimeFacts()
    packages: PackageFacts | NotMeasured = workshop.availability.get(option.name, nothing)
    cadence: CadenceFacts | NotMeasured = base.cadence if base is not None else nothing
    return Evidence(
        candidate=option.name,
        platform=option.platform,
        runtime=runtime,
        failure=failure,
        size=nothing,
        posture=nothing,
        build=nothing,
        run=nothing,
        packages=packages,
        cadence=cadence,
        lifecycles=known_lifecycles(runtime),
    )


def _image_facts(product: Product) -> ImageFacts:
    image = product.assembled.image
    notes = (*product.base.notes, *product.app.notes)
    base_digest = product.base.digest if isinstance(product.base, BaseImage) else None
    digest = None if image is None else str(image.digest)
    return ImageFacts(digest=digest, base=product.base.name, base_digest=base_digest, notes=notes)


def _size(product: Product) -> SizeFacts | NotMeasured:
    assembled = product.assembled
    if isinstance(product.base, BaseImage):
        base = product.base
        return size_facts(
            assembled.parts,
            layers=len(assembled.layers),
            base=assembled.base_tree,
            is_runtime=lambda path: owns_runtime(base, path),
            dependencies=assembled.dependencies,
            application=assembled.application,
            wasted_bytes=base.wasted_bytes,
        )
    if product.base.size is None:
        return NotMeasured(reason=f"{product.base.reason}; its size is not published in the shipped snapshot")
    return SizeFacts(parts=assembled.parts, layers=product.base.layers + len(assembled.layers))


def _posture(product: Product, run: RunFacts | NotMeasured) -> PostureFacts | NotMeasured:
    if product.assembled.image is None:
        return NotMeasured(reason=_out_of_reach(product))
    tree = flatten([list(tree) for tree in product.assembled.trees]).tree
    return posture_facts(tree, user=product.assembled.run_config.user, run=run)


def _cadence(product: Product) -> CadenceFacts | NotMeasured:
    """Of the base; where there is nothing to rebuild but the binary, of its toolchain."""
    if isinstance(product.base, BaseImage) and product.base.name == "scratch" and product.runtime.go_version:
        return go_cadence(product.runtime.go_version) or product.base.cadence
    return product.base.cadence


def now_utc(moment: datetime.datetime) -> datetime.datetime:
    """To the second, as the evidence keeps it."""
    return moment.astimezone(datetime.UTC).replace(microsecond=0)
