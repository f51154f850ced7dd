"""Locked packages → a root filesystem: unpacked in memory, merged in a fixed order, completed natively."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from basewright._http import Http
from basewright.bases.debian.changes import cadence_of
from basewright.bases.debian.database import write_database, write_status_directory
from basewright.bases.debian.download import Download, download_debs
from basewright.bases.debian.mirrors import Mirrors
from basewright.bases.debian.scripts import configure, library_notes, merge_usr
from basewright.bases.debian.unpack import UnpackedDeb, unpack_deb
from basewright.bases.look import runtime_of
from basewright.ecosystems.dpkg import parse_paragraph, parse_relations
from basewright.errors import HostileInputError
from basewright.facts import CadenceFacts, Owner, RuntimeFacts
from basewright.feeds.lifecycle import distribution_series
from basewright.lock import LockedDebian
from basewright.oci.tree import Entry, FileType, Tree
from basewright.parallel import map_parallel
from basewright.progress import Progress
from basewright.strategy import Platform

UNPACKERS = 4
_INTERPRETER_SOURCE = re.compile(r"python3(?:\.\d+|-defaults|-stdlib-extensions)")
_MOVED = (("var/run", "run"), ("var/lock", "run/lock"))


class DebianRoot(msgspec.Struct, frozen=True, kw_only=True):
    """An assembled root filesystem and what is known of it. `runtime_paths`: path → `runtime` for what the packages of
    the Python interpreter own."""

    tree: Tree
    packages: tuple[str, ...]
    runtime_paths: dict[str, str]
    runtime: RuntimeFacts
    cadence: CadenceFacts
    download_seconds: float
    downloaded_bytes: int
    notes: tuple[str, ...] = ()


def assemble_debian(
    locked: LockedDebian, platform: Platform, *, mirrors: Mirrors, http: Http, cache: Path, progress: Progress
) -> DebianRoot:
    """The root filesystem of a lock; the same lock gives the same tree.

    Raises OutOfReachError, and HostileInputError where a package is not what its lock says.
    """
    download = download_debs(locked, mirrors=mirrors, http=http, cache=cache, progress=progress)
    progress(f"assembling {len(locked.packages)} Debian packages")
    debs = unpack_all(locked, download)
    tree, owners = merge(list(debs.values()))
    merge_usr(tree, platform.architecture)
    suite = locked.releases[0].suite if locked.releases else locked.suite
    alternatives = configure(tree, debs, suite=suite)
    if "dpkg" in debs:
        write_database(tree, debs, alternatives)
    else:
        write_status_directory(tree, debs)
    sources = {each.name: each.source for each in locked.packages}
    return DebianRoot(
        tree=tree,
        packages=tuple(debs),
        runtime_paths={
            path: Owner.RUNTIME.value
            for path, package in owners.items()
            if _INTERPRETER_SOURCE.fullmatch(sources.get(package) or package)
        },
        runtime=_runtime(tree, suite),
        cadence=cadence_of(locked, debs.values()),
        download_seconds=download.seconds,
        downloaded_bytes=download.downloaded_bytes,
        notes=library_notes(tree),
    )


def unpack_all(locked: LockedDebian, download: Download) -> dict[str, UnpackedDeb]:
    """The unpacked packages by name. base-files comes first: its directories have the modes that count."""
    # The largest first, so that no thread is left alone with one at the end.
    work = sorted(zip(locked.packages, download.debs, strict=True), key=lambda each: -len(each[1]))
    debs = map_parallel(lambda each: unpack_deb(each[1], name=each[0].name), work, workers=UNPACKERS)
    for (package, _), deb in zip(work, debs, strict=True):
        fields = parse_paragraph(deb.text("control"))
        if (fields.get("Package"), fields.get("Version")) != (package.name, package.version):
            raise HostileInputError(f"the package {package.name} {package.version} names itself otherwise")
    return {deb.name: deb for deb in sorted(debs, key=lambda deb: (deb.name != "base-files", deb.name))}


def merge(debs: Sequence[UnpackedDeb]) -> tuple[Tree, dict[str, str]]:
    """One tree of all packages, and path → the package that it came from."""
    tree, owners = Tree(), dict[str, str]()
    replaced = {deb.name: _replaces(deb) for deb in debs}
    # Links before what may stand below them: a folder that one package has is a link in another.
    for is_link in (True, False):
        for deb in debs:
            for entry in deb.entries:
                if (entry.type is FileType.SYMLINK) == is_link:
                    _merge_entry(tree, owners, replaced, deb.name, entry)
    return tree, owners


def _merge_entry(
    tree: Tree, owners: dict[str, str], replaced: Mapping[str, frozenset[str]], package: str, entry: Entry
) -> None:
    path = _moved(entry.path)
    if path is None:
        return
    path = _through_links(tree, path)
    if entry.type is FileType.HARDLINK:
        entry = msgspec.structs.replace(entry, link=_through_links(tree, entry.link))
    there = tree.get(path)
    if there is not None and _stays(there, entry, owners.get(path, ""), replaced, package):
        return
    tree.add(msgspec.structs.replace(entry, path=path))
    if not entry.is_directory:
        owners[path] = package


def _stays(there: Entry, entry: Entry, owner: str, replaced: Mapping[str, frozenset[str]], package: str) -> bool:
    """Whether what is there stays: a directory, a link to one, or a file whose package replaces the other's."""
    if entry.is_directory:
        return True
    if there.is_directory:
        if entry.type is FileType.SYMLINK:
            return True
        raise HostileInputError(f"{package} has a file where others have the directory /{there.path[:200]}")
    return package in replaced.get(owner, frozenset()) or (
        there.type is FileType.SYMLINK and entry.type is not FileType.SYMLINK and owner != package
        and owner not in replaced[package]
    )  # fmt: skip


def _replaces(deb: UnpackedDeb) -> frozenset[str]:
    fields = parse_paragraph(deb.text("control"))
    return frozenset(each.name for group in parse_relations(fields.get("Replaces", "")) for each in group)


def _moved(path: str) -> str | None:
    """The path outside of the links that base-files makes of /var/run and /var/lock; None for these themselves."""
    for old, new in _MOVED:
        if path == old:
            return None
        if path.startswith(old + "/"):
            return new + path[len(old) :]
    return path


def _through_links(tree: Tree, path: str) -> str:
    """The path with its folders resolved: a layer must not have names below a symbolic link."""
    parent, slash, name = path.rpartition("/")
    if not slash or (found := tree.get(parent)) is None or found.is_directory:
        if slash and found is None:
            return f"{_through_links(tree, parent)}/{name}"
        return path
    resolved = tree.resolve(parent)
    return f"{resolved}/{name}" if resolved else path


def _runtime(tree: Tree, suite: str) -> RuntimeFacts:
    """From the files; without base-files there is no os-release, and the suite tells the distribution."""
    facts = runtime_of(tree)
    if facts.distribution is None:
        series = distribution_series("debian", suite)
        version = series.version if series is not None else None
        facts = msgspec.structs.replace(facts, distribution="debian", distribution_version=version)
    return facts
