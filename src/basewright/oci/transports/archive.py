"""Files and folders that are an image or a root filesystem, read into a store."""

from pathlib import Path

import msgspec

from basewright.oci.blob import BlobStore
from basewright.oci.image import Image
from basewright.oci.manifest import ImagePlatform
from basewright.oci.pull import pull_image
from basewright.oci.transports.catalog import open_file
from basewright.oci.transports.image_name import DockerArchiveName, LayoutName, OciArchiveName, recognise
from basewright.oci.transports.transport import UnpackedSource


def read_archive(
    path: Path, store: BlobStore, *, platform: ImagePlatform, created: str, tag: str | None = None
) -> Image:
    """Reads an OCI layout (folder), OCI archive, docker-archive or root filesystem tarball into `store`.

    What has no manifest of its own gets one; `created` (RFC 3339) is its date. Raises InputError where `path` is none
    of the four, HostileInputError where it lies or is damaged.
    """
    name = recognise(path)
    if tag is not None and isinstance(name, LayoutName | OciArchiveName | DockerArchiveName):
        name = msgspec.structs.replace(name, tag=tag)
    with open_file(name, platform=platform, created=created) as opened:
        source = opened.packed(store, progress=lambda text: None) if isinstance(opened, UnpackedSource) else opened
        return pull_image(source, store, platform=platform)
