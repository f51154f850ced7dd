"""An image of a store as an OCI layout: what `build` gives out."""

from pathlib import Path

from basewright.errors import InputError
from basewright.oci.copying import copy_image
from basewright.oci.image import Image
from basewright.oci.manifest import ImagePlatform
from basewright.oci.reference import Reference, parse_reference
from basewright.oci.transports.content import check_plain, check_replaceable
from basewright.oci.transports.layout_archive import ArchiveSink
from basewright.oci.transports.layout_folder import FolderSink, check_folder
from basewright.oci.transports.stored import StoreSource


def write_layout(image: Image, path: Path, *, reference: str) -> None:
    """Writes an OCI layout folder, or where `path` ends in `.tar` an archive, which is one for `docker load` as well;
    the old one stays whole until the end. Images of other names in a folder stay."""
    check_target(path)
    whole_name = _name(reference)
    sink = (ArchiveSink if path.suffix == ".tar" else FolderSink)(path, tag=reference, whole_name=whole_name)
    config = image.config
    try:
        copy_image(
            StoreSource(name=reference, store=image.store(), digest=image.digest),
            sink,
            platform=ImagePlatform(architecture=config.architecture, os=config.os, variant=config.variant),
            referrers=False,
            progress=lambda text: None,
            notice=lambda text: None,
        )
    finally:
        sink.close()


def check_target(path: Path) -> None:
    """Whether a layout may be written to `path`, before anything is built for it. Raises InputError."""
    check_plain(path)
    if path.suffix != ".tar":
        check_folder(path)
    elif path.is_dir():
        raise InputError(f"{path} is a folder", hint="an archive is one file; a name without .tar is a folder")
    else:
        check_replaceable(path)


def _name(reference: str) -> Reference | None:
    """`reference` where an engine would take it as a name."""
    try:
        return parse_reference(reference)
    except InputError:
        return None
