"""OCI layout folders as sinks: an image is added, the images of other names stay.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from basewright._disk import Partial, disk_error, partial_file, write_atomically
from basewright.errors import HostileInputError, InputError
from basewright.oci.blob import open_regular
from basewright.oci.digest import Digest
from basewright.oci.manifest import INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX, REF_NAME, Descriptor, Index, parse_manifest
from basewright.oci.reference import Reference
from basewright.oci.resolution import MAX_DEPTH, read_child
from basewright.oci.transports.layout import (
    CONTAINERD_NAME,
    LAYOUT_FILE,
    LayoutSource,
    blob_name,
    described_as,
)
from basewright.oci.transports.transport import Source

_HASH_BYTES = 1 << 20


class FolderSink:
    """`Sink` over an OCI layout folder, which is made where there is none. `tag` is the image's name in it (an image of
    the same name is replaced), `whole_name` what engines call it. One writer at a time: others wait."""

    def __init__(self, path: Path, *, tag: str | None, whole_name: Reference | None) -> None:
        self.path = path
        self._tag, self._whole_name = tag, whole_name
        self._referrers: dict[str, Descriptor] = {}
        self._unfinished: list[Path] = []
        """Blobs that came and are in no index yet."""
        self._partials: set[Partial] = set()
        """Blobs that are coming: after Ctrl-C the threads that write them have no time left to tidy up."""
        check_folder(path)
        self._made = not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise disk_error(path, error) from None
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._before = (
            LayoutSource(path).index() if (path / "oci-layout").exists() else Index(schema_version=2, manifests=())
        )

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def keeps_manifests(self) -> bool:
        return True

    def has(self, descriptor: Descriptor, *, source: Source) -> bool:
        return self._holds(descriptor)

    def _holds(self, descriptor: Descriptor) -> bool:
        """What is there and damaged is not."""
        digest = descriptor.checked_digest
        try:
            with open_regular(self.path / blob_name(digest)) as file:
                if os.fstat(file.fileno()).st_size != descriptor.size:
                    return False
                hasher = hashlib.new(digest.algorithm)
                while chunk := file.read(_HASH_BYTES):
                    hasher.update(chunk)
        except (InputError, OSError):
            return False
        return hasher.hexdigest() == digest.hex

    def put_blob(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        target = self.path / blob_name(descriptor.checked_digest)
        with partial_file(target.parent) as partial:
            self._partials.add(partial)
            for chunk in chunks:
                partial.write(chunk)
            if not target.exists():
                self._unfinished.append(target)
            partial.become(target)
            self._partials.discard(partial)

    def put_manifest(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        self.put_blob(descriptor, (data,))
        if (listed := as_referrer(descriptor, data, tag)) is not None:
            self._referrers[tag or listed.digest] = listed

    def finish(self, top: Descriptor, data: bytes) -> None:
        """Lists the image; what the one that it replaces had for itself goes."""
        if not self._holds(top):
            self.put_manifest(top, data)
        entries, gone = self._entries(top)
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        write_atomically(self.path / "oci-layout", LAYOUT_FILE)
        write_atomically(self.path / "index.json", msgspec.json.encode(document, enc_hook=str))
        self._unfinished.clear()
        self._remove(gone)
        self._made = False

    def _entries(self, top: Descriptor) -> tuple[list[object], list[Descriptor]]:
        """The layout's index from now on, others' entries as they are; and what is no longer in it."""
        listed = self._listed()
        entries: list[object] = []
        gone: list[Descriptor] = []
        new = listed_as(top, self._tag, self._whole_name)
        names = {self._tag, *(each.annotations.get(REF_NAME) for each in self._referrers.values())} - {None}
        for raw, each in zip(listed, self._before.manifests, strict=True):
            name = each.annotations.get(REF_NAME)
            if name in names or (name is None and self._tag is None and each.digest == top.digest):
                gone.append(each)
            elif not (name is None and each.digest in (top.digest, *self._referrers)):
                entries.append(raw)
        entries.append(new)
        entries.extend(each for each in self._referrers.values() if each.digest != top.digest)
        return entries, gone

    def _listed(self) -> Sequence[object]:
        """The entries with every field that others wrote."""
        if not self._before.manifests:
            return ()
        document = json.loads((self.path / "index.json").read_bytes())
        return tuple(document["manifests"])

    def _remove(self, gone: Sequence[Descriptor]) -> None:
        """Blobs that only replaced images had. Where it cannot be told what others need, all stay."""
        if not gone:
            return
        layout = LayoutSource(self.path)
        try:
            needed = set(_reachable(layout, layout.index().manifests))
            had = set(_reachable(layout, gone))
        except InputError:
            return
        for digest in had - needed:
            with suppress(OSError):
                (self.path / blob_name(digest)).unlink()

    def close(self) -> None:
        """What came for nothing goes again, and a folder that was made for it."""
        for partial in tuple(self._partials):
            partial.discard()
        for blob in self._unfinished:
            with suppress(OSError):
                blob.unlink()
        if self._made:
            with suppress(OSError):
                for each in ("blobs/sha256", "blobs/sha512", "blobs", "."):
                    if (self.path / each).is_dir():
                        (self.path / each).rmdir()
        os.close(self._lock)


def check_folder(path: Path) -> None:
    """Whether a layout may be written to the folder `path`. Raises InputError."""
    try:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file", hint="name a folder, or a file that ends in .tar for an OCI archive")
        if path.is_dir() and not (path / "oci-layout").is_file() and _is_somebodys(path):
            raise InputError(f"{path} holds other files", hint="name an empty or a new folder")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _is_somebodys(path: Path) -> bool:
    """Whether a folder holds more than blobs, which a killed process may have left."""
    return any(each.name != "blobs" for each in path.iterdir())


def listed_as(top: Descriptor, tag: str | None, whole_name: Reference | None) -> Descriptor:
    """An image's entry in the index of a layout."""
    names = {REF_NAME: tag} if tag else {}
    names |= {CONTAINERD_NAME: str(whole_name)} if whole_name is not None else {}
    return Descriptor(
        media_type=top.media_type, digest=top.digest, size=top.size, annotations=names, platform=top.platform
    )


def as_referrer(descriptor: Descriptor, data: bytes, tag: str | None) -> Descriptor | None:
    """The entry of a manifest that is about another one, by its subject or its tag; None for any other."""
    value = parse_manifest(data, name=f"the manifest {descriptor.checked_digest.short}")
    if tag is not None:
        return msgspec.structs.replace(descriptor, annotations={REF_NAME: tag})
    if value.subject is None:
        return None
    found = described_as(descriptor, data, value)
    own = {key: text for key, text in found.annotations.items() if key not in (REF_NAME, CONTAINERD_NAME)}
    return msgspec.structs.replace(found, annotations=own)


def _reachable(layout: LayoutSource, listed: Iterable[Descriptor], depth: int = 0) -> Iterator[Digest]:
    """The digests of everything that these lead to. Raises InputError where something is damaged or gone."""
    if depth > MAX_DEPTH:
        raise HostileInputError(f"{layout.name} nests its indexes deeper than {MAX_DEPTH}")
    for each in listed:
        yield each.checked_digest
        if each.media_type not in INDEX_TYPES + MANIFEST_TYPES:
            continue
        _, value = read_child(layout, each)
        if isinstance(value, Index):
            yield from _reachable(layout, value.manifests, depth + 1)
        else:
            yield from (part.checked_digest for part in (value.config, *value.layers))
