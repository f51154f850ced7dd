"""The places where images are, by the names that skopeo gives them.

https://github.com/containers/image/blob/main/docs/containers-transports.5.md
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from basewright.errors import InputError
from basewright.oci.digest import Digest
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import ImagePlatform
from basewright.oci.transports.content import Content, check_exists, check_replaceable, content_of, unpacked_archive
from basewright.oci.transports.transport import Sink, Source

if TYPE_CHECKING:
    from basewright._http import PooledHttp
    from basewright._process import Process
    from basewright.oci.reference import Reference
    from basewright.oci.transports.engine import Engine
    from basewright.oci.transports.registries import Registries

_DIGEST = re.compile(r"(.+)@((?:sha256|sha512):[0-9a-f]+)")
_PATH_STARTS = ("/", "./", "../", "~")


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to reach any place. `created` (RFC 3339) is the date of an image that has none."""

    http: "PooledHttp"
    process: "Process"
    registries: "Registries"
    created: str
    limits: LayerLimits = LayerLimits()


class RegistryName(msgspec.Struct, frozen=True, kw_only=True):
    """`docker://REF`. `reference` has no tag where none was written; `latest` is meant then."""

    reference: "Reference"

    def __str__(self) -> str:
        return f"docker://{self.reference.familiar}"


class LayoutName(msgspec.Struct, frozen=True, kw_only=True):
    """`oci:DIR[:TAG|@DIGEST]`."""

    path: Path
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return "oci:" + _joined(self.path, self.tag, self.digest)


class OciArchiveName(msgspec.Struct, frozen=True, kw_only=True):
    """`oci-archive:FILE[:TAG|@DIGEST]`."""

    path: Path
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return "oci-archive:" + _joined(self.path, self.tag, self.digest)


class DockerArchiveName(msgspec.Struct, frozen=True, kw_only=True):
    """`docker-archive:FILE[:TAG]`; TAG is a whole name, such as `calendar:1`."""

    path: Path
    tag: str | None = None

    def __str__(self) -> str:
        return "docker-archive:" + _joined(self.path, self.tag, None)


class RootfsName(msgspec.Struct, frozen=True, kw_only=True):
    """`rootfs:FILE`."""

    path: Path

    def __str__(self) -> str:
        return f"rootfs:{self.path}"


class EngineName(msgspec.Struct, frozen=True, kw_only=True):
    """`docker-daemon:REF` or `containers-storage:REF`; REF may be an image's id."""

    engine: "Engine"
    reference: str

    def __str__(self) -> str:
        return f"{self.engine}:{self.reference}"


FileName: TypeAlias = LayoutName | OciArchiveName | DockerArchiveName | RootfsName
ImageName: TypeAlias = RegistryName | EngineName | FileName


def _joined(path: Path, tag: str | None, digest: Digest | None) -> str:
    return f"{path}:{tag}" if tag else f"{path}@{digest}" if digest else str(path)


def parse_name(text: str) -> ImageName:
    """The place that `text` names: with skopeo's prefix, else a path that exists, told by its content, else a
    registry's reference. Raises InputError."""
    prefix, colon, rest = text.partition(":")
    if colon and prefix in _PREFIXES:
        return _prefixed(prefix, rest, text)
    path = Path(text).expanduser()
    if text and _exists(path):
        return recognise(path)
    if text.startswith(_PATH_STARTS):
        where, tag, digest = _split(text)
        if (tag or digest) and _exists(where.expanduser()):
            return _named(recognise(where.expanduser()), tag, digest)
        raise InputError(f"{where} does not exist")
    return _registry_name(text)


def parse_target(text: str) -> ImageName:
    """As `parse_name`, for a place that is written to: a path without a prefix is a layout, or where it ends in `.tar`
    an OCI archive."""
    prefix, colon, _ = text.partition(":")
    if (colon and prefix in _PREFIXES) or not (text.startswith(_PATH_STARTS) or _exists(Path(text))):
        return parse_name(text)
    where, tag, digest = _split(text)
    kind = OciArchiveName if where.suffix == ".tar" else LayoutName
    return kind(path=where.expanduser(), tag=tag, digest=digest)


def told_apart(text: str) -> str:
    """A word on `layout:v1`, which names an image in a registry whatever `layout` is here; empty where no image or
    empty folder stands in front of the colon."""
    prefix, colon, _ = text.partition(":")
    if not colon or prefix in _PREFIXES or text.startswith(_PATH_STARTS) or _exists(Path(text)):
        return ""
    try:
        where, tag, digest = _split(text)
        is_empty = where.is_dir() and not any(where.iterdir())
        meant = _named(LayoutName(path=where) if is_empty else recognise(where), tag, digest)
    except (InputError, OSError):
        return ""
    return f"{text} names an image in a registry; what is here is {meant}"


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except (OSError, ValueError):
        return False


_PREFIXES = ("docker", "oci", "oci-archive", "docker-archive", "docker-daemon", "containers-storage", "rootfs")


def _prefixed(prefix: str, rest: str, text: str) -> ImageName:
    if prefix == "docker":
        if not rest.startswith("//"):
            # a repository of that name: docker:24-dind
            return _registry_name(text)
        return _registry_name(rest[2:])
    if not rest:
        raise InputError(f"{text!r} names nothing", hint=f"such as {prefix}:PATH")
    match prefix:
        case "docker-daemon" | "containers-storage":
            from basewright.oci.transports.engine import Engine

            return EngineName(engine=Engine(prefix), reference=rest)
        case "rootfs":
            return RootfsName(path=Path(rest))
        case _:
            path, tag, digest = _split(rest)
            if prefix == "docker-archive":
                if digest is not None:
                    raise InputError(f"{text[:200]!r}: a docker-archive knows no digests")
                return DockerArchiveName(path=path, tag=tag)
            kind = LayoutName if prefix == "oci" else OciArchiveName
            return kind(path=path, tag=tag, digest=digest)


def _registry_name(text: str) -> RegistryName:
    from basewright.oci.reference import parse_reference

    return RegistryName(reference=parse_reference(text, default_tag=None))


def _split(text: str) -> tuple[Path, str | None, Digest | None]:
    """Path and tag at the first colon, as skopeo splits them, or path and digest. A path that exists is whole."""
    if _exists(Path(text)):
        return Path(text), None, None
    found = _DIGEST.fullmatch(text)
    if found is not None and ":" not in found[1]:
        return Path(found[1]), None, Digest(found[2])
    path, _, tag = text.partition(":")
    if not path:
        raise InputError(f"{text!r} names no path")
    return Path(path), tag or None, None


def _named(name: FileName, tag: str | None, digest: Digest | None) -> ImageName:
    match name:
        case LayoutName() | OciArchiveName():
            return msgspec.structs.replace(name, tag=tag, digest=digest)
        case DockerArchiveName():
            return msgspec.structs.replace(name, tag=tag)
        case _:
            raise InputError(f"{name} has no images that could be named")


def recognise(path: Path) -> FileName:
    """What the folder or file at `path` is, by its content. Raises InputError where it is nothing that is known."""
    match content_of(path):
        case Content.LAYOUT:
            return LayoutName(path=path)
        case Content.OCI_ARCHIVE:
            return OciArchiveName(path=path)
        case Content.DOCKER_ARCHIVE:
            return DockerArchiveName(path=path)
        case Content.ROOT_FILESYSTEM:
            return RootfsName(path=path)


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


def _need_folder(path: Path) -> None:
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
            from basewright.oci.transports.docker_archive import DockerArchiveSource

            assert isinstance(source, DockerArchiveSource)
            names = source.repo_tags()
            wanted = _reference(name.tag if isinstance(name, DockerArchiveName) else name.reference)
            whole = next((each for each in map(_reference, names) if each == wanted), None)
            if whole is None and names:
                whole = _reference(names[0])
            return whole.tag if whole is not None else None, whole
        case RootfsName():
            return None, None


def _reference(text: str | None) -> "Reference | None":
    from basewright.oci.reference import parse_reference

    try:
        return parse_reference(text) if text else None
    except InputError:
        return None
