"""security_posture: failed posture checks of the image's bytes and its run, weighted by severity."""

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also
from basewright.facts import Also, Basis, Evidence, Measurement, NotMeasured, PostureCheck, Severity, Unmeasured
from basewright.strategy import DriverName, ValueFunction

POINTS = {Severity.CRITICAL: 10, Severity.HIGH: 5, Severity.MEDIUM: 2, Severity.LOW: 1}
_HEADLINE = "failed_checks_weighted"
_SHOWN_PATHS = 5


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    posture = evidence.posture
    if isinstance(posture, NotMeasured):
        return Unmeasured(driver=DriverName.SECURITY_POSTURE, reason=posture.reason)
    failed = [check for check in posture.checks if check.passed is False]
    unknown = [check for check in posture.checks if check.passed is None]
    also = _also(posture.checks, failed, unknown)
    if len(unknown) == len(posture.checks):
        reason = next((check.reason for check in unknown if check.reason), "no check could be made")
        return Unmeasured(driver=DriverName.SECURITY_POSTURE, reason=reason, also=also)
    value = float(sum(POINTS[check.severity] for check in failed))
    most = value + sum(POINTS[check.severity] for check in unknown)
    return Measurement(
        driver=DriverName.SECURITY_POSTURE,
        measure=_HEADLINE,
        value=value,
        unit="points",
        better=Better.LESS,
        basis=(Basis.MEASURED,),
        interval=(value, most) if unknown else None,
        samples=() if unknown else (value,),
        also=also,
    )


def _also(checks: tuple[PostureCheck, ...], failed: list[PostureCheck], unknown: list[PostureCheck]) -> dict[str, Also]:
    also = {"checks": exact_also(len(checks)), "unknown_checks": exact_also(len(unknown))}
    for severity in Severity:
        also[f"failed_{severity}"] = exact_also(sum(check.severity is severity for check in failed))
    for check in failed:
        also[f"failed_check_{_snake(check.id)}"] = exact_also(_failure(check))
    for check in unknown:
        also[f"unknown_check_{_snake(check.id)}"] = exact_also(f"{_titled(check)}: not known, {check.reason}")
    return also


def _snake(identifier: str) -> str:
    return identifier.replace("-", "_")


def _titled(check: PostureCheck) -> str:
    """`No shell (medium, CIS 4.3)`."""
    return f"{check.title} ({check.severity}{f', CIS {check.cis}' if check.cis else ''})"


def _failure(check: PostureCheck) -> str:
    """The check and what failed it; the count where not all is shown."""
    shown = check.found[:_SHOWN_PATHS]
    more = max(check.count, len(check.found)) - len(shown)
    if not shown:
        return _titled(check)
    return f"{_titled(check)}: {', '.join(shown)}{f' and {more} more' if more else ''}"


SECURITY_POSTURE = Driver(
    name=DriverName.SECURITY_POSTURE,
    headline=_HEADLINE,
    unit="points",
    better=Better.LESS,
    value=ValueFunction(one=0, zero=40),
    docs="Points of the posture checks that fail: 10 for a critical one, 5 high, 2 medium, 1 low. A check that could "
    "not be made counts nothing in the value and widens the interval by its points, since it may fail.",
    further={
        "checks": Further(unit="", means="checks, made or not"),
        "unknown_checks": Further(unit="", means="checks that could not be made"),
        **{f"failed_{each}": Further(unit="", means=f"failed checks of {each} severity") for each in Severity},
    },
    measure=_measure,
    bounded=True,
)
