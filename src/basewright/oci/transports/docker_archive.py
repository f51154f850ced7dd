"""`docker save`'s format, read and written: https://github.com/moby/docker-image-spec

Layers are uncompressed in it, as docker, podman and skopeo write them; packed ones are read as well.
"""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import (
    CONFIG_TYPES,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    Descriptor,
    Index,
    parse_config,
    parse_manifest,
)
from basewright.oci.reference import parse_reference
from basewright.oci.span import Span, tar_places
from basewright.oci.stream import inflate
from basewright.oci.transports.made import MadeSource, Part, part_of
from basewright.oci.transports.tar_file import TarFile
from basewright.oci.transports.transport import Source
from basewright.oci.tree import clean_path


class _Item(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    config: str
    layers: tuple[str, ...] | None = None
    repo_tags: tuple[str, ...] | None = None


class DockerArchiveSource(MadeSource):
    """`Source` over an uncompressed docker-archive. `tag` (`calendar:1`, or what stands behind the colon) chooses one
    of several images. The config stays as it is, and with it the image's id."""

    def __init__(self, path: Path, *, tag: str | None = None, name: str | None = None) -> None:
        super().__init__(name or str(path))
        self._path, self._tag = path, tag
        self._places: dict[str, Span] | None = None

    def repo_tags(self) -> tuple[str, ...]:
        """The names of the chosen image."""
        return self._item().repo_tags or ()

    def _member(self, name: str) -> Span:
        if self._places is None:
            self._places = tar_places(self._path, name=self.name)
        try:
            return self._places[clean_path(name)]
        except (KeyError, HostileInputError):
            raise InputError(f"{self.name} lacks {name[:200]}") from None

    def _item(self) -> _Item:
        try:
            data = self._member("manifest.json").read(MAX_MANIFEST_BYTES)
            items = msgspec.json.decode(data, type=list[_Item])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HostileInputError(f"the manifest.json of {self.name} is damaged: {error}") from None
        tag = self._tag
        found = [each for each in items if tag is None or any(is_called(name, tag) for name in each.repo_tags or ())]
        if len(found) != 1:
            names = sorted(name for item in items for name in item.repo_tags or ())
            raise InputError(
                f"{self.name} holds {len(found)} images where one is needed" if found else self._none(),
                hint="it has: " + (", ".join(names) or f"{len(items)} without a name"),
            )
        return found[0]

    def _none(self) -> str:
        return f"{self.name} has no image" if self._tag is None else f"{self.name} has no image {self._tag}"

    def _find(self) -> tuple[bytes, Sequence[Part]]:
        item = self._item()
        config_bytes = self._member(item.config).read(MAX_CONFIG_BYTES)
        diff_ids = parse_config(config_bytes, name=f"the config of {self.name}").rootfs.diff_ids
        names = item.layers or ()
        if len(diff_ids) != len(names):
            raise HostileInputError(f"{self.name} has {len(names)} layers and {len(diff_ids)} diff ids")
        return config_bytes, [
            part_of(self._member(name), diff_id, name=f"{self.name}:{name}")
            for name, diff_id in zip(names, diff_ids, strict=True)
        ]


def is_called(name: str, tag: str) -> bool:
    """Whether `tag` means an image's `name`: as it stands there, whole, or by what is behind the colon."""
    if tag in (name, name.rpartition(":")[2]):
        return True
    try:
        return parse_reference(name) == parse_reference(tag)
    except InputError:
        return False


class DockerArchiveSink:
    """`Sink` over a docker-archive of one image, which takes the place of one that is there. `names` are those that
    engines will know it by."""

    def __init__(self, path: Path, *, names: Sequence[str], limits: LayerLimits = LayerLimits()) -> None:
        self._names, self._limits = tuple(names), limits
        self._files: dict[str, str] = {}
        """Digest of a blob → its name in the archive."""
        self._diff_ids: dict[str, str] = {}
        self._config = b""
        self._lock = threading.Lock()
        self._file = TarFile(path)

    @property
    def name(self) -> str:
        return str(self._file.path)

    @property
    def keeps_manifests(self) -> bool:
        return False

    def has(self, descriptor: Descriptor, *, source: Source) -> bool:
        return False

    def put_blob(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """One at a time: a layer's uncompressed size is known behind its end."""
        with self._lock:
            if descriptor.media_type in CONFIG_TYPES:
                self._config = b"".join(chunks)
                self._files[descriptor.digest] = f"{descriptor.checked_digest.hex}.json"
                self._file.add(self._files[descriptor.digest], self._config)
            else:
                self._put_layer(descriptor, chunks)

    def _put_layer(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        name = f"the layer {descriptor.checked_digest.short}"
        hasher = hashlib.sha256()

        def tar() -> Iterator[bytes]:
            stream = inflate(chunks, name=name)
            for chunk in self._limits.guard(stream, compressed_bytes=descriptor.size, name=name):
                hasher.update(chunk)
                yield chunk

        size = self._file.append(tar())
        self._files[descriptor.digest] = f"{hasher.hexdigest()}.tar"
        self._diff_ids[descriptor.digest] = f"sha256:{hasher.hexdigest()}"
        self._file.settle(self._files[descriptor.digest], size)

    def put_manifest(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        """One manifest is all that it knows, and that comes with `finish`."""
        raise InputError(f"{self.name} holds one platform's image, and nothing beside it", hint="name one: --platform")

    def finish(self, top: Descriptor, data: bytes) -> None:
        manifest = parse_manifest(data, name=f"the manifest {top.checked_digest.short}")
        if isinstance(manifest, Index):
            raise InputError(f"{self.name} holds one platform's image, and no index", hint="name one with --platform")
        config = parse_config(self._config)
        if config.rootfs.diff_ids != tuple(self._diff_ids[each.digest] for each in manifest.layers):
            raise HostileInputError("the layers of the image do not have the diff ids of its config")
        item = {
            "Config": self._files[manifest.config.digest],
            "RepoTags": self._names,
            "Layers": [self._files[each.digest] for each in manifest.layers],
        }
        self._file.add("manifest.json", msgspec.json.encode([item]))
        self._file.finish()

    def close(self) -> None:
        self._file.close()
