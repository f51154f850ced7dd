"""When the packages of an assembled base changed, read from their own changelogs (deb-changelog(5))."""

import datetime
import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime

from basewright.bases.debian.unpack import UnpackedDeb, decompress
from basewright.errors import HostileInputError
from basewright.facts import Basis, CadenceFacts
from basewright.feeds.lifecycle import distribution_series
from basewright.lock import LockedDebian

MAX_CHANGELOG_BYTES = 64 << 20
UNRELEASED_DAYS = 365
_ENTRY = re.compile(
    rb"^\S+ \([^)\n]*\) (?P<suites>[^;\n]*);[^\n]*$.*?^ -- [^\n]*>  (?P<date>[^\n]*)$", re.MULTILINE | re.DOTALL
)
_POCKETS = ("", "-security", "-updates", "-proposed-updates")


def cadence_of(locked: LockedDebian, debs: Iterable[UnpackedDeb]) -> CadenceFacts:
    """The days after the suite's release on which one of its packages changed in the suite or a pocket of it.

    A suite that is not released yet changes as unstable does: its last year counts.
    """
    suite = locked.releases[0].suite if locked.releases else locked.suite
    dated = [datetime.date.fromisoformat(each.date[:10]) for each in locked.releases]
    known_until = max(dated, default=datetime.date.min)
    series = distribution_series("debian", suite)
    released = series.release if series is not None else None
    if released is None or released > known_until:
        names, since = {"unstable"}, known_until - datetime.timedelta(days=UNRELEASED_DAYS)
    else:
        names = {name + pocket for name in (suite, "stable", "oldstable") for pocket in _POCKETS}
        since = released
    changes = {date for deb in debs for date, suites in _changes(deb) if date > since and names & suites}
    dates = tuple(sorted(each for each in changes if each <= known_until))
    return CadenceFacts(
        subject=f"{suite}: {len(locked.packages)} packages",
        basis=Basis.MEASURED,
        source="changelogs of the packages",
        change_dates=dates,
        known_until=known_until,
        base_created=dates[-1] if dates else since,
    )


def _changes(deb: UnpackedDeb) -> Iterator[tuple[datetime.date, set[str]]]:
    """Date and distributions of each entry; what cannot be read is left out, since a changelog is for people."""
    for packed in deb.changelogs:
        try:
            data = decompress(
                packed,
                ".gz" if packed[:2] == b"\x1f\x8b" else "",
                name=f"the changelog of {deb.name}",
                max_bytes=MAX_CHANGELOG_BYTES,
            )
        except HostileInputError:
            continue
        for match in _ENTRY.finditer(data):
            try:
                date = parsedate_to_datetime(match["date"].decode("ascii", "replace").strip()).date()
            except (ValueError, TypeError):
                continue
            yield date, set(match["suites"].decode("ascii", "replace").split())
