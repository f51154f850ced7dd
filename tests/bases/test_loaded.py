"""Images read as bases: each layer once, whoever asks, and never past what the user settled."""

import os
from pathlib import Path

import msgspec
import pytest
from tests.doubles.image import MadeImage, archive, make_image, member
from tests.doubles.world import make_world

from basewright.bases.base import BaseImage
from basewright.bases.loaded import load_base
from basewright.errors import HostileInputError
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.oci.image import Image, Layer
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.manifest import Manifest, parse_config, parse_manifest
from basewright.runner.root import read_spooled
from basewright.settings import Settings
from basewright.strategy import Platform
from basewright.world import World

LOWER = archive(member("etc/os-release", b"ID=debian\nVERSION_ID=13\n"), member("usr/a", b"a" * 1000))
UPPER = archive(member("usr/b", b"b" * 2000))


def stored(made: MadeImage, store: BlobStore) -> Image:
    for data in made.blobs.values():
        store.write(data)
    manifest, config = parse_manifest(made.manifest_bytes), parse_config(made.config_bytes)
    assert isinstance(manifest, Manifest)
    layers = tuple(
        Layer(descriptor=each, diff_id=Digest(diff_id))
        for each, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True)
    )
    return Image(
        manifest_bytes=made.manifest_bytes,
        manifest=manifest,
        config=config,
        layers=layers,
        store_directory=store.directory,
    )


def load(made: MadeImage, folder: Path, world: World | None = None) -> BaseImage:
    return load_base(
        stored(made, BlobStore(folder / "store")),
        name="base",
        platform=Platform.LINUX_AMD64,
        world=world or make_world(folder),
        spool_directory=folder / "layers",
        digest=None,
        cadence_of=None,
    )


def content(base: BaseImage, path: str, folder: Path) -> bytes:
    entry = base.tree.find(path)
    assert entry is not None
    return read_spooled(folder / "layers")(entry)


def test_a_layer_that_was_read_is_not_read_again(tmp_path: Path) -> None:
    first = load(make_image(LOWER, UPPER), tmp_path)
    spooled = {path: path.stat().st_ino for path in (tmp_path / "layers").iterdir() if path.suffix == ".tar"}
    assert len(spooled) == 2
    again = load(make_image(LOWER, UPPER), tmp_path)
    assert {path: path.stat().st_ino for path in spooled} == spooled
    assert list(again.tree) == list(first.tree) and again.runtime == first.runtime
    assert content(again, "usr/a", tmp_path) == b"a" * 1000 and content(again, "usr/b", tmp_path) == b"b" * 2000


@pytest.mark.parametrize("gone", ["layers", "indexes"])
def test_what_is_gone_from_the_cache_is_made_again(gone: str, tmp_path: Path) -> None:
    first = load(make_image(LOWER), tmp_path)
    files = [path for path in (tmp_path / gone).rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.unlink()
    assert list(load(make_image(LOWER), tmp_path).tree) == list(first.tree)
    assert content(first, "usr/a", tmp_path) == b"a" * 1000


def test_what_was_cut_short_in_the_cache_is_made_again(tmp_path: Path) -> None:
    load(make_image(LOWER), tmp_path)
    (spool,) = (tmp_path / "layers").glob("*.tar")
    os.truncate(spool, 700)
    assert content(load(make_image(LOWER), tmp_path), "usr/a", tmp_path) == b"a" * 1000


def test_the_same_layer_twice_is_one(tmp_path: Path) -> None:
    base = load(make_image(LOWER, LOWER), tmp_path)
    assert base.wasted_bytes and len(base.layers) == 2


def test_another_config_cannot_give_a_layer_another_content(tmp_path: Path) -> None:
    """Both layers are known here; only the second image's config says that the one is the other."""
    load(make_image(LOWER, UPPER), tmp_path)
    liar = make_image(UPPER)
    liar.config["rootfs"] = make_image(LOWER).config["rootfs"]
    with pytest.raises(HostileInputError, match="diff id"):
        load(liar.seal(), tmp_path)


def test_limits_hold_for_what_was_read_before_them(tmp_path: Path) -> None:
    load(make_image(LOWER), tmp_path)
    world = make_world(tmp_path)
    limits = LayerLimits(entries=1)
    settings = Settings(registries=world.settings.registries, limits=limits)
    with pytest.raises(HostileInputError, match="entries"):
        load(make_image(LOWER), tmp_path, msgspec.structs.replace(world, settings=settings))
