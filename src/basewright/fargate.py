"""The smallest AWS Fargate task that carries a load, and what it costs a month: pure, fed with dated facts.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

import datetime
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from basewright.facts import NotMeasured

HOURS_PER_MONTH = 730
_CPU_UNITS_PER_VCPU = 1024
_MIB = 1 << 20
_MIB_PER_GB = 1024
"""What Fargate sells as a GB is 1,024 MiB."""


class Architecture(StrEnum):
    """What a task runs on, by the names that image platforms use."""

    AMD64 = "amd64"
    ARM64 = "arm64"


class Trust(StrEnum):
    """How well a number is attested."""

    CONFIRMED = "confirmed"
    """By the maker's own list, or by two sources that agree."""
    REPORTED = "reported"
    """By others, recently."""
    UNVERIFIED = "unverified"
    """Old, undated or contradicted."""


class TaskSize(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A pair that Fargate accepts: CPU units (1,024 a vCPU) and MiB. The order is by CPU, then memory."""

    cpu_units: int
    memory_mib: int

    def __str__(self) -> str:
        return f"{self.vcpu:g} vCPU / {self.memory_mib / _MIB_PER_GB:g} GB"

    @property
    def vcpu(self) -> float:
        return self.cpu_units / _CPU_UNITS_PER_VCPU

    @property
    def memory_bytes(self) -> int:
        return self.memory_mib * _MIB


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """USD an hour for one vCPU and for one GB (1,024 MiB), Linux, on demand. `seen`: when, None where undated."""

    vcpu_hour: float
    gb_hour: float
    evidence: Trust
    source: str
    seen: datetime.date | None = None


class FargateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Task sizes and one region's prices. An architecture without a rate has no price that is known."""

    as_of: datetime.date
    region: str
    sizes: tuple[TaskSize, ...]
    rates: Mapping[Architecture, Rate]


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """What a task leaves free, as shares of it."""

    cpu: float
    memory: float


def smallest_task(cpu_vcpu_needed: float, memory_bytes_needed: int, sizes: Iterable[TaskSize]) -> TaskSize | None:
    """The least size with that much CPU and memory, None where none is big enough.

    Least CPU first, then least memory, is also the cheapest at any prices: rows with less CPU come in finer steps.
    """
    fitting = (size for size in sizes if size.vcpu >= cpu_vcpu_needed and size.memory_bytes >= memory_bytes_needed)
    return min(fitting, default=None)


def monthly_price(
    size: TaskSize, facts: FargateFacts, architecture: Architecture, hours: float = HOURS_PER_MONTH
) -> float | NotMeasured:
    """USD for one task running `hours`; the reason where the region's price for the architecture is not known."""
    rate = facts.rates.get(architecture)
    if rate is None:
        return NotMeasured(
            reason=f"no Fargate price for {architecture} in {facts.region} is known at {facts.as_of}, "
            "and another's does not stand in for it"
        )
    return (size.vcpu * rate.vcpu_hour + size.memory_mib / _MIB_PER_GB * rate.gb_hour) * hours


def headroom(size: TaskSize, cpu_vcpu_needed: float, memory_bytes_needed: int) -> Headroom:
    """The free shares of a task that carries the load, 0 to 1; below zero where it does not."""
    return Headroom(cpu=1 - cpu_vcpu_needed / size.vcpu, memory=1 - memory_bytes_needed / size.memory_bytes)
