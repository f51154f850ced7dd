"""An image read from wherever it is: every byte checked, inflated and looked at once, nothing written to disk but the
indexes of its layers."""

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.digest import Digest
from basewright.oci.image import Layer
from basewright.oci.layer import read_layer
from basewright.oci.layer_index import LayerIndex, LayerIndexes, Picks, Unpacked, put_in_place
from basewright.oci.layer_limits import MAX_LAYER_BYTES, LayerLimits
from basewright.oci.manifest import Descriptor, ImageConfig, Manifest
from basewright.oci.resolution import Resolved, image_layers
from basewright.oci.span import checked
from basewright.oci.transports.transport import Source
from basewright.parallel import map_parallel
from basewright.progress import Progress

_REREAD_BYTES = 64 << 20


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


def read_image(
    source: Source,
    resolved: Resolved,
    *,
    picks: Picks,
    hashed: bool = False,
    indexes: LayerIndexes | None = None,
    limits: LayerLimits = LayerLimits(),
    threads: int = 2,
    progress: Progress | None = None,
) -> ImageReading:
    """Reads every layer once, `threads` of them at a time, those first that have most bytes. A layer whose index is
    kept in `indexes`, and whose blob was found to unpack to it, is not read again; with `hashed` files have their
    SHA-256.

    Raises HostileInputError for what lies, is damaged or goes over a limit, InputError for a missing blob,
    OutOfReachError where the source cannot be asked.
    """
    layers = image_layers(source, resolved.manifest, resolved.config)
    reader = _LayerReader(source, picks, hashed, indexes, limits)
    wanted = sorted({(each.descriptor.size, each.digest, each.diff_id): each for each in layers}.values(), key=_size)

    def read(layer: Layer) -> LayerIndex:
        if progress is not None:
            progress(f"reading {source.name} (layer {layer.digest.short}, {layer.descriptor.size / 1e6:.1f} MB)")
        return reader.read(layer)

    found = map_parallel(read, wanted, workers=threads)
    by_layer = {(each.digest, each.diff_id): index for each, index in zip(wanted, found, strict=True)}
    return ImageReading(
        name=source.name,
        top_digest=resolved.top_digest,
        digest=resolved.manifest_digest,
        manifest_bytes=resolved.manifest_bytes,
        manifest=resolved.manifest,
        config_bytes=resolved.config_bytes,
        config=resolved.config,
        layers=tuple(
            LayerReading(descriptor=each.descriptor, diff_id=each.diff_id, index=by_layer[each.digest, each.diff_id])
            for each in layers
        ),
    )


def layer_place(diff_id: Digest) -> str:
    """What entries of a reading name as the archive that they stand in."""
    return f"{diff_id.hex}.tar"


def _size(layer: Layer) -> int:
    return -layer.descriptor.size


class _LayerReader:
    """Reads single layers of one source."""

    def __init__(
        self, source: Source, picks: Picks, hashed: bool, indexes: LayerIndexes | None, limits: LayerLimits
    ) -> None:
        self._source, self._picks, self._hashed = source, picks, hashed
        self._indexes, self._limits = indexes, limits

    def read(self, layer: Layer) -> LayerIndex:
        name = f"the layer {layer.digest.short} of {self._source.name}"
        place = layer_place(layer.diff_id)
        index = self._kept(layer, name, place)
        if index is not None:
            return index
        if layer.descriptor.size > MAX_LAYER_BYTES:
            raise HostileInputError(f"{name} is larger than {MAX_LAYER_BYTES:,} bytes")
        index = self._read(layer, name)
        if index.diff_id != layer.diff_id:
            raise _wrong_diff_id(name)
        if self._indexes is not None:
            self._indexes.save(index, picks=self._picks)
            self._indexes.note(layer.digest, Unpacked(layer.descriptor.size, str(index.diff_id)))
        put_in_place(index.entries, place)
        return index

    def _kept(self, layer: Layer, name: str, place: str) -> LayerIndex | None:
        """The kept index. That one is there for the diff id says nothing yet: a config may name any."""
        unpacked = self._indexes.unpacked(layer.digest) if self._indexes is not None else None
        if self._indexes is None or unpacked is None:
            return None
        if unpacked.size != layer.descriptor.size:
            raise HostileInputError(f"{name} has another size than announced")
        if Digest(unpacked.diff_id).algorithm != layer.diff_id.algorithm:
            return None
        if unpacked.diff_id != layer.diff_id:
            raise _wrong_diff_id(name)
        index = self._indexes.load(layer.diff_id, picks=self._picks, hashed=self._hashed, place=place)
        if index is not None:
            self._limits.check(index.uncompressed_bytes, layer.descriptor.size, name)
            self._limits.check_entries(len(index.entries), name)
        return index

    def _read(self, layer: Layer, name: str) -> LayerIndex:
        try:
            return read_layer(
                checked(self._source.blob(layer.descriptor), layer.descriptor, name=self._source.name),
                name=name,
                compressed_bytes=layer.descriptor.size,
                keep=self._picks.wants,
                hashed=self._hashed,
                place="",
                diff_algorithm=layer.diff_id.algorithm,
                limits=self._limits,
            )
        except HostileInputError:
            if layer.descriptor.size <= _REREAD_BYTES:  # damaged on its way here, or made so? The digest knows
                for _ in checked(self._source.blob(layer.descriptor), layer.descriptor, name=self._source.name):
                    pass
            raise


def _wrong_diff_id(name: str) -> HostileInputError:
    return HostileInputError(f"{name} does not have the diff id that the config names")
