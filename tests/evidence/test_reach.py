"""What registries say of kept evidence: moved tags are noted once, and what was out of reach is tried again."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from basewright.bases.tags import TagAnswer
from basewright.candidate import Option, plan
from basewright.evidence.reach import ask_bases, is_worth_another_try, with_moved_tags
from basewright.evidence.store import SCHEMA, EvidenceFile
from basewright.facts import Evidence, FailureKind, MovedTag
from basewright.lock import Lock, LockedImage
from basewright.oci.digest import Digest
from basewright.oci.transports.registries import Registries
from basewright.strategy import PublishedBase
from tests.doubles.evidence import EVALUATED_AT, LOCK, MACHINE, OUT_OF_REACH, RUNNER, failed, seven_candidates, strategy
from tests.doubles.image import archive, make_image, member
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import Registry
from tests.doubles.world import NoLogins

SLIM = "python:3.13-slim"
OLD, NEW, NEWER = (f"sha256:{letter * 64}" for letter in "abc")
LOCKED_AT = "2026-11-01T00:00:00Z"
LOCKED = Lock(images={SLIM: LockedImage(index_digest=OLD, platforms={}, seen_at=LOCKED_AT)})
NOW = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(days=1)


def kept(evidence: Evidence) -> EvidenceFile:
    return EvidenceFile(
        schema=SCHEMA,
        key="k",
        version="0",
        evaluated_at=EVALUATED_AT,
        runner=RUNNER,
        machine=MACHINE,
        lock=LOCK,
        seed=1,
        feeds={},
        evidence=evidence,
    )


@pytest.fixture
def options(tmp_path: Path) -> tuple[Option, ...]:
    for name in ("go", "python"):
        (tmp_path / name).mkdir()
    return plan(strategy(tmp_path), only=("python-slim", "debian-minimal"))


FILES = tuple(kept(each) for each in seven_candidates() if each.candidate in ("python-slim", "debian-minimal"))


def moved(
    options: tuple[Option, ...],
    digest: str | None,
    *,
    before: tuple[EvidenceFile, ...] | None = None,
    lock: Lock = LOCKED,
    at: datetime.datetime = NOW,
) -> tuple[EvidenceFile, ...]:
    """The evidence where the registry says `digest` of python:3.13-slim; None: it does not answer."""
    answers = {} if digest is None else {SLIM: TagAnswer(digest=Digest(digest) if digest else None)}
    return with_moved_tags(options, FILES, before, lock, answers, now=at)


def test_a_tag_that_moved_is_noted_with_both_digests(options: tuple[Option, ...]) -> None:
    slim, minimal = moved(options, NEW)
    assert slim.evidence.moved_tag == MovedTag(
        reference=SLIM, locked_digest=OLD, locked_at=LOCKED_AT, digest=NEW, seen_at="2026-11-25T09:00:00Z"
    )
    assert minimal == FILES[1]


def test_a_tag_that_stayed_or_is_not_locked_changes_nothing(options: tuple[Option, ...]) -> None:
    assert moved(options, OLD) == FILES
    assert moved(options, None) == FILES
    assert moved(options, NEW, lock=Lock()) == FILES


def test_what_was_seen_stays_while_nobody_says_otherwise(options: tuple[Option, ...]) -> None:
    before = moved(options, NEW)
    assert moved(options, None, before=before, at=LATER) == before
    assert moved(options, NEW, before=before, at=LATER) == before
    assert moved(options, OLD, before=before, at=LATER) == FILES
    again = moved(options, NEWER, before=before, at=LATER)[0].evidence.moved_tag
    assert again is not None and (again.digest, again.seen_at) == (NEWER, "2026-11-26T09:00:00Z")
    updated = Lock(images={SLIM: LockedImage(index_digest=NEW, platforms={}, seen_at=LOCKED_AT)})
    assert moved(options, None, before=before, lock=updated) == FILES


def test_a_tag_that_is_gone_is_noted_too(options: tuple[Option, ...]) -> None:
    gone = moved(options, "")[0].evidence.moved_tag
    assert gone is not None and (gone.locked_digest, gone.digest) == (OLD, "")


def incomplete(name: str) -> EvidenceFile:
    return kept(failed(name, OUT_OF_REACH, kind=FailureKind.INCOMPLETE))


def test_what_was_out_of_reach_is_tried_again_where_its_registry_answers(options: tuple[Option, ...]) -> None:
    here = {SLIM: TagAnswer(digest=Digest(OLD))}
    whole = kept(next(each for each in seven_candidates() if each.candidate == "debian-minimal"))
    assert not is_worth_another_try(options, (incomplete("python-slim"), whole), {})
    assert is_worth_another_try(options, (incomplete("python-slim"), whole), here)
    assert not is_worth_another_try(options[1:], (whole,), here)
    lacking = (incomplete("python-slim"), incomplete("debian-minimal"))
    assert is_worth_another_try(options, lacking, {})


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.put("team/python", "1", make_image(archive(member("a", b"x"))))
        yield found


def with_base(option: Option, reference: str) -> Option:
    base = PublishedBase(reference=reference)
    return msgspec.structs.replace(option, candidate=msgspec.structs.replace(option.candidate, base=base))


def test_only_what_may_have_changed_is_asked_for(options: tuple[Option, ...], registry: Registry) -> None:
    reference, registries = f"{registry.host}/team/python:1", Registries(keychain=NoLogins())
    entry = LockedImage(index_digest=OLD, platforms={}, seen_at=LOCKED_AT)

    def asked(wanted: str, lock: Lock, files: tuple[EvidenceFile, ...] | None = None) -> set[str]:
        return set(ask_bases([with_base(options[0], wanted)], files, lock, registries))

    assert asked(reference, Lock(images={reference: entry})) == {reference}
    assert asked(reference, Lock()) == set()
    pinned = f"{reference}@{OLD}"
    assert asked(pinned, Lock(images={pinned: entry})) == set()
    assert len(registry.requests) == 1
    assert asked(reference, Lock(), (incomplete("python-slim"),)) == {reference}
