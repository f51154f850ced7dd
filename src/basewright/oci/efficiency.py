"""The efficiency of a stack of layers as dive computes it, its oddities included, so that both say the same number.

https://github.com/wagoodman/dive/blob/main/dive/filetree/efficiency.go (and file_tree.go, file_node.go beside it)
"""

from collections.abc import Iterable, Sequence

from basewright.oci.tree import Entry

_WHITEOUT = ".wh."
_IGNORED = ".wh..wh.."

_Node = Entry | None
"""None for a folder that no layer lists: dive makes it, and gives it neither bytes nor the word that it is one."""


def efficiency(layers: Sequence[Sequence[Entry]]) -> float:
    """From 1 (nothing is stored twice) down to 0: the least bytes that each path had over all bytes that it had.

    A path is seen in every layer that has it as a leaf. A whiteout counts what it hides: a folder all its bytes, a file
    none; where it hides nothing, dive passes over the rest of its layer.
    """
    hiding = [any(_WHITEOUT in entry.path for entry in layer) for layer in layers]
    if len(layers) < 2 and not any(hiding):
        return 1.0
    total = 0
    least: dict[str, int] = {}
    stacked: dict[str, _Node] = {}
    for number, layer in enumerate(layers):
        tree = _tree(layer)
        if number == 0 and any(hiding):
            stacked.update(tree)
        hidden = _hidden_bytes(stacked, tree) if hiding[number] else {}
        for path, size in _seen(tree, hidden, ordered=hiding[number]):
            known = least.get(path, -1)
            if size is None:
                least[path] = known  # dive has noted the path by then
                break
            total += size
            if known < 0 or size < known:
                least[path] = size
        if any(hiding[number + 1 :]):
            _stack(stacked, tree)
    return sum(least.values()) / total if total else 1.0


def _tree(layer: Iterable[Entry]) -> dict[str, _Node]:
    """The layer's names, with the folders above them."""
    tree: dict[str, _Node] = {}
    for entry in layer:
        path = entry.path
        if _IGNORED in path:
            path = _kept_part(path)
            if path:
                tree.setdefault(path, None)
        elif path:
            tree[path] = entry
        parent = path.rpartition("/")[0]
        while parent and parent not in tree:
            tree[parent] = None
            parent = parent.rpartition("/")[0]
    return tree


def _bytes(node: _Node) -> int:
    return 0 if node is None else node.size


def _kept_part(path: str) -> str:
    """The folders above the first name that dive leaves out."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if part.startswith(_IGNORED):
            return "/".join(parts[:number])
    return path


def _is_whiteout(path: str) -> bool:
    return _WHITEOUT in path and path.rpartition("/")[2].startswith(_WHITEOUT)


def _hides(path: str) -> str:
    parent, slash, name = path.rpartition("/")
    return f"{parent}{slash}{name.removeprefix(_WHITEOUT)}"


def _seen(tree: dict[str, _Node], hidden: dict[str, int | None], *, ordered: bool) -> Iterable[tuple[str, int | None]]:
    """The leaves with their bytes, None for a whiteout of nothing; in dive's order where that matters."""
    above = {path.rpartition("/")[0] for path in tree}
    for path in sorted(tree, key=_postorder) if ordered else tree:
        if path in above:
            continue
        if _is_whiteout(path):
            yield _hides(path), hidden[_hides(path)]
        else:
            yield path, _bytes(tree[path])


def _postorder(path: str) -> str:
    """Names of a folder in order, each after what is below it."""
    return path.replace("/", "\0") + "\0\U0010ffff"


def _hidden_bytes(below: dict[str, _Node], tree: dict[str, _Node]) -> dict[str, int | None]:
    """What each whiteout of `tree` hides of the layers `below`."""
    hidden: dict[str, int | None] = {}
    for path in filter(_is_whiteout, tree):
        hidden[_hides(path)] = 0 if _hides(path) in below else None
    folders = {path for path in hidden if (node := below.get(path)) is not None and node.is_directory}
    for path, node in below.items():
        at, size = path, _bytes(node)
        while at and folders:
            if at in folders:
                hidden[at] = (hidden[at] or 0) + size
            at = at.rpartition("/")[0]
    return hidden


def _stack(stacked: dict[str, _Node], tree: dict[str, _Node]) -> None:
    """Puts a layer over those below: dive takes names in order, and its whiteouts with them."""
    hidden = {_hides(path) for path in tree if _is_whiteout(path)}
    if hidden:
        for path in [path for path in stacked if _is_below(path, hidden)]:
            del stacked[path]
    late = {path for path in hidden if path.rpartition("/")[2] < _WHITEOUT}
    for path, node in tree.items():
        if not _is_whiteout(path) and not (late and _is_below(path, late)):
            stacked[path] = node


def _is_below(path: str, folders: set[str]) -> bool:
    while path:
        if path in folders:
            return True
        path = path.rpartition("/")[0]
    return False
