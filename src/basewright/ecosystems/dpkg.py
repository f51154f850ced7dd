"""Debian packages as text: version order, relations, control paragraphs, and what a root filesystem has installed.

https://www.debian.org/doc/debian-policy/ch-controlfields.html and deb-version(7). Own code, since an index of 69,000
paragraphs is split on blank lines in a tenth of a second; the tests hold it against dpkg itself.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import zip_longest

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.tree import Entry, Tree

MAX_VERSION_CHARACTERS = 512
STATUS = "var/lib/dpkg/status"
STATUS_DIRECTORY = "var/lib/dpkg/status.d"
INFO_DIRECTORY = "var/lib/dpkg/info"

_PIECES = re.compile(r"([^0-9]*)([0-9]*)")
_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)(?::(?P<qualifier>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|>=|>>|=|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
    r"(?:\s*\[[^\]]*\])?(?:\s*<[^>]*>)*"
)
_SOURCE = re.compile(r"(?P<name>\S+)(?:\s+\((?P<version>[^)]+)\))?")


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """One alternative of a relation field: `name:qualifier (operator version)`; what is not there is empty."""

    name: str
    operator: str = ""
    version: str = ""
    qualifier: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def accepts(self, version: str) -> bool:
        """Whether a package of this version satisfies the relation."""
        if not self.operator:
            return True
        order = compare_versions(version, self.version)
        match self.operator:
            case "<<":
                return order < 0
            case "<=" | "<":  # a single < or > has long meant "or equal": deb-control's history
                return order <= 0
            case "=":
                return order == 0
            case ">=" | ">":
                return order >= 0
            case _:
                return order > 0


class InstalledPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package that a root filesystem says it has. `source` and `source_version` name where it was built from."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str


def compare_versions(one: str, other: str) -> int:
    """Below zero where `one` is older than `other`, zero where they are the same version, above where it is newer."""
    for first, second in zip(_split_version(one), _split_version(other), strict=True):
        for mine, theirs in zip_longest(first, second, fillvalue=((0,), 0)):
            if mine != theirs:
                return -1 if mine < theirs else 1
    return 0


Pieces = tuple[tuple[tuple[int, ...], int], ...]


@lru_cache(maxsize=4096)
def _split_version(version: str) -> tuple[Pieces, Pieces, Pieces]:
    if len(version) > MAX_VERSION_CHARACTERS:
        raise HostileInputError(f"a Debian version has {len(version):,} characters: {version[:40]!r}…")
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return _pieces(epoch), _pieces(upstream), _pieces(revision)


def _pieces(text: str) -> Pieces:
    """Pairs of a non-digit run and a number. A run ends in 0, which sorts before every character but `~`."""
    pairs = ((run, digits) for run, digits in _PIECES.findall(text) if run or digits)
    return tuple(((*map(_order, run), 0), int(digits or 0)) for run, digits in pairs)


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256


@lru_cache(maxsize=4096)
def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """The groups of a relation field (all must hold), each a tuple of alternatives. Raises HostileInputError."""
    groups = (group for group in text.split(",") if group.strip())
    return tuple(tuple(_parse_relation(each) for each in group.split("|")) for group in groups)


def _parse_relation(text: str) -> Relation:
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        raise HostileInputError(f"{text.strip()[:80]!r} is not a relation between Debian packages")
    return Relation(
        name=match["name"],
        operator=match["operator"] or "",
        version=match["version"] or "",
        qualifier=match["qualifier"] or "",
    )


def parse_paragraph(text: str) -> dict[str, str]:
    """Field → value of one paragraph; the lines of a folded value are kept apart by newlines."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] += "\n" + line.strip()
        elif not line.startswith("#"):
            name, colon, value = line.partition(":")
            name = name if colon else ""
            if name:
                fields[name] = value.strip()
    return fields


def parse_paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file, split on blank lines."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = parse_paragraph(paragraph)
        if fields:
            yield fields


def parse_source(fields: Mapping[str, str]) -> tuple[str, str]:
    """Name and version of the source package that a binary package's paragraph names."""
    match = _SOURCE.match(fields.get("Source", ""))
    if match is None:
        return fields.get("Package", ""), fields.get("Version", "")
    return match["name"], match["version"] or fields.get("Version", "")


def parse_installed(text: str) -> tuple[InstalledPackage, ...]:
    """The packages of a status file (or a file of status.d, which may lack `Status`) that are installed."""
    return tuple(
        InstalledPackage(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields.get("Architecture", ""),
            source=parse_source(fields)[0],
            source_version=parse_source(fields)[1],
        )
        for fields in parse_paragraphs(text)
        if "Package" in fields
        and "Version" in fields
        and fields.get("Status", "install ok installed").endswith(" installed")
    )


def read_installed(tree: Tree) -> tuple[InstalledPackage, ...]:
    """What the dpkg database of `tree` has installed, from `status` and from `status.d` as distroless writes it.

    By name, then architecture; files whose bytes were not kept count as not there.
    """
    texts = [entry.data for entry in [tree.find(STATUS)] if entry is not None and entry.data is not None]
    for entry in _entries_in(tree, STATUS_DIRECTORY):
        if not entry.path.endswith(".md5sums") and entry.data is not None:
            texts.append(entry.data)
    found = {
        (package.name, package.architecture): package
        for text in texts
        for package in parse_installed(text.decode("utf-8", "replace"))
    }
    return tuple(found[key] for key in sorted(found))


def read_file_lists(tree: Tree) -> Iterator[tuple[InstalledPackage, tuple[str, ...]]]:
    """Every installed package with the paths that dpkg's lists, or distroless' checksums, say are its own; relative to
    the root and as the package has them, so `bin/sh` where /bin is a link. Lists that were not kept count as none."""
    by_list_name: dict[str, InstalledPackage] = {}
    for package in read_installed(tree):
        by_list_name[package.name] = by_list_name[f"{package.name}:{package.architecture}"] = package
    for folder, suffix in ((INFO_DIRECTORY, ".list"), (STATUS_DIRECTORY, ".md5sums")):
        for entry in _entries_in(tree, folder):
            found = by_list_name.get(entry.path.rpartition("/")[2].removesuffix(suffix))
            if found is not None and entry.path.endswith(suffix) and entry.data is not None:
                lines = entry.data.decode("utf-8", "surrogateescape").split("\n")
                # A checksum is 32 digits, two spaces; then a path that may begin with `./`.
                paths = (line[34:] if suffix == ".md5sums" else line for line in lines)
                yield found, tuple(path.removeprefix(".").lstrip("/") for path in paths if path)


def _entries_in(tree: Tree, folder: str) -> Iterator[Entry]:
    """What lies in a folder; most images have one of the two databases, so the other's folder is looked for first."""
    if folder in tree:
        prefix = folder + "/"
        yield from (entry for entry in tree if entry.path.startswith(prefix))
