"""package_availability: what the service needs, and whether it comes without a compiler on every target platform."""

from collections.abc import Sequence

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also
from basewright.facts import (
    Also,
    Basis,
    Evidence,
    Measurement,
    MissingLibrary,
    NotMeasured,
    PackageFacts,
    RequirementFact,
    Unmeasured,
)
from basewright.strategy import DriverName, ValueFunction

_HEADLINE = "installable_without_compiler"
_MAX_NAMED = 50


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    packages = evidence.packages
    if isinstance(packages, NotMeasured):
        return Unmeasured(driver=DriverName.PACKAGE_AVAILABILITY, reason=packages.reason)
    lacking = [each for each in packages.requirements if _lacking_on(each)]
    total = len(packages.requirements)
    value = 100.0 * (total - len(lacking)) / total if total else 100.0
    return Measurement(
        driver=DriverName.PACKAGE_AVAILABILITY,
        measure=_HEADLINE,
        value=value,
        unit="%",
        better=Better.MORE,
        basis=(Basis.MEASURED,),
        samples=(value,),
        also=_also(packages, lacking),
    )


def _lacking_on(requirement: RequirementFact) -> tuple[str, ...]:
    """The platforms without a wheel; all that is known of a requirement that no platform was asked for is that."""
    if not requirement.platforms:
        return ("any platform",)
    return tuple(sorted(platform for platform, fits in requirement.platforms.items() if not fits))


def _also(packages: PackageFacts, lacking: Sequence[RequirementFact]) -> dict[str, Also]:
    also = {
        "requirements": exact_also(len(packages.requirements)),
        "not_installable": exact_also(len(lacking)),
        "missing_packages": exact_also(len(packages.missing_packages)),
        "missing_libraries": exact_also(len(packages.missing_libraries)),
    }
    names = {
        "not_installable_names": [_named(each) for each in lacking],
        "missing_package_names": list(packages.missing_packages),
        "missing_library_names": [_library(each) for each in packages.missing_libraries],
    }
    return also | {key: exact_also(_joined(words)) for key, words in names.items() if words}


def _named(requirement: RequirementFact) -> str:
    reason = f": {requirement.reason}" if requirement.reason else ""
    return f"{requirement.name} {requirement.version} ({', '.join(_lacking_on(requirement))}{reason})"


def _library(library: MissingLibrary) -> str:
    package = f", in {library.package}" if library.package else ""
    return f"{library.soname} (needed by {library.needed_by}{package})"


def _joined(words: Sequence[str]) -> str:
    more = len(words) - _MAX_NAMED
    return "; ".join(words[:_MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")


PACKAGE_AVAILABILITY = Driver(
    name=DriverName.PACKAGE_AVAILABILITY,
    headline=_HEADLINE,
    unit="%",
    better=Better.MORE,
    value=ValueFunction(one=100, zero=80),
    docs="Share of the locked requirements that have a wheel for every target platform, so that none needs a compiler. "
    "A service without requirements has 100 %. Missing packages of the distribution and missing shared libraries are "
    "shown.",
    further={
        "requirements": Further(unit="", means="locked requirements"),
        "not_installable": Further(unit="", means="requirements without a wheel on some target platform"),
        "missing_packages": Further(unit="", means="runtime packages that the base's distribution could not give"),
        "missing_libraries": Further(unit="", means="shared libraries that an ELF file needs and the image lacks"),
    },
    measure=_measure,
)
