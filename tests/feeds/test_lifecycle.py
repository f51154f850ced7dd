"""Support dates, against values that their makers announced."""

import datetime

import pytest

from basewright.facts import RuntimeFacts
from basewright.feeds.lifecycle import (
    distribution_lifecycle,
    distribution_series,
    go_lifecycle,
    known_lifecycles,
    python_lifecycle,
    release_dates,
)


@pytest.mark.parametrize(
    ("distribution", "version", "subject", "eol"),
    [
        ("alpine", "3.18.9", "Alpine 3.18", datetime.date(2025, 5, 9)),
        ("alpine", "3.18", "Alpine 3.18", datetime.date(2025, 5, 9)),
        ("alpine", "3.24.2", "Alpine 3.24", datetime.date(2028, 6, 1)),
        ("debian", "13", "Debian 13", datetime.date(2028, 8, 9)),
        ("debian", "trixie", "Debian 13", datetime.date(2028, 8, 9)),
        ("debian", "12", "Debian 12", datetime.date(2026, 7, 11)),
        ("ubuntu", "24.04", "Ubuntu 24.04", datetime.date(2029, 5, 31)),
        ("ubuntu", "noble", "Ubuntu 24.04", datetime.date(2029, 5, 31)),
        ("ubuntu", "26.10", "Ubuntu 26.10", datetime.date(2027, 7, 15)),
        ("amzn", "2023", "Amazon Linux 2023", datetime.date(2029, 6, 30)),
    ],
)
def test_a_distribution_ends_when_its_maker_says(
    distribution: str, version: str, subject: str, eol: datetime.date
) -> None:
    fact = distribution_lifecycle(distribution, version)
    assert fact is not None
    assert (fact.role, fact.subject, fact.eol) == ("distribution", subject, eol)


def test_alpine_318_had_ended_28_days_before_the_record_was_decided() -> None:
    fact = distribution_lifecycle("alpine", "3.18.9")
    assert fact is not None
    assert fact.eol is not None
    assert (datetime.date(2025, 6, 6) - fact.eol).days == 28


def test_long_term_support_by_others_is_not_the_end_of_life() -> None:
    fact = distribution_lifecycle("debian", "12")
    assert fact is not None
    assert (fact.eol, fact.extended_until) == (datetime.date(2026, 7, 11), datetime.date(2028, 6, 30))


def test_a_suite_that_was_not_released_has_no_end_announced() -> None:
    fact = distribution_lifecycle("debian", "forky")
    assert fact is not None
    assert (fact.subject, fact.released, fact.eol) == ("Debian 14", None, None)


@pytest.mark.parametrize(
    ("distribution", "version"),
    [
        ("alpine", "3.25.0_alpha20260805"),
        ("alpine", "2.99"),
        ("debian", None),
        ("debian", ""),
        ("plan9", "4"),
        ("", "1"),
    ],
)
def test_what_is_not_known_is_not_guessed(distribution: str, version: str | None) -> None:
    assert distribution_lifecycle(distribution, version) is None


def test_an_interpreter_and_a_toolchain_by_their_minor_version() -> None:
    python, go = python_lifecycle("3.13.5"), go_lifecycle("1.24.13")
    assert python is not None
    assert go is not None
    assert (python.role, python.subject, python.eol) == ("interpreter", "Python 3.13", datetime.date(2029, 10, 31))
    assert (go.role, go.subject, go.eol) == ("toolchain", "Go 1.24", datetime.date(2026, 2, 10))
    assert go_lifecycle("go1.24") == go
    assert python_lifecycle("4.0.1") is None


def test_a_supported_go_release_has_no_end_announced() -> None:
    fact = go_lifecycle("1.27.0")
    assert fact is not None
    assert fact.eol is None


def test_the_source_says_which_dataset_of_which_day() -> None:
    fact = go_lifecycle("1.24")
    assert fact is not None
    assert fact.source == "endoflife.date of 2026-08-22"


def test_a_series_is_found_by_codename_version_and_point_release() -> None:
    trixie = distribution_series("debian", "trixie")
    assert trixie is not None
    assert (trixie.version, trixie.release) == ("13", datetime.date(2025, 8, 9))
    assert distribution_series("debian", "13") == distribution_series("debian", "13.6") == trixie
    assert distribution_series("debian", "potato-extra") is None


def test_release_dates_are_in_order_and_dated() -> None:
    releases = release_dates("go")["1.24"]
    assert releases[0] == ("1.24.0", datetime.date(2025, 2, 11))
    assert releases[-1] == ("1.24.13", datetime.date(2026, 2, 4))
    assert [day for _, day in releases] == sorted(day for _, day in releases)
    assert release_dates("cobol") == {}


def test_a_runtimes_lifecycles_are_those_that_are_known() -> None:
    runtime = RuntimeFacts(distribution="alpine", distribution_version="3.18.9", go_version="1.24.13")
    assert [fact.subject for fact in known_lifecycles(runtime)] == ["Alpine 3.18", "Go 1.24"]
    assert known_lifecycles(RuntimeFacts()) == ()
