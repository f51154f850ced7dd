"""The places where images are, opened by their names."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec

from basewright.errors import InputError
from basewright.oci.digest import Digest
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import ImagePlatform
from basewright.oci.transports.content import check_exists, check_replaceable, unpacked_archive
from basewright.oci.transports.image_name import (
    DockerArchiveName,
    EngineName,
    FileName,
    ImageName,
    LayoutName,
    OciArchiveName,
    RegistryName,
    RootfsName,
)
from basewright.oci.transports.transport import Sink, Source

if TYPE_CHECKING:
    from pathlib import Path

    from basewright._http import PooledHttp
    from basewright._process import Process
    from basewright.oci.reference import Reference
    from basewright.oci.transports.registries import Registries


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to reach any place. `created` (RFC 3339) is the date of an image that has none."""

    http: "PooledHttp"
    process: "Process"
    registries: "Registries"
    created: str
    limits: LayerLimits = LayerLimits()


@contextmanager
def open_source(name: ImageName, doors: Doors, *, platform: ImagePlatform) -> Iterator[Source]:
    """The place to read from, for as long as the block lasts. `platform` is what a root filesystem is for, and the one
    that an engine is asked about. Raises InputError, OutOfReachError."""
    with ExitStack() as stack:
        match name:
            case RegistryName():
                from basewright.oci.transports.registry import RegistrySource

                reference = name.reference
                if reference.tag is None and reference.digest is None:
                    reference = msgspec.structs.replace(reference, tag="latest")
                yield RegistrySource(reference, doors.http, doors.registries)
            case EngineName():
                from basewright.oci.transports.docker_archive import DockerArchiveSource
                from basewright.oci.transports.engine import open_engine, saved_image

                http = stack.enter_context(open_engine(name.engine, doors.process))
                path = stack.enter_context(saved_image(name.engine, name.reference, http))
                yield DockerArchiveSource(path, name=str(name))
            case _:
                yield stack.enter_context(
                    open_file(name, platform=platform, created=doors.created, limits=doors.limits)
                )


@contextmanager
def open_file(
    name: FileName, *, platform: ImagePlatform, created: str, limits: LayerLimits = LayerLimits()
) -> Iterator[Source]:
    """A place on this machine's disk to read from, for as long as the block lasts. Raises InputError."""
    with ExitStack() as stack:
        match name:
            case LayoutName():
                from basewright.oci.transports.layout import LayoutSource

                _need_folder(name.path)
                yield LayoutSource(name.path, tag=name.tag, digest=name.digest)
            case OciArchiveName():
                from basewright.oci.transports.layout import LayoutSource

                path = stack.enter_context(unpacked_archive(name.path, limits))
                yield LayoutSource(path, tag=name.tag, digest=name.digest, name=str(name.path))
            case DockerArchiveName():
                from basewright.oci.transports.docker_archive import DockerArchiveSource

                path = stack.enter_context(unpacked_archive(name.path, limits))
                yield DockerArchiveSource(path, tag=name.tag, name=str(name.path))
            case RootfsName():
                from basewright.oci.transports.rootfs import RootfsSource

                yield RootfsSource(name.path, platform=platform, created=created, limits=limits)


def _need_folder(path: "Path") -> None:
    check_exists(path)
    if not path.is_dir():
        raise InputError(f"{path} is no folder", hint=f"an archive is named oci-archive:{path}")


@contextmanager
def open_sink(name: ImageName, doors: Doors, *, tag: str | None, whole_name: "Reference | None") -> Iterator[Sink]:
    """The place to write to. `tag` stands in for one that `name` does not say; `whole_name` is what engines call the
    image. Raises InputError, OutOfReachError."""
    with ExitStack() as stack:
        sink: Sink
        match name:
            case RegistryName():
                from basewright.oci.transports.registry import RegistrySink

                sink = RegistrySink(_target_reference(name.reference, tag), doors.http, doors.registries)
            case LayoutName():
                from basewright.oci.transports.layout_folder import FolderSink

                _no_digest(name.digest, name)
                sink = FolderSink(name.path, tag=name.tag or tag, whole_name=whole_name)
            case OciArchiveName():
                from basewright.oci.transports.layout_archive import ArchiveSink

                _no_digest(name.digest, name)
                check_replaceable(name.path)
                sink = ArchiveSink(name.path, tag=name.tag or tag, whole_name=whole_name)
            case DockerArchiveName():
                from basewright.oci.transports.docker_archive import DockerArchiveSink

                check_replaceable(name.path)
                names = _engine_names(name.tag, tag, whole_name)
                sink = DockerArchiveSink(name.path, names=names, limits=doors.limits)
            case EngineName():
                from basewright.oci.transports.engine import EngineSink, open_engine

                http = stack.enter_context(open_engine(name.engine, doors.process))
                sink = EngineSink(
                    name.engine, http, names=_engine_names(name.reference, tag, None), limits=doors.limits
                )
            case RootfsName():
                raise InputError(f"{name} is read only", hint="a root filesystem is no image")
        stack.callback(sink.close)
        yield sink


def _target_reference(reference: "Reference", tag: str | None) -> "Reference":
    """Where to push: under the tag that was written, else the source's, else `latest`."""
    if reference.tag or reference.digest:
        return reference
    return msgspec.structs.replace(reference, tag=_tag_of(tag))


def _engine_names(written: str | None, tag: str | None, whole_name: "Reference | None") -> tuple[str, ...]:
    """What an engine will call an image, if anything. Whole: podman takes `calendar:1` for localhost/calendar:1."""
    from basewright.oci.reference import parse_reference

    reference = parse_reference(written, default_tag=_tag_of(tag)) if written else whole_name
    if reference is None or (reference.digest is not None and not reference.tag):
        return ()
    return (str(msgspec.structs.replace(reference, digest=None, tag=reference.tag or "latest")),)


def _tag_of(name: str | None) -> str:
    """What stands behind the colon of a layout's name, which may be anything; `latest` where that is no tag."""
    from basewright.oci.reference import is_tag

    end = (name or "").rpartition(":")[2]
    return end if is_tag(end) else "latest"


def _no_digest(digest: Digest | None, name: ImageName) -> None:
    if digest is not None:
        raise InputError(f"{name}: a digest follows from what is written", hint="name a tag, or nothing")


def carried_name(name: ImageName, source: Source) -> "tuple[str | None, Reference | None]":
    """The tag that an image keeps on its way, and what engines call it."""
    match name:
        case RegistryName():
            reference = name.reference
            if reference.tag is None and reference.digest is None:
                reference = msgspec.structs.replace(reference, tag="latest")
            return reference.tag, reference
        case LayoutName() | OciArchiveName():
            from basewright.oci.transports.layout import LayoutSource

            assert isinstance(source, LayoutSource)
            tag, full = source.ref_name()
            return tag, _reference(full or (tag if tag and ":" in tag else None))
        case DockerArchiveName() | EngineName():
            from basewright.oci.transports.docker_archive import DockerArchiveSource, is_called

            assert isinstance(source, DockerArchiveSource)
            wanted = (name.tag if isinstance(name, DockerArchiveName) else name.reference) or ""
            names = sorted(source.repo_tags(), key=lambda each: not is_called(each, wanted))
            whole = next(map(_reference, names), None)
            return whole.tag if whole is not None else None, whole
        case RootfsName():
            return None, None


def _reference(text: str | None) -> "Reference | None":
    from basewright.oci.reference import parse_reference

    try:
        return parse_reference(text) if text else None
    except InputError:
        return None
