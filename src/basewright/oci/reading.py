"""An image read from wherever it is: every byte checked, inflated and looked at once, nothing written to disk."""

import msgspec

from basewright.oci.digest import Digest
from basewright.oci.layer_index import LayerIndex
from basewright.oci.manifest import Descriptor, ImageConfig, Manifest


class LayerReading(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as it is stored and what it holds."""

    descriptor: Descriptor
    diff_id: Digest
    index: LayerIndex


class ImageReading(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. `top_digest` is its index's, or its own. Layers stand the lowest first."""

    name: str
    top_digest: Digest
    digest: Digest
    manifest_bytes: bytes
    manifest: Manifest
    config_bytes: bytes
    config: ImageConfig
    layers: tuple[LayerReading, ...]
