"""Bases that are files: OCI layout, OCI archive, docker-archive, root filesystem tarball."""

from pathlib import Path

import msgspec

from basewright.bases.base import BaseImage
from basewright.bases.loaded import load_base
from basewright.errors import InputError
from basewright.oci.blob import BlobStore
from basewright.oci.platform import parse_platform
from basewright.oci.transports.archive import read_archive
from basewright.strategy import ArchiveBase, Platform
from basewright.world import World


def provide_archive(
    base: ArchiveBase, directory: Path, platform: Platform, *, world: World, store: BlobStore, spool_directory: Path
) -> BaseImage:
    """The base in the file that `base` names, relative to `directory`. Raises InputError, HostileInputError."""
    path = directory / base.archive
    if not path.exists():
        raise InputError(f"the archive {base.archive} does not exist", hint=f"it is looked for in {directory}")
    image = read_archive(path, store, platform=parse_platform(platform), created=world.created)
    loaded = load_base(
        image,
        name=base.archive,
        platform=platform,
        world=world,
        spool_directory=spool_directory,
        digest=image.digest,
        cadence_of=None,
    )
    if loaded.runtime.distribution:
        known = f"{loaded.runtime.distribution} {loaded.runtime.distribution_version or ''}".strip()
        loaded = msgspec.structs.replace(
            loaded, notes=(*loaded.notes, f"{base.archive} holds {known} by its os-release")
        )
    return loaded
