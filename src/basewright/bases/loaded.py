"""A base from an image whose blobs are in the store: its layers read once, its files looked at."""

from pathlib import Path

from basewright._cache import use
from basewright.bases.base import BaseImage
from basewright.bases.look import installed_packages, os_release, runtime_of
from basewright.ecosystems.machine import foreign_programs
from basewright.ecosystems.picks import PICKS
from basewright.errors import HostileInputError, InputError
from basewright.facts import CadenceFacts, NotMeasured
from basewright.feeds.cadence import image_cadence
from basewright.oci.blob import BlobStore
from basewright.oci.filesystem import flatten
from basewright.oci.image import Image, Layer
from basewright.oci.layer import read_layer
from basewright.oci.layer_index import LayerIndex, LayerIndexes, Unpacked
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Tree
from basewright.parallel import map_parallel
from basewright.strategy import Platform
from basewright.world import World

_READERS = 2
_MAX_NAMED = 3
_ROOT_USERS = {"", "0", "root", "0:0", "root:root", "0:root", "root:0"}


def load_base(
    image: Image,
    *,
    name: str,
    platform: Platform,
    world: World,
    spool_directory: Path,
    digest: str | None,
    cadence_of: str | None,
) -> BaseImage:
    """Reads every layer of `image` (checked against its diff id) and keeps the uncompressed ones in `spool_directory`,
    so that the image can be run; those that are there already are not read again. `cadence_of` is the reference whose
    rebuilds count, None: what os-release names. Raises HostileInputError, and InputError where its programs are for
    another machine than `platform`'s."""
    reader = _Reader(name, image.store(), LayerIndexes(world.cache / "indexes"), spool_directory, world.settings.limits)
    layers = {(layer.digest, layer.diff_id): layer for layer in image.layers}
    found = dict(zip(layers, map_parallel(reader.read, list(layers.values()), workers=_READERS), strict=True))
    flattened = flatten([found[layer.digest, layer.diff_id].entries for layer in image.layers])
    _refuse_foreign(flattened.tree, name, platform)
    run = image.config.config
    env = run.env or ()
    return BaseImage(
        name=name,
        layers=image.layers,
        tree=flattened.tree,
        runtime=runtime_of(flattened.tree, env),
        run_config=RunConfig(env=env, user="" if run.user in _ROOT_USERS else run.user, stop_signal=run.stop_signal),
        digest=digest,
        packages=tuple(sorted(installed_packages(flattened.tree))),
        cadence=_cadence(cadence_of, flattened.tree, name),
        wasted_bytes=flattened.wasted_bytes,
    )


class _Reader:
    """Reads single layers of one image."""

    def __init__(self, name: str, store: BlobStore, indexes: LayerIndexes, spool: Path, limits: LayerLimits) -> None:
        self._name, self._store, self._indexes, self._spool, self._limits = name, store, indexes, spool, limits

    def read(self, layer: Layer) -> LayerIndex:
        name = f"the layer {layer.digest.short} of {self._name}"
        spool = self._spool / f"{layer.diff_id.hex}.tar"
        index = self._kept(layer, spool, name)
        if index is not None:
            return index
        with self._store.open(layer.digest) as file:
            index = read_layer(
                file,
                name=name,
                compressed_bytes=layer.descriptor.size,
                keep=PICKS.wants,
                spool=spool,
                diff_algorithm=layer.diff_id.algorithm,
                limits=self._limits,
            )
        if index.diff_id != layer.diff_id:
            raise HostileInputError(f"{name} does not have the diff id that the config names")
        self._indexes.save(index, picks=PICKS)
        self._indexes.note(layer.digest, Unpacked(layer.descriptor.size, str(index.diff_id)))
        return index

    def _kept(self, layer: Layer, spool: Path, name: str) -> LayerIndex | None:
        """What was read of this blob before, where the uncompressed archive is still here."""
        known = self._indexes.unpacked(layer.digest)
        if known != Unpacked(layer.descriptor.size, str(layer.diff_id)) or not use(spool):
            return None
        index = self._indexes.load(layer.diff_id, picks=PICKS, hashed=False, place=spool.name)
        if index is None or spool.stat().st_size != index.uncompressed_bytes:
            return None
        self._limits.check(index.uncompressed_bytes, layer.descriptor.size, name)
        self._limits.check_entries(len(index.entries), name)
        return index


def _refuse_foreign(tree: Tree, name: str, platform: Platform) -> None:
    """What states one architecture and holds another's programs can be built on, and does not run."""
    found = list(foreign_programs(tree, platform.architecture))
    if not found:
        return
    machines = ", ".join(sorted({each.machine for each in found}))
    named = ", ".join(f"/{each.path}" for each in found[:_MAX_NAMED])
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    raise InputError(
        f"{name} holds programs for {machines}, not for {platform}: {named}{more}",
        hint="name an image of that platform; --platform and [target] platforms say which is wanted",
    )


def _cadence(reference: str | None, tree: Tree, name: str) -> CadenceFacts | NotMeasured:
    """The rebuilds of the official image that it is, else of the one that its os-release says it comes from: an image
    of a private registry, or an archive, is no fresher than that."""
    names = [*([reference] if reference else []), *_official_names(tree)]
    for each in names:
        facts = image_cadence(each)
        if facts is not None:
            return facts
    return NotMeasured(reason=f"no history of rebuilds is known for {reference or name}")


def _official_names(tree: Tree) -> list[str]:
    release = os_release(tree)
    distribution, version = release.get("ID", ""), release.get("VERSION_ID", "")
    minor = ".".join(version.split(".")[:2])
    codename = release.get("VERSION_CODENAME", "")
    return [f"{distribution}:{each}" for each in (codename, minor, version) if distribution and each]
