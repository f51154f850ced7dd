"""requirements.txt as pip defines it, as far as uv's answer does not tell: which files it includes, which hashes it
gives. https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from basewright.bounded import read_bounded
from basewright.ecosystems.dist_info import normal_name
from basewright.errors import InputError

MAX_FILE_BYTES = 32 << 20
_MAX_DEPTH = 16
_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"\s--hash[=\s]\s*([a-z0-9]+):([0-9A-Fa-f]+)")
_INCLUDE = re.compile(r"(?P<kind>-r|--requirement|-c|--constraint)(?:\s*=\s*|\s*)(?P<path>.+)")
_INDEX = re.compile(r"(?:-i|--index-url|--extra-index-url|-f|--find-links)(?:\s*=\s*|\s+)(?P<url>\S+)")


class RequirementFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A requirements file with all that it includes. `hashes`: normalised name → SHA-256 digests that its author gave;
    `urls` are the indexes that it names, credentials and all, so never to be shown."""

    files: tuple[tuple[str, bytes], ...]
    hashes: dict[str, frozenset[str]]
    urls: tuple[str, ...] = ()


def read_requirement_files(path: Path, *, repository: Path) -> RequirementFiles:
    """Reads `path` and what it includes. Raises InputError where one is missing or lies outside of the repository."""
    files: dict[str, bytes] = {}
    hashes: dict[str, set[str]] = {}
    urls: list[str] = []
    _read(path, repository, files, hashes, urls, 0)
    return RequirementFiles(
        files=tuple(files.items()),
        hashes={name: frozenset(each) for name, each in hashes.items()},
        urls=tuple(urls),
    )


def _read(
    path: Path, repository: Path, files: dict[str, bytes], hashes: dict[str, set[str]], urls: list[str], depth: int
) -> None:
    resolved = path.resolve()
    if not resolved.is_relative_to(repository):
        raise InputError(f"the requirements file {path.name} lies outside of the repository")
    name = resolved.relative_to(repository).as_posix()
    if name in files:
        return
    if depth > _MAX_DEPTH:
        raise InputError(f"{name} is included more than {_MAX_DEPTH} files deep")
    files[name] = data = read_project_file(resolved, name)
    for line in logical_lines(decode(data, name)):
        include = _INCLUDE.fullmatch(line)
        if include is not None:
            if re.match(r"[a-z][a-z0-9+.-]+://", include["path"]):
                raise InputError(
                    f"{name} includes a file by URL, which is not supported", hint="keep a copy of it in the repository"
                )
            _read(resolved.parent / include["path"].strip("\"'"), repository, files, hashes, urls, depth + 1)
        elif (index := _INDEX.match(line)) is not None:
            urls.append(index["url"])
        elif not line.startswith("-"):
            _collect(line, hashes)


def _collect(line: str, hashes: dict[str, set[str]]) -> None:
    found = {digest.lower() for algorithm, digest in _HASH.findall(line) if algorithm == "sha256"}
    try:
        name = Requirement(re.split(r"\s--", line, maxsplit=1)[0].strip()).name
    except InvalidRequirement:
        return
    if found:
        hashes.setdefault(normal_name(name), set()).update(found)


def logical_lines(text: str) -> Iterator[str]:
    """Lines without comments, continued ones joined, empty ones left out."""
    pending = ""
    for raw in text.splitlines():
        line = raw if not pending or not raw.lstrip().startswith("#") else ""
        line = _COMMENT.sub("", line)
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        joined = (pending + line).strip()
        pending = ""
        if joined:
            yield joined
    if pending.strip():
        yield pending.strip()


def decode(data: bytes, name: str) -> str:
    """Text of a requirements or project file. Raises InputError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is not UTF-8") from None


def read_project_file(path: Path, name: str) -> bytes:
    """The whole file that `name` stands for in errors. Raises InputError."""
    return read_bounded(path, max_bytes=MAX_FILE_BYTES, name=name)
