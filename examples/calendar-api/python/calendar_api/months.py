"""A month at a glance."""

from calendar import monthcalendar
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from calendar_api.cursor import Position
from calendar_api.models import Day, MonthView


def month_view(month: date, starts: Sequence[Position]) -> MonthView:
    """The weeks of the month whose first day is `month`, with the events that start in it."""
    ids: defaultdict[int, list[str]] = defaultdict(list)
    for start, event_id in starts:
        ids[start.day].append(event_id)

    def view(day: int) -> Day | None:
        return Day(date=month.replace(day=day), count=len(ids[day]), events=ids[day]) if day else None

    return MonthView(
        month=month.isoformat()[:7],
        count=len(starts),
        weeks=[[view(day) for day in week] for week in monthcalendar(month.year, month.month)],
    )
