"""Alpine packages: what a root filesystem's installed database says it has.

https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_Database_V2
"""

from collections.abc import Iterator

import msgspec

from basewright.oci.tree import Tree

DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
"""From 3.22 on /lib may be a link to /usr/lib."""


class ApkPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is installed. `origin` is what it was built from; `files` are paths relative to the root."""

    name: str
    version: str
    architecture: str = ""
    origin: str = ""
    files: tuple[str, ...] = ()


def parse_apk_installed(data: bytes) -> Iterator[ApkPackage]:
    """The packages of an installed database; a paragraph without a name is left out."""
    for paragraph in data.decode("utf-8", "surrogateescape").split("\n\n"):
        fields: dict[str, str] = {}
        files, folder = list[str](), ""
        for line in paragraph.split("\n"):
            key, colon, value = line.partition(":")
            if not colon or len(key) != 1:
                continue
            if key == "F":
                folder = value.strip("/")
            elif key == "R":
                files.append(f"{folder}/{value}" if folder else value)
            else:
                fields[key] = value
        if "P" in fields:
            yield ApkPackage(
                name=fields["P"],
                version=fields.get("V", ""),
                architecture=fields.get("A", ""),
                origin=fields.get("o", ""),
                files=tuple(files),
            )


def read_apk_installed(tree: Tree) -> tuple[ApkPackage, ...]:
    """What apk's database of `tree` has installed, by name; a database whose bytes were not kept counts as none."""
    found = {}
    for path in DATABASES:
        entry = tree.find(path)
        for package in parse_apk_installed((entry.data if entry is not None else None) or b""):
            found[package.name] = package
    return tuple(found[name] for name in sorted(found))
