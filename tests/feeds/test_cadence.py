"""How often bases and toolchains changed, against the library's history."""

import datetime

import pytest

from basewright.facts import Basis
from basewright.feeds.cadence import go_cadence, image_cadence
from basewright.feeds.library import _cadence, _sibling, split_version
from basewright.feeds.lifecycle import distribution_lifecycle, go_lifecycle, python_lifecycle

AS_OF = datetime.date(2026, 8, 21)


def test_alpine_318_is_the_open_gap_it_is() -> None:
    cadence = image_cadence("alpine:3.18")
    assert cadence is not None
    assert cadence.ended
    assert cadence.change_dates[-1] == datetime.date(2025, 2, 14)
    assert cadence.known_until == AS_OF
    assert "dropped the tag on 2025-05-30" in cadence.source
    assert cadence.basis is Basis.PUBLISHED


def test_a_tag_in_use_has_two_ends_of_its_interval() -> None:
    cadence = image_cadence("docker.io/library/python:3.13-slim-trixie")
    assert cadence is not None
    assert not cadence.ended
    assert len(cadence.own_change_dates) == 10
    assert set(cadence.own_change_dates) < set(cadence.change_dates)
    assert cadence.change_dates == tuple(sorted(cadence.change_dates))


def test_a_digest_leaves_the_tag_its_cadence() -> None:
    assert image_cadence("python:3.13@sha256:" + "0" * 64) == image_cadence("python:3.13")
    assert image_cadence("python@sha256:" + "0" * 64) is None


def test_a_tag_that_names_one_release_ends_with_the_next() -> None:
    cadence = image_cadence("python:3.13.5-slim")
    assert cadence is not None
    assert cadence.own_change_dates == (datetime.date(2025, 6, 12),)
    assert cadence.change_dates[-1] == datetime.date(2025, 7, 22), "rebuilt for its base until 3.13.6 came"
    assert cadence.ended
    assert "2025-08-07" in cadence.source


def test_the_newest_release_by_name_has_not_ended() -> None:
    cadence = image_cadence("python:3.13.15-slim")
    assert cadence is not None
    assert not cadence.ended


def test_a_tag_spelled_out_is_known_since_the_two_became_the_same() -> None:
    cadence = image_cadence("python:3.12-slim-trixie")
    assert cadence is not None
    assert cadence.change_dates[0] >= datetime.date(2025, 8, 9)
    assert "followed through python:3.12-slim" in cadence.source


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("debian:12-slim", "debian:bookworm-slim"),
        ("ubuntu:noble", "ubuntu:24.04"),
        ("python:slim", "python:3-slim"),
        ("golang", "golang:latest"),
        ("alpine:3", "alpine:latest"),
    ],
)
def test_a_distribution_by_its_other_name(written: str, known: str) -> None:
    cadence = image_cadence(written)
    assert cadence is not None
    assert cadence == image_cadence(known)
    assert cadence.subject == known


@pytest.mark.parametrize(
    "reference",
    [
        "alpine:4",
        "alpine:99",
        "python:2.7",
        "python:3.12.11-slim-bookworm",
        "debian:12.15",
        "nosuch:1",
        "ghcr.io/a/b:1",
    ],
)
def test_what_the_history_does_not_hold_is_none(reference: str) -> None:
    assert image_cadence(reference) is None


def test_go_point_releases_end_with_their_line() -> None:
    cadence = go_cadence("1.24.13")
    assert cadence is not None
    assert (cadence.subject, len(cadence.change_dates), cadence.ended) == ("Go 1.24", 14, True)
    assert cadence.change_dates[-1] == datetime.date(2026, 2, 4)
    supported = go_cadence("1.26")
    assert supported is not None
    assert not supported.ended
    assert go_cadence("1.2") is None


def test_no_tag_outlives_its_maker_unnoticed() -> None:
    """A tag whose distribution or runtime had ended is dropped, or changed after: else `ended` would say too little."""
    for image, tags in _cadence().images.items():
        for tag, known in tags.items():
            if known.removed or not known.changes:
                continue
            version = split_version(known.changes[-1][1])[0]
            facts = {
                "alpine": distribution_lifecycle("alpine", version),
                "ubuntu": distribution_lifecycle("ubuntu", tag),
                "debian": distribution_lifecycle("debian", tag.partition("-")[0]),
                "python": python_lifecycle(version),
                "golang": go_lifecycle(version),
            }
            fact = facts.get(image)
            last = max((*known.base, known.changes[-1][0]))
            if fact and fact.eol and fact.eol <= AS_OF:
                assert last > fact.eol, f"{image}:{tag}"


def test_a_variant_that_no_tag_stands_for_any_more_is_estimated() -> None:
    cadence = image_cadence("python:3.12-slim-bookworm")
    assert cadence is not None
    assert cadence.basis is Basis.MODELLED
    assert "estimated from the releases of python:3.12-slim" in cadence.source
    assert not cadence.ended
    assert datetime.date(2025, 8, 12) not in cadence.own_change_dates, "the day on which 3.12-slim moved to trixie"
    assert image_cadence("python:3.12-slim-bullseye") is None, "no sign that it is still built"


@pytest.mark.parametrize("variant", ["-slim-bookworm", "-bookworm"])
def test_the_estimate_agrees_with_a_history_that_is_known(variant: str) -> None:
    tags = dict(_cadence().images["python"])
    known = tags.pop(f"3.13{variant}")
    estimate = _sibling("python", f"3.13{variant}", tags | {f"9.9{variant}": known})
    assert estimate is not None
    estimated = {day for day, _ in estimate.changes}
    missed = {day for day, _ in known.changes} ^ estimated
    assert missed == {datetime.date(2025, 8, 12)}, "only the day on which the default moved to trixie"
