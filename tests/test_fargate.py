"""Task sizes and prices, against the worked numbers of the price list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basewright.facts import NotMeasured
from basewright.fargate import (
    Architecture,
    FargateFacts,
    TaskSize,
    Trust,
    headroom,
    monthly_price,
    smallest_task,
)
from basewright.feeds.pricing import fargate_facts

GB = 1 << 30
REGIONS = ("ap-northeast-1", "eu-central-1", "eu-west-1", "sa-east-1", "us-east-1", "us-west-2")


def facts(region: str = "us-east-1") -> FargateFacts:
    found = fargate_facts(region)
    assert isinstance(found, FargateFacts)
    return found


@pytest.mark.parametrize(
    ("region", "architecture", "cpu_units", "memory_mib", "usd"),
    [
        ("us-east-1", "amd64", 256, 512, 9.01),
        ("us-east-1", "arm64", 256, 512, 7.21),
        ("us-east-1", "amd64", 512, 1024, 18.02),
        ("us-east-1", "amd64", 1024, 2048, 36.04),
        ("eu-central-1", "amd64", 256, 512, 10.36),
        ("ap-northeast-1", "amd64", 256, 512, 11.25),
    ],
)
def test_the_worked_prices(region: str, architecture: str, cpu_units: int, memory_mib: int, usd: float) -> None:
    size = TaskSize(cpu_units=cpu_units, memory_mib=memory_mib)
    price = monthly_price(size, facts(region), Architecture(architecture))
    assert isinstance(price, float)
    assert round(price, 2) == usd


@pytest.mark.parametrize(
    ("vcpu", "memory_bytes", "expected"),
    [
        (0.0, 0, "0.25 vCPU / 0.5 GB"),
        (0.25, 512 << 20, "0.25 vCPU / 0.5 GB"),
        (0.26, 1, "0.5 vCPU / 1 GB"),
        (0.1, (512 << 20) + 1, "0.25 vCPU / 1 GB"),
        (0.2, 3 * GB, "0.5 vCPU / 3 GB"),
        (4.0, 31 * GB, "8 vCPU / 32 GB"),
        (16.5, GB, "32 vCPU / 60 GB"),
        (1.0, 200 * GB, "32 vCPU / 244 GB"),
    ],
)
def test_the_smallest_task_that_carries_it(vcpu: float, memory_bytes: int, expected: str) -> None:
    assert str(smallest_task(vcpu, memory_bytes, facts().sizes)) == expected


def test_what_no_task_carries() -> None:
    assert smallest_task(33, 1, facts().sizes) is None
    assert smallest_task(1, 245 * GB, facts().sizes) is None
    assert smallest_task(1, 1, ()) is None


@given(vcpu=st.floats(0, 32), memory_mib=st.integers(1, 249_856), region=st.sampled_from(REGIONS))
def test_the_smallest_task_is_the_cheapest(vcpu: float, memory_mib: int, region: str) -> None:
    known = facts(region)
    fitting = [size for size in known.sizes if size.vcpu >= vcpu and size.memory_mib >= memory_mib]
    prices = (monthly_price(size, known, Architecture.AMD64) for size in fitting)
    chosen = smallest_task(vcpu, memory_mib << 20, known.sizes)
    assert chosen is not None
    assert monthly_price(chosen, known, Architecture.AMD64) == min(
        price for price in prices if isinstance(price, float)
    )


def test_a_region_without_a_price_never_gets_anothers() -> None:
    unknown = fargate_facts("eu-south-2")
    assert isinstance(unknown, NotMeasured)
    assert "eu-south-2" in unknown.reason
    frankfurt_arm = monthly_price(TaskSize(cpu_units=256, memory_mib=512), facts("eu-central-1"), Architecture.ARM64)
    assert isinstance(frankfurt_arm, NotMeasured)
    assert "arm64 in eu-central-1" in frankfurt_arm.reason


def test_every_price_says_how_well_it_is_attested() -> None:
    assert facts().rates[Architecture.AMD64].evidence is Trust.CONFIRMED
    assert facts("us-west-2").rates[Architecture.AMD64].evidence is Trust.UNVERIFIED
    for region in REGIONS:
        for rate in facts(region).rates.values():
            assert rate.source
            assert rate.seen or rate.evidence is Trust.UNVERIFIED


def test_the_sizes_are_those_that_fargate_accepts() -> None:
    sizes = facts().sizes
    assert len(sizes) == len(set(sizes)) == 77
    rows = {
        256: {512, 1024, 2048},
        512: set(range(1024, 4097, 1024)),
        1024: set(range(2048, 8193, 1024)),
        2048: set(range(4096, 16385, 1024)),
        4096: set(range(8192, 30721, 1024)),
        8192: set(range(16384, 61441, 4096)),
        16384: set(range(32768, 122881, 8192)),
        32768: {61440, 122880, 249856},
    }
    assert {cpu: {size.memory_mib for size in sizes if size.cpu_units == cpu} for cpu in rows} == rows
    assert {size.cpu_units for size in sizes} == set(rows)


def test_headroom_is_the_free_share() -> None:
    free = headroom(TaskSize(cpu_units=256, memory_mib=512), 0.1, 128 << 20)
    assert free.cpu == pytest.approx(0.6)
    assert free.memory == pytest.approx(0.75)
    assert headroom(TaskSize(cpu_units=256, memory_mib=512), 0.5, 0).cpu == pytest.approx(-1)
