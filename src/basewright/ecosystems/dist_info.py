"""Python distributions that are installed in a root filesystem: their dist-info folders and RECORDs.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

import posixpath
import re
from collections.abc import Iterator

import msgspec

from basewright.oci.tree import Tree

_RECORD = re.compile(r"(?P<folder>(?:.*/)?)(?P<name>[^/-]+)-(?P<version>[^/-]+)\.dist-info/RECORD")
_FOLDER_ORIGIN = re.compile(rb'"dir_info"\s*:')
"""What direct_url.json says of a project that was installed from a folder, not from an index or an archive."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """An installed distribution with the files that it recorded, relative to the root of the filesystem."""

    name: str
    version: str
    record: str
    """The path of its RECORD."""
    files: tuple[str, ...]
    from_folder: bool
    """Installed from a folder of sources, as a service's own project is."""


def normal_name(name: str) -> str:
    """The name as indexes compare it: `Flask_Login` → `flask-login`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_distributions(tree: Tree) -> Iterator[Distribution]:
    """Every distribution with a RECORD whose bytes were kept, by path."""
    for entry in tree:
        match = _RECORD.fullmatch(entry.path) if entry.path.endswith("/RECORD") else None
        if match is None or entry.data is None:
            continue
        origin = tree.get(entry.path.removesuffix("RECORD") + "direct_url.json")
        yield Distribution(
            name=match["name"],
            version=match["version"],
            record=entry.path,
            files=tuple(_files(entry.data, match["folder"])),
            from_folder=bool(origin and origin.data and _FOLDER_ORIGIN.search(origin.data)),
        )


def _files(record: bytes, folder: str) -> Iterator[str]:
    """The paths of a RECORD: absolute, or relative to the folder that the distribution lies in."""
    for line in record.decode("utf-8", "surrogateescape").splitlines():
        # CSV: a path that holds a comma or a quote stands in quotes, its own doubled.
        path, quoted = line.partition(",")[0], line[1:].partition('",')[0].replace('""', '"')
        path = quoted if line.startswith('"') else path
        if path:
            path = posixpath.normpath("/" + (path if path.startswith("/") else folder + path))
            yield path.lstrip("/")
