"""Copies one platform's image from wherever it is into a store, every byte checked on the way."""

from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.image import Image, Layer
from basewright.oci.layer_limits import MAX_LAYER_BYTES
from basewright.oci.manifest import ImagePlatform
from basewright.oci.resolution import Resolved, image_layers, resolve
from basewright.oci.transports.transport import Source
from basewright.parallel import map_parallel

PARALLEL_BLOBS = 4


def pull_image(source: Source, store: BlobStore, *, platform: ImagePlatform, resolved: Resolved | None = None) -> Image:
    """Copies config and layers into `store`, checked against their digests and sizes, several at a time and large ones
    first; manifest bytes stay as they are.

    Raises HostileInputError, InputError (a missing blob, another architecture), OutOfReachError.
    """
    found = resolved or resolve(source, platform=platform)
    layers = image_layers(source, found.manifest, found.config)
    wanted = sorted({(layer.descriptor.size, layer.digest): layer for layer in layers}.items(), reverse=True)
    map_parallel(lambda each: _pull_layer(source, store, each[1]), wanted, workers=PARALLEL_BLOBS)
    config = found.manifest.config
    store.write_stream((found.config_bytes,), expected=config.checked_digest, max_bytes=len(found.config_bytes))
    store.write_stream((found.manifest_bytes,), expected=found.manifest_digest, max_bytes=len(found.manifest_bytes))
    return Image(
        manifest_bytes=found.manifest_bytes,
        manifest=found.manifest,
        config=found.config,
        layers=layers,
        store_directory=store.directory,
    )


def _pull_layer(source: Source, store: BlobStore, layer: Layer) -> None:
    announced, digest = layer.descriptor.size, layer.digest
    if announced > MAX_LAYER_BYTES:
        raise HostileInputError(f"the layer {digest.short} of {source.name} is larger than {MAX_LAYER_BYTES:,} bytes")
    try:
        _, size = store.write_stream(source.blob(layer.descriptor), expected=digest, max_bytes=announced)
    except HostileInputError as error:
        raise HostileInputError(f"{source.name}: {error.message}", hint=error.hint) from None
    if size != announced:
        raise HostileInputError(f"the layer {digest.short} of {source.name} has another size than announced")
