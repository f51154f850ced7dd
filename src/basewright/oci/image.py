"""One image whose blobs are in a store."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from basewright.oci.digest import Digest
from basewright.oci.manifest import (
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    History,
    ImageConfig,
    Manifest,
    RootFilesystem,
    RunConfig,
    render_json,
)

if TYPE_CHECKING:
    from basewright.oci.blob import BlobStore


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer in a store: `descriptor` names the compressed blob, `diff_id` the uncompressed tar.
    `uncompressed_bytes` and `files` are 0 where a layer was never read."""

    descriptor: Descriptor
    diff_id: Digest
    created_by: str = ""
    uncompressed_bytes: int = 0
    files: int = 0

    @property
    def digest(self) -> Digest:
        return self.descriptor.checked_digest


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest, its config and its layers, the lowest first."""

    manifest_bytes: bytes
    manifest: Manifest
    config: ImageConfig
    layers: tuple[Layer, ...]
    store_directory: Path

    @property
    def digest(self) -> Digest:
        return Digest.of(self.manifest_bytes)

    @property
    def compressed_bytes(self) -> int:
        """Bytes of the layers as they are pulled."""
        return sum(layer.descriptor.size for layer in self.layers)

    def store(self) -> "BlobStore":
        from basewright.oci.blob import BlobStore

        return BlobStore(self.store_directory)


def assemble_image(
    store: "BlobStore",
    layers: tuple[Layer, ...],
    run_config: RunConfig,
    *,
    architecture: str,
    created: str,
    variant: str = "",
    annotations: dict[str, str] | None = None,
) -> Image:
    """Writes config and manifest of an image of `layers` into `store`. `created` is RFC 3339."""
    config = ImageConfig(
        architecture=architecture,
        os="linux",
        variant=variant,
        created=created,
        config=run_config,
        rootfs=RootFilesystem(type="layers", diff_ids=tuple(layer.diff_id for layer in layers)),
        history=tuple(History(created=created, created_by=layer.created_by or "basewright") for layer in layers),
    )
    config_bytes = render_json(config)
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=Descriptor(media_type=OCI_CONFIG, digest=store.write(config_bytes), size=len(config_bytes)),
        layers=tuple(
            msgspec.structs.replace(layer.descriptor, media_type=OCI_LAYER_GZIP)
            if layer.descriptor.media_type.endswith("tar.gzip")
            else layer.descriptor
            for layer in layers
        ),
        annotations=annotations or {},
    )
    manifest_bytes = render_json(manifest)
    store.write(manifest_bytes)
    return Image(
        manifest_bytes=manifest_bytes,
        manifest=manifest,
        config=config,
        layers=layers,
        store_directory=store.directory,
    )
