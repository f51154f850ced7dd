"""security_posture from checks that failed, passed, or could not be made."""

from basewright.drivers.security_posture import SECURITY_POSTURE
from basewright.facts import Measurement, NotMeasured, Severity, Unmeasured
from tests.doubles.candidates import check, context, evidence, posture


def test_failed_checks_weigh_by_severity() -> None:
    checks = (
        check("secret", False, Severity.CRITICAL),
        check("root-user", False, Severity.HIGH),
        check("shell", False, Severity.MEDIUM, found=("/bin/sh",)),
        check("docs", False, Severity.LOW),
        check("setuid", True, Severity.MEDIUM),
    )
    found = SECURITY_POSTURE.measure(evidence(posture=posture(*checks)), context())
    assert isinstance(found, Measurement)
    assert (found.value, found.unit, found.interval, found.samples) == (18.0, "points", None, (18.0,))
    assert found.also["failed_critical"].value == 1
    assert found.also["failed_check_shell"].value == "No shell (medium): /bin/sh"
    assert "failed_check_setuid" not in found.also


def test_what_could_not_be_looked_at_widens_the_interval_upward() -> None:
    checks = (check("shell", False), check("read-only-root", None), check("root-user", None, Severity.HIGH))
    found = SECURITY_POSTURE.measure(evidence(posture=posture(*checks)), context())
    assert isinstance(found, Measurement)
    assert (found.value, found.interval, found.samples) == (2.0, (2.0, 9.0), ())
    assert found.also["unknown_checks"].value == 2
    assert "it was not run" in str(found.also["unknown_check_read_only_root"].value)


def test_not_measured_only_where_nothing_was_seen() -> None:
    for facts in (NotMeasured(reason="it was not run"), posture(check("shell", None))):
        found = SECURITY_POSTURE.measure(evidence(posture=facts), context())
        assert isinstance(found, Unmeasured)
        assert found.reason == "it was not run"


def test_many_paths_are_counted_not_listed() -> None:
    failed = check("setuid", False, found=tuple(f"/usr/bin/{each}" for each in range(20)))
    found = SECURITY_POSTURE.measure(evidence(posture=posture(failed)), context())
    assert isinstance(found, Measurement)
    assert str(found.also["failed_check_setuid"].value).endswith("/usr/bin/4 and 15 more")
