"""What a comparison says, in lines: the verdict, and a few of the most telling changes of each kind. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

import msgspec

from basewright.evidence.build_difference import Reason, Why, packing_change
from basewright.evidence.config_difference import FieldChange
from basewright.evidence.difference import Difference, LayerPair, Verdict
from basewright.evidence.packages import PackageChange
from basewright.evidence.tree_difference import Aspect, FileChange, TreeDifference
from basewright.oci.tree import Entry, FileType
from basewright.printable import printable
from basewright.view.number import format_bytes, format_count

MAX_LINES = 12
"""Of a section; the JSON document has them all."""
MAX_VALUE = 200
"""Characters of a value that is shown."""
LONG_VALUE, MAX_LEAD = 40, 10
"""A longer value is shown from so many characters before the first that differs."""
ADDED, REMOVED, CHANGED = "+", "−", "~"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A change: its mark, its kind, the name, and what of it."""

    mark: str
    kind: str
    name: str
    detail: str


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of one sort. `count` says how many there are, `more` what is not shown."""

    title: str
    count: str
    lines: tuple[Line, ...]
    more: int = 0


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of sizes; `change` is empty where both are the same."""

    name: str
    before: str
    after: str
    change: str


def verdict_sentence(difference: Difference) -> str:
    """One sentence."""
    match difference.verdict:
        case Verdict.IDENTICAL:
            return f"Identical: both are {difference.before.digest}."
        case Verdict.SAME_CONTENT:
            return "Same content: what runs is the same. The builds differ, see why."
        case Verdict.DIFFERENT:
            files = difference.files
            parts = []
            if not files.is_empty:
                parts.append(f"files {_counts(len(files.added), len(files.removed), len(files.changed))}")
            if difference.packages:
                parts.append(f"packages {_change_counts(difference.packages)}")
            fields = [each for each in difference.config if each.matters]
            if fields:
                parts.append(f"config {_change_counts(fields)}")
            return f"Different: {', '.join(parts)}."


def sections(difference: Difference) -> Iterator[Section]:
    """Those that are not empty; packages first, since they explain most files."""
    packages = [_package(each) for each in difference.packages]
    if packages:
        yield _section("Packages", _change_counts(difference.packages), packages)
    fields = [each for each in difference.config if each.matters]
    if fields:
        yield _section("Config", _change_counts(fields), [_field(each) for each in fields])
    files = difference.files
    if not files.is_empty:
        change = difference.after.file_bytes - difference.before.file_bytes
        counts = _counts(len(files.added), len(files.removed), len(files.changed))
        yield _section("Files", f"{counts}, {format_change(change)}" if change else counts, list(_files(files)))


def _section(title: str, count: str, lines: Sequence[Line]) -> Section:
    more = max(len(lines) - MAX_LINES, 0)
    if more == 1:  # "and 1 more" takes the same line
        more = 0
    return Section(title=title, count=count, lines=tuple(lines[: len(lines) - more]), more=more)


def _counts(added: int, removed: int, changed: int) -> str:
    parts = ((ADDED, added), (REMOVED, removed), (CHANGED, changed))
    return " ".join(f"{mark}{count:,}" for mark, count in parts if count)


def _change_counts(changes: Sequence[PackageChange] | Sequence[FieldChange]) -> str:
    added = sum(each.before is None for each in changes)
    removed = sum(each.after is None for each in changes)
    return _counts(added, removed, len(changes) - added - removed)


def _mark(before: object, after: object) -> str:
    return ADDED if before is None else REMOVED if after is None else CHANGED


def _package(change: PackageChange) -> Line:
    versions = [printable(each) for each in (change.before, change.after) if each is not None]
    return Line(
        mark=_mark(change.before, change.after),
        kind=change.kind,
        name=printable(change.name),
        detail=" → ".join(versions),
    )


def _field(change: FieldChange) -> Line:
    return Line(
        mark=_mark(change.before, change.after),
        kind="",
        name=printable(change.field.removeprefix("config.")),
        detail=_values(change, MAX_VALUE),
    )


def _values(change: FieldChange, room: int) -> str:
    """`before → after`, each of at most `room` characters; long values start shortly before they differ."""
    values = [printable(each) or "(empty)" for each in (change.before, change.after) if each is not None]
    if len(values) == 2 and max(map(len, values)) > LONG_VALUE:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*values, strict=False)))
        if same > MAX_LEAD:
            values = [f"…{each[same - MAX_LEAD :]}" for each in values]
    return " → ".join(_clip(each, room) for each in values)


def _clip(text: str, room: int = MAX_VALUE) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _files(files: TreeDifference) -> list[Line]:
    """The largest first; a folder that came or went whole is one line."""
    weighed = [(each.bytes, _changed(each)) for each in files.changed]
    weighed += _folded(files.added, ADDED)
    weighed += _folded(files.removed, REMOVED)
    return [line for _, line in sorted(weighed, key=lambda each: (-each[0], each[1].name))]


def _folded(changes: Sequence[FileChange], mark: str) -> list[tuple[int, Line]]:
    sides = {each.path: each.after or each.before for each in changes}
    tops: dict[str, list[Entry]] = {}
    top_of: dict[str, str] = {}
    for path, entry in sides.items():  # sorted: a folder comes before what is in it, though not at once
        parent = path.rpartition("/")[0]
        top = top_of[path] = top_of.get(parent, path)
        if entry is not None:
            tops.setdefault(top, []).append(entry)
    return [_folder(entries, mark) for entries in tops.values()]


def _folder(entries: list[Entry], mark: str) -> tuple[int, Line]:
    top, total = entries[0], sum(each.size for each in entries if each.is_file)
    if not top.is_directory:
        return total, Line(mark=mark, kind="", name=_path(top), detail=_fact(top))
    files = sum(not each.is_directory for each in entries)
    held = f"{format_count(files, 'file')}, {format_bytes(total)}" if files else "empty folder"
    return total, Line(mark=mark, kind="", name=f"{_path(top)}/", detail=held)


def _fact(entry: Entry) -> str:
    match entry.type:
        case FileType.FILE:
            return format_bytes(entry.size)
        case FileType.SYMLINK:
            return f"link to {_clip(printable(entry.link))}"
        case _:
            return entry.type.replace("-", " ")


def _changed(change: FileChange) -> Line:
    before, after = change.before, change.after
    parts = []
    if before is not None and after is not None:
        parts = [_aspect(each, before, after) for each in change.aspects if each is not Aspect.TIME]
        name = _path(after) + ("/" if after.is_directory else "")
    else:
        name = printable(change.path)
    return Line(mark=CHANGED, kind="", name=name, detail="; ".join(parts))


def _aspect(aspect: Aspect, before: Entry, after: Entry) -> str:
    match aspect:
        case Aspect.TYPE:
            return f"{_fact_of_type(before)} → {_fact_of_type(after)}"
        case Aspect.CONTENT:
            if before.size == after.size:
                return f"content, {format_bytes(after.size)}"
            return f"content, {format_bytes(before.size)} → {format_bytes(after.size)}"
        case Aspect.LINK:
            return f"link to {_clip(printable(before.link))} → {_clip(printable(after.link))}"
        case Aspect.MODE:
            return f"mode {before.mode:04o} → {after.mode:04o}"
        case Aspect.OWNER:
            return f"owner {before.uid}:{before.gid} → {after.uid}:{after.gid}"
        case Aspect.CAPABILITIES:
            return f"capabilities {before.capabilities.hex() or 'none'} → {after.capabilities.hex() or 'none'}"
        case Aspect.TIME:
            return "time"


def _fact_of_type(entry: Entry) -> str:
    return _fact(entry) if entry.type is FileType.SYMLINK else entry.type.replace("-", " ")


def _path(entry: Entry) -> str:
    return "" if entry.path == "." else "/" + printable(entry.path)


WORDS = {
    Why.TIMES: "times",
    Why.LAYERS: "layers",
    Why.ORDER: "order in archives",
    Why.ARCHIVE: "archive headers",
    Why.COMPRESSION: "compression",
    Why.HISTORY: "history",
    Why.NOTES: "builder's notes",
    Why.ANNOTATIONS: "annotations",
    Why.MEDIA_TYPES: "media types",
    Why.MANIFEST: "manifest",
    Why.ENCODING: "encoding",
    Why.INDEX: "index",
}


def reasons_title(difference: Difference) -> str:
    """Over the reasons: one manifest may be reached through different indexes."""
    return "What else differs" if difference.verdict is Verdict.IDENTICAL else "Why not the same build"


def build_reasons(difference: Difference) -> list[tuple[str, str]]:
    """Why the builds are not the same, content aside: a word, and what there is to it."""
    fields = {each.field: f"{each.field} {_change(each)}" for each in difference.config}
    return [(WORDS[each.why], _reason(each, fields)) for each in difference.reasons if not each.why.is_content]


def _change(field: FieldChange) -> str:
    values = _values(field, LONG_VALUE)
    return f"(none) → {values}" if field.before is None else f"{values} → (none)" if field.after is None else values


def _reason(reason: Reason, fields: Mapping[str, str]) -> str:
    shown = ", ".join(_clip(printable(fields.get(each, each))) for each in reason.examples)
    if reason.count > len(reason.examples):  # first, so that no narrow terminal cuts it off
        shown = f"{reason.count:,}: {shown}, …"
    match reason.why:
        case Why.LAYERS if " → " not in shown:
            return f"names that the final tree does not show, or shows the same: {shown}"
        case Why.ARCHIVE:
            return f"owners' names, padding or format of {shown}"
        case Why.COMPRESSION:
            changes = ", ".join(reason.examples)
            return f"{format_count(reason.count, 'layer')}, {changes}"
        case Why.ENCODING:
            return "the same manifest and config in other bytes: white space, order of keys, empty values"
        case _:
            return shown


def measures(difference: Difference) -> Iterator[Measure]:
    """Sizes in total, then the layers that are not the same."""
    one, two = difference.before, difference.after
    yield _bytes_row("layers as stored", one.compressed_bytes, two.compressed_bytes)
    yield _bytes_row("layers unpacked", one.uncompressed_bytes, two.uncompressed_bytes)
    yield _bytes_row("files shown", one.file_bytes, two.file_bytes)
    yield _count_row("files", one.files, two.files)
    yield _count_row("layers", one.layers, two.layers)
    changed = [(number, pair) for number, pair in enumerate(difference.layers, 1) if not _is_same(pair)]
    for number, pair in changed[:MAX_LINES]:
        yield _layer_row(number, pair)
    if len(changed) > MAX_LINES:
        yield Measure(name=f"and {len(changed) - MAX_LINES:,} more layers", before="", after="", change="")


def _is_same(pair: LayerPair) -> bool:
    return (
        pair.before is not None
        and pair.after is not None
        and pair.before.descriptor.digest == pair.after.descriptor.digest
    )


def _layer_row(number: int, pair: LayerPair) -> Measure:
    one, two = pair.before, pair.after
    name = f"layer {number}"
    if one is not None and two is not None:
        if one.diff_id == two.diff_id:
            change = f"the same, {packing_change(one.descriptor, two.descriptor)}"
        else:
            change = format_change(two.descriptor.size - one.descriptor.size)
        return Measure(
            name=name, before=format_bytes(one.descriptor.size), after=format_bytes(two.descriptor.size), change=change
        )
    before, after = ("–" if each is None else format_bytes(each.descriptor.size) for each in (one, two))
    return Measure(name=name, before=before, after=after, change="added" if one is None else "removed")


def _bytes_row(name: str, before: int, after: int) -> Measure:
    change = format_change(after - before) if after != before else ""
    return Measure(name=name, before=format_bytes(before), after=format_bytes(after), change=change)


def _count_row(name: str, before: int, after: int) -> Measure:
    change = f"{after - before:+,}".replace("-", "−") if after != before else ""
    return Measure(name=name, before=f"{before:,}", after=f"{after:,}", change=change)


def format_change(count: int) -> str:
    """`+1.80 MB`, `−300 B`, `0 B`."""
    return f"{'+' if count > 0 else '−' if count < 0 else ''}{format_bytes(abs(count))}"
