"""runtime_performance from rounds of load."""

import msgspec
import pytest

from basewright.drivers.runtime_performance import RUNTIME_PERFORMANCE
from basewright.facts import Measurement, NotMeasured, Unmeasured
from tests.doubles.candidates import context, evidence, run


def test_cpu_ranks_and_latency_is_shown() -> None:
    found = RUNTIME_PERFORMANCE.measure(evidence(run=run(2.0)), context())
    assert isinstance(found, Measurement)
    assert found.value == pytest.approx(2.0)
    assert (found.unit, found.better) == ("s", "less")
    assert found.interval == pytest.approx((1.96, 2.04))
    assert found.also["p99_ms"].value == pytest.approx(6.0)
    assert found.also["start_seconds"].interval == pytest.approx((0.49, 0.51))
    assert found.also["runner"].value == "sandbox"


def test_ratios_stand_for_the_samples() -> None:
    facts = msgspec.structs.replace(
        run(2.0, rounds=(1, 50, 1)),
        ratios={"cpu_seconds_per_1000": (0.5, 0.5, 0.6)},
        round_medians={"cpu_seconds_per_1000": 4.0},
    )
    found = RUNTIME_PERFORMANCE.measure(evidence(run=facts), context())
    assert isinstance(found, Measurement)
    assert found.samples == pytest.approx((2.0, 2.0, 2.4))
    assert found.value == pytest.approx(2.0)


def test_where_the_generator_was_the_bottleneck_cpu_still_ranks() -> None:
    found = RUNTIME_PERFORMANCE.measure(evidence(run=run(throughput=None)), context())
    assert isinstance(found, Measurement)
    assert found.also["requests_per_second"].value is None
    assert found.also["requests_per_second"].basis == ()


def test_p99_cannot_be_chosen() -> None:
    assert "p99_ms" not in RUNTIME_PERFORMANCE.further
    assert "p50_ms" in RUNTIME_PERFORMANCE.further


def test_no_run_is_not_measured() -> None:
    for facts in (NotMeasured(reason="no sandbox"), run(rounds=())):
        assert isinstance(RUNTIME_PERFORMANCE.measure(evidence(run=facts), context()), Unmeasured)
