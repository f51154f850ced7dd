"""Two root filesystems name by name: what came, what went, and what of a name changed. Pure."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from basewright.oci.tree import Entry, FileType


class Aspect(StrEnum):
    """What of a name changed."""

    TYPE = "type"
    CONTENT = "content"
    LINK = "link"
    MODE = "mode"
    OWNER = "owner"
    CAPABILITIES = "capabilities"
    TIME = "time"


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """One name. Without `before` it was added, without `after` removed; else `aspects` says what changed, the time
    beside other things only."""

    path: str
    before: Entry | None = None
    after: Entry | None = None
    aspects: tuple[Aspect, ...] = ()

    @property
    def bytes(self) -> int:
        """Of the larger side's content."""
        return max((each.size for each in (self.before, self.after) if each is not None and each.is_file), default=0)


class TreeDifference(msgspec.Struct, frozen=True, kw_only=True):
    """By path, each sorted. `touched`: nothing but the time differs."""

    added: tuple[FileChange, ...] = ()
    removed: tuple[FileChange, ...] = ()
    changed: tuple[FileChange, ...] = ()
    touched: tuple[FileChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the same is there; times aside."""
        return not (self.added or self.removed or self.changed)


def compare_trees(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> TreeDifference:
    """Compares entries by path; every file carries its SHA-256 (else ValueError)."""
    changed, touched = list[FileChange](), list[FileChange]()
    for path in sorted(before.keys() & after.keys()):
        one, two = before[path], after[path]
        aspects = () if one is two else compare_entries(one, two)
        if aspects:
            change = FileChange(path=path, before=one, after=two, aspects=aspects)
            (touched if aspects == (Aspect.TIME,) else changed).append(change)
    return TreeDifference(
        added=tuple(FileChange(path=path, after=after[path]) for path in sorted(after.keys() - before.keys())),
        removed=tuple(FileChange(path=path, before=before[path]) for path in sorted(before.keys() - after.keys())),
        changed=tuple(changed),
        touched=tuple(touched),
    )


def compare_entries(one: Entry, two: Entry) -> tuple[Aspect, ...]:
    """What differs between two entries of one path. A symbolic link's mode counts for nothing: Linux has none."""
    if one.type is not two.type:
        return (Aspect.TYPE, *_common(one, two))
    aspects = []
    if one.is_file and (one.size != two.size or (one.size and _sha256(one) != _sha256(two))):
        aspects.append(Aspect.CONTENT)
    if one.link != two.link:
        aspects.append(Aspect.LINK)
    return (*aspects, *_common(one, two))


def _common(one: Entry, two: Entry) -> tuple[Aspect, ...]:
    aspects = []
    if one.mode != two.mode and FileType.SYMLINK not in (one.type, two.type):
        aspects.append(Aspect.MODE)
    if (one.uid, one.gid) != (two.uid, two.gid):
        aspects.append(Aspect.OWNER)
    if one.capabilities != two.capabilities:
        aspects.append(Aspect.CAPABILITIES)
    if one.mtime != two.mtime:
        aspects.append(Aspect.TIME)
    return tuple(aspects)


def _sha256(entry: Entry) -> bytes:
    if not entry.sha256:
        raise ValueError(f"{entry.path} was read without its digest")
    return entry.sha256
