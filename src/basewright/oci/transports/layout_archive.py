"""OCI archives as sinks: a layout in one tar file, which `docker load` takes as well."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from basewright.oci.digest import Digest
from basewright.oci.manifest import OCI_INDEX, Descriptor, Index, Manifest, parse_manifest, render_json
from basewright.oci.reference import Reference
from basewright.oci.transports.layout import LAYOUT_FILE, blob_name
from basewright.oci.transports.layout_folder import as_referrer, listed_as
from basewright.oci.transports.tar_file import TarFile
from basewright.oci.transports.transport import Source


class ArchiveSink:
    """`Sink` over an OCI archive, which takes the place of one that is there. Blobs come in any order and at once;
    where `place` named them before, they stand in that order."""

    def __init__(self, path: Path, *, tag: str | None, whole_name: Reference | None) -> None:
        self._tag, self._whole_name = tag, whole_name
        self._places: dict[Digest, int] = {}
        self._manifests: dict[str, Manifest | Index] = {}
        self._referrers: dict[str, Descriptor] = {}
        self._folders: set[str] = set()
        self._file = TarFile(path)
        self._file.add("oci-layout", LAYOUT_FILE)  # the first name tells what the file is
        for folder in ("blobs", "blobs/sha256"):
            self._folder(folder)

    @property
    def name(self) -> str:
        return str(self._file.path)

    @property
    def keeps_manifests(self) -> bool:
        return True

    def place(self, descriptors: Sequence[Descriptor]) -> None:
        """Gives blobs their places in this order, so that the same image is the same file each time."""
        for each in descriptors:
            digest = each.checked_digest
            if digest not in self._places:
                self._folder(f"blobs/{digest.algorithm}")
                self._places[digest] = self._file.reserve(blob_name(digest), each.size)

    def _folder(self, path: str) -> None:
        if path not in self._folders:
            self._folders.add(path)
            self._file.folder(path)

    def has(self, descriptor: Descriptor, *, source: Source) -> bool:
        return False

    def put_blob(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        if descriptor.checked_digest not in self._places:
            self.place((descriptor,))
        self._file.fill(self._places[descriptor.checked_digest], chunks)

    def put_manifest(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        self.put_blob(descriptor, (data,))
        self._manifests[descriptor.digest] = parse_manifest(data)
        if (listed := as_referrer(descriptor, data, tag)) is not None:
            self._referrers[tag or listed.digest] = listed

    def finish(self, top: Descriptor, data: bytes) -> None:
        self.put_manifest(top, data)
        about = tuple(each for each in self._referrers.values() if each.digest != top.digest)
        listed = (listed_as(top, self._tag, self._whole_name), *about)
        self._file.add("index.json", render_json(Index(schema_version=2, media_type=OCI_INDEX, manifests=listed)))
        image = self._manifests.get(top.digest)
        if isinstance(image, Manifest):
            self._file.add("manifest.json", self._docker_manifest(image))
        self._file.finish()

    def _docker_manifest(self, image: Manifest) -> bytes:
        """What `docker load` reads, which knows no layout before docker 25: https://github.com/moby/docker-image-spec"""
        item = {
            "Config": blob_name(image.config.checked_digest),
            "RepoTags": [self._whole_name.familiar] if self._whole_name is not None else [],
            "Layers": [blob_name(each.checked_digest) for each in image.layers],
        }
        return msgspec.json.encode([item])

    def close(self) -> None:
        self._file.close()
