"""Makes the view of an evaluation from the strategy, the evidence and the decision. Pure."""

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence

from basewright.decide.decision import CandidateResult, Decision
from basewright.decide.standing import RequirementResult, Status
from basewright.facts import (
    Also,
    Basis,
    CadenceFacts,
    Evidence,
    Machine,
    Measurement,
    MovedTag,
    PostureFacts,
    SizeFacts,
    Unmeasured,
)
from basewright.printable import one_line
from basewright.strategy import Candidate, DriverName, Strategy
from basewright.view.evaluation import Cell, EvaluationView, RequirementView, Row
from basewright.view.lifecycle import ends_of_life
from basewright.view.wording import base_label, option_text

MAX_WORDS = 600
"""Characters of a reason, note or line of output; what is longer is cut."""
MAX_FOUND = 3
_WITH_FAILURE = (Status.FAILED, Status.INCOMPLETE)


def view_evaluation(
    strategy: Strategy,
    evidence: Sequence[Evidence],
    decision: Decision,
    *,
    evaluated_at: datetime.datetime,
    as_of: datetime.date,
    runner: str,
    machine: Machine,
    lock_digest: str,
    wrote: tuple[str, ...] = (),
    version: str,
) -> EvaluationView:
    """What every output shows. `evaluated_at` is the evidence's time, `wrote` the paths that were written.

    `evidence` and the decision's candidates are of the same candidates on the same platforms.
    """
    candidates = {candidate.name: candidate for candidate in strategy.candidates}
    facts = {(each.candidate, each.platform): each for each in evidence}
    drivers = _drivers(decision)
    return EvaluationView(
        version=version,
        service=strategy.service.name,
        evaluated_at=evaluated_at.astimezone(datetime.UTC),
        as_of=as_of,
        runner=one_line(runner),
        machine=machine,
        lock=lock_digest,
        region=strategy.target.region,
        platform=decision.platform,
        drivers=drivers,
        weights={driver: strategy.weight(driver) for driver in drivers},
        rows=tuple(
            _row(each, facts.get((each.name, each.platform)), candidates.get(each.name), decision, drivers)
            for each in decision.candidates
        ),
        winner=decision.winner,
        tie=decision.tie,
        ranking=decision.ranking,
        acceptability=dict(decision.acceptability),
        pairwise=dict(decision.pairwise),
        central_weights=dict(decision.central_weights),
        flips=decision.flips,
        dominated_by=dict(decision.dominated_by),
        could_overturn=decision.could_overturn,
        seed=decision.seed,
        draws=decision.draws,
        ends=ends_of_life(evidence, candidates),
        supersedes=strategy.decision.supersedes,
        previous_date=strategy.decision.previous_date,
        wrote=wrote,
    )


def _drivers(decision: Decision) -> tuple[DriverName, ...]:
    """Every driver that was asked for, in the drivers' order."""
    asked = {driver for result in decision.candidates for driver in result.measurements}
    return tuple(driver for driver in DriverName if driver in asked)


def _row(
    result: CandidateResult,
    evidence: Evidence | None,
    candidate: Candidate | None,
    decision: Decision,
    drivers: Sequence[DriverName],
) -> Row:
    names = [name for name, _ in decision.ranking] if result.platform == decision.platform else []
    image = evidence.image if evidence is not None else None
    failure = evidence.failure if evidence is not None else None
    return Row(
        name=result.name,
        platform=result.platform,
        base="" if candidate is None else base_label(candidate.base),
        option="" if candidate is None else option_text(candidate),
        status=str(result.status),
        rank=names.index(result.name) + 1 if result.name in names else None,
        score=result.total,
        reason=_words(result.reason),
        could_still_win=result.could_still_win,
        bounds=result.bounds,
        requirements=tuple(_requirement(each) for each in result.requirements),
        digest=None if image is None else image.digest,
        notes=tuple(_words(note) for note in _notes(evidence)),
        sources=tuple(_words(source) for source in _sources(evidence)),
        output=_output(result, () if failure is None else failure.output),
        hint="" if failure is None or result.status not in _WITH_FAILURE else _words(failure.hint),
        cells={driver: _cell(driver, result) for driver in drivers},
        failed_checks=tuple(_words(check) for check in _failed_checks(evidence)),
    )


def _cell(driver: DriverName, result: CandidateResult) -> Cell:
    found = result.measurements.get(driver)
    match found:
        case Measurement():
            return Cell(
                driver=driver,
                measure=found.measure,
                value=found.value,
                unit=found.unit,
                better=str(found.better),
                interval=found.interval,
                basis=found.basis,
                samples=found.samples,
                score=result.scores.get(driver),
                also=_also(found.also),
            )
        case Unmeasured():
            return Cell(driver=driver, not_measured=_words(found.reason), also=_also(found.also))
        case None:
            return Cell(driver=driver, not_measured="it was not asked for")


def _also(also: Mapping[str, Also]) -> dict[str, Also]:
    """What is known; a further measure without a value says nothing."""
    return {name: each for name, each in also.items() if each.value is not None and not _is_nan(each.value)}


def _is_nan(value: float | str) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _requirement(result: RequirementResult) -> RequirementView:
    return RequirementView(driver=result.driver, text=result.text, value=result.value, unit=result.unit, met=result.met)


def _output(result: CandidateResult, output: Sequence[str]) -> tuple[str, ...]:
    """The last lines that a program printed, where the candidate is not whole."""
    if result.status not in _WITH_FAILURE:
        return ()
    return tuple(_words(line) for line in output)


def _notes(evidence: Evidence | None) -> Iterator[str]:
    """What a reader must know of the image: notes of its build, and what a published size stands for."""
    if evidence is None:
        return
    if evidence.moved_tag is not None:
        yield _moved(evidence.moved_tag)
    if isinstance(evidence.size, SizeFacts):
        for part in evidence.size.parts:
            if part.basis is not Basis.MEASURED and part.source:
                yield f"the size of its base is not measured: {part.source}"
    if evidence.image is not None:
        yield from evidence.image.notes


def _moved(tag: MovedTag) -> str:
    built_on = f"it was locked on {tag.locked_at[:10]} as {tag.locked_digest}, which this was built on"
    if not tag.digest:
        return f"the tag {tag.reference} is gone from its registry, as seen on {tag.seen_at[:10]}: {built_on}"
    return (
        f"the tag {tag.reference} has moved: {built_on}, and stands for {tag.digest} as seen on {tag.seen_at[:10]}; "
        "--update-lock takes that one"
    )


def _sources(evidence: Evidence | None) -> Iterator[str]:
    if evidence is None:
        return
    if isinstance(evidence.cadence, CadenceFacts):
        yield f"{evidence.cadence.subject}, from {evidence.cadence.source}"


def _failed_checks(evidence: Evidence | None) -> Iterator[str]:
    """`No shell (/usr/bin/dash and 4 more)`."""
    if evidence is None or not isinstance(evidence.posture, PostureFacts):
        return
    for check in evidence.posture.checks:
        if check.passed is False:
            more = max(check.count, len(check.found)) - len(check.found[:MAX_FOUND])
            found = ", ".join(check.found[:MAX_FOUND]) + (f" and {more} more" if more > 0 else "")
            yield f"{check.title} ({found})" if found else check.title


def _words(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…"
