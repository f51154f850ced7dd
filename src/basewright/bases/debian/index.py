"""The packages of a suite: indexes checked against their Release files, kept parsed, and looked up by name.

An index has 69,000 paragraphs of which a resolution reads a hundred: kept are the text and where each one stands.
"""

import difflib
import hashlib
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import msgspec

from basewright._disk import write_atomically
from basewright._http import Http, NotFoundError
from basewright.bases.debian.release import COMPONENT, IndexFile, Release
from basewright.ecosystems.dpkg import Relation, compare_versions, parse_paragraph, parse_relations, parse_source
from basewright.errors import HostileInputError
from basewright.lock import LockedDeb
from basewright.parallel import map_parallel
from basewright.progress import Progress
from basewright.strategy import Platform

MAX_INDEX_BYTES = 1 << 29
CACHE_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PRIORITIES = ("required", "important", "standard", "optional", "extra")


class PackageIndex(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One Packages file. `names`: package → start and end of each of its paragraphs; `providers`: virtual package →
    the names of those that provide it. `packed` is the file, compressed by zstd."""

    names: dict[str, list[int]]
    providers: dict[str, list[str]]
    packed: bytes


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package that can be had, with what it needs and what it cannot stand beside."""

    name: str
    version: str
    architecture: str
    source: str
    archive: str
    depends: tuple[tuple[Relation, ...], ...]
    """Pre-Depends, then Depends: groups of alternatives."""
    conflicts: tuple[Relation, ...]
    """Conflicts and Breaks."""
    provides: tuple[Relation, ...]
    allows_any: bool
    """Multi-Arch: allowed, so that `name:any` may be depended on."""
    priority: int
    pool_path: str
    sha256: str
    size: int

    @property
    def locked(self) -> LockedDeb:
        """What the lock keeps of it."""
        return LockedDeb(
            name=self.name,
            version=self.version,
            architecture=self.architecture,
            pool_path=self.pool_path,
            sha256=self.sha256,
            size=self.size,
            archive=self.archive,
            source=self.source,
        )


class Universe:
    """Every package of a suite and its pockets, for one architecture. A name stands for its newest version."""

    def __init__(self, pockets: Iterable[tuple[str, PackageIndex]], architecture: str, suite: str) -> None:
        self.suite = suite
        self.architecture = architecture
        self._pockets = [(archive, index, _unpack(index)) for archive, index in pockets]
        self._newest: dict[str, Package | None] = {}
        self._providers: dict[str, tuple[Package, ...]] = {}

    def package(self, name: str) -> Package | None:
        """The newest version of a real package; None where there is none."""
        if name not in self._newest:
            found = list(self._versions(name))
            best = found[0] if found else None
            for each in found[1:]:
                if best is not None and compare_versions(each.version, best.version) > 0:
                    best = each
            self._newest[name] = best
        return self._newest[name]

    def _versions(self, name: str) -> Iterator[Package]:
        for archive, index, text in self._pockets:
            places = index.names.get(name, [])
            for start, end in zip(places[::2], places[1::2], strict=True):
                package = parse_package(text[start:end], archive=archive)
                if package.architecture in (self.architecture, "all"):
                    yield package

    def providers(self, name: str) -> tuple[Package, ...]:
        """The packages whose newest version provides the virtual package `name`, the most usual first."""
        if name not in self._providers:
            names = {each for _, index, _ in self._pockets for each in index.providers.get(name, [])}
            packages = (self.package(each) for each in names)
            found = [each for each in packages if each is not None and any(one.name == name for one in each.provides)]
            self._providers[name] = tuple(sorted(found, key=lambda each: (each.priority, each.name)))
        return self._providers[name]

    def near(self, name: str, *, count: int = 3) -> tuple[str, ...]:
        """Names of packages that look like `name`."""
        close = [each for each in self._all_names if abs(len(each) - len(name)) <= 4 and each[:1] == name[:1]]
        return tuple(difflib.get_close_matches(name, close, n=count, cutoff=0.75))

    @cached_property
    def _all_names(self) -> set[str]:
        return {name for _, index, _ in self._pockets for name in index.names}

    def __contains__(self, name: str) -> bool:
        return any(name in index.names for _, index, _ in self._pockets)


def parse_package(paragraph: bytes, *, archive: str) -> Package:
    """A paragraph of a Packages file. Raises HostileInputError where it lacks what is needed to fetch the package."""
    fields = parse_paragraph(paragraph.decode("utf-8", "replace"))
    name, pool_path = fields.get("Package", ""), fields.get("Filename", "")
    size, sha256 = fields.get("Size", ""), fields.get("SHA256", "")
    parts = pool_path.removeprefix("./").split("/")
    if not size.isdigit() or not _SHA256.fullmatch(sha256) or ".." in parts or not parts[0] or "Version" not in fields:
        raise HostileInputError(f"the package index has no usable entry for {name[:80]!r}")
    relations = {key: parse_relations(fields.get(key, "")) for key in ("Pre-Depends", "Depends", "Provides")}
    against = (*parse_relations(fields.get("Conflicts", "")), *parse_relations(fields.get("Breaks", "")))
    priority = fields.get("Priority", "optional")
    return Package(
        name=name,
        version=fields["Version"],
        architecture=fields.get("Architecture", ""),
        source=parse_source(fields)[0],
        archive=archive,
        depends=(*relations["Pre-Depends"], *relations["Depends"]),
        conflicts=tuple(one for group in against for one in group),
        provides=tuple(one for group in relations["Provides"] for one in group),
        allows_any=fields.get("Multi-Arch") == "allowed",
        priority=_PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES),
        pool_path=pool_path.removeprefix("./"),
        sha256=sha256,
        size=int(size),
    )


def parse_index(data: bytes) -> PackageIndex:
    """Notes where the packages of a Packages file stand, and which virtual packages they provide."""
    import zstandard

    names: dict[str, list[int]] = {}
    providers: dict[str, list[str]] = {}
    start, length = 0, len(data)
    while start < length:
        end = data.find(b"\n\n", start)
        end = length if end < 0 else end
        name = _field(data, b"Package:", start, end)
        if name:
            names.setdefault(name, []).extend((start, end))
            for each in _field(data, b"Provides:", start, end).split(","):
                virtual = each.strip().partition(" ")[0].partition(":")[0]
                if virtual:
                    providers.setdefault(virtual, []).append(name)
        start = end + 2
    return PackageIndex(names=names, providers=providers, packed=zstandard.ZstdCompressor(level=1).compress(data))


def _field(data: bytes, field: bytes, start: int, end: int) -> str:
    """The value of a field of the paragraph at `start`, on one line; empty where it has none."""
    if data.startswith(field, start):
        at = start
    else:
        at = data.find(b"\n" + field, start, end) + 1
        if at == 0:
            return ""
    at += len(field)
    stop = data.find(b"\n", at, end)
    while 0 < stop < end and data[stop + 1 : stop + 2] in (b" ", b"\t"):
        stop = data.find(b"\n", stop + 1, end)
    return data[at : end if stop < 0 else stop].decode("utf-8", "replace").replace("\n", " ").strip()


def _unpack(index: PackageIndex) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(index.packed, max_output_size=MAX_INDEX_BYTES)
    except zstandard.ZstdError:
        raise HostileInputError("a cached package index is damaged", hint="delete the cache") from None


def fetch_universe(
    releases: tuple[Release, ...], platform: Platform, *, http: Http, cache: Path, progress: Progress
) -> Universe:
    """The packages that `releases` list for `platform`, from the cache where it has the same index.

    Raises OutOfReachError, and HostileInputError where an index is not the one that its Release file names.
    """
    indexes = map_parallel(
        lambda release: fetch_index(release, platform, http=http, cache=cache, progress=progress), releases, workers=3
    )
    pockets = [(release.archive, index) for release, index in zip(releases, indexes, strict=True)]
    return Universe(pockets, platform.architecture, releases[0].codename)


def fetch_index(release: Release, platform: Platform, *, http: Http, cache: Path, progress: Progress) -> PackageIndex:
    """One index; a suite without packages of an architecture has an empty one."""
    stem = f"{COMPONENT}/binary-{platform.architecture}/Packages"
    offered = {suffix: release.files[stem + suffix] for suffix in (".gz", ".xz", "") if stem + suffix in release.files}
    if not offered:
        return parse_index(b"")
    plain = offered.get("") or next(iter(offered.values()))
    folder = cache / "debian" / "indexes"
    path = folder / f"{release.suite}-{platform.architecture}-{plain.sha256}.v{CACHE_VERSION}"
    cached = _read_cached(path)
    if cached is not None:
        return cached
    data = _download_index(release, stem, offered, http=http, progress=progress)
    index = parse_index(data)
    write_atomically(path, msgspec.msgpack.encode(index))
    _forget_older(path, f"{release.suite}-{platform.architecture}-")
    return index


def _read_cached(path: Path) -> PackageIndex | None:
    """The parsed index, or None where it is not there or not whole."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=PackageIndex)
    except (OSError, msgspec.DecodeError):
        return None


def _forget_older(path: Path, prefix: str) -> None:
    """One index of a suite and architecture is enough: the cache stays small."""
    for other in path.parent.glob(f"{prefix}*"):
        if other != path and len(other.name) == len(path.name):
            other.unlink(missing_ok=True)


def _download_index(
    release: Release, stem: str, offered: dict[str, IndexFile], *, http: Http, progress: Progress
) -> bytes:
    """gzip before xz where both are there: a third larger, ten times faster to unpack."""
    suffix = next(iter(offered))
    wanted, plain = offered[suffix], offered.get("")
    name = f"the package index of {release.suite} at {release.mirror.url}"
    if wanted.size > MAX_INDEX_BYTES or (plain is not None and plain.size > MAX_INDEX_BYTES):
        raise HostileInputError(f"{name} is larger than {MAX_INDEX_BYTES:,} bytes")
    if wanted.size > 1_000_000:
        progress(f"downloading {name} ({wanted.size / 1e6:.1f} MB)")
    packed = _read_index(release, stem, suffix, wanted, http=http)
    if len(packed) != wanted.size or hashlib.sha256(packed).hexdigest() != wanted.sha256:
        raise HostileInputError(
            f"{name} does not have the SHA-256 that its Release file names",
            hint="the mirror is being updated or is broken: try again later, or name another one",
        )
    data = _decompress(packed, suffix, name, max_bytes=plain.size if plain is not None else MAX_INDEX_BYTES)
    if plain is not None and (len(data) != plain.size or hashlib.sha256(data).hexdigest() != plain.sha256):
        raise HostileInputError(f"{name}, unpacked, does not have the SHA-256 that its Release file names")
    return data


def _read_index(release: Release, stem: str, suffix: str, wanted: IndexFile, *, http: Http) -> bytes:
    """By its hash where the archive offers that, so that a mirror in the middle of an update does not matter."""
    folder = f"dists/{release.suite}/{stem.rpartition('/')[0]}"
    if release.by_hash:
        try:
            return release.mirror.read(http, f"{folder}/by-hash/SHA256/{wanted.sha256}", max_bytes=wanted.size)
        except NotFoundError:
            pass
    return release.mirror.read(http, f"dists/{release.suite}/{stem}{suffix}", max_bytes=wanted.size)


def _decompress(packed: bytes, suffix: str, name: str, *, max_bytes: int) -> bytes:
    from isal import isal_zlib

    try:
        if suffix == ".gz":
            data = isal_zlib.decompressobj(wbits=31).decompress(packed, max_bytes + 1)
        elif suffix == ".xz":
            data = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed, max_bytes + 1)
        else:
            data = packed
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise HostileInputError(f"{name} cannot be unpacked: {error}") from None
    if len(data) > max_bytes:
        raise HostileInputError(f"{name} unpacks to more than the {max_bytes:,} bytes that were announced")
    return bytes(data)
