"""The words for drivers, bases and lists, the same in every output. Pure."""

import datetime
from collections.abc import Iterable, Sequence

import msgspec

from basewright.drivers.catalog import DRIVERS
from basewright.facts import Basis
from basewright.strategy import (
    App,
    ArchiveBase,
    Base,
    Candidate,
    DebianBase,
    DriverName,
    GoApp,
    PublishedBase,
    PythonApp,
)
from basewright.strategy import ScratchBase as Scratch


class DriverWords(msgspec.Struct, frozen=True, kw_only=True):
    """How a driver is called. `unit` is that of its headline, for the head of a column; `means` says what the headline
    is, `good` and `bad` what the best and the worst of it mean."""

    title: str
    unit: str
    means: str
    good: str
    bad: str


MAX_PACKAGES = 4
"""How many of a base's packages are named; the strategy has them all."""

DRIVER_WORDS: dict[DriverName, DriverWords] = {
    DriverName.IMAGE_SIZE: DriverWords(
        title="Image size",
        unit="MB to pull",
        means="compressed bytes to pull for the platform, in MB",
        good="its image is the smallest to pull",
        bad="its image is the largest to pull",
    ),
    DriverName.SECURITY_POSTURE: DriverWords(
        title="Security posture",
        unit="points",
        means="points of the posture checks that fail (critical 10, high 5, medium 2, low 1)",
        good="it fails the fewest posture checks",
        bad="it fails the most posture checks",
    ),
    DriverName.BUILD_PERFORMANCE: DriverWords(
        title="Build performance",
        unit="s per edit",
        means="seconds to rebuild after an edit of the application",
        good="it rebuilds fastest after an edit",
        bad="it rebuilds slowest after an edit",
    ),
    DriverName.RUNTIME_PERFORMANCE: DriverWords(
        title="Runtime performance",
        unit="CPU s per 1,000 requests",
        means="CPU seconds per 1,000 requests",
        good="it needs the least CPU for its requests",
        bad="it needs the most CPU for its requests",
    ),
    DriverName.PACKAGE_AVAILABILITY: DriverWords(
        title="Package availability",
        unit="% without a compiler",
        means="share of the locked requirements that install without a compiler, in %",
        good="most of its requirements install without a compiler",
        bad="fewest of its requirements install without a compiler",
    ),
    DriverName.UPDATE_FREQUENCY: DriverWords(
        title="Update frequency",
        unit="days between rebuilds",
        means="days between rebuilds of the base",
        good="its base is renewed most often",
        bad="its base is renewed least often",
    ),
    DriverName.RESOURCE_EFFICIENCY: DriverWords(
        title="Resource efficiency",
        unit="USD a month",
        means="USD a month for the smallest Fargate task that carries the load",
        good="its Fargate task is the cheapest",
        bad="its Fargate task is the dearest",
    ),
}


def headline_words(driver: DriverName, measure: str) -> DriverWords | None:
    """The words for a driver's own headline; None where a strategy chose another measure, which they would misname."""
    return DRIVER_WORDS.get(driver) if measure == DRIVERS[driver].headline else None


def column_unit(driver: DriverName, measure: str, unit: str) -> str:
    """`CPU s per 1,000 requests`; for another measure its name and unit."""
    words = headline_words(driver, measure)
    return words.unit if words else f"{measure_noun(measure)} {unit}".strip()


def measure_noun(measure: str) -> str:
    """`cold_build_seconds` → `cold build seconds`."""
    return measure.replace("_", " ")


def measure_meaning(driver: DriverName, measure: str, unit: str) -> str:
    """What a measure is, in a phrase with its unit."""
    words = headline_words(driver, measure)
    if words is not None:
        return words.means
    further = DRIVERS[driver].further.get(measure)
    return f"{measure_noun(measure)}{f' ({further.means})' if further else ''}{f', in {unit}' if unit else ''}"


def driver_title(driver: DriverName) -> str:
    """`Image size`; a driver without words of its own is called by its name."""
    words = DRIVER_WORDS.get(driver)
    return words.title if words else driver.replace("_", " ").capitalize()


def driver_noun(driver: DriverName) -> str:
    """`image size`, inside a sentence."""
    return driver_title(driver).lower()


def base_label(base: Base) -> str:
    """`alpine:3.18`, `scratch`, `Debian trixie`, an archive's file name."""
    match base:
        case PublishedBase():
            return base.reference
        case DebianBase():
            return f"Debian {base.debian}"
        case ArchiveBase():
            return base.archive.rstrip("/").rpartition("/")[2]
        case Scratch():
            return "scratch"


def option_text(candidate: Candidate) -> str:
    """What an option is, for a list of options: `Go built by golang:1.24-alpine, on alpine:3.18`."""
    base = candidate.base
    on = base_label(base)
    if isinstance(base, DebianBase):
        on = f"a base assembled from {on} packages ({_some(base.packages)})"
    elif isinstance(base, Scratch):
        on = "an empty base (scratch)"
    elif isinstance(base, ArchiveBase):
        on = f"the archive {on}"
    toolchain = f" built by {candidate.toolchain}" if candidate.toolchain else ""
    return f"{language(candidate.app)}{toolchain}, on {on}"


def _some(names: Sequence[str]) -> str:
    """`a, b, c, d and 31 more`; all where that takes no longer."""
    more = len(names) - MAX_PACKAGES
    return ", ".join(names) if more < 2 else f"{', '.join(names[:MAX_PACKAGES])} and {more} more"


def language(app: App) -> str:
    """The implementation's language."""
    match app:
        case GoApp():
            return "Go"
        case PythonApp():
            return "Python"


def basis_text(basis: Sequence[Basis]) -> str:
    """`measured`, `published + measured`; each word once, in the order of the parts."""
    return " + ".join(dict.fromkeys(str(each) for each in basis))


def join_words(words: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def days_between(first: datetime.date, second: datetime.date) -> int:
    """Whole days from the first to the second."""
    return (second - first).days
