"""Ends of life as sentences: what has passed, now or when the record before was decided, what is near. Pure."""

import datetime
from collections.abc import Mapping, Sequence

import msgspec

from basewright.facts import Evidence, LifecycleFact
from basewright.strategy import Candidate
from basewright.view.number import format_count
from basewright.view.wording import base_label, days_between, join_words

SOON_DAYS = 365


class EndOfLife(msgspec.Struct, frozen=True, kw_only=True):
    """One product's end of life, and whose candidates stand on it. `labels` are the words that they use for it."""

    subject: str
    role: str
    date: datetime.date | None
    source: str
    candidates: tuple[str, ...]
    labels: tuple[str, ...]

    def passed(self, day: datetime.date) -> bool:
        """Whether it came before `day`, or on it."""
        return self.date is not None and self.date <= day

    def soon(self, day: datetime.date) -> bool:
        """Whether it comes within a year after `day`."""
        return self.date is not None and 0 < days_between(day, self.date) <= SOON_DAYS


def ends_of_life(evidence: Sequence[Evidence], candidates: Mapping[str, Candidate]) -> tuple[EndOfLife, ...]:
    """Every product with a known lifecycle, the earliest end first, those without an announced end last."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    facts: dict[tuple[str, str], LifecycleFact] = {}
    for each in evidence:
        for fact in each.lifecycles:
            key = (fact.role, fact.subject)
            facts.setdefault(key, fact)
            pair = (each.candidate, _label(fact.role, candidates.get(each.candidate)))
            if pair not in found.setdefault(key, []):
                found[key].append(pair)
    ends = [
        EndOfLife(
            subject=fact.subject,
            role=fact.role,
            date=fact.eol,
            source=fact.source,
            candidates=tuple(dict.fromkeys(name for name, _ in found[key])),
            labels=tuple(dict.fromkeys(label for _, label in found[key] if label)),
        )
        for key, fact in facts.items()
    ]
    return tuple(sorted(ends, key=lambda end: (end.date or datetime.date.max, end.role, end.subject)))


def end_sentence(end: EndOfLife, as_of: datetime.date, previous: tuple[str, datetime.date] | None) -> str:
    """`Alpine 3.18 (alpine:3.18) reached its end of life on 2025-05-09, 28 days before ADR-007 was decided on …`."""
    named = f"{end.subject} ({join_words(end.labels)})" if end.labels else end.subject
    if end.date is None:
        return f"{named} has no announced end of life"
    if previous is not None and end.passed(previous[1]):
        name, day = previous
        days = days_between(end.date, day)
        before = f"{format_count(days, 'day')} before {name} was decided on {day}"
        when = before if days else f"the day that {name} was decided"
        return f"{named} reached its end of life on {end.date}, {when}"
    days = days_between(end.date, as_of)
    if days >= 0:
        ago = f"{format_count(days, 'day')} before {as_of}" if days else "on the day of this evaluation"
        return f"{named} reached its end of life on {end.date}, {ago}"
    return f"{named} reaches its end of life on {end.date}, {format_count(-days, 'day')} after {as_of}"


def _label(role: str, candidate: Candidate | None) -> str:
    if candidate is None:
        return ""
    if role == "toolchain":
        return candidate.toolchain or ""
    return base_label(candidate.base)
