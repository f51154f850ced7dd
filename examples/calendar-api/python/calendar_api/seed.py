"""The events that an empty calendar starts with: the same ones in every process, on every day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from calendar_api.models import NewEvent

_COUNT = 500
_FIRST = datetime(2026, 1, 1, 8, tzinfo=UTC)
_SPACING = timedelta(hours=17, minutes=30)
_TITLES = ("Stand-up", "Planning", "Retrospective", "Design review", "Café with Zoë", "On-call handover", "<Ops> & you")
_LOCATIONS = ("Room Ada", "Room Grace", None, "Zürich 4.02", "Video call")
_MINUTES = (15, 30, 60, 90)


def seed_events() -> Iterator[NewEvent]:
    """500 events, spread over 2026."""
    for number in range(_COUNT):
        start = _FIRST + number * _SPACING
        yield NewEvent.model_construct(
            title=_TITLES[number % len(_TITLES)],
            start=start,
            end=start + timedelta(minutes=_MINUTES[number % len(_MINUTES)]),
            location=_LOCATIONS[number % len(_LOCATIONS)],
            notes=f"Event {number + 1} of {_COUNT}",
        )
