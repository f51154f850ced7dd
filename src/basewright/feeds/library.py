"""Tags of Docker's official images: what a reference means there, and which tag stood for which when.

The history is that of the library files in docker-library/official-images: a tag and its fullest alias at each change.
"""

import datetime
import re
from collections.abc import Callable
from functools import cache

import msgspec

from basewright.errors import InputError
from basewright.feeds.lifecycle import distribution_series
from basewright.feeds.snapshot import Dataset, read_dataset
from basewright.oci.reference import parse_reference

_HOMES = (("docker.io", "library/"), ("registry-1.docker.io", "library/"), ("public.ecr.aws", "docker/library/"))
"""Where the official images are: Docker Hub by its names, and the copy that Docker itself keeps at AWS."""
_VERSION = re.compile(r"\d+(?:\.\d+)*")


class LibraryTag(msgspec.Struct, frozen=True, kw_only=True):
    """An official image by tag, by digest or by both; `latest` where neither was written."""

    image: str
    tag: str | None
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.image}:{self.tag}" if self.tag else f"{self.image}@{self.digest}"


class TagHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tag. `changes` are its own, `base_changes` those of the images that it is built on."""

    image: str
    tag: str
    changes: tuple[tuple[datetime.date, str], ...]
    base_changes: tuple[datetime.date, ...]
    known_until: datetime.date
    removed: datetime.date | None = None
    """When the library dropped the tag."""
    superseded: datetime.date | None = None
    """When the next release took over from a tag that names one release."""
    followed: str = ""
    """The tag that this one is followed through, where the data hold no history of its own name."""
    estimated: bool = False
    """Put together from the releases of one tag and the base of another, both of which changed with this one."""


class _Tag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    changes: tuple[tuple[datetime.date, str], ...]
    base: tuple[datetime.date, ...]
    removed: datetime.date | None


class _Cadence(Dataset, frozen=True, kw_only=True):
    since: datetime.date
    aliases: dict[str, dict[str, str]]
    images: dict[str, dict[str, _Tag]]


def parse_library_tag(reference: str) -> LibraryTag | None:
    """The official image that `reference` names, as Docker reads it; None: it names another repository."""
    try:
        parsed = parse_reference(reference)
    except InputError:
        return None
    for registry, folder in _HOMES:
        image = parsed.repository.removeprefix(folder)
        if parsed.registry == registry and image != parsed.repository and "/" not in image:
            return LibraryTag(image=image, tag=parsed.tag, digest=parsed.digest)
    return None


def tag_history(reference: str) -> TagHistory | None:
    """The history of an official image's tag, a digest left aside; None: nothing is known of it.

    A tag that names one release (`3.13.5-slim`) is followed through its minor version's, one that spells out what
    another stands for (`3.12-slim-trixie`) through that one, from the day on which they became the same. A variant
    that is no longer what a tag stands for (`3.12-slim-bookworm`) is estimated: see `_sibling`.
    """
    named = parse_library_tag(reference)
    data = _cadence()
    if named is None or named.tag is None or named.image not in data.images:
        return None
    tags = data.images[named.image]
    tag = _usual_name(named.image, named.tag, tags)
    if tag in tags:
        return _history(named.image, tag, tags[tag])
    return (
        _one_release(named.image, tag, tags) or _spelled_out(named.image, tag, tags) or _sibling(named.image, tag, tags)
    )


def split_version(tag: str) -> tuple[str, str]:
    """A tag's version and what follows: `3.13.5-slim-trixie` → `3.13.5`, `-slim-trixie`; no version: ``."""
    match = _VERSION.match(tag)
    version = match[0] if match else ""
    rest = tag[len(version) :]
    return (version, rest) if not rest or rest.startswith(("-", "_")) else ("", tag)


def is_release_of(alias: str, tag: str) -> bool:
    """Whether the full `alias` is a release of `tag`: `3.13.5-slim-trixie` is one of `3.13-slim-trixie`."""
    full, rest = split_version(alias)
    part, other_rest = split_version(tag)
    return rest == other_rest and bool(part) and (full == part or full.startswith(f"{part}."))


def _usual_name(image: str, tag: str, tags: dict[str, _Tag]) -> str:
    """`python:slim` is `3-slim`, `debian:12-slim` is `bookworm-slim`, `ubuntu:noble` is `24.04`: as the data say it."""
    tag = _cadence().aliases.get(image, {}).get(tag, tag)
    head, dash, rest = tag.partition("-")
    series = None if tag in tags else distribution_series(image, head)
    if series is None or "." in head.removeprefix(series.version or ""):
        return tag
    names = (f"{name}{dash}{rest}" for name in (series.series, series.version) if name)
    return next((name for name in names if name in tags), tag)


def _history(image: str, tag: str, known: _Tag) -> TagHistory:
    return TagHistory(
        image=image,
        tag=tag,
        changes=known.changes,
        base_changes=known.base,
        removed=known.removed,
        known_until=_cadence().as_of,
    )


def _one_release(image: str, tag: str, tags: dict[str, _Tag]) -> TagHistory | None:
    version, rest = split_version(tag)
    parts = version.split(".")
    for count in range(len(parts) - 1, 0, -1):
        followed = ".".join(parts[:count]) + rest
        if followed in tags:
            return _part(image, tag, followed, tags[followed], lambda alias: split_version(alias)[0] == version)
    if re.search(r"-\d{8}", tag):  # debian:trixie-20260803-slim
        for followed, known in tags.items():
            part = _part(image, tag, followed, known, lambda alias: alias == tag)
            if part:
                return part
    return None


def _spelled_out(image: str, tag: str, tags: dict[str, _Tag]) -> TagHistory | None:
    for followed, known in tags.items():
        same_version = split_version(followed)[0] == split_version(tag)[0]
        if same_version and known.changes and is_release_of(known.changes[-1][1], tag):
            return _part(image, tag, followed, known, lambda alias: is_release_of(alias, tag))
    return None


def _sibling(image: str, tag: str, tags: dict[str, _Tag]) -> TagHistory | None:
    """`3.12-slim-bookworm` from the releases of `3.12-slim` and the base of `3.13-slim-bookworm`, which is still built.

    All variants of a release change in one commit; where both are known (python, golang, node on Debian) this gives
    every change but the day on which the default variant moved.
    """
    version, variant = split_version(tag)
    followed = version + re.sub(r"(-[a-z]+|\d+\.\d+)$", "", variant)
    same_variant = (known for name, known in tags.items() if split_version(name)[1] == variant)
    witness = next((known for known in same_variant if not known.removed and known.changes), None)
    if not version or not variant or witness is None or followed not in tags:
        return None
    first, changes, previous = witness.changes[0][0], [], ("", "")
    for day, alias in tags[followed].changes:
        release = split_version(alias)
        moved = release[0] == previous[0] and release[1] != previous[1]
        previous = release
        if day >= first and not moved:
            changes.append((day, release[0] + variant))
    if not changes:
        return None
    return TagHistory(
        image=image,
        tag=tag,
        changes=tuple(changes),
        base_changes=tuple(day for day in witness.base if day >= changes[0][0]),
        removed=tags[followed].removed,
        followed=f"{image}:{followed}",
        estimated=True,
        known_until=_cadence().as_of,
    )


def _part(image: str, tag: str, followed: str, known: _Tag, belongs: Callable[[str], bool]) -> TagHistory | None:
    """The stretch of `followed`'s history in which its alias belongs to `tag`."""
    inside = [index for index, (_, alias) in enumerate(known.changes) if belongs(alias)]
    if not inside:
        return None
    changes = known.changes[inside[0] : inside[-1] + 1]
    superseded = known.changes[inside[-1] + 1][0] if inside[-1] + 1 < len(known.changes) else None
    base = (day for day in known.base if changes[0][0] <= day and (superseded is None or day < superseded))
    return TagHistory(
        image=image,
        tag=tag,
        changes=changes,
        base_changes=tuple(base),
        removed=None if superseded else known.removed,
        superseded=superseded,
        followed=f"{image}:{followed}",
        known_until=_cadence().as_of,
    )


@cache
def _cadence() -> _Cadence:
    return read_dataset("image-cadence", _Cadence)
