"""What may not be compared with each other is not measured: start-up with bytecode against start-up without."""

from collections.abc import Mapping, Sequence

from basewright.decide.criterion import Criterion
from basewright.facts import Evidence, Measurement, RunFacts, Unmeasured
from basewright.strategy import Bytecode, DriverName

START_MEASURE = "start_seconds"
Table = Mapping[tuple[str, str], dict[DriverName, Measurement | Unmeasured]]
"""Candidate and platform → what was measured."""


def compare_alike(
    evidence: Sequence[Evidence], table: Table, criteria: Sequence[Criterion], usual: Bytecode
) -> dict[tuple[str, str], dict[DriverName, Measurement | Unmeasured]]:
    """The table, less start-up times with another bytecode setting than `usual`, where start-up ranks and settings
    differ. A candidate that has no bytecode compares with all."""
    driver = DriverName.RUNTIME_PERFORMANCE
    kept = {key: dict(row) for key, row in table.items()}
    if not any(each.driver is driver and each.measure == START_MEASURE for each in criteria):
        return kept
    settings = {(e.candidate, e.platform): e.run.bytecode for e in evidence if isinstance(e.run, RunFacts)}
    if not {True, False} <= set(settings.values()):
        return kept
    for key, compiled in settings.items():
        found = kept[key][driver]
        if compiled is not None and compiled is not (usual is Bytecode.COMPILED) and isinstance(found, Measurement):
            mine, theirs = ("compiled", "none") if compiled else ("none", "compiled")
            kept[key][driver] = Unmeasured(
                driver=driver,
                reason=f"start-up with bytecode {mine} is not compared with start-up with bytecode {theirs}",
                also=found.also,
            )
    return kept
