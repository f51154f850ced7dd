"""What can be known, as records: every value that a driver, a decision or a view reads.

bench, build, feeds, ecosystems and evidence return facts; a fact says how it is known (its basis), never more.
"""

import datetime
from enum import StrEnum

import msgspec

from basewright.strategy import DriverName


class Basis(StrEnum):
    """How a fact is known."""

    MEASURED = "measured"
    """Here, from the real bytes or the running process."""
    PUBLISHED = "published"
    """By its maker, at a date."""
    MODELLED = "modelled"
    """Computed from other facts."""


class NotMeasured(msgspec.Struct, frozen=True, kw_only=True, tag="not-measured"):
    """An answer with a reason; never a zero, never a missing row."""

    reason: str


class Owner(StrEnum):
    """Whose bytes they are."""

    SYSTEM = "os"
    RUNTIME = "runtime"
    DEPENDENCIES = "dependencies"
    APPLICATION = "application"
    UNEXPLAINED = "unexplained"
    """No evidence says whose, in an image that others built."""


class SizePart(msgspec.Struct, frozen=True, kw_only=True):
    """Compressed bytes of a part of the image (the base, the dependencies, the application)."""

    name: str
    compressed_bytes: int
    basis: Basis
    source: str = ""
    """Which tag at which date it stands for, where it was published."""


class SizeFacts(msgspec.Struct, frozen=True, kw_only=True, tag="size"):
    """`owner_bytes`: owner → uncompressed bytes of regular files; None and empty where the bytes were out of reach."""

    parts: tuple[SizePart, ...]
    layers: int
    uncompressed_bytes: int | None = None
    files: int | None = None
    owner_bytes: dict[Owner, int] = {}
    wasted_bytes: int | None = None
    """Bytes in lower layers that nothing in the final tree shows."""


class Severity(StrEnum):
    """How much a failed posture check weighs; `drivers/security_posture.py` has the points."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class PostureCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the image's bytes, or of its run. `found` names what failed it, at most twenty paths."""

    id: str
    title: str
    severity: Severity
    passed: bool | None
    """None: could not be looked at, `reason` says why."""
    cis: str | None = None
    """Section of the CIS Docker Benchmark, such as `4.1`."""
    found: tuple[str, ...] = ()
    count: int = 0
    reason: str = ""


class PostureFacts(msgspec.Struct, frozen=True, kw_only=True, tag="posture"):
    """Every check that was made or could not be made."""

    checks: tuple[PostureCheck, ...]


class BuildFacts(msgspec.Struct, frozen=True, kw_only=True, tag="build"):
    """Seconds from the edit to the written layer, one sample a round; the cold build is measured once."""

    application_edit_seconds: tuple[float, ...]
    dependency_edit_seconds: tuple[float, ...]
    application_edit_ratios: tuple[float, ...] = ()
    """Each sample over the median of its round, all candidates taken together."""
    dependency_edit_ratios: tuple[float, ...] = ()
    cold_seconds: float | None = None
    download_seconds: float | None = None
    """Part of no build time: what the cold build waited for the network."""
    cpu_seconds: float | None = None
    push_bytes_after_edit: int | None = None
    application_edit_round_median: float | None = None
    """The median over rounds of the rounds' medians: a ratio times this is in seconds."""
    dependency_edit_round_median: float | None = None


class RunSample(msgspec.Struct, frozen=True, kw_only=True):
    """One round of one candidate. Times in seconds unless named otherwise; None: not measured in this round."""

    start_seconds: float
    """From exec to the first healthy answer."""
    cpu_seconds_per_1000: float
    """CPU seconds per 1,000 requests under closed loop, start-up and warm-up left out."""
    requests_per_second: float | None
    """None where the generator was the bottleneck."""
    p50_ms: float | None
    p99_ms: float | None
    """Latency at the constant arrival rate, from the intended send."""
    idle_bytes: int | None
    peak_bytes: int
    idle_cpu_share: float | None
    """CPU seconds a second at rest."""
    good: int
    bad: int
    bad_examples: tuple[str, ...] = ()


class RunFacts(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """A candidate's runs. `ratios` maps a field of RunSample to this candidate's values over the round's median."""

    runner: str
    """Such as `sandbox (user namespace, root)`."""
    counters: str
    """Where CPU and memory were read: `cgroup v1`, `cgroup v2` or `proc` (PSS)."""
    samples: tuple[RunSample, ...]
    concurrency: int
    arrival_rate: float
    """Requests a second in the constant-rate mode, the same for all candidates."""
    read_only_root: bool
    """Whether the service became healthy with its root read-only."""
    user: str
    """Effective uid:gid inside the image."""
    bytecode: bool | None = None
    """Whether bytecode was compiled into the image; None where the app has none."""
    writable_paths: tuple[str, ...] = ()
    """What it failed to write, where it needs a writable root."""
    ratios: dict[str, tuple[float, ...]] = {}
    round_medians: dict[str, float] = {}
    """Field → the median over rounds of the rounds' medians: a ratio times this has the field's unit."""
    repeated_rounds: int = 0


class RequirementFact(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one locked requirement installs without a compiler. `platforms`: platform → a wheel fits."""

    name: str
    version: str
    platforms: dict[str, bool]
    reason: str = ""


class MissingLibrary(msgspec.Struct, frozen=True, kw_only=True):
    """A shared library that an ELF file needs and the image lacks; `package` is the distribution's that has it."""

    soname: str
    needed_by: str
    package: str | None


class PackageFacts(msgspec.Struct, frozen=True, kw_only=True, tag="packages"):
    """Availability of what the service needs, on every target platform."""

    requirements: tuple[RequirementFact, ...]
    missing_packages: tuple[str, ...] = ()
    """Runtime packages that the base's distribution does not have or that could not be asked for."""
    missing_libraries: tuple[MissingLibrary, ...] = ()


class CadenceFacts(msgspec.Struct, frozen=True, kw_only=True, tag="cadence"):
    """When a base changed. `change_dates` is the fuller account, `own_change_dates` the other end of the interval."""

    subject: str
    """Such as `python:3.13-slim`, `trixie: 23 packages`, `Go 1.24`."""
    basis: Basis
    source: str
    change_dates: tuple[datetime.date, ...]
    own_change_dates: tuple[datetime.date, ...] = ()
    known_until: datetime.date
    """The data says nothing of what came later."""
    ended: bool = False
    """No longer rebuilt: the gap is open until the evaluation date, whatever `known_until` says."""
    base_created: datetime.date | None = None


class LifecycleFact(msgspec.Struct, frozen=True, kw_only=True):
    """How long something is supported by its maker. `role`: distribution, interpreter or toolchain."""

    role: str
    subject: str
    """Such as `Alpine 3.18`."""
    eol: datetime.date | None
    """None: no end is announced."""
    source: str
    released: datetime.date | None = None
    extended_until: datetime.date | None = None
    """End of the long-term support that follows, by others or against money (Debian LTS, Ubuntu Pro)."""


class RuntimeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an application must know of its base."""

    libc: str | None = None
    """`glibc`, `musl`, or None where there is none."""
    libc_version: str | None = None
    interpreter: str | None = None
    """Absolute path of the Python interpreter in the image."""
    python_version: str | None = None
    """Such as `3.13.5`."""
    distribution: str | None = None
    """os-release ID, such as `debian` or `alpine`."""
    distribution_version: str | None = None
    """VERSION_ID, such as `13` or `3.18.9`."""
    go_version: str | None = None
    """Of the toolchain, such as `1.24.13`."""


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Which image was built. `digest` is that of its manifest, None where the base is out of reach."""

    digest: str | None
    base: str
    base_digest: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know of how it was built, and of what."""


class FailureKind(StrEnum):
    """failed: the candidate's own input is at fault; incomplete: something outside was out of reach."""

    FAILED = "failed"
    INCOMPLETE = "incomplete"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a candidate is not whole, in one sentence, with the last lines that its program printed."""

    kind: FailureKind
    reason: str
    output: tuple[str, ...] = ()
    hint: str = ""
    """What to do about it, where that is known."""


class MovedTag(msgspec.Struct, frozen=True, kw_only=True):
    """A base's tag that stands for another image than the lock has: `locked_digest` (seen at `locked_at`) is what was
    built on, `digest` what the registry named at `seen_at`, empty where it had no such tag. Times are RFC 3339, UTC."""

    reference: str
    locked_digest: str
    locked_at: str
    digest: str
    seen_at: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one candidate on one platform."""

    candidate: str
    platform: str
    runtime: RuntimeFacts
    failure: Failure | None = None
    image: ImageFacts | None = None
    size: SizeFacts | NotMeasured
    posture: PostureFacts | NotMeasured
    build: BuildFacts | NotMeasured
    run: RunFacts | NotMeasured
    packages: PackageFacts | NotMeasured
    cadence: CadenceFacts | NotMeasured
    lifecycles: tuple[LifecycleFact, ...] = ()
    moved_tag: MovedTag | None = None


class Measurement(msgspec.Struct, frozen=True, kw_only=True, tag="measurement"):
    """One number per driver. `interval` is a 95 % interval or the known ends, None where exact or from one sample.
    `samples` are the values that robustness resamples; one value means that the number is constant."""

    driver: DriverName
    measure: str
    value: float
    unit: str
    better: str
    """`less` or `more`."""
    basis: tuple[Basis, ...]
    interval: tuple[float, float] | None = None
    samples: tuple[float, ...] = ()
    also: dict[str, "Also"] = {}


class Also(msgspec.Struct, frozen=True, kw_only=True):
    """A further measure that explains a headline; `value` is a number, a word, or None where `basis` is empty."""

    value: float | str | None
    unit: str
    interval: tuple[float, float] | None = None
    basis: tuple[Basis, ...] = ()
    samples: tuple[float, ...] = ()
    """As a headline's own, for a strategy that chooses this measure."""


class Unmeasured(msgspec.Struct, frozen=True, kw_only=True, tag="unmeasured"):
    """A driver without a headline number: the reason, and what is known all the same."""

    driver: DriverName
    reason: str
    also: dict[str, Also] = {}


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What could explain a difference between two runs."""

    system: str
    kernel: str
    architecture: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
