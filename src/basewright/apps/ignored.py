"""Which files of a folder stay out of an image: what git and .dockerignore ignore, by their own rules.

https://git-scm.com/docs/gitignore and https://docs.docker.com/build/concepts/context/#dockerignore-files
Only the repository's own files count, never a user's settings, so that every machine builds the same.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

_MAX_RULES_BYTES = 1 << 20


class GitRule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a .gitignore. `folder` holds the file, relative to the walk's root, with a slash behind it."""

    folder: str
    pattern: re.Pattern[str]
    keeps: bool
    directories_only: bool


class DockerRule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a .dockerignore, whose paths are relative to the file's own folder."""

    folder: str
    pattern: re.Pattern[str]
    keeps: bool


def parse_gitignore(text: str, folder: str) -> tuple[GitRule, ...]:
    """The rules of a .gitignore that lies in `folder` (empty, or ending in a slash)."""
    rules = []
    for raw in text.splitlines():
        line = re.sub(r"(?<!\\) +$", "", raw)
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        line = line[1:] if keeps else line
        directories_only = line.endswith("/")
        line = line.rstrip("/") if directories_only else line
        if not line:
            continue
        anchored = "/" in line
        expression = _expression(line.lstrip("/"))
        if not anchored:
            expression = f"(?:.*/)?{expression}"
        pattern = _compiled(expression)
        if pattern is not None:
            rules.append(GitRule(folder=folder, pattern=pattern, keeps=keeps, directories_only=directories_only))
    return tuple(rules)


def parse_dockerignore(text: str, folder: str) -> tuple[DockerRule, ...]:
    """The rules of a .dockerignore that lies in `folder` (empty, or ending in a slash)."""
    rules = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        parts = [each for each in line.removeprefix("!").strip().split("/") if each not in ("", ".")]
        pattern = _compiled(_expression("/".join(parts))) if parts else None
        if pattern is not None:
            rules.append(DockerRule(folder=folder, pattern=pattern, keeps=keeps))
    return tuple(rules)


def git_ignores(path: str, rules: Iterable[GitRule], *, directory: bool) -> bool:
    """Whether the last rule that matches says so. A walk asks from above: below an ignored folder nothing counts."""
    ignored = False
    for rule in rules:
        if (rule.directories_only and not directory) or not path.startswith(rule.folder):
            continue
        if rule.pattern.fullmatch(path[len(rule.folder) :]):
            ignored = not rule.keeps
    return ignored


def docker_ignores(path: str, rules: Iterable[DockerRule]) -> bool:
    """Whether the last rule that matches the path, or a folder above it, says so."""
    ignored = False
    for rule in rules:
        if not path.startswith(rule.folder):
            continue
        parts = path[len(rule.folder) :].split("/")
        if any(rule.pattern.fullmatch("/".join(parts[:count])) for count in range(1, len(parts) + 1)):
            ignored = not rule.keeps
    return ignored


def read_rules(file: Path) -> str:
    """The text of an ignore file; empty where there is none."""
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_RULES_BYTES).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except OSError:
        return ""


def _expression(pattern: str) -> str:
    """A glob with `**` as a regular expression."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            at += 3
        elif rest.startswith("/**") and len(rest) == 3:
            parts.append("/.+")
            at += 3
        elif rest.startswith("**"):
            parts.append(".*")
            at += 2
        else:
            text, width = _one(rest)
            parts.append(text)
            at += width
    return "".join(parts)


def _one(rest: str) -> tuple[str, int]:
    """The expression of one element of a glob, and how many characters it takes."""
    match rest[0]:
        case "*":
            return "[^/]*", 1
        case "?":
            return "[^/]", 1
        case "\\" if len(rest) > 1:
            return re.escape(rest[1]), 2
        case "[" if (end := rest.find("]", 2)) > 0:
            inner = rest[1:end].replace("\\", "\\\\")
            return "[" + (f"^{inner[1:]}" if inner[0] in "!^" else inner) + "]", end + 1
        case other:
            return re.escape(other), 1


def _compiled(expression: str) -> re.Pattern[str] | None:
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:
        return None
