"""Published images as bases: pulled once by digest, kept, and judged from what is published where nobody answers."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.image import archive, make_image, member, sha256
from tests.doubles.registry import Registry, running_registry

from basewright._http import PooledHttp
from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.published import PublishedAnswer, provide_published
from basewright.errors import InputError
from basewright.lock import LockedImage
from basewright.oci.blob import BlobStore
from basewright.strategy import Platform, PublishedBase

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
FIRST = make_image(archive(member("etc/os-release", b"ID=debian\nVERSION_ID=13\n")))
SECOND = make_image(archive(member("etc/os-release", b"ID=debian\nVERSION_ID=14\n")))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.put("team/base", "1", FIRST)
        yield found


def provide(reference: str, folder: Path, locked: LockedImage | None = None) -> PublishedAnswer:
    return provide_published(
        PublishedBase(reference=reference),
        Platform.LINUX_AMD64,
        locked=locked,
        http=PooledHttp(connect_seconds=1, retries=0),
        store=BlobStore(folder / "store"),
        spool_directory=folder / "layers",
        now=NOW,
        progress=lambda text: None,
        notice=lambda text: None,
    )


def test_a_tag_is_locked_to_what_it_stands_for(registry: Registry, tmp_path: Path) -> None:
    answer = provide(f"{registry.host}/team/base:1", tmp_path)
    assert isinstance(answer.base, BaseImage)
    assert answer.base.runtime.distribution_version == "13"
    digest = sha256(FIRST.manifest_bytes)
    assert answer.locked == LockedImage(
        index_digest=digest, platforms={"linux/amd64": digest}, seen_at="2026-11-24T00:00:00Z"
    )


def test_a_moved_tag_moves_no_locked_base(registry: Registry, tmp_path: Path) -> None:
    reference = f"{registry.host}/team/base:1"
    locked = provide(reference, tmp_path / "one").locked
    registry.put("team/base", "1", SECOND)
    again = provide(reference, tmp_path / "two", locked)
    assert isinstance(again.base, BaseImage)
    assert (again.base.runtime.distribution_version, again.locked) == ("13", locked)


def test_a_locked_base_that_is_here_asks_nobody(registry: Registry, tmp_path: Path) -> None:
    reference = f"{registry.host}/team/base:1"
    first = provide(reference, tmp_path)
    asked = len(registry.requests)
    again = provide(reference, tmp_path, first.locked)
    assert len(registry.requests) == asked
    assert isinstance(first.base, BaseImage) and isinstance(again.base, BaseImage)
    assert (again.base.layers, again.base.digest, again.locked) == (first.base.layers, first.base.digest, first.locked)


def test_what_is_damaged_here_is_pulled_again(registry: Registry, tmp_path: Path) -> None:
    reference = f"{registry.host}/team/base:1"
    locked = provide(reference, tmp_path).locked
    assert locked is not None
    manifest = tmp_path / "store/blobs/sha256" / locked.platforms["linux/amd64"].partition(":")[2]
    manifest.unlink()
    assert isinstance(provide(reference, tmp_path, locked).base, BaseImage)
    assert manifest.is_file()


def test_an_image_that_its_registry_does_not_have_is_the_users_to_mend(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        provide(f"{registry.host}/team/base:2", tmp_path)


def test_a_registry_out_of_reach_is_an_answer(tmp_path: Path) -> None:
    answer = provide("127.0.0.1:9/team/base:1", tmp_path)
    assert isinstance(answer.base, UnreachableBase)
    assert "could not be asked" in answer.base.reason and "nothing is published of it" in answer.base.reason
    assert (answer.base.size, answer.locked) == (None, None)
