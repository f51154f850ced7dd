"""build_performance from edits in rounds."""

import pytest

from basewright.drivers.build_performance import BUILD_PERFORMANCE
from basewright.facts import BuildFacts, Measurement, NotMeasured, Unmeasured
from tests.doubles.candidates import build, context, evidence


def test_rounds_that_were_slow_for_all_leave_no_trace() -> None:
    facts = BuildFacts(
        application_edit_seconds=(2.0, 9.0, 2.0, 2.0, 2.0, 2.0),
        application_edit_ratios=(1.25, 1.25, 1.25, 1.25, 1.25, 1.25),
        application_edit_round_median=1.6,
        dependency_edit_seconds=(5.0, 7.0, 6.0),
        cold_seconds=30,
        push_bytes_after_edit=20_000,
    )
    found = BUILD_PERFORMANCE.measure(evidence(build=facts), context())
    assert isinstance(found, Measurement)
    assert found.value == pytest.approx(2.0)
    assert found.samples == pytest.approx((2.0,) * 6)
    assert found.interval == pytest.approx((2.0, 2.0))
    assert found.also["dependency_edit_seconds"].value == 6
    assert found.also["dependency_edit_seconds"].interval is None
    assert found.also["push_size_after_edit"].value == 0.02
    assert found.also["download_seconds"].value is None


def test_an_interval_takes_six_rounds() -> None:
    six = BUILD_PERFORMANCE.measure(evidence(build=build(2)), context())
    five = BUILD_PERFORMANCE.measure(evidence(build=build(2, rounds=(1, 1.1, 0.9, 1, 1.2))), context())
    one = BUILD_PERFORMANCE.measure(evidence(build=build(2, rounds=(1,))), context())
    assert isinstance(six, Measurement)
    assert isinstance(five, Measurement)
    assert isinstance(one, Measurement)
    assert six.interval == pytest.approx((1.96, 2.04))
    assert five.interval is None
    assert (one.interval, one.samples) == (None, (2,))


def test_nothing_timed_is_not_measured() -> None:
    for facts in (NotMeasured(reason="no build"), build(2, rounds=())):
        assert isinstance(BUILD_PERFORMANCE.measure(evidence(build=facts), context()), Unmeasured)
