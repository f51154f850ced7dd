"""The names of places where images are: those that skopeo gives them, and paths and references alone.

https://github.com/containers/image/blob/main/docs/containers-transports.5.md
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from basewright.errors import InputError
from basewright.oci.digest import Digest
from basewright.oci.transports.content import Content, check_plain, content_of

if TYPE_CHECKING:
    from basewright.oci.reference import Reference
    from basewright.oci.transports.engine import Engine

_DIGEST = re.compile(r"(.+)@((?:sha256|sha512):[0-9a-f]+)")
_PATH_STARTS = ("/", "./", "../", "~")


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
    check_plain(where)
    return kind(path=where.expanduser(), tag=tag, digest=digest)


def told_apart(text: str, *, is_target: bool = False) -> str:
    """A word on `layout:v1`, which names an image in a registry although `layout` is one here, or an empty folder, and
    on `dir:x`; of targets on `new.tar` as well, since hardly anybody may push to docker.io/library. Else empty."""
    prefix, colon, _ = text.partition(":")
    if (colon and prefix in _PREFIXES) or text.startswith(_PATH_STARTS) or _exists(Path(text)):
        return ""
    try:
        where, tag, digest = _split(text)
        if colon and _exists(where):
            is_empty = where.is_dir() and not any(where.iterdir())
            meant: ImageName = _named(LayoutName(path=where) if is_empty else recognise(where), tag, digest)
        elif colon and prefix in _FOREIGN:
            return f"{text} is taken for an image in a registry; skopeo's {prefix}: is not known here"
        elif is_target and "/" not in text:
            meant = parse_target(f"./{text}")
        else:
            return ""
    except (InputError, OSError):
        return ""
    return f"{text} is taken for an image in a registry; a path is meant by {meant}"


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except (OSError, ValueError):
        return False


_ENGINES = ("docker-daemon", "containers-storage")
_PREFIXES = ("docker", "oci", "oci-archive", "docker-archive", "rootfs", *_ENGINES)
_FOREIGN = ("dir", "ostree", "sif", "tarball")
"""skopeo's other prefixes."""


def _prefixed(prefix: str, rest: str, text: str) -> ImageName:
    if prefix == "docker":
        if not rest.startswith("//"):
            # a repository of that name: docker:24-dind
            return _registry_name(text)
        return _registry_name(rest[2:])
    if not rest:
        raise InputError(f"{text!r} names nothing", hint=f"such as {prefix}:{'REF' if prefix in _ENGINES else 'PATH'}")
    match prefix:
        case _ if prefix in _ENGINES:
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
