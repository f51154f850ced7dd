"""Ends of life are told against the day of the decision before, else against the day of this one."""

import datetime

import pytest

from basewright.view.lifecycle import EndOfLife, end_sentence, ends_of_life
from tests.doubles.evidence import seven_candidates, strategy

_DAY = datetime.date
_BEFORE = ("ADR-007", _DAY(2025, 6, 6))


def _end(date: datetime.date | None, labels: tuple[str, ...] = ("alpine:3.18",)) -> EndOfLife:
    return EndOfLife(
        subject="Alpine 3.18", role="distribution", date=date, source="", candidates=("go-alpine",), labels=labels
    )


@pytest.mark.parametrize(
    ("date", "previous", "text"),
    [
        (
            _DAY(2025, 5, 9),
            _BEFORE,
            "reached its end of life on 2025-05-09, 28 days before {before}",
        ),
        (
            _DAY(2025, 6, 5),
            _BEFORE,
            "reached its end of life on 2025-06-05, 1 day before {before}",
        ),
        (_DAY(2025, 6, 6), _BEFORE, "reached its end of life on 2025-06-06, the day that ADR-007 was decided"),
        (_DAY(2025, 5, 9), None, "reached its end of life on 2025-05-09, 564 days before 2026-11-24"),
        (_DAY(2026, 2, 10), _BEFORE, "reached its end of life on 2026-02-10, 287 days before 2026-11-24"),
        (_DAY(2026, 11, 24), _BEFORE, "reached its end of life on 2026-11-24, on the day of this evaluation"),
        (_DAY(2026, 11, 25), _BEFORE, "reaches its end of life on 2026-11-25, 1 day after 2026-11-24"),
        (None, _BEFORE, "has no announced end of life"),
    ],
)
def test_the_sentence(date: datetime.date | None, previous: tuple[str, datetime.date] | None, text: str) -> None:
    assert end_sentence(_end(date), _DAY(2026, 11, 24), previous) == f"Alpine 3.18 (alpine:3.18) {text}".format(
        before="ADR-007 was decided on 2025-06-06"
    )


def test_soon_is_within_a_year() -> None:
    day = _DAY(2026, 11, 24)
    assert _end(_DAY(2027, 11, 24)).soon(day)
    assert not _end(_DAY(2027, 11, 25)).soon(day)
    assert not _end(_DAY(2026, 11, 24)).soon(day)
    assert _end(_DAY(2026, 11, 24)).passed(day)


def test_each_product_is_told_once_with_all_who_stand_on_it() -> None:
    ends = ends_of_life(seven_candidates(), {each.name: each for each in strategy().candidates})
    assert [end.subject for end in ends] == ["Alpine 3.18", "Go 1.24", "Debian 13", "Python 3.13"]
    assert ends[1].candidates == ("go-alpine", "go-static")
    assert ends[1].labels == ("golang:1.24-alpine",)
