"""Official images as published: which build, for which platform, and for which tag it stands."""

import datetime

import pytest

from basewright.facts import Basis
from basewright.feeds.official import published_image, tag_runtime

SLIM_INDEX = "sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6"


def test_a_floating_tag_stands_for_the_image_that_is_known() -> None:
    image = published_image("python:3.13-slim", "linux/amd64")
    assert image is not None
    assert image.name == "python:3.13-slim-trixie"
    assert image.size is not None
    assert image.size.compressed_bytes == 42_961_458
    assert image.size.basis is Basis.PUBLISHED
    assert (
        image.size.source
        == "python:3.13-slim-trixie as published 2026-08-05 (stands for python:3.13-slim since 2025-08-12)"
    )


@pytest.mark.parametrize(
    ("reference", "name", "since"),
    [
        ("python:3.13", "python:3.13-trixie", datetime.date(2025, 8, 12)),
        ("docker.io/library/python:3.13-alpine", "python:3.13-alpine3.24", datetime.date(2026, 6, 10)),
        ("golang:1.24-alpine", "golang:1.24-alpine3.23", datetime.date(2025, 12, 4)),
        ("alpine", "alpine:3.24", datetime.date(2026, 6, 9)),
        ("alpine:3.18", "alpine:3.18", None),
        ("debian:13-slim", "debian:trixie-slim", None),
        (f"python@{SLIM_INDEX}", "python:3.13-slim-trixie", None),
    ],
)
def test_the_dated_table_of_what_stands_for_what(reference: str, name: str, since: datetime.date | None) -> None:
    image = published_image(reference, "linux/amd64")
    assert image is not None
    assert (image.name, image.stands_for_since) == (name, since)


def test_two_builds_are_told_apart() -> None:
    image = published_image("alpine:3.18", "linux/amd64")
    assert image is not None
    assert image.manifest is not None
    assert image.contents is not None
    assert (image.manifest.published, image.contents.published) == (
        datetime.date(2023, 11, 30),
        datetime.date(2024, 7, 22),
    )
    assert image.notes == ("alpine:3.18 became alpine:3.18.12 on 2025-02-14, after the build of 2023-11-30",)
    assert image.package_notes == ("the packages are those of another build, of 2024-07-22",)


def test_packages_that_were_not_read_from_the_image_are_modelled() -> None:
    image = published_image("python:3.13", "linux/amd64")
    assert image is not None
    assert image.contents is not None
    assert image.contents.basis is Basis.MODELLED
    assert image.contents.uncompressed_bytes is None
    assert image.contents.env is None
    assert len(image.contents.packages) == 469
    assert any("solver" in note for note in image.package_notes)


def test_the_runtime_is_what_packages_and_environment_say() -> None:
    slim = published_image("python:3.13-slim", "linux/amd64")
    alpine = published_image("python:3.13-alpine", "linux/amd64")
    go = published_image("golang:1.24-alpine", "linux/amd64")
    assert slim is not None
    assert alpine is not None
    assert go is not None
    assert (slim.runtime.libc, slim.runtime.libc_version) == ("glibc", "2.41")
    assert (slim.runtime.interpreter, slim.runtime.python_version) == ("/usr/local/bin/python3", "3.13.15")
    assert (slim.runtime.distribution, slim.runtime.distribution_version) == ("debian", "13")
    assert (alpine.runtime.libc, alpine.runtime.libc_version) == ("musl", "1.2.6")
    assert alpine.runtime.distribution_version == "3.24.1"
    assert (go.runtime.go_version, go.runtime.interpreter) == ("1.24.11", None)


def test_another_platform_has_its_own_size_or_none() -> None:
    alpine = published_image("alpine:3.18", "linux/arm64")
    slim = published_image("python:3.13-slim", "linux/arm64")
    assert alpine is not None
    assert slim is not None
    assert alpine.size is not None
    assert alpine.size.compressed_bytes == 3_333_033
    assert alpine.contents is None
    assert slim.size is None, "made for arm64, but its size is not in the snapshot"
    assert slim.runtime.libc_version == "2.41"
    assert published_image("alpine:3.18", "linux/arm64/v8") == alpine
    assert published_image("alpine:3.18", "linux/mips64le") is None


def test_a_release_by_name_gets_no_other_releases_facts() -> None:
    older = published_image("python:3.13.14-slim-trixie", "linux/amd64")
    newer = published_image("python:3.13.15-slim", "linux/amd64")
    assert older is not None
    assert newer is not None
    assert older.size is not None
    assert older.contents is None
    assert older.runtime.python_version == "3.13.14"
    assert newer.size is None
    assert newer.contents is not None
    assert newer.contents.uncompressed_bytes == 118_060_000
    assert published_image("python:3.13.5-slim-bookworm", "linux/amd64") is None
    assert published_image("alpine:3.18.12", "linux/amd64") is None


def test_a_digest_of_another_build_is_told() -> None:
    other = published_image("python:3.13-slim@sha256:" + "1" * 64, "linux/amd64")
    same = published_image(f"python:3.13-slim@{SLIM_INDEX}", "linux/amd64")
    assert other is not None
    assert same is not None
    assert "pinned to another build" in other.notes[0]
    assert same.stands_for_since is None
    assert not any("pinned" in note for note in same.notes)


@pytest.mark.parametrize(
    "reference", ["python:3-slim", "python:2.7", "node:22", "ghcr.io/a/python:3.13-slim", "", "::"]
)
def test_what_is_not_known_is_none(reference: str) -> None:
    assert published_image(reference, "linux/amd64") is None


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("python:3.12-slim", ("debian", "13", "glibc", "2.41", "3.12.14")),
        ("python:3.13-alpine3.23", ("alpine", "3.23", "musl", "1.2.5", "3.13.15")),
        ("alpine:3.18.9", ("alpine", "3.18.9", "musl", "1.2.4", None)),
        ("alpine:3.19", ("alpine", "3.19.9", "musl", None, None)),
        ("debian:12-slim", ("debian", "12", "glibc", "2.36", None)),
        ("ubuntu:24.04", ("ubuntu", "24.04", "glibc", None, None)),
        ("buildpack-deps:trixie", ("debian", "13", "glibc", "2.41", None)),
        ("busybox", (None, None, None, None, None)),
    ],
)
def test_a_tags_full_name_says_what_runs_there(reference: str, expected: tuple[str | None, ...]) -> None:
    runtime = tag_runtime(reference)
    assert runtime is not None
    assert expected == (
        runtime.distribution,
        runtime.distribution_version,
        runtime.libc,
        runtime.libc_version,
        runtime.python_version,
    )
    assert tag_runtime("ghcr.io/a/b:1") is None


def test_an_image_without_a_package_list_has_its_releases_libc() -> None:
    image = published_image("debian:bookworm-slim", "linux/arm64")
    assert image is not None
    assert (image.runtime.libc, image.runtime.libc_version) == ("glibc", "2.36")
