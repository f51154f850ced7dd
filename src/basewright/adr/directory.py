"""Where records live and how the next one is called: the directory's own scheme, not ours."""

import datetime
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from basewright._disk import disk_error
from basewright.errors import InputError

USUAL_DIRECTORIES = ("docs/adr", "doc/adr", "docs/decisions")
MAX_RECORD_BYTES = 1 << 20
MAX_FILES = 10_000
MAX_SLUG = 72

_PREFIX = r"(?P<prefix>(?:adr[-_ ]?|[a-z]{1,5}[-_](?=\d{3}))?)"
_NUMBERED = re.compile(_PREFIX + r"(?P<digits>\d{1,5})(?P<join>[-_. ]+)(?P<slug>[^/]+)\.md", re.ASCII | re.IGNORECASE)
_DATED = re.compile(r"(?P<digits>\d{8})(?P<join>[-_]+)(?P<slug>[^/]+)\.md", re.ASCII)
_HEADING_NUMBER = re.compile(
    r"#\s+(?:ADR[-_ ]?#?(?P<adr>\d{1,5})\b|(?P<plain>\d{1,4})[.:)]\s)", re.ASCII | re.IGNORECASE
)
_ID_NUMBER = re.compile(r"[a-z]{0,8}[-_ #]*(\d{1,5})(?:[-_. :].*)?", re.ASCII | re.IGNORECASE)


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """How files are called. `width` 0: by date, `YYYYMMDD`."""

    prefix: str = ""
    width: int = 4
    join: str = "-"


class FoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One Markdown file of the directory, decoded; `text` keeps its line ends, and `mark` a byte order mark."""

    path: Path
    number: int | None
    text: str
    mark: bool


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The directory that holds the records. `root` is the repository's, or the strategy's folder outside of one."""

    path: Path
    root: Path


class RecordDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """What is in it: the records in order of their number, the scheme of the majority, and every number taken."""

    records: tuple[FoundRecord, ...]
    scheme: Scheme
    names: frozenset[str]
    taken: frozenset[int]


def find_home(folder: Path, named: str | None) -> Home:
    """Where a strategy in `folder` keeps its records: `named` by it; else, in it or in a folder above it of the same
    repository, what `.adr-dir` says, `docs/adr`, `doc/adr` or `docs/decisions`; else a new `docs/adr` beside it.

    Raises InputError for a directory outside of the repository (a link out of it counts), or that is a file.
    """
    folder = folder.resolve()
    root = _repository(folder)
    if named is not None:
        return Home(path=_inside(root, folder / named, "decision.directory"), root=root)
    for level in _levels(folder, root):
        pointed = _adr_dir(level, root)
        if pointed is not None:
            return Home(path=pointed, root=root)
        for usual in USUAL_DIRECTORIES:
            if (level / usual).is_dir():
                return Home(path=_inside(root, level / usual, usual), root=root)
    return Home(path=folder / USUAL_DIRECTORIES[0], root=root)


def read_directory(path: Path) -> RecordDirectory:
    """Reads the Markdown files of a directory; one that does not exist yet is empty. Raises InputError."""
    try:
        files = (
            sorted(each for each in path.iterdir() if each.suffix == ".md" and each.is_file()) if path.is_dir() else []
        )
        records = [found for found in (_read_record(each) for each in files[:MAX_FILES]) if found is not None]
    except OSError as error:
        raise disk_error(path, error) from None
    records.sort(key=lambda record: (record.number if record.number is not None else -1, record.path.name))
    names = [each.name for each in files]
    headings = {number for number in (_heading_number(record.text) for record in records) if number is not None}
    return RecordDirectory(
        records=tuple(records),
        scheme=majority_scheme(names),
        names=frozenset(names),
        taken=frozenset({record.number for record in records if record.number is not None} | headings),
    )


def majority_scheme(names: Iterable[str]) -> Scheme:
    """The scheme that most names follow; `NNNN-slug.md` where none does. At a tie, the last name's."""
    schemes = [scheme for scheme in (_scheme(name) for name in sorted(names)) if scheme is not None]
    if not schemes:
        return Scheme()
    counts = Counter((scheme.prefix, scheme.width, scheme.join) for scheme in schemes)
    most = max(counts.values())
    last = next(each for each in reversed(schemes) if counts[(each.prefix, each.width, each.join)] == most)
    return last


def record_number(name: str) -> int | None:
    """The number in a record's id or file name, such as 7 in `ADR-007` and `0007-base.md`; a date is none."""
    if _DATED.fullmatch(name):
        return None
    numbered = _NUMBERED.fullmatch(name)
    if numbered is not None or name.endswith(".md"):
        return None if numbered is None else int(numbered["digits"])
    found = _ID_NUMBER.fullmatch(name.strip())
    return None if found is None else int(found[1])


def next_name(directory: RecordDirectory, title: str, date: datetime.date, *, reserved: Iterable[int] = ()) -> str:
    """The file name of a new record, and no one's that exists."""
    scheme, slug = directory.scheme, slug_of(title)
    if scheme.width == 0:
        stem = f"{date:%Y%m%d}{scheme.join}{slug}"
        names = (f"{stem}{suffix}.md" for suffix in ("", *(f"-{count}" for count in range(2, MAX_FILES + 2))))
        return next(name for name in names if name not in directory.names)
    number = max({0, *directory.taken, *reserved}) + 1
    return f"{scheme.prefix}{number:0{scheme.width}d}{scheme.join}{slug}.md"


def slug_of(title: str) -> str:
    """Lower-case ASCII letters and digits joined by `-`, as adr-tools and MADR name files."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) > MAX_SLUG:
        slug = slug[: MAX_SLUG + 1].rpartition("-")[0] or slug[:MAX_SLUG]
    return slug or "decision"


def _repository(folder: Path) -> Path:
    for level in (folder, *folder.parents):
        if (level / ".git").exists():
            return level
    return folder


def _levels(folder: Path, root: Path) -> list[Path]:
    return [level for level in (folder, *folder.parents) if level.is_relative_to(root)]


def _adr_dir(level: Path, root: Path) -> Path | None:
    """What adr-tools' `.adr-dir` names, relative to the folder that it lies in."""
    file = level / ".adr-dir"
    try:
        if not file.is_file() or file.stat().st_size > 4096:
            return None
        named = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return _inside(root, level / named, ".adr-dir") if named else None


def _inside(root: Path, path: Path, what: str) -> Path:
    resolved = path.resolve()
    if not resolved.is_relative_to(root):
        raise InputError(
            f"{what} leads out of the repository",
            hint="records lie in the repository of the strategy; name a folder in it",
        )
    if resolved.exists() and not resolved.is_dir():
        raise InputError(f"{what}: {resolved.relative_to(root)} is a file, not a folder for records")
    return resolved


def _read_record(path: Path) -> FoundRecord | None:
    """None for what is no text of ours to read: too large, or not UTF-8. Its name still counts for the scheme."""
    if path.stat().st_size > MAX_RECORD_BYTES:
        return FoundRecord(path=path, number=record_number(path.name), text="", mark=False)
    data = path.read_bytes()
    mark = data.startswith(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    return FoundRecord(path=path, number=record_number(path.name), text=text, mark=mark)


def _heading_number(text: str) -> int | None:
    """The number in the first heading of level 1, as adr-tools (`# 7. Title`) and others (`# ADR-007 Title`) write."""
    for line in text[:4096].split("\n"):
        if line.startswith("# "):
            found = _HEADING_NUMBER.match(line)
            return None if found is None else int(found["adr"] or found["plain"])
    return None


def _scheme(name: str) -> Scheme | None:
    dated = _DATED.fullmatch(name)
    if dated is not None:
        return Scheme(width=0, join=dated["join"])
    numbered = _NUMBERED.fullmatch(name)
    if numbered is None:
        return None
    return Scheme(prefix=numbered["prefix"], width=len(numbered["digits"]), join=numbered["join"])
