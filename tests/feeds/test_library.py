"""What a reference names among the official images, and what its tag stood for when."""

import datetime

import pytest

from basewright.feeds.library import is_release_of, parse_library_tag, split_version, tag_history

PINNED = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "image", "tag", "digest"),
    [
        ("alpine", "alpine", "latest", None),
        ("alpine:3.18", "alpine", "3.18", None),
        ("library/alpine:3.18", "alpine", "3.18", None),
        ("docker.io/alpine:3.18", "alpine", "3.18", None),
        ("docker.io/library/python:3.13-slim", "python", "3.13-slim", None),
        ("public.ecr.aws/docker/library/python:3.13-slim", "python", "3.13-slim", None),
        (f"python:3.13@{PINNED}", "python", "3.13", PINNED),
        (f"python@{PINNED}", "python", None, PINNED),
    ],
)
def test_an_official_image_is_known_by_all_its_names(
    reference: str, image: str, tag: str | None, digest: str | None
) -> None:
    named = parse_library_tag(reference)
    assert named is not None
    assert (named.image, named.tag, named.digest) == (image, tag, digest)


@pytest.mark.parametrize(
    "reference",
    [
        "ghcr.io/a/python:3.13",
        "someone/python:3.13",
        "localhost:5000/python:3.13",
        "quay.io/python:3",
        "Python",
        "",
        "a:b:c",
    ],
)
def test_another_repository_is_not_an_official_image(reference: str) -> None:
    assert parse_library_tag(reference) is None
    assert tag_history(reference) is None


def test_the_history_says_which_tag_stood_for_which_when() -> None:
    history = tag_history("python:3.13-slim")
    assert history is not None
    aliases = [alias for day, alias in history.changes if day <= datetime.date(2025, 6, 6)]
    assert aliases[-1] == "3.13.4-slim-bookworm"
    assert history.changes[-1][1] == "3.13.15-slim-trixie"
    assert history.superseded is None and history.removed is None
    first_on_trixie = next(day for day, alias in history.changes if alias.endswith("trixie"))
    assert first_on_trixie == datetime.date(2025, 8, 12)


def test_a_tag_that_the_library_dropped_has_its_day() -> None:
    history = tag_history("alpine:3.18")
    assert history is not None
    assert history.removed == datetime.date(2025, 5, 30)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("3.13.5-slim-trixie", ("3.13.5", "-slim-trixie")),
        ("3.18", ("3.18", "")),
        ("21.0.12_8-jre", ("21.0.12", "_8-jre")),
        ("bookworm-slim", ("", "bookworm-slim")),
        ("3.13rc1-slim", ("", "3.13rc1-slim")),
    ],
)
def test_a_tag_is_a_version_and_what_follows(tag: str, expected: tuple[str, str]) -> None:
    assert split_version(tag) == expected


def test_a_release_is_of_its_minor_version_and_its_variant_only() -> None:
    assert is_release_of("3.13.5-slim-trixie", "3.13-slim-trixie")
    assert not is_release_of("3.13.5-slim-trixie", "3.13-slim-bookworm")
    assert not is_release_of("3.13.5", "3.1")
    assert not is_release_of("bookworm", "bookworm")
