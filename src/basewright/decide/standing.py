"""How one candidate stands: its measurements against the requirements, its scores, its status and why."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from basewright.decide.criterion import Criterion, Limit
from basewright.decide.value import value_of
from basewright.drivers.catalog import DRIVERS
from basewright.drivers.limit import meets
from basewright.facts import Evidence, FailureKind, Measurement, Unmeasured
from basewright.strategy import DriverName

Measured = Mapping[DriverName, Measurement | Unmeasured]


class Status(StrEnum):
    """The first that applies. Only `evaluated` candidates are ranked, sampled and can win."""

    FAILED = "failed"
    DISQUALIFIED = "disqualified"
    INCOMPLETE = "incomplete"
    EVALUATED = "evaluated"


class RequirementResult(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement as it was judged, value and limit in `unit`. `value`: None where not measured; `met`: None where it
    cannot be told."""

    driver: DriverName
    text: str
    value: float | None
    limit: float
    unit: str
    met: bool | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate by itself. `bounds`: its total with what was not measured at value 0 and at value 1."""

    status: Status
    reason: str
    requirements: tuple[RequirementResult, ...]
    scores: dict[DriverName, float]
    bounds: tuple[float, float]

    @property
    def total(self) -> float | None:
        """The weighted mean of the scores where every weighed driver has one."""
        return self.bounds[0] if self.status is Status.EVALUATED else None


def stand(evidence: Evidence, measured: Measured, criteria: Sequence[Criterion]) -> Standing:
    """Judges one candidate, without a look at any other."""
    requirements = tuple(
        _judge(criterion, limit, measured[criterion.driver]) for criterion in criteria for limit in criterion.limits
    )
    scores = _scores(measured, criteria)
    status, reason = _status(evidence, measured, criteria, requirements)
    return Standing(
        status=status,
        reason=reason,
        requirements=requirements,
        scores=scores,
        bounds=(weighted(scores, criteria, 0.0), weighted(scores, criteria, 1.0)),
    )


def weighted(scores: Mapping[DriverName, float], criteria: Sequence[Criterion], missing: float) -> float:
    """The weighted mean of the scores, with `missing` where there is none: the additive value model (MAVT)."""
    parts = [
        (criterion.weight, scores.get(criterion.driver, missing)) for criterion in criteria if criterion.weight > 0
    ]
    # The quotient of equal sums may exceed 1 by the last bit.
    return min(1.0, sum(weight * score for weight, score in parts) / sum(weight for weight, _ in parts))


def _scores(measured: Measured, criteria: Sequence[Criterion]) -> dict[DriverName, float]:
    scores = {}
    for criterion in criteria:
        found = measured[criterion.driver]
        if isinstance(found, Measurement):
            scores[criterion.driver] = value_of(criterion.value, found.value)
    return scores


def _judge(criterion: Criterion, limit: Limit, found: Measurement | Unmeasured) -> RequirementResult:
    requirement = limit.requirement
    if isinstance(found, Unmeasured):
        unit = DRIVERS[criterion.driver].unit_of(criterion.measure) or ""
        return RequirementResult(
            driver=criterion.driver, text=requirement.text, value=None, limit=limit.value, unit=unit, met=None
        )
    met: bool | None = meets(requirement, limit.value, found.value)
    if criterion.measure is None and DRIVERS[criterion.driver].bounded and found.interval is not None:
        answers = {meets(requirement, limit.value, end) for end in found.interval}
        met = answers.pop() if len(answers) == 1 else None
    return RequirementResult(
        driver=criterion.driver,
        text=requirement.text,
        value=found.value,
        limit=limit.value,
        unit=found.unit,
        met=met,
    )


def _status(
    evidence: Evidence,
    measured: Measured,
    criteria: Sequence[Criterion],
    requirements: Sequence[RequirementResult],
) -> tuple[Status, str]:
    failure = evidence.failure
    if failure is not None and failure.kind is FailureKind.FAILED:
        return Status.FAILED, failure.reason
    broken = [_broken(result) for result in requirements if result.met is False]
    if broken:
        return Status.DISQUALIFIED, "; ".join(broken)
    if failure is not None:
        return Status.INCOMPLETE, failure.reason
    missing = _missing(measured, criteria)
    if missing:
        return Status.INCOMPLETE, missing
    untold = [result for result in requirements if result.met is None]
    if untold:
        return Status.INCOMPLETE, "; ".join(_untold(result) for result in untold)
    return Status.EVALUATED, ""


def _missing(measured: Measured, criteria: Sequence[Criterion]) -> str:
    """What is not measured and why, drivers with the same reason together; empty where nothing is missing."""
    reasons: dict[str, list[str]] = {}
    for criterion in criteria:
        found = measured[criterion.driver]
        if isinstance(found, Unmeasured):
            reasons.setdefault(found.reason, []).append(_words(criterion.driver))
    return "; ".join(f"{_listed(names)} not measured: {reason}" for reason, names in reasons.items())


def _broken(result: RequirementResult) -> str:
    value = 0.0 if result.value is None else result.value
    figures = 4
    while figures < 15 and _number(value, figures) == _number(result.limit, figures):
        figures += 1
    quantity = f"{_number(value, figures)} {result.unit}".rstrip()
    return f"{_words(result.driver)} is {quantity}, the strategy requires {result.text}"


def _untold(result: RequirementResult) -> str:
    return f"whether {_words(result.driver)} is {result.text} cannot be told while checks are missing"


def _words(driver: DriverName) -> str:
    return driver.replace("_", " ")


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} was"
    return f"{', '.join(names[:-1])} and {names[-1]} were"


def _number(value: float, figures: int) -> str:
    """So many significant figures, without an exponent and without zeros at the end of decimals."""
    whole = math.floor(math.log10(abs(value))) + 1 if value else 1
    text = f"{value:,.{min(15, max(0, figures - whole))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
