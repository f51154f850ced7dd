"""What registries say now of kept evidence: whether a tag has moved, and whether what was out of reach may be had.

One question a tag, all side by side, for a moment only: an unchanged run stays quick without any network.
"""

import datetime
from collections.abc import Mapping, Sequence

import msgspec

from basewright.bases.tags import TagAnswer, ask_tags
from basewright.candidate import Option
from basewright.evidence.store import EvidenceFile
from basewright.facts import FailureKind, MovedTag
from basewright.lock import Lock, LockedImage
from basewright.oci.reference import parse_reference
from basewright.oci.transports.registries import Registries
from basewright.strategy import PublishedBase


def ask_bases(
    options: Sequence[Option], files: Sequence[EvidenceFile] | None, lock: Lock, registries: Registries
) -> dict[str, TagAnswer]:
    """What locked tags, and bases that `files` could not have, stand for now; without those that nobody answered."""
    tags = {each for each in map(_reference, options) if each in lock.images and _can_move(each)}
    lacking = {_reference(option) for option in _incomplete(options, files or ())}
    return ask_tags(sorted(each for each in tags | lacking if each is not None), registries)


def is_worth_another_try(
    options: Sequence[Option], files: Sequence[EvidenceFile], answers: Mapping[str, TagAnswer]
) -> bool:
    """False where nothing is incomplete, or only for want of registries that still do not answer, beside candidates
    that are whole."""
    references = [_reference(option) for option in _incomplete(options, files)]
    if None in references or (references and all(file.evidence.failure for file in files)):
        return True
    return any(reference in answers for reference in references)


def with_moved_tags(
    options: Sequence[Option],
    files: Sequence[EvidenceFile],
    before: Sequence[EvidenceFile] | None,
    lock: Lock,
    answers: Mapping[str, TagAnswer],
    *,
    now: datetime.datetime,
) -> tuple[EvidenceFile, ...]:
    """The evidence, with what is known now of tags that have moved since `lock`; `before` is what was known the last
    time. All are in the order of `options`."""
    told = []
    for option, file, older in zip(options, files, before or files, strict=True):
        reference = _reference(option)
        locked = lock.images.get(reference) if reference is not None else None
        moved = None
        if reference is not None and locked is not None:
            moved = _moved(reference, locked, answers.get(reference), older.evidence.moved_tag, now)
        evidence = msgspec.structs.replace(file.evidence, moved_tag=moved)
        told.append(msgspec.structs.replace(file, evidence=evidence))
    return tuple(told)


def _moved(
    reference: str, locked: LockedImage, answer: TagAnswer | None, known: MovedTag | None, now: datetime.datetime
) -> MovedTag | None:
    """What is known already stays as it is where nobody answers, or the answer is the same."""
    if known is not None and known.locked_digest != locked.index_digest:
        known = None
    if answer is None:
        return known
    digest = str(answer.digest or "")
    if digest == locked.index_digest or (known is not None and known.digest == digest):
        return None if digest == locked.index_digest else known
    return MovedTag(
        reference=reference,
        locked_digest=locked.index_digest,
        locked_at=locked.seen_at,
        digest=digest,
        seen_at=now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _incomplete(options: Sequence[Option], files: Sequence[EvidenceFile]) -> list[Option]:
    failures = [file.evidence.failure for file in files]
    pairs = zip(options, failures, strict=True) if files else ()
    return [option for option, failure in pairs if failure is not None and failure.kind is FailureKind.INCOMPLETE]


def _reference(option: Option) -> str | None:
    base = option.candidate.base
    return base.reference if isinstance(base, PublishedBase) else None


def _can_move(reference: str | None) -> bool:
    return reference is not None and parse_reference(reference).digest is None
