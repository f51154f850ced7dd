"""The JSON document of an evaluation, schema `basewright.evaluation/1` (docs/evaluate-json.md). Pure."""

import math

import msgspec

from basewright.decide.flip import Flip
from basewright.facts import Also, Machine
from basewright.printable import one_line
from basewright.view.evaluation import Cell, EvaluationView, RequirementView, Row

SCHEMA = "basewright.evaluation/1"
FIGURES = 9
"""Significant figures of a number: enough for any measurement, few enough to be the same on every processor."""

_Struct = msgspec.Struct
Interval = tuple[float | None, float | None]
"""Both ends; null is an open end."""


class AlsoDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further measure."""

    value: float | str | None
    unit: str
    interval: Interval | None
    basis: list[str]


class MeasurementDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One driver of one candidate: every key but `not_measured`, or `not_measured` alone."""

    measure: str | msgspec.UnsetType = msgspec.UNSET
    value: float | msgspec.UnsetType = msgspec.UNSET
    unit: str | msgspec.UnsetType = msgspec.UNSET
    better: str | msgspec.UnsetType = msgspec.UNSET
    interval: Interval | msgspec.UnsetType | None = msgspec.UNSET
    basis: list[str] | msgspec.UnsetType = msgspec.UNSET
    samples: list[float] | msgspec.UnsetType = msgspec.UNSET
    score: float | msgspec.UnsetType | None = msgspec.UNSET
    also: dict[str, AlsoDocument] | msgspec.UnsetType = msgspec.UNSET
    not_measured: str | msgspec.UnsetType = msgspec.UNSET


class RequirementDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A requirement and how it was judged; `met` is null where it could not be told."""

    driver: str
    require: str
    value: float | None
    unit: str
    met: bool | None


class ImageDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The image that was built."""

    digest: str


class CandidateDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate, in the strategy's order."""

    name: str
    platform: str
    status: str
    reason: str
    could_still_win: bool
    requirements: list[RequirementDocument]
    image: ImageDocument | None
    measurements: dict[str, MeasurementDocument]
    notes: list[str]
    hint: str | msgspec.UnsetType = msgspec.UNSET
    output: list[str] | msgspec.UnsetType = msgspec.UNSET


class RankingDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in the ranking, the best first."""

    name: str
    score: float


class DecisionDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The decision."""

    winner: str | None
    ranking: list[RankingDocument]
    acceptability: dict[str, list[float]]
    tie: list[str]
    pairwise: dict[str, dict[str, float]]
    central_weights: dict[str, dict[str, float]]
    bounds: dict[str, tuple[float, float]]
    flips: list[Flip]
    dominated_by: dict[str, list[str]]
    could_overturn: list[str]
    draws: int


class EvaluationDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document."""

    schema: str
    service: str
    evaluated_at: str
    as_of: str
    runner: str
    machine: Machine
    seed: int
    lock: str
    candidates: list[CandidateDocument]
    decision: DecisionDocument
    wrote: list[str]


def render_json(view: EvaluationView) -> str:
    """The document as canonical JSON: keys in the schema's order, maps sorted, numbers of nine significant figures."""
    return encode_document(evaluation_document(view)).decode()


def encode_document(document: msgspec.Struct) -> bytes:
    """Canonical JSON with a newline at the end: the same bytes for the same document."""
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=2) + b"\n"


def evaluation_document(view: EvaluationView) -> EvaluationDocument:
    """The document as a record."""
    return EvaluationDocument(
        schema=SCHEMA,
        service=view.service,
        evaluated_at=f"{view.evaluated_at:%Y-%m-%dT%H:%M:%SZ}",
        as_of=view.as_of.isoformat(),
        runner=view.runner,
        machine=view.machine,
        seed=view.seed,
        lock=view.lock,
        candidates=[_candidate(row) for row in view.rows],
        decision=_decision(view),
        wrote=list(view.wrote),
    )


def _candidate(row: Row) -> CandidateDocument:
    return CandidateDocument(
        name=row.name,
        platform=row.platform,
        status=row.status,
        reason=row.reason,
        could_still_win=row.could_still_win,
        requirements=[_requirement(each) for each in row.requirements],
        image=None if row.digest is None else ImageDocument(digest=row.digest),
        measurements={driver: _measurement(cell) for driver, cell in row.cells.items()},
        notes=list(row.notes),
        hint=row.hint or msgspec.UNSET,
        output=[one_line(line) for line in row.output] if row.output else msgspec.UNSET,
    )


def _measurement(cell: Cell) -> MeasurementDocument:
    if cell.not_measured is not None:
        return MeasurementDocument(not_measured=cell.not_measured)
    return MeasurementDocument(
        measure=cell.measure,
        value=stable(cell.value),
        unit=cell.unit,
        better=cell.better,
        interval=_interval(cell.interval),
        basis=[str(each) for each in cell.basis],
        samples=[stable(each) for each in cell.samples],
        score=None if cell.score is None else stable(cell.score),
        also={name: _also(each) for name, each in cell.also.items()},
    )


def _also(also: Also) -> AlsoDocument:
    value = also.value
    return AlsoDocument(
        value=value if value is None or isinstance(value, str) else _finite(value),
        unit=also.unit,
        interval=_interval(also.interval),
        basis=[str(each) for each in also.basis],
    )


def _decision(view: EvaluationView) -> DecisionDocument:
    return DecisionDocument(
        winner=view.winner,
        ranking=[RankingDocument(name=name, score=stable(score)) for name, score in view.ranking],
        acceptability={name: [stable(share) for share in shares] for name, shares in view.acceptability.items()},
        tie=list(view.tie),
        pairwise={name: {other: stable(share) for other, share in row.items()} for name, row in view.pairwise.items()},
        central_weights={
            name: {str(driver): stable(weight) for driver, weight in weights.items()}
            for name, weights in view.central_weights.items()
        },
        bounds={
            row.name: (stable(row.bounds[0]), stable(row.bounds[1])) for row in view.rows if row.bounds is not None
        },
        flips=[_flip(flip) for flip in view.flips],
        dominated_by={name: sorted(others) for name, others in view.dominated_by.items() if others},
        could_overturn=list(view.could_overturn),
        draws=view.draws,
    )


def _requirement(requirement: RequirementView) -> RequirementDocument:
    return RequirementDocument(
        driver=requirement.driver,
        require=requirement.text,
        value=None if requirement.value is None else stable(requirement.value),
        unit=requirement.unit,
        met=requirement.met,
    )


def _flip(flip: Flip) -> Flip:
    measurement, weight = flip.measurement, flip.weight
    if measurement is not None:
        measurement = msgspec.structs.replace(
            measurement, value=stable(measurement.value), threshold=stable(measurement.threshold)
        )
    if weight is not None:
        weight = msgspec.structs.replace(weight, threshold=stable(weight.threshold))
    return msgspec.structs.replace(flip, measurement=measurement, weight=weight)


def stable(number: float) -> float:
    """Nine significant figures, so that the last bits of a sum change no byte; never a negative zero."""
    return float(f"{number:.{FIGURES}g}") + 0.0


def _finite(number: float) -> float | None:
    return stable(number) if math.isfinite(number) else None


def _interval(interval: tuple[float, float] | None) -> Interval | None:
    return None if interval is None else (_finite(interval[0]), _finite(interval[1]))
