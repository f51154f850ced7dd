"""The sentences about an evaluation: who won and how surely, what is not known, what could change it. Pure."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from basewright.decide.decision import TIE_BELOW
from basewright.decide.flip import Flip, MeasurementFlip, WeightFlip
from basewright.strategy import DriverName
from basewright.view.evaluation import EvaluationView, Row
from basewright.view.lifecycle import end_sentence
from basewright.view.number import format_count, format_number, format_quantity, format_score, format_share
from basewright.view.wording import driver_noun, driver_title, join_words

Numbers = dict[tuple[str, str, DriverName], int]
"""Candidate, platform and driver of a cell without a number → the number of the reason."""


class Unmeasured(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for which drivers of candidates have no number. `number` refers to it, from 1."""

    number: int
    subject: str
    reason: str
    cells: frozenset[tuple[str, str, DriverName]]
    """Candidate, platform and driver of every cell that it explains."""


def verdict(view: EvaluationView) -> str:
    """The winner, or the tie, in one sentence with how robust it is."""
    if view.winner is not None:
        return _winner(view, view.winner)
    if view.tie:
        return _tie(view)
    if view.rows and all(row.status == "disqualified" for row in view.rows):
        return "No candidate meets the requirements: every one is disqualified."
    if view.rows and all(row.status == "failed" for row in view.rows):
        return "No decision: every candidate failed."
    return "No decision: no candidate could be measured completely."


def could_overturn(view: EvaluationView) -> str:
    """What was not measured could still make another the best; empty where it could not."""
    rows = [row for row in view.rows if row.name in view.could_overturn and row.platform == view.platform]
    if not rows:
        return ""
    names = join_words(f"{row.name}{_bounds(row)}" for row in rows)
    lacking = [driver for driver in view.drivers if any(row.cells[driver].not_measured is not None for row in rows)]
    missing = f"{join_words(driver_noun(each) for each in lacking)} {'is' if len(lacking) == 1 else 'are'}"
    could = f"{names} could still be the best" if len(rows) == 1 else f"{names} could each still be the best"
    return f"{could}, once {missing} measured." if lacking else f"{could}."


def not_ranked(view: EvaluationView) -> tuple[tuple[Row, str], ...]:
    """Each candidate without a rank, and why, in one sentence; not where `unmeasured` says so already."""
    return tuple(
        (row, sentence(f"{view.label(row)} {_status_words(row)}: {row.reason}"))
        for row in view.ordered
        if row.status != "evaluated" and not (row.status == "incomplete" and _lacks(view, row))
    )


def unmeasured(view: EvaluationView) -> tuple[Unmeasured, ...]:
    """What was not measured, one entry a reason; candidates that lack the same drivers for it are named together."""
    wordings = _common_reasons(view)
    reasons: dict[str, dict[tuple[DriverName, ...], list[Row]]] = {}
    for row in view.ordered:
        lacking: dict[str, list[DriverName]] = {}
        for driver in view.drivers:
            reason = row.cells[driver].not_measured
            if reason is not None:
                lacking.setdefault(wordings[row.name, reason], []).append(driver)
        for reason, drivers in lacking.items():
            reasons.setdefault(reason, {}).setdefault(tuple(drivers), []).append(row)
    return tuple(
        Unmeasured(
            number=number,
            subject=_subject(view, groups),
            reason=reason,
            cells=frozenset(
                (row.name, row.platform, driver)
                for drivers, rows in groups.items()
                for row in rows
                for driver in drivers
            ),
        )
        for number, (reason, groups) in enumerate(reasons.items(), start=1)
    )


def unmeasured_numbers(view: EvaluationView) -> Numbers:
    """Which reason explains which cell."""
    return {cell: entry.number for entry in unmeasured(view) for cell in entry.cells}


def _common_reasons(view: EvaluationView) -> dict[tuple[str, str], str]:
    """Candidate and reason → how it is worded: where several candidates lack something for the same reason but for the
    name of their base, that says `the base`."""
    general: dict[tuple[str, str], str] = {}
    for row in view.rows:
        for cell in row.cells.values():
            if cell.not_measured is not None:
                general[row.name, cell.not_measured] = cell.not_measured.replace(row.base, "the base")
    shared = Counter(general.values())
    return {(name, reason): text if shared[text] > 1 else reason for (name, reason), text in general.items()}


def notes(view: EvaluationView) -> tuple[str, ...]:
    """What a reader must know of candidates' images, a line a candidate; those with the same are named together."""
    found: dict[str, list[str]] = {}
    for row in view.rows:
        found.setdefault(row.name, []).extend(note for note in row.notes if note not in found.get(row.name, []))
    return _by_name((name, "; ".join(each.rstrip(".") for each in texts)) for name, texts in found.items() if texts)


def hints(view: EvaluationView) -> tuple[str, ...]:
    """What would mend candidates that failed or are incomplete, where that is known."""
    return _by_name((row.name, row.hint) for row in view.ordered if row.hint)


def sources(view: EvaluationView) -> tuple[str, ...]:
    """Where the dates of rebuilds came from."""
    return _by_name((row.name, source) for row in view.rows for source in row.sources)


def _by_name(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        if name not in found.setdefault(text, []):
            found[text].append(name)
    return tuple(sentence(f"{join_words(names)}: {text}") for text, names in found.items())


def flips(view: EvaluationView) -> tuple[str, ...]:
    """What would flip it: for each driver the smallest change of one measurement or of its weight; last, in which
    drivers no change would."""
    found = [(flip, _flip(flip)) for flip in view.flips]
    lines = [sentence(f"{driver_title(flip.driver)}: {text}") for flip, text in found if text]
    without = [driver_noun(flip.driver) for flip, text in found if not text]
    if without:
        lines.append(sentence(f"No change of {join_words(without, 'or')} alone changes the winner"))
    return tuple(lines)


def _flip(flip: Flip) -> str:
    """`debian-minimal leads if go-static has more than 6.99 s (now 2.42 s), or with a weight above 1.67 (now 1)`."""
    measurement, weight = flip.measurement, flip.weight
    if measurement is None or weight is None:
        part = measurement or weight
        return "" if part is None else f"{part.winner} leads {_change(part)}"
    joint = ", or " if measurement.winner == weight.winner else f"; {weight.winner} leads "
    return f"{measurement.winner} leads {_change(measurement)}{joint}{_change(weight)}"


def _change(flip: MeasurementFlip | WeightFlip) -> str:
    if isinstance(flip, WeightFlip):
        way = "above" if flip.threshold > flip.weight else "below"
        return f"with a weight {way} {format_number(flip.threshold)} (now {flip.weight:g})"
    way = "more" if flip.threshold > flip.value else "less"
    who = "it" if flip.candidate == flip.winner else flip.candidate
    threshold, now = format_quantity(flip.threshold, flip.unit), format_quantity(flip.value, flip.unit)
    return f"if {who} has {way} than {threshold} (now {now})"


def urgent_ends(view: EvaluationView) -> tuple[str, ...]:
    """Sentences on what has reached its end of life, or will within a year of the evaluation's day."""
    return tuple(
        sentence(end_sentence(end, view.as_of, view.previous))
        for end in view.ends
        if end.passed(view.as_of)
        or end.soon(view.as_of)
        or (view.previous is not None and end.passed(view.previous[1]))
    )


def provenance(view: EvaluationView) -> str:
    """Where and from what the numbers came, in one line."""
    machine = view.machine
    as_of = "" if view.as_of == view.evaluated_at.date() else f", judged as of {view.as_of}"
    where = ", nothing was run" if view.runner == "none" else f" in the {view.runner}"
    return (
        f"Measured {view.evaluated_at:%Y-%m-%d %H:%M} UTC{as_of} by basewright {view.version}{where}; "
        f"{machine.processor}, {format_count(machine.cores, 'core')}, "
        f"{machine.system} {machine.kernel}; seed {view.seed}."
    )


def first_text(view: EvaluationView, name: str) -> str:
    """In how many of the draws a candidate comes first, such as `97 %`."""
    shares = view.acceptability.get(name, ())
    return format_share(shares[0]) if shares else "none"


def ahead_text(view: EvaluationView, name: str, other: str) -> str:
    """In how many of the draws one candidate is ahead of another."""
    return format_share(view.pairwise.get(name, {}).get(other, 0.0))


def sentence(text: str) -> str:
    """With a full stop, unless it ends with a mark already."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _winner(view: EvaluationView, winner: str) -> str:
    score = dict(view.ranking).get(winner)
    head = f"{winner} wins" + (f" with {format_score(score)}" if score is not None else "")
    others = [name for name, _ in view.ranking if name != winner]
    if not others:
        return f"{head}: the only candidate that could be ranked."
    first, ahead = first_text(view, winner), ahead_text(view, winner, others[0])
    return f"{head}: first in {first} of {view.draws:,} draws, ahead of {others[0]} in {ahead} at the given weights."


def _tie(view: EvaluationView) -> str:
    reason = tie_reason(view)
    return f"A tie between {tied_names(view)}{f': {reason}' if reason else ''}."


def tied_names(view: EvaluationView) -> str:
    """`go-static (0.83) and go-alpine (0.82)`, the best first."""
    scores = dict(view.ranking)
    ordered = [name for name in scores if name in view.tie] or list(view.tie)
    return join_words(f"{name} ({format_score(scores[name])})" if name in scores else name for name in ordered)


def tie_reason(view: EvaluationView) -> str:
    """Why it is a tie; empty where less than two of it are ranked."""
    ordered = [name for name, _ in view.ranking if name in view.tie]
    if len(ordered) < 2:
        return ""
    return (
        f"{ordered[0]} is ahead of {ordered[1]} in {ahead_text(view, ordered[0], ordered[1])} of {view.draws:,} draws "
        f"at the given weights, and a winner needs {format_share(TIE_BELOW)}"
    )


def _lacks(view: EvaluationView, row: Row) -> bool:
    return any(row.cells[driver].not_measured is not None for driver in view.drivers)


def _status_words(row: Row) -> str:
    if row.status == "failed":
        return "failed"
    if row.status != "incomplete":
        return f"is {row.status}"
    if not row.could_still_win:
        return "is incomplete and could not win any more" + _bounds(row)
    return f"is incomplete and could still win{_bounds(row)}"


def _bounds(row: Row) -> str:
    if row.bounds is None:
        return ""
    return f" ({format_score(row.bounds[0])} to {format_score(row.bounds[1])})"


def _subject(view: EvaluationView, groups: dict[tuple[DriverName, ...], list[Row]]) -> str:
    """`python-slim and python-full (security posture)`, `every candidate (runtime performance)`."""
    parts = []
    for drivers, rows in groups.items():
        names = list(dict.fromkeys(view.label(row) for row in rows))
        every = len(rows) == len(view.rows) > 1
        who = "every candidate" if every else join_words(names)
        what = (
            "everything" if len(drivers) == len(view.drivers) > 1 else join_words(driver_noun(each) for each in drivers)
        )
        parts.append(f"{who} ({what})")
    return "; ".join(parts)
