"""Bases in registries: the tag resolved, pulled by digest; out of reach, what its maker published stands in."""

import re
from pathlib import Path

import msgspec

from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.loaded import load_base
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.facts import NotMeasured, RuntimeFacts
from basewright.feeds.cadence import image_cadence
from basewright.feeds.official import published_image, tag_runtime
from basewright.lock import LockedImage
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Image
from basewright.oci.platform import parse_platform
from basewright.oci.pull import pull_image
from basewright.oci.reference import Reference, parse_reference
from basewright.oci.resolution import Resolved, resolve
from basewright.oci.transports.registry import RegistrySource
from basewright.oci.transports.stored import StoreSource
from basewright.progress import about_seconds
from basewright.strategy import Platform, PublishedBase
from basewright.world import World

_LARGE_BYTES = 1e6


class PublishedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A base and, where its registry answered, what its tag stands for now."""

    base: BaseImage | UnreachableBase
    locked: LockedImage | None


def provide_published(
    base: PublishedBase,
    platform: Platform,
    *,
    locked: LockedImage | None,
    world: World,
    store: BlobStore,
    spool_directory: Path,
) -> PublishedAnswer:
    """Pulls the image that `locked` names (or the tag stands for now). Raises InputError where the registry says that
    there is no such image or none for `platform`, HostileInputError where it lies; a registry out of reach is an
    answer, not an error."""
    image, entry = _kept(base.reference, platform, locked, store), locked
    if image is None:
        try:
            image, entry = _pull(base.reference, platform, locked, store, world)
        except OutOfReachError as error:
            return PublishedAnswer(base=_unreachable(base.reference, platform, error), locked=locked)
    loaded = load_base(
        image,
        name=base.reference,
        platform=platform,
        world=world,
        spool_directory=spool_directory,
        digest=image.digest,
        cadence_of=base.reference,
    )
    return PublishedAnswer(base=loaded, locked=entry)


def _pull(
    reference: str, platform: Platform, locked: LockedImage | None, store: BlobStore, world: World
) -> tuple[Image, LockedImage]:
    """The image, and what it adds to the lock."""
    source = RegistrySource(_pinned(parse_reference(reference), locked), world.http, world.settings.registries)
    try:
        found = _resolve(source, platform, store, world)
        image = pull_image(source, store, platform=parse_platform(platform), resolved=found)
    except InputError as error:
        if locked is None or error.hint or isinstance(error, HostileInputError):
            raise
        raise InputError(error.message, hint="--update-lock takes what the tag stands for now") from None
    entry = locked or LockedImage(
        index_digest=str(found.top_digest), platforms={}, seen_at=world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    return image, msgspec.structs.replace(entry, platforms={**entry.platforms, platform: str(found.manifest_digest)})


def _resolve(source: RegistrySource, platform: Platform, store: BlobStore, world: World) -> Resolved:
    """What the tag stands for, with a word on how much of it is to come."""
    world.progress(f"asking the registry for {source.name}")
    found = resolve(source, platform=parse_platform(platform))
    size = sum(layer.size for layer in found.manifest.layers)
    missing = sum(layer.size for layer in found.manifest.layers if layer.checked_digest not in store)
    if missing >= _LARGE_BYTES:
        words = f"{missing / 1e6:.0f} of {size / 1e6:.0f} MB"
        world.notice(f"to download: {source.name} ({words}); {about_seconds(missing)}")
    return found


def _kept(reference: str, platform: Platform, locked: LockedImage | None, store: BlobStore) -> Image | None:
    """The locked image where the store has all of it, so that nobody is asked; None where it does not."""
    digest = locked.platforms.get(platform) if locked is not None else None
    if digest is None:
        return None
    try:
        source = StoreSource(name=reference, store=store, digest=Digest(digest))
        return pull_image(source, store, platform=parse_platform(platform))
    except (FileNotFoundError, InputError):  # swept, or damaged here
        return None


def _pinned(reference: Reference, locked: LockedImage | None) -> Reference:
    if locked is None or reference.digest is not None:
        return reference
    return msgspec.structs.replace(reference, digest=Digest(locked.index_digest))


_ADDRESS = re.compile(r"https?://([^/\s]+)\S*")
"""In a reason the host says enough, and candidates of one registry have the same reason."""


def _host(match: re.Match[str]) -> str:
    return match[1]


def _unreachable(reference: str, platform: Platform, error: OutOfReachError) -> UnreachableBase:
    """What the shipped snapshot knows of an image whose registry could not be asked."""
    known = published_image(reference, platform)
    reason = f"the registry of {reference} could not be asked ({_ADDRESS.sub(_host, error.message)})"
    cadence = image_cadence(reference) or NotMeasured(reason=f"no history of rebuilds is known for {reference}")
    if known is None:
        return UnreachableBase(
            name=reference,
            reason=f"{reason}, and nothing is published of it in the shipped snapshot",
            hint=error.hint,
            runtime=tag_runtime(reference) or RuntimeFacts(),
            size=None,
            cadence=cadence,
        )
    contents = known.contents
    return UnreachableBase(
        name=reference,
        reason=reason,
        hint=error.hint,
        runtime=known.runtime,
        size=known.size,
        layers=len(known.manifest.layers) if known.manifest else 0,
        packages=tuple(name for name, _ in contents.packages) if contents else (),
        notes=known.notes,
        cadence=cadence,
    )
