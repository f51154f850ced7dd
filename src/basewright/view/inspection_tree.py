"""An image's final tree, to be browsed: what is in a folder, the largest first, two levels at a time. Pure."""

import posixpath
from collections.abc import Iterator

import msgspec

from basewright.errors import InputError
from basewright.evidence.inspected import Contents, Inspection
from basewright.oci.tree import Entry, FileType, Tree
from basewright.printable import printable
from basewright.view.columns import BOLD, DIM, YELLOW, Pen
from basewright.view.inspection_lines import few, shown, wasted_row
from basewright.view.number import format_bytes, format_count

_LEVELS = 2
_MAX_CHILDREN = (40, 8)
"""How many names of a folder are shown, by its level."""
_FEW = 3
_MAX_WASTED = 8
_LETTERS = {
    FileType.DIRECTORY: "d",
    FileType.SYMLINK: "l",
    FileType.CHARACTER_DEVICE: "c",
    FileType.BLOCK_DEVICE: "b",
    FileType.FIFO: "p",
}


class _Node:
    """A name, the bytes below it (of a file with several names once), and the first and last layer (from 1) that they
    come from, 0 for none."""

    __slots__ = ("bytes", "children", "entry", "files", "first", "last")

    def __init__(self, entry: Entry | None) -> None:
        self.entry = entry
        self.bytes = self.files = self.first = self.last = 0
        self.children: dict[str, _Node] | None = None

    def count(self, size: int, files: int, layer: int) -> None:
        self.bytes += size
        self.files += files
        self.first = min(self.first or layer, layer)
        self.last = max(self.last, layer)


class TreeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `branch` is the drawing before the name."""

    mode: str
    owner: str
    bytes: str
    layer: str
    branch: str
    name: str
    is_changed: bool = False


def render_inspection_tree(inspection: Inspection, path: str, *, width: int, color: bool) -> str:
    """The folder at `path` as text of at most `width` columns. Raises InputError where nothing is there."""
    pen = Pen(width, color)
    lines = tree_lines(inspection, path)
    header = ("mode", "owner", "bytes", "layer", "")
    rows = [(each.mode, each.owner, each.bytes, each.layer, each.branch + each.name) for each in lines]
    first, *rest = pen.columns([header, *rows], elastic=4, right=(2,))
    title = f"{printable(inspection.name)}  {printable(str(inspection.platform))}"
    texts = [pen.paint(pen.fit(title, 0), BOLD), pen.paint(first, DIM)]
    texts += [pen.paint(text, YELLOW) if line.is_changed else text for text, line in zip(rest, lines, strict=True)]
    wasted, more = wasted_below(inspection, path)
    if wasted:
        texts += ["", pen.paint("Wasted below it", BOLD), *pen.columns(wasted, elastic=1, right=(0,))]
        texts += [pen.paint(f"  and {more:,} more", DIM)] * bool(more)
    texts += ["", pen.paint("n: its layer; ~n: that changed what lower ones had", DIM)]
    return "\n".join(line.rstrip() for line in texts) + "\n"


def wasted_below(inspection: Inspection, path: str) -> tuple[list[tuple[str, ...]], int]:
    """The largest of what is hidden below `path`, and how many more there are."""
    below = _relative(path) + "/" * bool(_relative(path))
    found = [each for each in inspection.waste if each.path.startswith(below)]
    kept = few(len(found), _MAX_WASTED)
    return [wasted_row(each) for each in found[:kept]], len(found) - kept


def tree_lines(inspection: Inspection, path: str) -> list[TreeLine]:
    """The folder (or what else is) at `path`, two levels down. Raises InputError."""
    contents = inspection.browsed
    place = contents.tree.resolve(_relative(path))
    if place is None or (place and place not in contents.tree):
        raise InputError(f"{printable(inspection.name)} has no {printable(path)}", hint=_nearest(contents.tree, path))
    changed = {each for layer in contents.changes for each in layer.changed}
    return list(_lines(_node(contents, place), f"/{printable(place)}", "", "", 0, changed))


def _nearest(tree: Tree, path: str) -> str:
    parent = posixpath.dirname(_relative(path))
    while parent and tree.resolve(parent) is None:
        parent = posixpath.dirname(parent)
    return f"look at --tree /{printable(parent)}"


def _relative(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _node(contents: Contents, place: str) -> _Node:
    """What is at `place` with the levels below it that are shown, all that is deeper summed into them."""
    top = _Node(contents.tree.get(place))
    below = place + "/" if place else ""
    seen: set[tuple[str, int]] = set()
    for entry in contents.tree:
        if entry.path != place and not entry.path.startswith(below):
            continue
        size = entry.size if entry.is_file else 0
        if size and entry.spool:
            content = (entry.spool, entry.offset)
            size = 0 if content in seen else size
            seen.add(content)
        layer = contents.origins[entry.path] + 1
        node = top
        node.count(size, entry.is_file, layer)
        parts = entry.path[len(below) :].split("/", _LEVELS) if entry.path != place else []
        for number, name in enumerate(parts[:_LEVELS], 1):
            if node.children is None:
                node.children = {}
            if name not in node.children:
                node.children[name] = _Node(entry)
            node = node.children[name]
            node.count(size, entry.is_file, layer)
            if number == len(parts):
                node.entry = entry
    return top


def _lines(node: _Node, name: str, branch: str, below: str, level: int, changed: set[str]) -> Iterator[TreeLine]:
    yield _line(node, name, branch, changed)
    if level == _LEVELS:
        return
    children = sorted((node.children or {}).items(), key=lambda each: (-each[1].bytes, each[0]))
    kept = few(len(children), _MAX_CHILDREN[level])
    if level:  # a hundred links and empty folders tell less than they take
        kept = min(kept, few(len(children), max(sum(child.bytes > 0 for _, child in children), _FEW)))
    hidden = children[kept:]
    for number, (each, child) in enumerate(children[:kept], 1):
        is_last = number == len(children)
        lines = _lines(
            child,
            printable(each),
            below + ("└─ " if is_last else "├─ "),
            below + ("   " if is_last else "│  "),
            level + 1,
            changed,
        )
        yield from lines
    if hidden:
        size = format_bytes(sum(child.bytes for _, child in hidden))
        yield TreeLine(mode="", owner="", bytes=size, layer="", branch=below + "└─ ", name=f"and {len(hidden):,} more")


def _line(node: _Node, name: str, branch: str, changed: set[str]) -> TreeLine:
    entry = node.entry
    if entry is None:
        return TreeLine(mode="", owner="", bytes=format_bytes(node.bytes), layer=_span(node), branch=branch, name=name)
    is_changed = entry.path in changed
    detail = ""
    if entry.type is FileType.SYMLINK:
        detail = f" → {shown(entry.link)}"
    elif entry.is_directory:
        detail = "" if name == "/" else "/"
        detail += f"  {format_count(node.files, 'file')}" if node.files else ""
    return TreeLine(
        mode=mode_text(entry),
        owner=f"{entry.uid}:{entry.gid}",
        bytes=format_bytes(node.bytes) if entry.is_file or entry.is_directory else "",
        layer=f"{'~' * is_changed}{_span(node)}",
        branch=branch,
        name=f"{name}{detail}",
        is_changed=is_changed,
    )


def _span(node: _Node) -> str:
    """`2`, `1–4`, counted from 1."""
    if not node.first:
        return ""
    return str(node.first) if node.first == node.last else f"{node.first}–{node.last}"


def mode_text(entry: Entry) -> str:
    """`drwxr-xr-x`, as ls writes it."""
    text = ""
    for number, (special, set_letter) in enumerate(((0o4000, "s"), (0o2000, "s"), (0o1000, "t"))):
        bits = entry.mode >> (6 - 3 * number) & 7
        execute = "x" if bits & 1 else "-"
        if entry.mode & special:
            execute = set_letter if bits & 1 else set_letter.upper()
        text += ("r" if bits & 4 else "-") + ("w" if bits & 2 else "-") + execute
    return _LETTERS.get(entry.type, "-") + text
