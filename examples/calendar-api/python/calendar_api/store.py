"""Events in SQLite, in memory or in a file."""

import uuid
from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy import URL, Dialect, Index, StaticPool, create_engine, delete, func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.types import DateTime, TypeDecorator

from calendar_api.cursor import Position
from calendar_api.models import Event, NewEvent, render_timestamp

_NAMESPACE = uuid.UUID("3f0e6a5c-7d0b-4b64-9d0e-2f5b8c1a7e42")


class DuplicateEvent(Exception):
    """There is an event with that start and title."""


class _UtcDateTime(TypeDecorator[datetime]):
    """Moments in UTC, in a column that knows no time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class _Base(DeclarativeBase):
    pass


class _EventRow(_Base):
    __tablename__ = "event"
    __table_args__ = (Index("event_order", "start", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    start: Mapped[datetime] = mapped_column(_UtcDateTime)
    end: Mapped[datetime] = mapped_column(_UtcDateTime)
    location: Mapped[str | None]
    notes: Mapped[str]


class EventStore:
    """All events, on one connection, since a database in memory lives as long as its connection. For one thread."""

    def __init__(self, path: str = "") -> None:
        """Opens the database file at `path`, or a new database in memory."""
        self._engine = create_engine(URL.create("sqlite", database=path or ":memory:"), poolclass=StaticPool)
        self._session = sessionmaker(self._engine)
        _Base.metadata.create_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def is_empty(self) -> bool:
        with self._session() as session:
            return session.scalar(select(func.count()).select_from(_EventRow)) == 0

    def add_all(self, events: Iterable[NewEvent]) -> None:
        with self._session.begin() as session:
            session.add_all([_row(event) for event in events])

    def add(self, event: NewEvent) -> Event:
        """Raises DuplicateEvent."""
        try:
            with self._session.begin() as session:
                row = _row(event)
                session.add(row)
                session.flush()
                return Event.model_validate(row)
        except IntegrityError:
            raise DuplicateEvent from None

    def get(self, event_id: str) -> Event | None:
        with self._session() as session:
            row = session.get(_EventRow, event_id)
            return None if row is None else Event.model_validate(row)

    def remove(self, event_id: str) -> bool:
        """Whether there was such an event."""
        with self._session.begin() as session:
            removed = session.scalar(delete(_EventRow).where(_EventRow.id == event_id).returning(_EventRow.id))
            return removed is not None

    def list(self, count: int, first: date | None, to: date | None, after: Position | None) -> Sequence[Event]:
        """The first `count` events, by start, that start on `first` or later, before `to` and after a position."""
        query = select(_EventRow).order_by(_EventRow.start, _EventRow.id).limit(count)
        if first is not None:
            query = query.where(_EventRow.start >= _midnight(first))
        if to is not None:
            query = query.where(_EventRow.start < _midnight(to))
        if after is not None:
            query = query.where(tuple_(_EventRow.start, _EventRow.id) > tuple_(after.start, after.id))
        with self._session() as session:
            return [Event.model_validate(row) for row in session.scalars(query)]

    def starts_in_month(self, month: date) -> Sequence[Position]:
        """Where the events of a month start, in order."""
        last = month.replace(day=monthrange(month.year, month.month)[1])
        query = (
            select(_EventRow.start, _EventRow.id)
            .where(_EventRow.start.between(_midnight(month), datetime.combine(last, time(23, 59, 59), UTC)))
            .order_by(_EventRow.start, _EventRow.id)
        )
        with self._session() as session:
            return [Position(start, event_id) for start, event_id in session.execute(query)]


def _row(event: NewEvent) -> _EventRow:
    """An event's id follows from its start and its title, which no two events share."""
    name = f"{render_timestamp(event.start)} {event.title}"
    return _EventRow(id=str(uuid.uuid5(_NAMESPACE, name)), **event.model_dump())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
