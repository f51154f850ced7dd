"""Laws of comparisons: how an image was packed is no content, and whatever changed of a file is told by its path."""

import io
import tarfile
from collections.abc import Sequence

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from basewright.evidence.difference import Difference, Verdict, compare_images
from basewright.evidence.tree_difference import Aspect
from basewright.oci.tree import Entry, FileType, Tree, directory, file, symlink
from tests.doubles.image import make_image
from tests.doubles.reading import reading_of
from tests.property.test_oci import MODES, OWNERS, trees

_KINDS = {FileType.FILE: tarfile.REGTYPE, FileType.DIRECTORY: tarfile.DIRTYPE, FileType.SYMLINK: tarfile.SYMTYPE}
_PACKINGS = st.sampled_from(["gzip", "zstd", "tar"])
_FORMATS = st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


def render(entries: Sequence[Entry], *, times: Sequence[int], form: int) -> bytes:
    """An archive as Python writes it, one of `times` after the other."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as opened:
        for number, each in enumerate(entries):
            info = tarfile.TarInfo(each.path)
            info.type, info.mode, info.uid, info.gid = _KINDS[each.type], each.mode, each.uid, each.gid
            info.size, info.linkname, info.mtime = each.size, each.link, times[number % len(times)]
            opened.addfile(info, io.BytesIO(each.data or b""))
    return buffer.getvalue()


def compare(one: Sequence[bytes], two: Sequence[bytes], packings: tuple[str, str] = ("tar", "tar")) -> Difference:
    images = (make_image(*tars, packing=packing) for tars, packing in zip((one, two), packings, strict=True))
    before, after = map(reading_of, images)
    return compare_images(before, after)


@st.composite
def orders(draw: st.DrawFn, tree: Tree) -> list[Entry]:
    """The entries in another order, folders before what is in them."""
    shuffled: list[Entry] = draw(st.permutations(list(tree)))
    return sorted(shuffled, key=lambda each: each.path.count("/"))


@settings(deadline=None, max_examples=80)
@given(st.data(), trees())
def test_order_times_formats_compression_and_layers_are_no_content(data: st.DataObject, tree: Tree) -> None:
    tars: list[list[bytes]] = []
    for _ in range(2):
        entries = data.draw(orders(tree))
        cut = data.draw(st.integers(0, len(entries)))
        times = data.draw(st.lists(st.integers(0, 2**33 - 1), min_size=1, max_size=3))
        form = data.draw(_FORMATS)
        tars.append([render(part, times=times, form=form) for part in (entries[:cut], entries[cut:]) if part])
    packings = data.draw(_PACKINGS), data.draw(_PACKINGS)
    found = compare(tars[0], tars[1], packings)
    assert found.verdict in (Verdict.SAME_CONTENT, Verdict.IDENTICAL)
    assert found.files.is_empty
    if found.verdict is Verdict.SAME_CONTENT:
        assert found.reasons
    assert compare(tars[0], tars[0]).verdict is Verdict.IDENTICAL


def _changed(data: st.DataObject, entry: Entry) -> tuple[Entry, Aspect]:
    """An entry of the same path that differs in one thing."""
    what = [Aspect.OWNER, Aspect.TYPE]
    what += [] if entry.type is FileType.SYMLINK else [Aspect.MODE]
    what += [Aspect.CONTENT] * entry.is_file + [Aspect.LINK] * (entry.type is FileType.SYMLINK)
    aspect = data.draw(st.sampled_from(what))
    match aspect:
        case Aspect.OWNER:
            other = msgspec.structs.replace(entry, uid=data.draw(OWNERS))
        case Aspect.MODE:
            other = msgspec.structs.replace(entry, mode=data.draw(MODES))
        case Aspect.CONTENT:
            content = data.draw(st.binary(max_size=50))
            other = msgspec.structs.replace(entry, data=content, size=len(content))
        case Aspect.LINK:
            other = msgspec.structs.replace(entry, link=data.draw(st.sampled_from(["a", "../b", "/c"])))
        case _:
            made = {
                FileType.FILE: file(entry.path, b"x"),
                FileType.DIRECTORY: directory(entry.path),
                FileType.SYMLINK: symlink(entry.path, "x"),
            }
            other = data.draw(st.sampled_from([each for kind, each in made.items() if kind is not entry.type]))
    assume(other != entry)
    return other, aspect


@settings(deadline=None, max_examples=120)
@given(st.data(), trees())
def test_whatever_changes_of_a_name_is_told_by_its_path(data: st.DataObject, tree: Tree) -> None:
    entries = list(tree)
    parents = {each.path.rpartition("/")[0] for each in entries}
    leaves = [each for each in entries if each.path not in parents]
    assume(leaves)
    entry = data.draw(st.sampled_from(leaves))
    other, aspect = _changed(data, entry)
    one = render(entries, times=[5], form=tarfile.PAX_FORMAT)
    two = render([other if each is entry else each for each in entries], times=[9], form=tarfile.PAX_FORMAT)
    found = compare([one], [two])
    assert found.verdict is Verdict.DIFFERENT
    assert [each.path for each in found.files.changed] == [entry.path]
    assert aspect in found.files.changed[0].aspects
    assert not found.files.added
    assert not found.files.removed


@settings(deadline=None, max_examples=60)
@given(st.data(), trees())
def test_what_comes_is_what_goes_the_other_way(data: st.DataObject, tree: Tree) -> None:
    entries = list(tree)
    kept = [each for each in entries if not each.is_directory or data.draw(st.booleans())]
    tars = [render(each, times=[0], form=tarfile.PAX_FORMAT) for each in (entries, kept[: len(kept) // 2])]
    there, back = compare([tars[0]], [tars[1]]), compare([tars[1]], [tars[0]])
    assert [each.path for each in there.files.added] == [each.path for each in back.files.removed]
    assert [each.path for each in there.files.removed] == [each.path for each in back.files.added]
    assert [each.path for each in there.files.changed] == [each.path for each in back.files.changed]
    assert there.verdict is back.verdict
