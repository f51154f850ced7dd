"""Debian as a base: what a set of packages resolves to, the root filesystem that it makes, and single files from it."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from basewright._http import Http
from basewright.bases.debian.assembly import DebianRoot, assemble_debian, merge, unpack_all
from basewright.bases.debian.certificates import BUNDLE, install_certificates
from basewright.bases.debian.download import download_debs, missing_bytes
from basewright.bases.debian.index import Universe, fetch_universe
from basewright.bases.debian.libraries import package_of_library
from basewright.bases.debian.mirrors import Mirror, Mirrors, find_mirrors
from basewright.bases.debian.release import Release, fetch_suite
from basewright.bases.debian.resolution import Resolution, resolve
from basewright.errors import InputError
from basewright.feeds.lifecycle import newest_series
from basewright.lock import LockedDebian
from basewright.oci.tree import Tree
from basewright.progress import Progress
from basewright.strategy import DebianBase, Platform

__all__ = [
    "ASSEMBLER_FILES", "DebianRoot", "Mirror", "Mirrors", "assemble_debian", "assembler_files", "find_mirrors",
    "library_packages", "missing_bytes", "resolve_assembler_files", "resolve_debian",
]  # fmt: skip

ASSEMBLER_FILES = ("ca-certificates", "tzdata")
BASE_FILES = "base-files"
"""Always there, since os-release is in it: without that no scanner knows whose packages these are."""
_FILE_PREFIXES = ("usr/share/zoneinfo/", "usr/share/ca-certificates/", "etc/ssl/certs/")


def resolve_debian(
    base: DebianBase,
    platform: Platform,
    *,
    http: Http,
    cache: Path,
    now: datetime,
    progress: Progress,
    mirrors: Mirrors | None = None,
) -> LockedDebian:
    """Resolves a base's packages for a suite with its updates and security pockets. `mirrors` overrides the search.

    Raises InputError (no such suite or package, a set that cannot be satisfied), HostileInputError (a signature, date
    or checksum that is wrong) and OutOfReachError.
    """
    for name in base.packages:
        if name in base.exclude:
            raise InputError(f"the package {name} is both asked for and excluded", hint="take it out of one list")
    universe, releases = _universe(base, platform, http=http, cache=cache, now=now, progress=progress, mirrors=mirrors)
    requested = dict.fromkeys(base.packages)
    if BASE_FILES not in base.exclude and BASE_FILES in universe:
        requested[BASE_FILES] = None
    whole = "dpkg" in requested
    resolution = resolve(universe, tuple(requested), excluded=base.exclude, scripts_too=whole)
    return _locked(base.debian, base.packages, base.exclude, releases, resolution)


def _universe(
    base: DebianBase,
    platform: Platform,
    *,
    http: Http,
    cache: Path,
    now: datetime,
    progress: Progress,
    mirrors: Mirrors | None,
) -> tuple[Universe, tuple[Release, ...]]:
    mirrors = mirrors or find_mirrors(base)
    progress(f"resolving Debian {base.debian} for {platform.value}")
    releases = fetch_suite(base.debian, mirrors.main, mirrors.security, http=http, now=now)
    if len(releases) < 2 or all(each.archive != "security" for each in releases):
        progress(f"{base.debian} has no security pocket at {' or '.join(each.url for each in mirrors.security)}")
    universe = fetch_universe(releases, platform, http=http, cache=cache, progress=progress)
    return universe, releases


def _locked(
    suite: str,
    requested: Iterable[str],
    excluded: Iterable[str],
    releases: tuple[Release, ...],
    resolution: Resolution,
) -> LockedDebian:
    return LockedDebian(
        suite=suite,
        requested=tuple(requested),
        excluded=tuple(sorted({*excluded, *resolution.left_out})),
        releases=tuple(each.locked for each in releases),
        packages=tuple(each.locked for each in resolution.packages),
    )


def resolve_assembler_files(
    names: tuple[str, ...],
    platform: Platform,
    *,
    http: Http,
    cache: Path,
    now: datetime,
    progress: Progress,
    suite: str | None = None,
    mirrors: Mirrors | None = None,
) -> LockedDebian:
    """Locks the packages whose files a base without a repository gets: `ca-certificates`, `tzdata`, and nothing else.

    No `suite`: the newest release of Debian at `now`, by its codename, since `stable` is another one tomorrow.
    Raises what resolve_debian raises.
    """
    unknown = [name for name in names if name not in ASSEMBLER_FILES]
    if unknown:
        hint = f"it has {' and '.join(ASSEMBLER_FILES)}"
        raise InputError(f"{unknown[0]} does not come from the assembler", hint=hint)
    if suite is None:
        series = newest_series("debian", now.date())
        suite = series.series if series is not None else "stable"
    base = DebianBase(debian=suite, packages=names)
    universe, releases = _universe(base, platform, http=http, cache=cache, now=now, progress=progress, mirrors=mirrors)
    found = [universe.package(name) for name in sorted(set(names))]
    packages = tuple(each for each in found if each is not None)
    if len(packages) < len(found):
        raise InputError(f"{universe.suite} lacks one of {', '.join(names)}")
    return _locked(suite, names, (), releases, Resolution(packages=packages, left_out=()))


def assembler_files(
    locked: LockedDebian,
    *,
    mirrors: Mirrors,
    http: Http,
    cache: Path,
    progress: Progress,
    hash_links: bool = True,
) -> Tree:
    """Only the CA bundle and the time zones of what resolve_assembler_files locked, with their copyright files.

    Without `hash_links` the bundle stands alone, which is all that Go's and most other TLS stacks read.
    """
    download = download_debs(locked, mirrors=mirrors, http=http, cache=cache, progress=progress)
    whole, _ = merge(list(unpack_all(locked, download).values()))
    if install_certificates(whole, hash_links=hash_links) and not hash_links:
        for entry in list(whole):
            if entry.path.startswith(_FILE_PREFIXES[1:]) and entry.path != BUNDLE and not entry.is_directory:
                whole.remove(entry.path)
    tree = Tree()
    for entry in whole:
        if not entry.is_directory and (
            entry.path.startswith(_FILE_PREFIXES) or entry.path.startswith("usr/share/doc/")
        ):
            tree.add(entry)
    return tree


def library_packages(
    sonames: Iterable[str],
    suite: str,
    platform: Platform,
    *,
    http: Http,
    cache: Path,
    now: datetime,
    progress: Progress,
    mirrors: Mirrors | None = None,
) -> dict[str, str | None]:
    """The Debian package that has each shared library, best effort from the names; None where that is not known.

    Raises OutOfReachError where the archive cannot be asked.
    """
    base = DebianBase(debian=suite, packages=())
    universe, _ = _universe(base, platform, http=http, cache=cache, now=now, progress=progress, mirrors=mirrors)
    return {soname: package_of_library(universe, soname) for soname in sorted(set(sonames))}
