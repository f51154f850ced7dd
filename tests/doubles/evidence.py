"""Evidence of the example's seven candidates, with figures of the size that a real run gives, and its strategy."""

import datetime
from collections.abc import Mapping
from pathlib import Path

from basewright.facts import (
    Basis,
    BuildFacts,
    CadenceFacts,
    Evidence,
    Failure,
    FailureKind,
    ImageFacts,
    LifecycleFact,
    Machine,
    NotMeasured,
    Owner,
    PackageFacts,
    PostureCheck,
    PostureFacts,
    RequirementFact,
    RunFacts,
    RunSample,
    RuntimeFacts,
    Severity,
    SizeFacts,
    SizePart,
)
from basewright.oci.digest import Digest
from basewright.strategy import Strategy
from basewright.strategy_file import parse_strategy

EVALUATED_AT = datetime.datetime(2026, 11, 24, 10, 42, 7, tzinfo=datetime.UTC)
AS_OF = datetime.date(2026, 11, 24)
PLATFORM = "linux/amd64"
RUNNER = "sandbox (user namespace, root)"
LOCK = "sha256:" + "5" * 64
OUT_OF_REACH = "the registry registry-1.docker.io is out of reach"
MACHINE = Machine(
    system="Linux",
    kernel="6.1.0",
    architecture="x86_64",
    processor="Example Processor 8-Core",
    cores=2,
    memory_bytes=8 << 30,
    python="3.13.5",
)

STRATEGY = b"""
[service]
name = "calendar-api"
command = ["uvicorn", "calendar_api:app", "--host", "0.0.0.0", "--port", "8000"]
port = 8000
health = "/healthz"
load = ["/events?limit=20"]

[[candidate]]
name = "go-alpine"
app = { go = "go" }
toolchain = "golang:1.24-alpine"
base = "alpine:3.18"

[[candidate]]
name = "python-slim"
app = { python = "python" }
base = "python:3.13-slim"

[[candidate]]
name = "python-full"
app = { python = "python" }
base = "python:3.13"

[[candidate]]
name = "python-alpine"
app = { python = "python" }
base = "python:3.13-alpine"

[[candidate]]
name = "debian-minimal"
app = { python = "python" }
base = { debian = "trixie", packages = ["python3.13-minimal", "ca-certificates"] }

[[candidate]]
name = "debian-apt"
app = { python = "python" }
base = { debian = "trixie", packages = ["python3.13", "apt", "bash", "ca-certificates"] }

[[candidate]]
name = "go-static"
app = { go = "go" }
toolchain = "golang:1.24-alpine"
base = "scratch"

[decision]
supersedes = "ADR-007"
previous-date = 2025-06-06

[target]
platforms = ["linux/amd64"]
region = "us-east-1"
"""

_GO_124 = LifecycleFact(
    role="toolchain",
    subject="Go 1.24",
    eol=datetime.date(2026, 2, 10),
    released=datetime.date(2025, 2, 11),
    source="endoflife.date",
)
_ALPINE_318 = LifecycleFact(
    role="distribution",
    subject="Alpine 3.18",
    eol=datetime.date(2025, 5, 9),
    released=datetime.date(2023, 5, 9),
    source="endoflife.date",
)
_PYTHON_313 = LifecycleFact(
    role="interpreter",
    subject="Python 3.13",
    eol=datetime.date(2029, 10, 31),
    released=datetime.date(2024, 10, 7),
    source="endoflife.date",
)
_DEBIAN_13 = LifecycleFact(
    role="distribution",
    subject="Debian 13",
    eol=datetime.date(2028, 8, 9),
    released=datetime.date(2025, 8, 9),
    source="endoflife.date",
)
_KNOWN_UNTIL = datetime.date(2026, 7, 1)


def strategy(folder: Path = Path("/service"), *, extra: str = "", source: bytes = STRATEGY) -> Strategy:
    """The example's strategy as if its file lay in `folder`; `extra` is TOML that comes first."""
    return parse_strategy(extra.encode() + source, folder / "basewright.toml")


def seven_candidates(scale: Mapping[str, float] | None = None) -> tuple[Evidence, ...]:
    """All seven; `scale` multiplies what was measured of a candidate's run and build, to make another winner."""
    factors = scale or {}
    return (
        _out_of_reach("go-alpine", "alpine:3.18", 3.42, _go_packages(), (_GO_124, _ALPINE_318), go=True),
        _out_of_reach("python-slim", "python:3.13-slim", 45.1, _python_packages(), (_PYTHON_313, _DEBIAN_13)),
        _out_of_reach("python-full", "python:3.13", 384.6, _python_packages(), (_PYTHON_313, _DEBIAN_13)),
        _out_of_reach("python-alpine", "python:3.13-alpine", 15.8, _python_packages(), (_PYTHON_313,)),
        _whole(
            "debian-minimal",
            "debian trixie, 23 packages",
            cpu=3.71 * factors.get("debian-minimal", 1),
            start=0.84,
            edit=0.29 * factors.get("debian-minimal", 1),
            megabytes=(18.7, 14.9, 0.02),
            failing=(),
            packages=_python_packages(),
            cadence=_cadence("trixie: 23 packages", 9),
            lifecycles=(_PYTHON_313, _DEBIAN_13),
        ),
        _whole(
            "debian-apt",
            "debian trixie, 71 packages",
            cpu=3.74 * factors.get("debian-apt", 1),
            start=0.86,
            edit=0.31 * factors.get("debian-apt", 1),
            megabytes=(51.3, 14.9, 0.02),
            failing=("setuid", "shell", "package-manager"),
            packages=_python_packages(),
            cadence=_cadence("trixie: 71 packages", 7),
            lifecycles=(_PYTHON_313, _DEBIAN_13),
        ),
        _whole(
            "go-static",
            "scratch",
            cpu=0.162 * factors.get("go-static", 1),
            start=0.021,
            edit=2.41 * factors.get("go-static", 1),
            megabytes=(0.29, 0.0, 4.52),
            failing=(),
            packages=_go_packages(),
            cadence=_cadence("Go 1.24", 28, until=datetime.date(2026, 2, 5), ended=True),
            lifecycles=(_GO_124,),
        ),
    )


def failed(name: str, reason: str, output: tuple[str, ...] = (), *, kind: FailureKind = FailureKind.FAILED) -> Evidence:
    """A candidate of which nothing came to be known but why."""
    missing = NotMeasured(reason=reason)
    return Evidence(
        candidate=name,
        platform=PLATFORM,
        runtime=RuntimeFacts(),
        failure=Failure(kind=kind, reason=reason, output=output),
        size=missing,
        posture=missing,
        build=missing,
        run=missing,
        packages=missing,
        cadence=missing,
    )


def _out_of_reach(
    name: str,
    base: str,
    megabytes: float,
    packages: PackageFacts,
    lifecycles: tuple[LifecycleFact, ...],
    *,
    go: bool = False,
) -> Evidence:
    reason = NotMeasured(reason=f"the bytes of {base} are not here: {OUT_OF_REACH}")
    return Evidence(
        candidate=name,
        platform=PLATFORM,
        runtime=RuntimeFacts(go_version="1.24.13" if go else None),
        failure=Failure(kind=FailureKind.INCOMPLETE, reason=f"{base} could not be pulled: {OUT_OF_REACH}"),
        size=SizeFacts(
            parts=(
                SizePart(
                    name="base",
                    compressed_bytes=round(megabytes * 1e6),
                    basis=Basis.PUBLISHED,
                    source=f"stands for {base} as of 2026-07-01",
                ),
                SizePart(name="application", compressed_bytes=4_520_000 if go else 14_920_000, basis=Basis.MEASURED),
            ),
            layers=5,
        ),
        posture=reason,
        build=_build(2.44 if go else 0.3),
        run=reason,
        packages=packages,
        cadence=_cadence(base, 14) if base != "alpine:3.18" else _ended_alpine(),
        lifecycles=lifecycles,
    )


def _whole(
    name: str,
    base: str,
    *,
    cpu: float,
    start: float,
    edit: float,
    megabytes: tuple[float, float, float],
    failing: tuple[str, ...],
    packages: PackageFacts,
    cadence: CadenceFacts,
    lifecycles: tuple[LifecycleFact, ...],
) -> Evidence:
    system, dependencies, application = (round(each * 1e6) for each in megabytes)
    parts = (("base", system), ("dependencies", dependencies), ("application", application))
    return Evidence(
        candidate=name,
        platform=PLATFORM,
        runtime=RuntimeFacts(go_version="1.24.13" if dependencies == 0 else None),
        image=ImageFacts(digest=str(Digest.of(name.encode())), base=base),
        size=SizeFacts(
            parts=tuple(SizePart(name=part, compressed_bytes=count, basis=Basis.MEASURED) for part, count in parts),
            layers=3,
            uncompressed_bytes=round(3.1 * (system + dependencies + application)),
            files=1200,
            owner_bytes={Owner.SYSTEM: system, Owner.DEPENDENCIES: dependencies, Owner.APPLICATION: application},
            wasted_bytes=0,
        ),
        posture=_posture(failing),
        build=_build(edit),
        run=_run(cpu, start),
        packages=packages,
        cadence=cadence,
        lifecycles=lifecycles,
    )


_WOBBLE = (0.972, 1.011, 0.99, 1.024, 1.0, 1.007)


def _build(edit: float) -> BuildFacts:
    return BuildFacts(
        application_edit_seconds=tuple(round(edit * each, 4) for each in _WOBBLE),
        dependency_edit_seconds=tuple(round(edit * 4 * each, 4) for each in _WOBBLE),
        application_edit_ratios=tuple(round(edit / 0.3 * each, 4) for each in _WOBBLE),
        application_edit_round_median=0.3,
        cold_seconds=round(edit * 6, 2),
        download_seconds=3.1,
        cpu_seconds=round(edit * 7, 2),
        push_bytes_after_edit=20_000,
    )


def _run(cpu: float, start: float) -> RunFacts:
    samples = tuple(
        RunSample(
            start_seconds=round(start * each, 4),
            cpu_seconds_per_1000=round(cpu * each, 4),
            requests_per_second=round(1000 / cpu * each, 1),
            p50_ms=round(cpu * each * 1.2, 3),
            p99_ms=round(cpu * each * 4, 3),
            idle_bytes=round(62e6 * start * each),
            peak_bytes=round(88e6 * start * each),
            idle_cpu_share=0.002,
            good=400,
            bad=0,
        )
        for each in _WOBBLE
    )
    return RunFacts(
        runner=RUNNER,
        counters="cgroup v2",
        samples=samples,
        concurrency=8,
        arrival_rate=100.0,
        read_only_root=True,
        user="65532:65532",
        bytecode=None if cpu < 1 else True,
        ratios={"cpu_seconds_per_1000": tuple(round(cpu / 3.7 * each, 5) for each in _WOBBLE)},
        round_medians={"cpu_seconds_per_1000": 3.7},
    )


def _posture(failing: tuple[str, ...]) -> PostureFacts:
    titles = {
        "root-user": ("Runs as a user that is not root", Severity.HIGH, "4.1", ()),
        "setuid": ("No setuid or setgid files", Severity.MEDIUM, "4.8", ("usr/bin/su", "usr/bin/passwd")),
        "shell": ("No shell", Severity.MEDIUM, "4.3", ("/usr/bin/bash", "/usr/bin/dash")),
        "package-manager": ("No package manager", Severity.MEDIUM, "4.3", ("/usr/bin/apt", "/usr/bin/dpkg")),
        "compiler": ("No compiler or build tool", Severity.HIGH, "4.3", ()),
    }
    return PostureFacts(
        checks=tuple(
            PostureCheck(
                id=key,
                title=title,
                severity=severity,
                cis=cis,
                passed=key not in failing,
                found=found if key in failing else (),
                count=len(found) if key in failing else 0,
            )
            for key, (title, severity, cis, found) in titles.items()
        )
    )


def _python_packages() -> PackageFacts:
    names = ("fastapi", "pydantic-core", "uvicorn", "sqlalchemy", "orjson", "cryptography", "uvloop", "httptools")
    return PackageFacts(
        requirements=tuple(RequirementFact(name=name, version="1.0", platforms={PLATFORM: True}) for name in names)
    )


def _go_packages() -> PackageFacts:
    return PackageFacts(requirements=())


def _cadence(subject: str, days: int, *, until: datetime.date = _KNOWN_UNTIL, ended: bool = False) -> CadenceFacts:
    dates = tuple(until - datetime.timedelta(days=days * each) for each in range(24, -1, -1))
    return CadenceFacts(
        subject=subject,
        basis=Basis.PUBLISHED,
        source="docker-library/official-images to 2026-07-01",
        change_dates=dates,
        own_change_dates=dates[::3],
        known_until=_KNOWN_UNTIL,
        ended=ended,
    )


def _ended_alpine() -> CadenceFacts:
    return _cadence("alpine:3.18", 40, until=datetime.date(2025, 2, 13), ended=True)
