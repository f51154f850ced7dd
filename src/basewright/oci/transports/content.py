"""What a folder or a file holds, told by its content whatever it is packed with."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from basewright.errors import HostileInputError, InputError
from basewright.oci.layer_limits import LayerLimits

_PROBE_ENTRIES = 20_000
_ROOT_NAMES = {"bin", "etc", "usr", "lib", "sbin"}
_IMAGE_NAMES = {"oci-layout", "manifest.json"}
_COMPRESSED = (".gz", ".tgz", ".zst", ".xz", ".bz2", ".zip")
_EXPECTED = "an OCI layout or archive, a docker-archive or a root filesystem tarball is expected"


class Content(StrEnum):
    """What can be told apart."""

    LAYOUT = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    ROOT_FILESYSTEM = "rootfs"


def content_of(path: Path) -> Content:
    """What the folder or file at `path` is, by its content. Raises InputError where it is nothing that is known."""
    try:
        mode = path.stat().st_mode
        is_layout = (path / "oci-layout").exists()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        if not is_layout:
            raise InputError(
                f"the folder {path} is no image: it lacks oci-layout",
                hint=f"write docker://{path} where an image in a registry is meant",
            )
        return Content.LAYOUT
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is neither a folder nor a regular file")
    names = _first_names(path)
    if "oci-layout" in names:
        return Content.OCI_ARCHIVE
    if "manifest.json" in names:
        return Content.DOCKER_ARCHIVE
    if not names & _ROOT_NAMES:
        raise InputError(f"{path} holds neither an image nor a root filesystem", hint=_EXPECTED)
    return Content.ROOT_FILESYSTEM


def _first_names(path: Path, limits: LayerLimits = LayerLimits()) -> set[str]:
    """The first part of the names in an archive, whatever it is packed with, until they tell what it is."""
    from basewright.oci.blob import open_regular
    from basewright.oci.span import seeker
    from basewright.oci.stream import ChunkReader, inflate
    from basewright.oci.tar import TarReader

    names: set[str] = set()
    with open_regular(path) as file:
        try:
            if _is_packed(path):
                stream = inflate(file, name=str(path), any_format=True)
                chunks = ChunkReader(limits.guard(stream, compressed_bytes=path.stat().st_size, name=str(path)))
                reader = TarReader(chunks.read, name=str(path))
            else:
                reader = TarReader(file.read, name=str(path), skip=seeker(file))
            for number, member in enumerate(reader):
                names.add(member.entry.path.partition("/")[0])
                if names & (_IMAGE_NAMES | _ROOT_NAMES) or number > _PROBE_ENTRIES:
                    break
        except HostileInputError as error:
            raise InputError(error.message, hint=_EXPECTED) from None
    return names


def _is_packed(path: Path) -> bool:
    from basewright.oci.blob import open_regular

    with open_regular(path) as file:
        return file.read(512)[257:262] != b"ustar"


@contextmanager
def unpacked_archive(path: Path, limits: LayerLimits) -> Iterator[Path]:
    """The same archive, unpacked into a scratch file where it is packed."""
    check_exists(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint=f"an OCI layout is named oci:{path}")
    if not _is_packed(path):
        yield path
        return
    from basewright._disk import ScratchFolder, disk_error
    from basewright.oci.blob import open_regular
    from basewright.oci.stream import inflate

    scratch = ScratchFolder()
    try:
        target = scratch.path / "archive.tar"
        with open_regular(path) as file, target.open("wb") as unpacked:
            stream = inflate(file, name=path.name, any_format=True)
            for chunk in limits.guard(stream, compressed_bytes=path.stat().st_size, name=path.name):
                try:
                    unpacked.write(chunk)
                except OSError as error:
                    raise disk_error(scratch.path, error) from None
        yield target
    finally:
        scratch.close()


def check_exists(path: Path) -> None:
    """Raises InputError where there is no such file, or where it cannot be told."""
    try:
        if path.exists():
            return
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    raise InputError(f"{path} does not exist")


def check_plain(path: Path) -> None:
    """What ends like a compressed file is no folder's name, and an archive of images is not compressed. Raises
    InputError."""
    if path.suffix in _COMPRESSED and not path.is_dir():
        raise InputError(
            f"{path} names a compressed file, and layers are compressed already",
            hint="a name that ends in .tar is an OCI archive, any other one a folder",
        )


def check_replaceable(path: Path) -> None:
    """A file is replaced where it is an image archive; anything else is somebody's. Raises InputError."""
    fault = InputError(f"{path} holds something else than an image", hint="name another file, or remove it")
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    if (path.exists() or path.is_symlink()) and not path.is_file():
        raise fault
    if path.is_file() and path.stat().st_size:
        try:
            names = _first_names(path)
        except InputError:
            raise fault from None
        if not names & _IMAGE_NAMES:
            raise fault
