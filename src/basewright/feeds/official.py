"""Official images as their maker published them: what is known of one where its registry is out of reach.

A published size and the published contents may be those of two builds; each carries its own date.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from functools import cache

import msgspec

from basewright.facts import Basis, RuntimeFacts, SizePart
from basewright.feeds.library import (
    LibraryTag,
    TagHistory,
    is_release_of,
    parse_library_tag,
    split_version,
    tag_history,
)
from basewright.feeds.lifecycle import distribution_series
from basewright.feeds.snapshot import Dataset, read_dataset

_RELEASE_FIELDS = {"alpine": "distribution_version", "golang": "go_version", "python": "python_version"}
"""Image → what of its runtime a version in its tag is."""
_LIBCS = {"alpine": "musl", "debian": "glibc", "ubuntu": "glibc"}
_DOCKER_PYTHON = "/usr/local/bin/python3"
"""In every variant of docker-library/python."""


class PublishedLayer(msgspec.Struct, frozen=True, array_like=True):
    """One layer, the lowest first in an image."""

    digest: str
    compressed_bytes: int


class PublishedManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One platform's image in the registry. `version` is the runtime's or distribution's, where it is stated."""

    digest: str
    image_id: str
    layers: tuple[PublishedLayer, ...]
    published: datetime.date
    version: str | None

    @property
    def compressed_bytes(self) -> int:
        return sum(layer.compressed_bytes for layer in self.layers)


class PublishedContents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in one build for one platform. None: not known. `uncompressed_bytes` is rounded to 10 kB."""

    basis: Basis
    """Modelled: the archive's solver gave the packages, the image was not read."""
    packages: tuple[tuple[str, str], ...]
    """Name and version."""
    platform: str
    published: datetime.date
    version: str | None = None
    image_id: str | None = None
    uncompressed_bytes: int | None = None
    env: dict[str, str] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None


class PublishedImage(msgspec.Struct, frozen=True, kw_only=True):
    """What the snapshot knows of the image that `reference` stands for, on `platform`."""

    reference: str
    name: str
    """The snapshot's image, such as `python:3.13-slim-trixie`."""
    stands_for_since: datetime.date | None
    """Since when `reference` means `name`; None where it is its own name or digest."""
    platform: str
    index_digest: str
    manifest: PublishedManifest | None
    """None: the image exists for the platform, its size is not in the snapshot."""
    contents: PublishedContents | None
    """None: not known, or known for another platform only."""
    runtime: RuntimeFacts
    notes: tuple[str, ...]
    """What a reader of its size must know."""
    package_notes: tuple[str, ...]
    """What a reader of its packages must know."""

    @property
    def size(self) -> SizePart | None:
        """The compressed size as a part of an image, its source saying which build of which tag it is."""
        if self.manifest is None:
            return None
        return SizePart(
            name=self.name,
            compressed_bytes=self.manifest.compressed_bytes,
            basis=Basis.PUBLISHED,
            source=self.source,
        )

    @property
    def source(self) -> str:
        """`python:3.13-slim-trixie as published 2026-08-05 (stands for python:3.13-slim since 2025-08-12)`."""
        dated = self.manifest or self.contents
        text = f"{self.name} as published {dated.published}" if dated else self.name
        since = self.stands_for_since
        return f"{text} (stands for {self.reference} since {since})" if since else text


class _Registry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    index_digest: str
    platforms: tuple[str, ...]
    manifests: dict[str, PublishedManifest]


class _Image(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    registry: _Registry
    runtime: RuntimeFacts
    contents: PublishedContents | None = None


class _Official(Dataset, frozen=True, kw_only=True):
    images: dict[str, _Image]


def published_image(reference: str, platform: str) -> PublishedImage | None:
    """What `reference` (`python:3.13-slim`, with or without host and digest) stands for, for `linux/amd64` or another.

    None: not an official image, none of the snapshot's, or not made for the platform. Never another release's facts.
    """
    named = parse_library_tag(reference)
    if named is None:
        return None
    history = tag_history(reference)
    found = _by_digest(named) or _by_tag(named, history)
    if found is None:
        return None
    name, since = found
    image, platform = _official().images[name], _plain(platform)
    if platform not in image.registry.platforms:
        return None
    manifest, contents, runtime = image.registry.manifests.get(platform), image.contents, _with_libc(image.runtime)
    release = _named_release(named, name)
    if release:
        field = _RELEASE_FIELDS.get(named.image)
        runtime = msgspec.structs.replace(runtime, **{field: release}) if field else runtime
        manifest = manifest if manifest and manifest.version == release else None
        contents = contents if contents and contents.version == release else None
        if manifest is None and contents is None:
            return None
    return PublishedImage(
        reference=f"{named.image}:{named.tag}" if named.tag else str(named),
        name=name,
        stands_for_since=since,
        platform=platform,
        index_digest=image.registry.index_digest,
        manifest=manifest,
        contents=contents if contents and contents.platform == platform else None,
        runtime=runtime,
        notes=tuple(_notes(named, history, image, manifest)),
        package_notes=tuple(_package_notes(manifest, contents)),
    )


def tag_runtime(reference: str) -> RuntimeFacts | None:
    """What an official tag's full name says of its runtime, where nothing else is published of it.

    `python:3.12-slim` became `3.12.14-slim-trixie`: Python 3.12.14 on Debian 13. The libc's version is that of the
    snapshot's images of the same distribution release, which does not change it. None: the tag is not known.
    """
    history = tag_history(reference)
    if history is None or not history.changes:
        return None
    alias = history.changes[-1][1]
    version, _ = split_version(alias)
    facts = {_RELEASE_FIELDS[history.image]: version} if history.image in _RELEASE_FIELDS else {}
    if history.image == "alpine":
        facts["distribution"] = "alpine"
    else:
        facts |= _distribution(f"{alias}-{history.tag}")
    if history.image == "python":
        facts["interpreter"] = _DOCKER_PYTHON
    return _with_libc(RuntimeFacts(**facts))


def _distribution(tag: str) -> dict[str, str]:
    """`3.12.14-slim-trixie` → Debian 13; `3.13.15-alpine3.24` → Alpine 3.24; else nothing."""
    alpine = re.search(r"alpine-?(\d+\.\d+)", tag)
    if alpine:
        return {"distribution": "alpine", "distribution_version": alpine[1]}
    for word in filter(str.isalpha, tag.split("-")):
        for distribution in ("debian", "ubuntu"):
            series = distribution_series(distribution, word)
            if series and series.version:
                return {"distribution": distribution, "distribution_version": series.version}
    return {}


def _with_libc(runtime: RuntimeFacts) -> RuntimeFacts:
    """Fills in the libc: a distribution's release keeps its version, so another image of the same one tells it."""
    if runtime.libc_version or runtime.distribution not in _LIBCS:
        return runtime
    release = _release_line(runtime)
    others = (image.runtime for image in _official().images.values())
    versions = (each.libc_version for each in others if each.libc_version and _release_line(each) == release)
    return msgspec.structs.replace(runtime, libc=_LIBCS[runtime.distribution], libc_version=next(versions, None))


def _release_line(runtime: RuntimeFacts) -> tuple[str | None, str]:
    """Alpine 3.18.9 is of Alpine 3.18."""
    return runtime.distribution, ".".join((runtime.distribution_version or "").split(".")[:2])


def _plain(platform: str) -> str:
    """`linux/arm64/v8` is `linux/arm64`: https://github.com/containerd/platforms normalises them so."""
    return platform.removesuffix("/v8")


def _by_digest(named: LibraryTag) -> tuple[str, None] | None:
    for name, image in _official().images.items():
        if named.digest in _digests(image) and name.startswith(f"{named.image}:"):
            return name, None
    return None


def _by_tag(named: LibraryTag, history: TagHistory | None) -> tuple[str, datetime.date | None] | None:
    """The snapshot's image by its own name, else the one that the tag came to stand for, and since when."""
    if named.tag is None:
        return None
    tag = history.tag if history else named.tag
    if f"{named.image}:{tag}" in _official().images:
        return f"{named.image}:{tag}", None
    if history is None or not history.changes:
        return None
    for name in _official().images:
        image, _, known = name.partition(":")
        since = None
        for day, alias in reversed(history.changes):
            if not is_release_of(alias, known):
                break
            since = day
        if image == named.image and since:
            return name, since
    return None


def _named_release(named: LibraryTag, name: str) -> str | None:
    """The full version in a tag that names one release: then no other release's facts will do."""
    version, _ = split_version(named.tag or "")
    known, _ = split_version(name.partition(":")[2])
    return version if known and version.startswith(f"{known}.") else None


def _notes(
    named: LibraryTag,
    history: TagHistory | None,
    image: _Image,
    manifest: PublishedManifest | None,
) -> Iterator[str]:
    if named.digest and named.digest not in _digests(image):
        yield f"{named} is pinned to another build than the one that is known"
    latest = history.changes[-1] if history and history.changes else None
    if manifest and latest and _is_before(manifest, *latest):
        day, alias = latest
        yield f"{named} became {named.image}:{alias} on {day}, after the build of {manifest.published}"


def _package_notes(manifest: PublishedManifest | None, contents: PublishedContents | None) -> Iterator[str]:
    if contents and contents.basis is Basis.MODELLED:
        yield f"the packages are what the archive's solver gave on {contents.published}, not read from an image"
    elif manifest and contents and contents.image_id != manifest.image_id:
        yield f"the packages are those of another build, of {contents.published}"


def _is_before(manifest: PublishedManifest, day: datetime.date, alias: str) -> bool:
    """Whether a tag moved on to `alias` after the build that is known: a library file may change days after a build."""
    same = manifest.version == split_version(alias)[0] or f"{manifest.published:%Y%m%d}" in alias
    return manifest.published < day and not same


def _digests(image: _Image) -> set[str]:
    return {image.registry.index_digest, *(each.digest for each in image.registry.manifests.values())}


class KnownLayers(msgspec.Struct, frozen=True, kw_only=True):
    """The image of the snapshot whose layers an image begins with."""

    name: str
    manifest: PublishedManifest


def known_layers(digests: Sequence[str]) -> KnownLayers | None:
    """The snapshot's image with the most layers that are the lowest of `digests` (compressed ones, lowest first)."""
    found = [
        KnownLayers(name=name, manifest=manifest)
        for name, image in _official().images.items()
        for manifest in image.registry.manifests.values()
        if manifest.layers and [layer.digest for layer in manifest.layers] == list(digests[: len(manifest.layers)])
    ]
    return max(found, key=lambda each: len(each.manifest.layers), default=None)


@cache
def _official() -> _Official:
    return read_dataset("official-images", _Official)
