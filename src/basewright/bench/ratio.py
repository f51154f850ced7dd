"""Candidates compared by their ratio to the round's median, so that a slow minute of the machine cancels out."""

from collections.abc import Mapping, Sequence
from statistics import median


def ratios_to_median(rounds: Sequence[Mapping[str, float | None]]) -> tuple[dict[str, tuple[float, ...]], float | None]:
    """Each round maps a name to its value (None: not measured in it). Returns name → ratios, one per round in which it
    was measured, and the median over rounds of the rounds' medians (None where there is none above zero)."""
    ratios: dict[str, list[float]] = {}
    medians: list[float] = []
    for values in rounds:
        known = {name: value for name, value in values.items() if value is not None}
        middle = median(known.values()) if known else 0.0
        if middle <= 0:
            continue
        medians.append(middle)
        for name, value in known.items():
            ratios.setdefault(name, []).append(value / middle)
    return {name: tuple(values) for name, values in ratios.items()}, median(medians) if medians else None
