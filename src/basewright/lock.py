"""`basewright.lock`: everything that was resolved, so that a build from it is the same bit for bit.

Every base tag's digests, every distribution package, one universal set of requirements per app, toolchains, bytecode.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from basewright._disk import write_atomically
from basewright.bounded import read_bounded
from basewright.errors import InputError

LOCK_VERSION = 1
MAX_LOCK_BYTES = 64 << 20
_Struct = msgspec.Struct
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z", description="a SHA-256 digest in hexadecimal")]
ImageDigest = Annotated[
    str, msgspec.Meta(pattern=r"\A(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z", description="a digest of an image")
]


class LockedImage(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tag as it was resolved. `platforms`: platform → digest of its manifest."""

    index_digest: ImageDigest
    platforms: dict[str, ImageDigest]
    seen_at: str


class LockedDeb(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One .deb. `pool_path` is relative to the archive's root; `archive` is `main` or `security`."""

    name: str
    version: str
    architecture: str
    pool_path: str
    sha256: Sha256
    size: Annotated[int, msgspec.Meta(ge=0)]
    archive: str
    source: str = ""


class LockedRelease(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Release file that packages came from: its suite (`trixie`, `trixie-security`), date and digest."""

    suite: str
    date: str
    sha256: str
    signed_by: tuple[str, ...] = ()


class LockedDebian(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a set of Debian packages resolved to, in the order of their layer."""

    suite: str
    requested: tuple[str, ...]
    excluded: tuple[str, ...]
    releases: tuple[LockedRelease, ...]
    packages: tuple[LockedDeb, ...]


class LockedFile(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a Python requirement. `first_seen`: its author gave no hash, so this one was noted here first.
    No URL stands here: a private index is named by the host's own settings only."""

    name: str
    sha256: Sha256
    first_seen: bool = False


class LockedRequirement(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One requirement of a universal resolution. `marker` says where it holds, empty everywhere."""

    name: str
    version: str
    files: tuple[LockedFile, ...]
    marker: str = ""


class LockedPython(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Python app's requirements, and the digest of the dependency file that they answer."""

    source: str
    source_sha256: str
    requires_python: str
    requirements: tuple[LockedRequirement, ...]
    resolver: str
    local_projects: tuple[str, ...] = ()
    """Folders of the repository, relative to the strategy file, that are requirements too."""
    build_requirements: tuple[LockedRequirement, ...] = ()
    """What builds the app and its local projects: its version is written into the wheels that it makes."""


class LockedGo(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The toolchain that a candidate's words stand for, such as `1.24.13`, and how that is known."""

    toolchain: str
    source: str


class Lock(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole lock. Keys: image reference; digest-like key of a Debian set; app folder; toolchain words + folder."""

    version: int = LOCK_VERSION
    encoders: dict[str, str] = {}
    """What shapes the bytes of layers → its version."""
    bytecode: dict[str, Literal["compiled", "none"]] = {}
    """Candidate → `compiled` or `none`."""
    images: dict[str, LockedImage] = {}
    debian: dict[str, LockedDebian] = {}
    python: dict[str, LockedPython] = {}
    go: dict[str, LockedGo] = {}


class _Version(_Struct, frozen=True):
    version: int = LOCK_VERSION


def read_lock(path: Path) -> Lock:
    """The lock at `path`, or an empty one where there is none. Raises InputError."""
    if not path.exists():
        return Lock()
    data = read_bounded(path, max_bytes=MAX_LOCK_BYTES)
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version != LOCK_VERSION:
            raise InputError(
                f"{path.name} has version {version}, this basewright reads {LOCK_VERSION}",
                hint="use the basewright that wrote it, or delete it to resolve anew",
            )
        return msgspec.json.decode(data, type=Lock)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        marked = any(line.startswith((b"<<<<<<<", b">>>>>>>")) for line in data.splitlines())
        what = "holds the marks of a merge conflict" if marked else f"is damaged: {error}"
        raise InputError(f"{path.name} {what}", hint="mend it, or delete it to resolve anew") from None


def merge_locks(older: Lock, newer: Lock) -> Lock:
    """What `newer` does not answer stays as `older` has it."""
    return Lock(
        encoders={**older.encoders, **newer.encoders},
        bytecode={**older.bytecode, **newer.bytecode},
        images={**older.images, **newer.images},
        debian={**older.debian, **newer.debian},
        python={**older.python, **newer.python},
        go={**older.go, **newer.go},
    )


def render_lock(lock: Lock) -> bytes:
    """Canonical JSON: keys sorted, one fact a line, so that a change reads well in a diff."""
    return msgspec.json.format(msgspec.json.encode(lock, order="deterministic"), indent=2) + b"\n"


def write_lock(path: Path, lock: Lock) -> None:
    """Writes atomically, and only where something changed."""
    write_atomically(path, render_lock(lock))
