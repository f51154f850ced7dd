"""A suite's Release file: fetched, verified by the archive's keys, and checked for its name and its age.

https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from basewright._http import Http, NotFoundError
from basewright.bases.debian.keys import ArchiveKeys
from basewright.bases.debian.mirrors import Mirror
from basewright.ecosystems.dpkg import parse_paragraph
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.lock import LockedRelease
from basewright.parallel import map_parallel

MAX_RELEASE_BYTES = 8 << 20
MAX_CLOCK_SKEW = timedelta(days=1)
COMPONENT = "main"
_ORIGIN = re.compile(rb"^Origin: Debian\s*$", re.MULTILINE)
ALIASES = ("stable", "oldstable", "oldoldstable", "testing", "unstable")


class IndexFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a Release file vouches for."""

    sha256: str
    size: int


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A verified Release file. `files` are the package indexes of its main component, by path."""

    suite: str
    """As it was asked for, such as `trixie-security`."""
    codename: str
    archive: str
    """`main` or `security`."""
    mirror: Mirror
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    files: dict[str, IndexFile]
    sha256: str
    signed_by: tuple[str, ...]

    @property
    def locked(self) -> LockedRelease:
        """What the lock keeps of it."""
        date = self.date.strftime("%Y-%m-%dT%H:%M:%SZ")
        return LockedRelease(suite=self.codename, date=date, sha256=self.sha256, signed_by=self.signed_by)


def fetch_release(
    mirrors: tuple[Mirror, ...], suite: str, *, archive: str, http: Http, now: datetime
) -> Release | None:
    """The Release file of `suite` from the first mirror that has it; None where none has it.

    Raises OutOfReachError where one that might have it does not answer, HostileInputError where what came is not signed
    by a trusted key, is another suite, or is past its Valid-Until.
    """
    first_fault: OutOfReachError | None = None
    for mirror in mirrors:
        name = f"{mirror.url}/dists/{suite}/InRelease"
        try:
            data = mirror.read(http, f"dists/{suite}/InRelease", max_bytes=MAX_RELEASE_BYTES)
        except NotFoundError:
            continue
        except OutOfReachError as error:
            first_fault = first_fault or error
            continue
        if mirror.is_guess and not _ORIGIN.search(data):
            continue
        content, signed_by = ArchiveKeys(more=mirror.keys).verify(data, name=name)
        release = parse_release(content, suite=suite, archive=archive, mirror=mirror, signed_by=signed_by)
        return _checked(msgspec.structs.replace(release, sha256=hashlib.sha256(data).hexdigest()), now)
    if first_fault is not None:
        raise OutOfReachError(
            first_fault.message,
            hint="check the network and the proxy, or name another mirror: base = "
            '{ debian = "…", mirror = "…", security-mirror = "…" }',
        )
    return None


def parse_release(
    content: bytes, *, suite: str, archive: str, mirror: Mirror, signed_by: tuple[str, ...] = ()
) -> Release:
    """Decodes the signed part of a Release file. Raises HostileInputError."""
    name = f"the Release file of {suite} at {mirror.url}"
    fields = parse_paragraph(content.decode("utf-8", "replace"))
    if suite not in (fields.get("Suite"), fields.get("Codename")):
        found = fields.get("Codename") or fields.get("Suite") or "nothing"
        raise HostileInputError(f"{name} is that of {found[:60]}", hint="the mirror is mixed up: name another one")
    files = {}
    for line in fields.get("SHA256", "").splitlines():
        words = line.split()
        if len(words) == 3 and words[2].startswith(f"{COMPONENT}/binary-") and words[1].isdigit():
            files[words[2]] = IndexFile(sha256=words[0], size=int(words[1]))
    if not files:
        raise HostileInputError(f"{name} lists no package index of the component {COMPONENT}")
    date = _parse_date(fields.get("Date"), name)
    if date is None:
        raise HostileInputError(f"{name} has no date")
    return Release(
        suite=suite,
        codename=_codename(suite, fields),
        archive=archive,
        mirror=mirror,
        date=date,
        valid_until=_parse_date(fields.get("Valid-Until"), name),
        by_hash=fields.get("Acquire-By-Hash") == "yes",
        files=files,
        sha256="",
        signed_by=signed_by,
    )


def _codename(suite: str, fields: dict[str, str]) -> str:
    """`trixie` where `stable` was asked for; the pocket stays part of the name."""
    return fields.get("Codename") or suite


def _parse_date(text: str | None, name: str) -> datetime | None:
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        raise HostileInputError(f"{name} has a date that is none: {text[:60]!r}") from None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _checked(release: Release, now: datetime) -> Release:
    """The release, unless its time is over or has not come."""
    name = f"the Release file of {release.suite} at {release.mirror.url}"
    hint = "the mirror is stale, or this machine's clock is wrong: name another mirror, or set the clock"
    if release.valid_until is not None and now > release.valid_until:
        raise HostileInputError(f"{name} expired on {release.valid_until:%Y-%m-%d %H:%M} UTC", hint=hint)
    if release.date > now + MAX_CLOCK_SKEW:
        raise HostileInputError(f"{name} is dated in the future, {release.date:%Y-%m-%d %H:%M} UTC", hint=hint)
    return release


def fetch_suite(
    suite: str,
    main: tuple[Mirror, ...],
    security: tuple[Mirror, ...],
    *,
    http: Http,
    now: datetime,
) -> tuple[Release, ...]:
    """The suite's Release file with those of its updates and security pockets, where it has them.

    Raises InputError where no mirror knows the suite, and what fetch_release raises.
    """
    # An alias such as `stable` is asked first: its pockets are those of the suite that it stands for today.
    first = fetch_release(main, suite, archive="main", http=http, now=now) if suite in ALIASES else None
    name = first.codename if first is not None else suite
    pockets = ((suite, "main", main), (f"{name}-updates", "main", main), (f"{name}-security", "security", security))
    releases = map_parallel(
        lambda pocket: fetch_release(pocket[2], pocket[0], archive=pocket[1], http=http, now=now),
        pockets[first is not None :],
        workers=3,
    )
    found = [release for release in (first, *releases) if release is not None]
    if not found or found[0].suite != suite:
        asked = " and ".join(mirror.url for mirror in main)
        raise InputError(f"there is no suite {suite!r} at {asked}", hint="suites are such as trixie, bookworm or sid")
    return tuple(found)
