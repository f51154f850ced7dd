"""resource_efficiency from a run and a price list."""

import msgspec
import pytest

from basewright.drivers.resource_efficiency import RESOURCE_EFFICIENCY
from basewright.facts import Basis, Measurement, NotMeasured, Unmeasured
from tests.doubles.candidates import FARGATE, context, evidence, run

QUARTER = (0.25 * 0.04048 + 0.5 * 0.004445) * 730
HALF = (0.5 * 0.04048 + 1 * 0.004445) * 730


def test_the_smallest_task_that_carries_the_load() -> None:
    found = RESOURCE_EFFICIENCY.measure(evidence(run=run(1.0)), context())
    assert isinstance(found, Measurement)
    assert found.value == pytest.approx(QUARTER)
    assert (found.unit, found.better) == ("USD", "less")
    assert found.basis == (Basis.MODELLED, Basis.MEASURED)
    assert found.interval is None
    assert found.samples == pytest.approx((QUARTER,))
    assert found.also["task"].value == "0.25 vCPU / 0.5 GB"
    assert found.also["vcpu_needed"].value == pytest.approx(0.1 / 0.7)
    assert found.also["cpu_headroom"].value == pytest.approx(60)
    assert found.also["peak_memory"].value == 100
    assert found.also["idle_cpu"].value == pytest.approx(1)


def test_headroom_is_kept() -> None:
    """0.2 vCPU of load fit a quarter, but not with 30 % left free; 512 MiB of peak do not fit 512 MiB."""
    more_cpu = RESOURCE_EFFICIENCY.measure(evidence(run=run(2.0)), context())
    more_memory = RESOURCE_EFFICIENCY.measure(evidence(run=run(1.0, peak=512 << 20)), context())
    assert isinstance(more_cpu, Measurement)
    assert isinstance(more_memory, Measurement)
    assert more_cpu.also["task"].value == "0.5 vCPU / 1 GB"
    assert more_memory.also["task"].value == "0.25 vCPU / 1 GB"


def test_the_price_follows_the_strategys_rate() -> None:
    found = RESOURCE_EFFICIENCY.measure(evidence(run=run(1.0)), context(rate=300))
    assert isinstance(found, Measurement)
    assert found.also["task"].value == "0.5 vCPU / 1 GB"


def test_a_load_at_a_step_of_the_table_has_an_interval() -> None:
    found = RESOURCE_EFFICIENCY.measure(evidence(run=run(1.75)), context())
    assert isinstance(found, Measurement)
    assert found.interval == pytest.approx((QUARTER, HALF))
    assert sorted(set(found.samples)) == pytest.approx([QUARTER, HALF])


def test_the_highest_peak_counts() -> None:
    facts = run(1.0)
    high = msgspec.structs.replace(facts.samples[3], peak_bytes=700_000_000)
    found = RESOURCE_EFFICIENCY.measure(
        evidence(run=msgspec.structs.replace(facts, samples=(*facts.samples, high))), context()
    )
    assert isinstance(found, Measurement)
    assert found.also["task"].value == "0.25 vCPU / 1 GB"


def test_what_cannot_be_priced_is_not_measured() -> None:
    cases = (
        (evidence(run=NotMeasured(reason="it was not run")), context(), "it was not run"),
        (evidence(run=run()), context(fargate=NotMeasured(reason="no price for xy is known")), "no price for xy"),
        (evidence(run=run(50)), context(), "no Fargate task has 7.14 vCPU"),
        (evidence(run=run(), platform="linux/arm64"), context(), "no Fargate price for arm64"),
    )
    for facts, known, reason in cases:
        found = RESOURCE_EFFICIENCY.measure(facts, known)
        assert isinstance(found, Unmeasured)
        assert reason in found.reason


def test_a_price_of_another_region_is_used_for_that_region_only() -> None:
    dearer = msgspec.structs.replace(
        FARGATE, rates={key: msgspec.structs.replace(rate, vcpu_hour=0.08) for key, rate in FARGATE.rates.items()}
    )
    found = RESOURCE_EFFICIENCY.measure(evidence(run=run(1.0)), context(fargate=dearer))
    assert isinstance(found, Measurement)
    assert found.value > QUARTER
