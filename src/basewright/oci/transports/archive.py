"""Images and root filesystems that are one file, told by their content: docker-archive, rootfs tarball."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import BlobStore, open_regular
from basewright.oci.digest import Digest
from basewright.oci.image import Image, Layer, assemble_image
from basewright.oci.layer import MAX_LAYER_BYTES, LayerLimits
from basewright.oci.manifest import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    OCI_LAYER_GZIP,
    Descriptor,
    RunConfig,
    parse_config,
)
from basewright.oci.platform import parse_platform
from basewright.oci.pull import pull_image
from basewright.oci.stream import ChunkReader, gzip_stream, inflate
from basewright.oci.tar import TarReader
from basewright.oci.transports.layout import LayoutSource, Span, tar_places

_PROBE_ENTRIES = 20_000
_LIMITS = LayerLimits()
_GZIP = b"\x1f\x8b"


class _DockerArchiveItem(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    config: str
    layers: tuple[str, ...] | None = None
    repo_tags: tuple[str, ...] | None = None


def read_archive(path: Path, store: BlobStore, *, architecture: str, created: str, tag: str | None = None) -> Image:
    """Reads an OCI layout (folder), OCI archive, docker-archive or root filesystem tarball into `store`.

    What has no manifest of its own gets one; `created` (RFC 3339) is its date. Raises InputError where `path` is none
    of the four, HostileInputError where it lies or is damaged.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        return pull_image(LayoutSource(path, tag=tag), store, platform=parse_platform(architecture))
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is neither a folder nor a regular file")
    names = _first_names(path)
    if names & {"oci-layout", "manifest.json"} and _is_compressed(path):
        raise InputError(f"{path} is a compressed image archive", hint="unpack it first, such as with gunzip")
    if "oci-layout" in names:
        return pull_image(LayoutSource(path, tag=tag), store, platform=parse_platform(architecture))
    if "manifest.json" in names:
        return _read_docker_archive(path, store, architecture, created, tag)
    if not names & {"bin", "etc", "usr", "lib", "sbin"}:
        raise InputError(
            f"{path} holds neither an image nor a root filesystem",
            hint="an OCI layout or archive, a docker-archive or a root filesystem tarball is expected",
        )
    return _read_rootfs(path, store, architecture, created)


def _first_names(path: Path) -> set[str]:
    """The first part of every name in the archive, whatever it is compressed with."""
    names: set[str] = set()
    with open_regular(path) as file:
        try:
            stream = inflate(file, name=path.name, any_format=True)
            chunks = ChunkReader(_LIMITS.guard(stream, compressed_bytes=path.stat().st_size, name=path.name))
            for number, member in enumerate(TarReader(chunks.read, name=path.name)):
                names.add(member.entry.path.partition("/")[0])
                if names & {"oci-layout", "manifest.json"} or number > _PROBE_ENTRIES:
                    break
        except HostileInputError as error:
            raise InputError(
                f"{path.name} cannot be read as an archive: {error.message}",
                hint="an OCI layout or archive, a docker-archive or a root filesystem tarball is expected",
            ) from None
    return names


def _is_compressed(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(512)[257:262] != b"ustar"


def _read_docker_archive(path: Path, store: BlobStore, architecture: str, created: str, tag: str | None) -> Image:
    """`docker save`'s format: https://github.com/moby/docker-image-spec; its layers are compressed here."""
    places = tar_places(path)

    def member(name: str) -> Span:
        if name not in places:
            raise InputError(f"{path} lacks {name}")
        return Span(path, *places[name])

    try:
        items = msgspec.json.decode(member("manifest.json").read(MAX_MANIFEST_BYTES), type=list[_DockerArchiveItem])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HostileInputError(f"the manifest.json of {path} is damaged: {error}") from None
    item = _chosen(items, path, tag)
    config = parse_config(member(item.config).read(MAX_CONFIG_BYTES), name=f"the config of {path}")
    if config.architecture != architecture:
        raise InputError(f"{path} is an image for {config.os}/{config.architecture}, not linux/{architecture}")
    names = item.layers or ()
    if len(config.rootfs.diff_ids) != len(names):
        raise HostileInputError(f"{path} has {len(names)} layers and {len(config.rootfs.diff_ids)} diff ids")
    layers = []
    for name, diff_id in zip(names, config.rootfs.diff_ids, strict=True):
        layer = _packed_layer(member(name), store, name=f"{path.name}:{name}", created_by=f"{path.name}:{name}")
        if layer.diff_id != diff_id:
            raise HostileInputError(f"the layer {name} of {path} does not have the diff id that its config names")
        layers.append(layer)
    return assemble_image(
        store,
        tuple(layers),
        config.config,
        architecture=architecture,
        variant=config.variant,
        created=config.created or created,
    )


def _chosen(items: list[_DockerArchiveItem], path: Path, tag: str | None) -> _DockerArchiveItem:
    found = [
        item
        for item in items
        if tag is None or any(tag in (name, name.rpartition(":")[2]) for name in item.repo_tags or ())
    ]
    if len(found) != 1:
        names = sorted(name for item in items for name in item.repo_tags or ())
        raise InputError(
            f"{path} holds {len(found)} images where one is needed",
            hint="it has: " + (", ".join(names) or f"{len(items)} without a name"),
        )
    return found[0]


def _read_rootfs(path: Path, store: BlobStore, architecture: str, created: str) -> Image:
    span = Span(path, 0, path.stat().st_size)
    layer = _packed_layer(span, store, name=path.name, created_by=f"root filesystem {path.name}")
    return assemble_image(store, (layer,), RunConfig(), architecture=architecture, created=created)


def _packed_layer(span: Span, store: BlobStore, *, name: str, created_by: str) -> Layer:
    """A layer from a tarball: gzip stays as it is, anything else is packed here."""
    diff, size = hashlib.sha256(), 0

    def tar() -> Iterator[bytes]:
        nonlocal size
        with span.open() as file:
            stream = inflate(file, name=name, any_format=True)
            for chunk in _LIMITS.guard(stream, compressed_bytes=span.size, name=name):
                size += len(chunk)
                diff.update(chunk)
                yield chunk

    with span.open() as file:
        packed = file.read(2) == _GZIP
    if packed:
        for _ in tar():
            pass
        digest, compressed = store.write_stream(span.chunks(), expected=None, max_bytes=MAX_LAYER_BYTES)
    else:
        digest, compressed = store.write_stream(gzip_stream(tar()), expected=None, max_bytes=MAX_LAYER_BYTES)
    return Layer(
        descriptor=Descriptor(media_type=OCI_LAYER_GZIP, digest=digest, size=compressed),
        diff_id=Digest(f"sha256:{diff.hexdigest()}"),
        created_by=created_by,
        uncompressed_bytes=size,
    )
