"""Fargate's task sizes and price list, as shipped."""

from functools import cache

import msgspec

from basewright.facts import NotMeasured
from basewright.fargate import Architecture, FargateFacts, Rate, TaskSize, Trust
from basewright.feeds.snapshot import Dataset, read_dataset


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cpu_units: int
    memory_mib: tuple[int, ...]
    evidence: Trust
    source: str


class _Fargate(Dataset, frozen=True, kw_only=True):
    sizes: tuple[_Row, ...]
    regions: dict[str, dict[Architecture, Rate]]


def fargate_facts(region: str) -> FargateFacts | NotMeasured:
    """Sizes and prices for a region; the reason where none of its prices is known."""
    data = _fargate()
    rates = data.regions.get(region)
    if rates is None:
        known = ", ".join(sorted(data.regions))
        return NotMeasured(reason=f"no Fargate price for {region} is known at {data.as_of}, only for {known}")
    sizes = (TaskSize(cpu_units=row.cpu_units, memory_mib=memory) for row in data.sizes for memory in row.memory_mib)
    return FargateFacts(as_of=data.as_of, region=region, sizes=tuple(sizes), rates=rates)


@cache
def _fargate() -> _Fargate:
    return read_dataset("fargate", _Fargate)
