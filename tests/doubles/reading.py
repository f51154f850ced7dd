"""Images as they stand read, from images made by hand: every file with its content and digest."""

import gzip
import hashlib
import io

import msgspec
import zstandard

from basewright.oci.digest import Digest
from basewright.oci.layer_index import LayerIndex
from basewright.oci.manifest import Manifest, parse_config, parse_manifest
from basewright.oci.reading import ImageReading, LayerReading
from basewright.oci.tar import TarReader
from tests.doubles.image import MadeImage


def reading_of(image: MadeImage, name: str = "image") -> ImageReading:
    """The image as a reader hands it over."""
    manifest = parse_manifest(image.manifest_bytes)
    assert isinstance(manifest, Manifest)
    return ImageReading(
        name=name,
        top_digest=Digest.of(image.manifest_bytes),
        digest=Digest.of(image.manifest_bytes),
        manifest_bytes=image.manifest_bytes,
        manifest=manifest,
        config_bytes=image.config_bytes,
        config=parse_config(image.config_bytes),
        layers=tuple(
            LayerReading(descriptor=descriptor, diff_id=index.diff_id, index=index)
            for descriptor, index in zip(manifest.layers, map(index_of, image.layers), strict=True)
        ),
    )


def index_of(layer: bytes) -> LayerIndex:
    """A packed layer's entries."""
    tar = layer
    if layer.startswith(b"\x1f\x8b"):
        tar = gzip.decompress(layer)
    elif layer.startswith(b"\x28\xb5\x2f\xfd"):
        tar = zstandard.ZstdDecompressor().decompressobj().decompress(layer)
    reader = TarReader(io.BytesIO(tar).read, name="layer", spool=Digest.of(tar))
    entries = []
    for member in reader:
        entry = member.entry
        if entry.is_file:
            data = b"".join(reader.content())
            entry = msgspec.structs.replace(entry, data=data, sha256=hashlib.sha256(data).digest())
        entries.append(entry)
    return LayerIndex(diff_id=Digest.of(tar), uncompressed_bytes=len(tar), hashed=True, entries=tuple(entries))
