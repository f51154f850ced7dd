"""Published images as bases: pulled once by digest, kept, and judged from what is published where nobody answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.elf_file import make_elf
from tests.doubles.image import MadeImage, archive, make_image, member, render_index, sha256
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import Fault, Registry
from tests.doubles.world import make_world

from basewright.bases.base import BaseImage, UnreachableBase
from basewright.bases.published import PublishedAnswer, provide_published
from basewright.errors import HostileInputError, InputError
from basewright.lock import LockedImage
from basewright.oci.blob import BlobStore
from basewright.strategy import Platform, PublishedBase

FIRST = make_image(archive(member("etc/os-release", b"ID=debian\nVERSION_ID=13\n")))
SECOND = make_image(archive(member("etc/os-release", b"ID=debian\nVERSION_ID=14\n")))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.put("team/base", "1", FIRST)
        yield found


def provide(
    reference: str, folder: Path, locked: LockedImage | None = None, *, said: list[str] | None = None
) -> PublishedAnswer:
    return provide_published(
        PublishedBase(reference=reference),
        Platform.LINUX_AMD64,
        locked=locked,
        world=make_world(folder, said=said),
        store=BlobStore(folder / "store"),
        spool_directory=folder / "layers",
    )


def test_a_tag_is_locked_to_what_it_stands_for(registry: Registry, tmp_path: Path) -> None:
    answer = provide(f"{registry.host}/team/base:1", tmp_path)
    assert isinstance(answer.base, BaseImage)
    assert answer.base.runtime.distribution_version == "13"
    digest = sha256(FIRST.manifest_bytes)
    assert answer.locked == LockedImage(
        index_digest=digest, platforms={"linux/amd64": digest}, seen_at="2026-11-24T00:00:00Z"
    )


def test_an_index_is_locked_with_the_platform_that_was_taken(registry: Registry, tmp_path: Path) -> None:
    other = make_image(archive(member("a", b"x")), architecture="arm64")
    registry.put("team/base", "arm", other)
    index = render_index((FIRST.descriptor(), other.descriptor()))
    registry.put_manifest("team/base", "both", index, media_type="application/vnd.oci.image.index.v1+json")
    answer = provide(f"{registry.host}/team/base:both", tmp_path)
    assert answer.locked is not None
    assert answer.locked.index_digest == sha256(index)
    assert answer.locked.platforms == {"linux/amd64": sha256(FIRST.manifest_bytes)}


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


def test_what_is_large_is_announced_before_it_moves(registry: Registry, tmp_path: Path) -> None:
    noise = bytes((n * n) % 251 for n in range(1 << 20)) * 2
    registry.put("team/base", "large", make_image(archive(member("noise", noise)), packing="tar"))
    said: list[str] = []
    reference = f"{registry.host}/team/base:large"
    locked = provide(reference, tmp_path, said=said).locked
    assert len(said) == 1 and said[0].startswith(f"to download: {reference} (2 of 2 MB)")
    provide(reference, tmp_path, locked, said=said)
    assert len(said) == 1


def test_an_image_that_its_registry_does_not_have_is_the_users_to_mend(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        provide(f"{registry.host}/team/base:2", tmp_path)


def test_a_locked_image_that_is_gone_is_replaced_by_an_update_of_the_lock(registry: Registry, tmp_path: Path) -> None:
    gone = LockedImage(index_digest=sha256(b"gone"), platforms={}, seen_at="2026-11-24T00:00:00Z")
    with pytest.raises(InputError, match="does not exist") as caught:
        provide(f"{registry.host}/team/base:1", tmp_path, gone)
    assert "--update-lock" in caught.value.hint


def test_another_platform_only_is_refused_and_named(registry: Registry, tmp_path: Path) -> None:
    registry.put("team/base", "arm", make_image(archive(member("a", b"x")), architecture="arm64"))
    with pytest.raises(InputError, match="linux/arm64, not linux/amd64") as caught:
        provide(f"{registry.host}/team/base:arm", tmp_path)
    assert "linux/arm64" in caught.value.hint


def test_programs_of_another_machine_are_refused_whatever_the_config_says(registry: Registry, tmp_path: Path) -> None:
    program = make_elf(machine="aarch64", executable=True)
    image = make_image(archive(member("bin/sh", program, mode=0o755), member("bin/ls", program, mode=0o755)))
    registry.put("team/base", "lies", image)
    with pytest.raises(InputError, match="holds programs for aarch64, not for linux/amd64: /bin/ls, /bin/sh"):
        provide(f"{registry.host}/team/base:lies", tmp_path)


def test_a_registry_out_of_reach_is_an_answer(tmp_path: Path) -> None:
    answer = provide("127.0.0.1:9/team/base:1", tmp_path)
    assert isinstance(answer.base, UnreachableBase)
    assert "could not be asked" in answer.base.reason and "nothing is published of it" in answer.base.reason
    assert (answer.base.size, answer.locked) == (None, None)


def layer_path(image: MadeImage) -> str:
    return f"/blobs/{sha256(image.layers[0])}"


def test_a_missing_blob_is_the_users_to_mend_where_the_registry_answered(registry: Registry, tmp_path: Path) -> None:
    del registry.blobs[sha256(FIRST.layers[0])]
    with pytest.raises(InputError, match="does not exist"):
        provide(f"{registry.host}/team/base:1", tmp_path)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(path="/manifests/", times=100, status=403), "403"),
        (Fault(path="/manifests/", times=100, status=429, headers={"Retry-After": "0"}), "429"),
        (Fault(path="/manifests/", times=100, status=503), "503"),
        (Fault(path="/blobs/", times=100, status=500), "500"),
        (Fault(path=layer_path(FIRST), times=100, cut_after=10), "broke off"),
    ],
)
def test_a_registry_that_refuses_or_fails_is_out_of_reach(
    fault: Fault, said: str, registry: Registry, tmp_path: Path
) -> None:
    registry.faults.append(fault)
    answer = provide(f"{registry.host}/team/base:1", tmp_path)
    assert isinstance(answer.base, UnreachableBase) and answer.locked is None
    assert said in answer.base.reason, answer.base.reason
    assert not list(tmp_path.rglob("*partial*"))
    registry.faults.clear()
    assert isinstance(provide(f"{registry.host}/team/base:1", tmp_path).base, BaseImage)


@pytest.mark.parametrize("path", ["/manifests/", layer_path(FIRST), f"/blobs/{sha256(FIRST.config_bytes)}"])
def test_other_bytes_than_the_digests_are_refused(path: str, registry: Registry, tmp_path: Path) -> None:
    locked = provide(f"{registry.host}/team/base:1", tmp_path / "one").locked
    registry.faults.append(Fault(path=path, times=100, wrong=True))
    with pytest.raises(HostileInputError, match="digest"):
        provide(f"{registry.host}/team/base:1", tmp_path / "two", locked)
    assert not list((tmp_path / "two").rglob("*partial*"))


def test_a_login_that_is_wanted_is_hinted_at(registry: Registry, tmp_path: Path) -> None:
    registry.login = "basic"
    answer = provide(f"{registry.host}/team/base:1", tmp_path)
    assert isinstance(answer.base, UnreachableBase) and "login" in answer.base.hint
