"""Two images compared: files, packages, config, sizes, and whether they are the same build and why not. Pure.

Three verdicts: the same manifest; the same content (what runs is the same: names, types, bytes, modes, owners, links,
capabilities and the config's fields that an engine reads); or different. docs/diff-json.md says what counts as what.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import zip_longest

import msgspec

from basewright.evidence.build_difference import Reason, Why, compare_layers, compare_manifests, reason
from basewright.evidence.config_difference import FieldChange, compare_configs, compare_env_order
from basewright.evidence.packages import PackageChange, compare_packages, read_packages
from basewright.evidence.tree_difference import TreeDifference, compare_trees
from basewright.oci.digest import Digest
from basewright.oci.filesystem import flatten
from basewright.oci.manifest import ImagePlatform
from basewright.oci.reading import ImageReading, LayerReading
from basewright.oci.tree import Entry, Tree, directory


class Verdict(StrEnum):
    """Whether two images are the same."""

    IDENTICAL = "identical"
    SAME_CONTENT = "same content"
    DIFFERENT = "different"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two. `compressed_bytes` is what its layers take as they are stored, `uncompressed_bytes` their
    archives, `file_bytes` the regular files that the final tree shows."""

    name: str
    digest: Digest
    top_digest: Digest
    platform: ImagePlatform
    layers: int
    files: int
    compressed_bytes: int
    uncompressed_bytes: int
    file_bytes: int


class LayerPair(msgspec.Struct, frozen=True, kw_only=True):
    """Layers that stand at the same place of both stacks, or one that only one of them has."""

    before: LayerReading | None
    after: LayerReading | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What two images differ in; everything but `layers` is empty where they do not."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    before: Side
    after: Side
    files: TreeDifference
    packages: tuple[PackageChange, ...]
    config: tuple[FieldChange, ...]
    layers: tuple[LayerPair, ...]


def compare_images(before: ImageReading, after: ImageReading) -> Difference:
    """Compares two images whose files were hashed while they were read."""
    after = _sharing(before, after)
    one = _tree_of(before)
    same = [each.diff_id for each in before.layers] == [each.diff_id for each in after.layers]
    two = one if same else _tree_of(after)
    entries = [{each.path: each for each in tree} for tree in (one, two)]
    files = TreeDifference() if same else compare_trees(*entries)
    fields = compare_configs(before.config_bytes, after.config_bytes)
    reasons = tuple(_reasons(before, after, files, fields))
    verdict = Verdict.DIFFERENT if any(each.why.is_content for each in reasons) else Verdict.SAME_CONTENT
    return Difference(
        verdict=Verdict.IDENTICAL if before.digest == after.digest else verdict,
        reasons=reasons,
        before=_side(before, entries[0].values()),
        after=_side(after, entries[1].values()),
        files=files,
        packages=() if same else compare_packages(read_packages(one), read_packages(two)),
        config=fields,
        layers=tuple(_pair_layers(before.layers, after.layers)),
    )


def _sharing(before: ImageReading, after: ImageReading) -> ImageReading:
    """`after` with the indexes of `before` for the layers that both have: the same objects need no second look."""
    known = {each.diff_id: each.index for each in before.layers}
    layers = tuple(msgspec.structs.replace(each, index=known.get(each.diff_id, each.index)) for each in after.layers)
    return msgspec.structs.replace(after, layers=layers)


def _tree_of(image: ImageReading) -> Tree:
    """The final tree, and in it the root itself under the path `.`."""
    tree = flatten(layer.index.entries for layer in image.layers).tree
    roots = [each for layer in image.layers for each in layer.index.entries if each.path == "" and each.is_directory]
    tree.add(msgspec.structs.replace(roots[-1] if roots else directory(""), path="."))
    return tree


def _side(image: ImageReading, entries: Iterable[Entry]) -> Side:
    files = [each for each in entries if each.is_file]
    sizes = {(each.spool, each.offset) if each.spool else each.path: each.size for each in files}
    return Side(
        name=image.name,
        digest=image.digest,
        top_digest=image.top_digest,
        platform=ImagePlatform(
            os=image.config.os, architecture=image.config.architecture, variant=image.config.variant
        ),
        layers=len(image.layers),
        files=len(files),
        compressed_bytes=sum(layer.descriptor.size for layer in image.layers),
        uncompressed_bytes=sum(layer.index.uncompressed_bytes for layer in image.layers),
        file_bytes=sum(sizes.values()),
    )


def _pair_layers(before: tuple[LayerReading, ...], after: tuple[LayerReading, ...]) -> Iterator[LayerPair]:
    """The same layers below and above stand side by side, and between them what is left, in order."""
    shortest = min(len(before), len(after))
    below = above = 0
    while below < shortest and before[below].diff_id == after[below].diff_id:
        below += 1
    while above < shortest - below and before[-1 - above].diff_id == after[-1 - above].diff_id:
        above += 1
    ends = len(before) - above, len(after) - above
    for one, two in zip(before[:below], after[:below], strict=True):
        yield LayerPair(before=one, after=two)
    for first, second in zip_longest(before[below : ends[0]], after[below : ends[1]]):
        yield LayerPair(before=first, after=second)
    for one, two in zip(before[ends[0] :], after[ends[1] :], strict=True):
        yield LayerPair(before=one, after=two)


def _reasons(
    before: ImageReading, after: ImageReading, files: TreeDifference, fields: tuple[FieldChange, ...]
) -> Iterator[Reason]:
    """Differences of content first. Of the layers' names only what the final tree does not show is one of its own."""
    if before.top_digest != after.top_digest and before.digest == after.digest:
        yield Reason(why=Why.INDEX, examples=(f"{before.top_digest} → {after.top_digest}",))
    if before.digest == after.digest:
        return
    found = list(_content(files, fields))
    paths = [each.path for each in files.touched]
    for each in compare_layers(before.layers, after.layers):
        if each.why is Why.TIMES and paths:
            continue  # told of the final tree
        if each.why is Why.LAYERS and not files.is_empty and len(before.layers) == len(after.layers):
            continue  # the files that differ stand in layers, of course
        found.append(each)
    found += _words(before, after, fields)
    found += reason(Why.TIMES, paths)
    found += compare_manifests(before, after)
    yield from sorted(_merged(found), key=lambda each: tuple(Why).index(each.why))
    if not found:
        yield Reason(why=Why.ENCODING)


def _content(files: TreeDifference, fields: tuple[FieldChange, ...]) -> Iterator[Reason]:
    changes = (*files.changed, *files.removed, *files.added)
    yield from reason(Why.FILES, [each.path for each in sorted(changes, key=lambda each: -each.bytes)])
    yield from reason(Why.CONFIG, [each.field for each in fields if each.matters])


def _words(before: ImageReading, after: ImageReading, fields: tuple[FieldChange, ...]) -> Iterator[Reason]:
    """What the config says beside what runs."""
    yield from reason(Why.TIMES, [each.field for each in fields if each.is_time])
    idle = [each.field for each in fields if not each.is_time and not each.matters]
    yield from reason(Why.HISTORY, [each for each in idle if each.startswith("history[")])
    yield from reason(Why.NOTES, [each for each in idle if not each.startswith("history[")])
    if compare_env_order(before.config, after.config):
        yield Reason(why=Why.ORDER, examples=("config.Env",))


def _merged(reasons: list[Reason]) -> Iterator[Reason]:
    """One for each kind."""
    for why in dict.fromkeys(each.why for each in reasons):
        same = [each for each in reasons if each.why is why]
        examples = tuple(example for each in same for example in each.examples)
        yield Reason(why=why, count=sum(each.count for each in same), examples=examples[:4])
