"""Which packages an image says it has: Debian's, Alpine's, Python's distributions. Pure."""

import re
from collections.abc import Iterable

import msgspec

from basewright.ecosystems.apk import read_apk_installed
from basewright.ecosystems.dist_info import normal_name
from basewright.ecosystems.dpkg import read_installed
from basewright.evidence.inspected import PackageKind
from basewright.oci.tree import Tree

_DISTRIBUTION = re.compile(
    r"(?:.*/)?(?:site|dist)-packages/(?P<name>[^/-]+)-(?P<version>[^/-]+)(?:-py[0-9.]+)?"
    r"(?:\.dist-info/METADATA|\.egg-info(?:/PKG-INFO)?)"
)


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is installed."""

    kind: PackageKind
    name: str
    version: str


class PackageChange(msgspec.Struct, frozen=True, kw_only=True):
    """A package whose versions differ; several are apart by `, `. None: it is not there."""

    kind: PackageKind
    name: str
    before: str | None
    after: str | None


def read_packages(tree: Tree) -> tuple[Package, ...]:
    """What the databases and folders of `tree` name."""
    found = [Package(kind=PackageKind.DEBIAN, name=each.name, version=each.version) for each in read_installed(tree)]
    alpine = read_apk_installed(tree)
    found += [Package(kind=PackageKind.ALPINE, name=each.name, version=each.version) for each in alpine]
    for entry in tree:
        match = _DISTRIBUTION.fullmatch(entry.path) if "-info" in entry.path else None
        if match is not None:
            name = normal_name(match["name"])
            found.append(Package(kind=PackageKind.PYTHON, name=name, version=match["version"]))
    return tuple(dict.fromkeys(found))


def compare_packages(before: Iterable[Package], after: Iterable[Package]) -> tuple[PackageChange, ...]:
    """Other versions first, then what went, then what came; by kind and name."""
    one, two = _versions(before), _versions(after)
    changes = [
        PackageChange(kind=key[0], name=key[1], before=one.get(key), after=two.get(key))
        for key in sorted(one.keys() | two.keys())
        if one.get(key) != two.get(key)
    ]
    return ordered(changes)


def ordered(changes: Iterable[PackageChange]) -> tuple[PackageChange, ...]:
    """As people want to read them."""
    return tuple(sorted(changes, key=lambda each: (each.before is None, each.after is None)))


def _versions(packages: Iterable[Package]) -> dict[tuple[PackageKind, str], str]:
    found: dict[tuple[PackageKind, str], list[str]] = {}
    for each in dict.fromkeys(packages):
        found.setdefault((each.kind, each.name), []).append(each.version)
    return {key: ", ".join(sorted(versions)) for key, versions in found.items()}
