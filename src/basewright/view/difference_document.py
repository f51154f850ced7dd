"""The JSON document of a comparison, schema `basewright.diff/1` (docs/diff-json.md). Pure."""

import msgspec

from basewright.evidence.difference import Difference, LayerPair, Side
from basewright.evidence.tree_difference import FileChange
from basewright.oci.reading import LayerReading
from basewright.oci.tree import Entry
from basewright.printable import printable

SCHEMA = "basewright.diff/1"

_Struct = msgspec.Struct


class ReasonDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which the two differ."""

    why: str
    content: bool
    count: int
    examples: list[str]


class SideDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two images."""

    source: str
    platform: str
    digest: str
    top_digest: str
    layers: int
    files: int
    compressed_bytes: int
    uncompressed_bytes: int
    file_bytes: int


class EntryDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under a path."""

    type: str
    mode: str
    uid: int
    gid: int
    size: int
    sha256: str
    link: str
    capabilities: str
    mtime: int


class FileDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name that differs; `what` says in what."""

    path: str
    what: list[str]
    before: EntryDocument | None
    after: EntryDocument | None


class TouchedDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name of which nothing but the time differs."""

    path: str
    mtime_before: int
    mtime_after: int


class FilesDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All names that differ."""

    added: list[FileDocument]
    removed: list[FileDocument]
    changed: list[FileDocument]
    touched: list[TouchedDocument]


class PackageDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package whose versions differ."""

    kind: str
    name: str
    before: str | None
    after: str | None


class FieldDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field of the config that differs."""

    field: str
    before: str | None
    after: str | None
    matters: bool


class LayerDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer as it is stored."""

    digest: str
    diff_id: str
    media_type: str
    compressed_bytes: int
    uncompressed_bytes: int


class LayerPairDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Layers at the same place of both stacks."""

    before: LayerDocument | None
    after: LayerDocument | None


class DifferenceDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document."""

    schema: str
    verdict: str
    reasons: list[ReasonDocument]
    before: SideDocument
    after: SideDocument
    files: FilesDocument
    packages: list[PackageDocument]
    config: list[FieldDocument]
    layers: list[LayerPairDocument]


def render_difference_json(difference: Difference) -> str:
    """The document as JSON, the same bytes for the same two images."""
    data = msgspec.json.encode(difference_document(difference))
    return (msgspec.json.format(data, indent=2) + b"\n").decode()


def difference_document(difference: Difference) -> DifferenceDocument:
    """The document as a record."""
    files = difference.files
    return DifferenceDocument(
        schema=SCHEMA,
        verdict=difference.verdict,
        reasons=[
            ReasonDocument(
                why=each.why, content=each.why.is_content, count=each.count, examples=[*map(printable, each.examples)]
            )
            for each in difference.reasons
        ],
        before=_side(difference.before),
        after=_side(difference.after),
        files=FilesDocument(
            added=[_file(each) for each in files.added],
            removed=[_file(each) for each in files.removed],
            changed=[_file(each) for each in files.changed],
            touched=[_touched(each) for each in files.touched],
        ),
        packages=[
            PackageDocument(
                kind=each.kind, name=printable(each.name), before=_text(each.before), after=_text(each.after)
            )
            for each in difference.packages
        ],
        config=[
            FieldDocument(
                field=printable(each.field), before=_text(each.before), after=_text(each.after), matters=each.matters
            )
            for each in difference.config
        ],
        layers=[_pair(each) for each in difference.layers],
    )


def _text(value: str | None) -> str | None:
    return None if value is None else printable(value)


def _side(side: Side) -> SideDocument:
    return SideDocument(
        source=printable(side.name),
        platform=printable(str(side.platform)),
        digest=str(side.digest),
        top_digest=str(side.top_digest),
        layers=side.layers,
        files=side.files,
        compressed_bytes=side.compressed_bytes,
        uncompressed_bytes=side.uncompressed_bytes,
        file_bytes=side.file_bytes,
    )


def _file(change: FileChange) -> FileDocument:
    return FileDocument(
        path=printable(change.path),
        what=[*change.aspects],
        before=None if change.before is None else _entry(change.before),
        after=None if change.after is None else _entry(change.after),
    )


def _entry(entry: Entry) -> EntryDocument:
    return EntryDocument(
        type=entry.type,
        mode=f"{entry.mode:04o}",
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        sha256=entry.sha256.hex(),
        link=printable(entry.link),
        capabilities=entry.capabilities.hex(),
        mtime=entry.mtime,
    )


def _touched(change: FileChange) -> TouchedDocument:
    before, after = (0 if each is None else each.mtime for each in (change.before, change.after))
    return TouchedDocument(path=printable(change.path), mtime_before=before, mtime_after=after)


def _pair(pair: LayerPair) -> LayerPairDocument:
    return LayerPairDocument(
        before=None if pair.before is None else _layer(pair.before),
        after=None if pair.after is None else _layer(pair.after),
    )


def _layer(layer: LayerReading) -> LayerDocument:
    return LayerDocument(
        digest=str(layer.descriptor.digest),
        diff_id=str(layer.diff_id),
        media_type=printable(layer.descriptor.media_type),
        compressed_bytes=layer.descriptor.size,
        uncompressed_bytes=layer.index.uncompressed_bytes,
    )
