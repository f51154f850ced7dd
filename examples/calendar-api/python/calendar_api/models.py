"""What goes over the wire: the shapes of requests and responses, and the rules that their values follow."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

MAX_LIMIT = 100

RULES = {
    "cursor": "must be the `next` of an earlier answer",
    "end": "must be a time such as 2026-11-05T10:00:00Z",
    "from": "must be a date such as 2026-11-05",
    "limit": f"must be a whole number from 1 to {MAX_LIMIT}",
    "location": "must be null or text of at most 200 characters",
    "month": "must be a month such as 2026-11",
    "notes": "must be text of at most 2000 characters",
    "start": "must be a time such as 2026-11-05T09:00:00Z",
    "title": "must be text of 1 to 200 characters",
    "to": "must be a date such as 2026-11-05",
}
"""What is said of a field that breaks its rule, whichever way it breaks it."""

BROKEN_ORDER = "broken_order"
"""The type of the errors whose own message counts, rather than the field's rule."""

_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOUR_AND_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIMESTAMP = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_HOUR_AND_MINUTE}:[0-5][0-9](?:Z|[+-]{_HOUR_AND_MINUTE})")


def _matched(pattern: re.Pattern[str], value: object) -> str:
    """The value, if it is text of that form; else ValueError, which Pydantic reports."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError("not of the form")
    return value


def parse_limit(value: object) -> int:
    """Decimal digits without sign or leading zero: stricter than Pydantic, which also takes " 5 " and "5.0"."""
    return int(_matched(_LIMIT, value))


def parse_date(value: object) -> date:
    return date.fromisoformat(_matched(_DATE, value))


def parse_month(value: object) -> date:
    """`2026-11` → the first day of the month."""
    return date.fromisoformat(f"{_matched(_MONTH, value)}-01")


def parse_timestamp(value: object) -> datetime:
    """RFC 3339 with whole seconds, in any offset → the same moment in UTC."""
    try:
        return datetime.fromisoformat(_matched(_TIMESTAMP, value)).astimezone(UTC)
    except OverflowError:
        raise ValueError("outside of the years 1 to 9999") from None


def render_timestamp(moment: datetime) -> str:
    """A moment in UTC → `2026-11-05T09:00:00Z`."""
    return moment.replace(tzinfo=None).isoformat() + "Z"


Month = Annotated[date, BeforeValidator(parse_month)]
Timestamp = Annotated[datetime, BeforeValidator(parse_timestamp)]


class NewEvent(BaseModel):
    """An event as it is posted."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    start: Timestamp
    end: Timestamp
    location: str | None = Field(default=None, max_length=200)
    notes: str = Field(default="", max_length=2000)

    @field_validator("end")
    @classmethod
    def _follows_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        if "start" in info.data and end <= info.data["start"]:
            raise PydanticCustomError(BROKEN_ORDER, "must be after start")
        return end


class EventQuery(BaseModel):
    """Which events to list: those that start on `from` or later, and before `to`."""

    limit: Annotated[int, BeforeValidator(parse_limit), Field(le=MAX_LIMIT)] = 20
    first: Annotated[date | None, BeforeValidator(parse_date), Field(alias="from")] = None
    to: Annotated[date | None, BeforeValidator(parse_date)] = None
    cursor: str | None = None

    @field_validator("to")
    @classmethod
    def _not_before_from(cls, to: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("first")
        if to is not None and first is not None and to < first:
            raise PydanticCustomError(BROKEN_ORDER, "must not be before from")
        return to


class Event(BaseModel):
    """An event as it is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    start: datetime
    end: datetime
    location: str | None
    notes: str


class EventPage(BaseModel):
    """Some events by start, and the cursor that asks for those after them."""

    events: list[Event]
    next: str | None


class Day(BaseModel):
    """A day and the events that start on it, in UTC."""

    date: date
    count: int
    events: list[str]


class MonthView(BaseModel):
    """A month in weeks from Monday to Sunday; null where a day belongs to another month."""

    month: str
    count: int
    weeks: list[list[Day | None]]


class Health(BaseModel):
    status: str
