"""Evidence of one candidate, in as few words as a test about judging needs."""

import datetime
from collections.abc import Sequence
from pathlib import Path

from basewright.drivers.driver import DriverContext
from basewright.facts import (
    Basis,
    BuildFacts,
    CadenceFacts,
    Evidence,
    Failure,
    LifecycleFact,
    NotMeasured,
    PackageFacts,
    PostureCheck,
    PostureFacts,
    RunFacts,
    RunSample,
    RuntimeFacts,
    Severity,
    SizeFacts,
    SizePart,
)
from basewright.fargate import Architecture, FargateFacts, Rate, TaskSize, Trust
from basewright.strategy import Bench, Strategy
from basewright.strategy_file import parse_strategy

AS_OF = datetime.date(2026, 11, 24)
PLATFORM = "linux/amd64"
SIX = (0.98, 1.0, 1.01, 0.99, 1.02, 1.0)
FARGATE = FargateFacts(
    as_of=datetime.date(2026, 9, 7),
    region="us-east-1",
    sizes=tuple(
        TaskSize(cpu_units=cpu, memory_mib=memory)
        for cpu, memories in (
            (256, (512, 1024, 2048)),
            (512, (1024, 2048, 3072, 4096)),
            (1024, (2048, 4096)),
            (4096, (8192,)),
        )
        for memory in memories
    ),
    rates={
        Architecture.AMD64: Rate(vcpu_hour=0.04048, gb_hour=0.004445, evidence=Trust.CONFIRMED, source="a price list")
    },
)


def context(
    *,
    as_of: datetime.date = AS_OF,
    fargate: FargateFacts | NotMeasured = FARGATE,
    rate: float = 100.0,
) -> DriverContext:
    """What drivers know beyond the evidence."""
    return DriverContext(
        as_of=as_of,
        fargate=fargate,
        bench=Bench(rate=rate),
    )


def weighing(toml: str = "") -> Strategy:
    """A strategy with these `[drivers]` tables."""
    text = (
        f'[service]\nname = "a"\nport = 80\n[[candidate]]\nname = "a"\napp = {{ go = "go" }}\nbase = "scratch"\n{toml}'
    )
    return parse_strategy(text.encode(), Path("/service/basewright.toml"))


def size(megabytes: float = 50, *, basis: Basis = Basis.MEASURED) -> SizeFacts:
    return SizeFacts(parts=(SizePart(name="base", compressed_bytes=round(megabytes * 1e6), basis=basis),), layers=1)


def check(
    identifier: str, passed: bool | None, severity: Severity = Severity.MEDIUM, *, found: tuple[str, ...] = ()
) -> PostureCheck:
    return PostureCheck(
        id=identifier,
        title=f"No {identifier}",
        severity=severity,
        passed=passed,
        found=found,
        count=len(found),
        reason="" if passed is not None else "it was not run",
    )


def posture(*checks: PostureCheck) -> PostureFacts:
    return PostureFacts(checks=checks or (check("shell", True),))


def build(seconds: float = 2, *, rounds: Sequence[float] = SIX) -> BuildFacts:
    return BuildFacts(application_edit_seconds=tuple(seconds * each for each in rounds), dependency_edit_seconds=())


def run(
    cpu: float = 1,
    *,
    start: float = 0.5,
    peak: int = 100_000_000,
    rounds: Sequence[float] = SIX,
    bytecode: bool | None = None,
    throughput: float | None = 900,
) -> RunFacts:
    """`cpu`: seconds per 1,000 requests."""
    samples = tuple(
        RunSample(
            start_seconds=start * each,
            cpu_seconds_per_1000=cpu * each,
            requests_per_second=throughput,
            p50_ms=cpu * each,
            p99_ms=3 * cpu * each,
            idle_bytes=peak // 2,
            peak_bytes=peak,
            idle_cpu_share=0.01,
            good=100,
            bad=0,
        )
        for each in rounds
    )
    return RunFacts(
        runner="sandbox",
        counters="cgroup v2",
        samples=samples,
        concurrency=8,
        arrival_rate=100,
        read_only_root=True,
        user="65532:65532",
        bytecode=bytecode,
    )


def cadence(
    *days_ago: int, own: Sequence[int] = (), known: int = 0, ended: bool = False, as_of: datetime.date = AS_OF
) -> CadenceFacts:
    """Changes so many days before `as_of`; the data end `known` days before it."""

    def dates(days: Sequence[int]) -> tuple[datetime.date, ...]:
        return tuple(sorted(as_of - datetime.timedelta(days=each) for each in days))

    return CadenceFacts(
        subject="a base",
        basis=Basis.PUBLISHED,
        source="a list",
        change_dates=dates(days_ago),
        own_change_dates=dates(own),
        known_until=as_of - datetime.timedelta(days=known),
        ended=ended,
    )


def evidence(
    name: str = "a",
    *,
    platform: str = PLATFORM,
    size: SizeFacts | NotMeasured | None = None,
    posture: PostureFacts | NotMeasured | None = None,
    build: BuildFacts | NotMeasured | None = None,
    run: RunFacts | NotMeasured | None = None,
    packages: PackageFacts | NotMeasured | None = None,
    cadence: CadenceFacts | NotMeasured | None = None,
    lifecycles: tuple[LifecycleFact, ...] = (),
    failure: Failure | None = None,
) -> Evidence:
    """A candidate that was measured whole, but for what is given."""
    return Evidence(
        candidate=name,
        platform=platform,
        runtime=RuntimeFacts(),
        failure=failure,
        size=size if size is not None else _SIZE,
        posture=posture if posture is not None else _POSTURE,
        build=build if build is not None else _BUILD,
        run=run if run is not None else _RUN,
        packages=packages if packages is not None else PackageFacts(requirements=()),
        cadence=cadence if cadence is not None else _CADENCE,
        lifecycles=lifecycles,
    )


_SIZE, _POSTURE, _BUILD, _RUN, _CADENCE = size(), posture(), build(), run(), cadence(10, 20, 30)
