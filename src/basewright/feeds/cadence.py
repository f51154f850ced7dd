"""When an official image's tag, or a Go release line, changed."""

from basewright.facts import Basis, CadenceFacts
from basewright.feeds.library import TagHistory, tag_history
from basewright.feeds.lifecycle import go_lifecycle, release_dates, release_dates_known_until


def image_cadence(reference: str) -> CadenceFacts | None:
    """Days on which the tag changed: `change_dates` with its bases' changes (an estimate), `own_change_dates` alone.

    A digest in the reference is left aside: it pins bytes, and the tag says how often newer ones come. None: the
    snapshot knows nothing of the tag. Rebuilds for packages alone leave no trace in the source.
    """
    history = tag_history(reference)
    if history is None:
        return None
    own = tuple(sorted({day for day, _ in history.changes}))
    return CadenceFacts(
        subject=f"{history.image}:{history.tag}",
        basis=Basis.MODELLED if history.estimated else Basis.PUBLISHED,
        source=_source(history),
        change_dates=tuple(sorted({*own, *history.base_changes})),
        own_change_dates=own,
        known_until=history.known_until,
        ended=history.removed is not None or history.superseded is not None,
    )


def go_cadence(version: str) -> CadenceFacts | None:
    """Point releases of the line that `version` is of (`1.24`, `1.24.13`), for a static binary on nothing.

    Ended where the line's end of life had come at the date of the release dates. None: no such line is known.
    """
    minor = ".".join(version.removeprefix("go").split(".")[:2])
    releases = release_dates("go").get(minor)
    if releases is None:
        return None
    known_until = release_dates_known_until()
    lifecycle = go_lifecycle(minor)
    days = tuple(sorted({day for _, day in releases}))
    return CadenceFacts(
        subject=f"Go {minor}",
        basis=Basis.PUBLISHED,
        source=f"endoflife.date release data of {known_until}",
        change_dates=days,
        own_change_dates=days,
        known_until=known_until,
        ended=lifecycle is not None and lifecycle.eol is not None and lifecycle.eol <= known_until,
    )


def _source(history: TagHistory) -> str:
    text = f"docker-library/official-images to {history.known_until}"
    if history.estimated:
        text += f", estimated from the releases of {history.followed} and the changes of this variant's base"
    elif history.followed:
        text += f", followed through {history.followed}"
    if history.superseded:
        return f"{text}; the next release took over on {history.superseded}"
    if history.removed:
        return f"{text}; the library dropped the tag on {history.removed}"
    return text
