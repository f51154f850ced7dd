"""The JSON document of an inspection, schema `basewright.inspect/1` (docs/inspect-json.md). Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from basewright.evidence.inspected import Contents, Foundation, InspectedLayer, Inspection
from basewright.oci.filesystem import LayerChanges
from basewright.oci.tree import Entry
from basewright.printable import printable

SCHEMA = "basewright.inspect/1"
_FIGURES = 9
_LINES = 1000
"""Files in one piece."""

_Struct = msgspec.Struct


class ConfigDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs, as whom, with what."""

    created: str | None
    user: str
    entrypoint: list[str] | None
    cmd: list[str] | None
    env: list[str]
    working_dir: str
    exposed_ports: list[str]
    volumes: list[str]
    labels: dict[str, str]
    stop_signal: str


class LayerDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer, the lowest first. Names that it added, changed and removed are counted; the paths come with --tree."""

    digest: str
    diff_id: str
    media_type: str
    compressed_bytes: int
    uncompressed_bytes: int
    added: int
    changed: int
    removed: int
    created: str | None
    created_by: str | None
    comment: str | None
    paths: "PathsDocument | msgspec.UnsetType" = msgspec.UNSET


class PathsDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a layer did, by path."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class WastedPathDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A path with contents that nothing shows any more; layers are numbered from 0."""

    path: str
    bytes: int
    written: list[int]
    removed: list[int]


class WasteDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes in lower layers that nothing in the final tree shows."""

    bytes: int
    paths: list[WastedPathDocument]


class UnexplainedDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, or a folder (its path ends in `/`), that nothing owns."""

    path: str
    bytes: int


class BaseDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the image is based on, and how that is known."""

    name: str
    by: str
    digest: str | None
    layers: int | None
    source: str


class RuntimeDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What files say of the system; null is what they do not say."""

    distribution: str | None
    distribution_version: str | None
    libc: str | None
    libc_version: str | None
    python: str | None
    python_version: str | None


class ForeignDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An executable for another machine."""

    path: str
    machine: str


class FileDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name of the final tree. `layer` is the number (from 0) of the layer that brought it or changed it last."""

    path: str
    type: str
    mode: str
    uid: int
    gid: int
    size: int
    sha256: str | None
    link: str | None
    layer: int
    owner: str | None


class InspectionDocument(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document; `files` with --tree only."""

    schema: str
    source: str
    platform: str
    wanted_platform: str | None
    digest: str
    top_digest: str
    compressed_bytes: int
    uncompressed_bytes: int
    file_count: int
    file_bytes: int
    config: ConfigDocument
    layers: list[LayerDocument]
    owners: dict[str, int]
    unexplained: list[UnexplainedDocument]
    waste: WasteDocument
    efficiency: float
    base: BaseDocument | None
    distribution: str | None
    runtime: RuntimeDocument
    packages: dict[str, int]
    foreign_executables: list[ForeignDocument]
    warnings: list[str]
    files: list[FileDocument] | msgspec.UnsetType = msgspec.UNSET


def render_inspection_json(inspection: Inspection, *, tree: bool) -> Iterator[str]:
    """The document as JSON in pieces, the same bytes for the same image; with `tree` every file of it, one a line: an
    image may have half a million."""
    document = inspection_document(inspection, tree=tree)
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    if not tree:
        yield f"{text}\n"
        return
    yield text.removesuffix("[]\n}")
    contents = inspection.browsed
    if not len(contents.tree):
        yield "[]\n}\n"
        return
    lines, before = [], "["
    for entry in contents.tree:
        lines.append(f"{before}\n    {msgspec.json.encode(_file(entry, contents)).decode()}")
        before = ","
        if len(lines) == _LINES:
            yield "".join(lines)
            lines = []
    yield "".join([*lines, "\n  ]\n}\n"])


def inspection_document(inspection: Inspection, *, tree: bool) -> InspectionDocument:
    """The document as a record; with `tree` its files are still to come."""
    wanted = inspection.wanted
    changes = inspection.browsed.changes if tree else (None,) * len(inspection.layers)
    return InspectionDocument(
        schema=SCHEMA,
        source=printable(inspection.name),
        platform=printable(str(inspection.platform)),
        wanted_platform=None if wanted is None else printable(str(wanted)),
        digest=str(inspection.digest),
        top_digest=str(inspection.top_digest),
        compressed_bytes=inspection.compressed_bytes,
        uncompressed_bytes=inspection.uncompressed_bytes,
        file_count=inspection.files,
        file_bytes=inspection.file_bytes,
        config=_config(inspection),
        layers=[_layer(*each) for each in zip(inspection.layers, changes, strict=True)],
        owners={owner.value: size for owner, size in inspection.owner_bytes.items()},
        unexplained=[UnexplainedDocument(path=printable(path), bytes=size) for path, size in inspection.unexplained],
        waste=_waste(inspection),
        efficiency=float(f"{inspection.efficiency:.{_FIGURES}g}"),
        base=None if inspection.foundation is None else _base(inspection.foundation),
        distribution=_text(inspection.distribution),
        runtime=_runtime(inspection),
        packages={kind.value: number for kind, number in inspection.packages.items()},
        foreign_executables=[
            ForeignDocument(path=printable(each.path), machine=each.machine) for each in inspection.foreign
        ],
        warnings=[printable(each) for each in inspection.warnings],
        files=[] if tree else msgspec.UNSET,
    )


def _text(value: str | None) -> str | None:
    return printable(value) if value else None


def _texts(values: Sequence[str] | None) -> list[str]:
    return [printable(each) for each in values or ()]


def _config(inspection: Inspection) -> ConfigDocument:
    config = inspection.config.config
    return ConfigDocument(
        created=_text(inspection.config.created),
        user=printable(config.user),
        entrypoint=None if config.entrypoint is None else _texts(config.entrypoint),
        cmd=None if config.cmd is None else _texts(config.cmd),
        env=_texts(config.env),
        working_dir=printable(config.working_dir),
        exposed_ports=sorted(map(printable, config.exposed_ports or ())),
        volumes=_texts(inspection.volumes),
        labels={printable(name): printable(value) for name, value in sorted((config.labels or {}).items())},
        stop_signal=printable(config.stop_signal),
    )


def _layer(layer: InspectedLayer, changes: LayerChanges | None) -> LayerDocument:
    history = layer.history
    return LayerDocument(
        digest=str(layer.digest),
        diff_id=str(layer.diff_id),
        media_type=printable(layer.media_type),
        compressed_bytes=layer.compressed_bytes,
        uncompressed_bytes=layer.uncompressed_bytes,
        added=layer.added,
        changed=layer.changed,
        removed=layer.removed,
        created=_text(history.created) if history else None,
        created_by=_text(history.created_by) if history else None,
        comment=_text(history.comment) if history else None,
        paths=PathsDocument(
            added=_texts(changes.added), changed=_texts(changes.changed), removed=_texts(changes.removed)
        )
        if changes is not None
        else msgspec.UNSET,
    )


def _waste(inspection: Inspection) -> WasteDocument:
    return WasteDocument(
        bytes=inspection.wasted_bytes,
        paths=[
            WastedPathDocument(
                path=printable(each.path), bytes=each.bytes, written=list(each.written), removed=list(each.removed)
            )
            for each in inspection.waste
        ],
    )


def _base(foundation: Foundation) -> BaseDocument:
    return BaseDocument(
        name=printable(foundation.name),
        by=foundation.by.value,
        digest=_text(foundation.digest),
        layers=foundation.layers,
        source=printable(foundation.source),
    )


def _runtime(inspection: Inspection) -> RuntimeDocument:
    runtime = inspection.runtime
    return RuntimeDocument(
        distribution=_text(runtime.distribution),
        distribution_version=_text(runtime.distribution_version),
        libc=_text(runtime.libc),
        libc_version=_text(runtime.libc_version),
        python=_text(runtime.interpreter),
        python_version=_text(runtime.python_version),
    )


def _file(entry: Entry, contents: Contents) -> FileDocument:
    owner = contents.owners.get(entry.path)
    return FileDocument(
        path=printable(entry.path),
        type=entry.type.value,
        mode=f"{entry.mode:04o}",
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        sha256=entry.sha256.hex() or None,
        link=_text(entry.link),
        layer=contents.origins[entry.path],
        owner=owner.value if owner else ("unexplained" if entry.is_file else None),
    )
