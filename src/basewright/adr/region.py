"""Marked regions: the only text of a record that basewright owns, each with the digest of what it wrote there. Pure.

<!-- basewright:begin evidence id=calendar-api schema=1 sha256=… -->
…
<!-- basewright:end evidence -->
"""

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

SCHEMA = 1
_BEGIN = re.compile(r"<!-- basewright:begin ([a-z]+)((?: [a-z0-9]+=\S+)*) -->[ \t]*")
_END = re.compile(r"<!-- basewright:end ([a-z]+) -->[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A region as it stands in a file. `first` and `last` are the lines of its markers, counted from 0."""

    kind: str
    attributes: dict[str, str]
    body: str
    """The lines between the markers, with LF."""
    first: int
    last: int

    @property
    def untouched(self) -> bool:
        """Whether nobody edited it: the body has the digest that its marker states."""
        return self.attributes.get("sha256") == body_digest(self.body)


def marker_word(text: str) -> str:
    """Any text as one word of a marker. `--` would end a comment for some readers."""
    return quote(text, safe="/#@.+").replace("--", "-%2D")


def body_digest(body: str) -> str:
    """SHA-256 of a region's body in UTF-8 with LF line ends, so that a checkout with CRLF is no edit."""
    return hashlib.sha256(body.encode()).hexdigest()


def render_region(kind: str, attributes: Mapping[str, str], body: str) -> str:
    """A region with its markers, `body` ending in a newline; a blank line follows and precedes each marker's inside."""
    inner = f"\n{body.strip()}\n\n"
    words = [f"{key}={value}" for key, value in attributes.items()]
    words += [f"schema={SCHEMA}", f"sha256={body_digest(inner)}"]
    return f"<!-- basewright:begin {kind} {' '.join(words)} -->\n{inner}<!-- basewright:end {kind} -->\n"


def split_lines(text: str) -> list[str]:
    """Lines with their ends; only CRLF, LF and CR end one (`str.splitlines` breaks at more)."""
    return [line for line in _LINE.findall(text) if line]


def parse_regions(text: str) -> tuple[Region, ...]:
    """The regions of a record, in order. A marker without its partner, or inside a code fence, is no region."""
    regions: list[Region] = []
    opened: tuple[int, str, dict[str, str]] | None = None
    fence = ""
    lines = split_lines(text)
    for number, line in enumerate(lines):
        bare = line.rstrip("\r\n")
        fence, inside = _fence(fence, bare)
        if inside:
            continue
        begin = _BEGIN.fullmatch(bare)
        if begin is not None:
            opened = (number, begin[1], dict(word.split("=", 1) for word in begin[2].split()))
            continue
        end = _END.fullmatch(bare)
        if end is None or opened is None or opened[1] != end[1]:
            continue
        body = "".join(each.rstrip("\r\n") + "\n" for each in lines[opened[0] + 1 : number])
        regions.append(Region(kind=end[1], attributes=opened[2], body=body, first=opened[0], last=number))
        opened = None
    return tuple(regions)


def replace_regions(text: str, replacements: Mapping[int, str]) -> str:
    """`text` with the regions that begin at the given lines rendered anew; every other byte stays as it was."""
    lines = split_lines(text)
    for region in reversed(parse_regions(text)):
        rendered = replacements.get(region.first)
        if rendered is None:
            continue
        begin, last = lines[region.first], lines[region.last]
        end_of_line = begin[len(begin.rstrip("\r\n")) :]
        new = [line.rstrip("\n") + end_of_line for line in split_lines(rendered)]
        new[-1] = new[-1].rstrip("\r\n") + last[len(last.rstrip("\r\n")) :]
        lines[region.first : region.last + 1] = new
    return "".join(lines)


def _fence(fence: str, line: str) -> tuple[str, bool]:
    """The fence that is open after `line`, and whether the line belongs to one."""
    found = _FENCE.fullmatch(line)
    if not fence:
        opens = found is not None and not (found[1].startswith("`") and "`" in found[2])
        return (found[1], True) if found is not None and opens else ("", False)
    closes = (
        found is not None and found[1].startswith(fence[0]) and len(found[1]) >= len(fence) and not found[2].strip()
    )
    return ("", True) if closes else (fence, True)
