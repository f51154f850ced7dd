"""What tags stand for now, asked briefly."""

import time
from collections.abc import Iterator

import pytest
from tests.doubles.image import archive, make_image, member, sha256
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import Fault, Registry
from tests.doubles.world import NoLogins

from basewright.bases.tags import ASK_SECONDS, ask_tags
from basewright.oci.transports.registries import Mirror, Registries, RegistrySettings

IMAGE = make_image(archive(member("a", b"x")))
NOBODY = Registries(keychain=NoLogins())


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.put("team/base", "1", IMAGE)
        yield found


def test_tags_are_asked_side_by_side_and_who_does_not_answer_is_left_out(registry: Registry) -> None:
    here, gone, unreachable = f"{registry.host}/team/base:1", f"{registry.host}/team/base:2", "127.0.0.1:9/team/base:1"
    answers = ask_tags([here, gone, unreachable], NOBODY)
    assert {each: str(answer.digest or "") for each, answer in answers.items()} == {
        here: sha256(IMAGE.manifest_bytes),
        gone: "",
    }
    assert len(registry.requests) == 2


def test_a_slow_registry_is_not_waited_for(registry: Registry) -> None:
    registry.faults.append(Fault(path="/base/", times=9, pause_seconds=8))
    registry.put("team/quick", "1", IMAGE)
    slow, quick = f"{registry.host}/team/base:1", f"{registry.host}/team/quick:1"
    started = time.monotonic()
    assert set(ask_tags([slow, quick], NOBODY)) == {quick}
    assert time.monotonic() - started < ASK_SECONDS + 1


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_refusal_says_nothing_of_a_tag(status: int, registry: Registry) -> None:
    registry.faults.append(Fault(path="/manifests/", times=9, status=status))
    assert ask_tags([f"{registry.host}/team/base:1"], NOBODY) == {}
    assert len(registry.requests) == 1


def test_nothing_is_asked_where_there_is_nothing_to_ask() -> None:
    assert ask_tags([], NOBODY) == {}


def test_a_tag_is_asked_for_without_pulling_it(registry: Registry) -> None:
    ask_tags([f"{registry.host}/team/base:1"], NOBODY)
    assert [method for method, _, _ in registry.requests] == ["HEAD"]


def test_mirrors_are_asked_first(registry: Registry) -> None:
    settings = RegistrySettings(mirrors=(Mirror(location=registry.host),))
    registries = Registries(keychain=NoLogins(), settings={"docker.io": settings, "127.0.0.1:9": settings})
    assert set(ask_tags(["127.0.0.1:9/team/base:1"], registries)) == {"127.0.0.1:9/team/base:1"}
    # A mirror may lack what the registry itself has: only that one's word counts.
    assert ask_tags(["127.0.0.1:9/team/base:2"], registries) == {}
