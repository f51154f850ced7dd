"""The routes of the service."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from calendar_api.cursor import CursorSigner, Position
from calendar_api.models import RULES, Event, EventPage, EventQuery, Health, Month, MonthView, NewEvent
from calendar_api.months import month_view
from calendar_api.problems import Problem, add_problem_handlers, bad_json, invalid, not_found
from calendar_api.seed import seed_events
from calendar_api.store import DuplicateEvent, EventStore

MAX_BODY_BYTES = 1 << 16


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    store = EventStore(os.environ.get("CALENDAR_DB", ""))
    if store.is_empty():
        store.add_all(seed_events())
    app.state.store = store
    app.state.signer = CursorSigner(os.environ.get("CALENDAR_KEY", "a key for development").encode())
    yield
    store.close()


app = FastAPI(title="calendar-api", lifespan=_lifespan, openapi_url=None, redirect_slashes=False)
add_problem_handlers(app)


async def _event_store(request: Request) -> EventStore:
    store: EventStore = request.app.state.store
    return store


async def _cursor_signer(request: Request) -> CursorSigner:
    signer: CursorSigner = request.app.state.signer
    return signer


async def _new_event(request: Request) -> NewEvent:
    """Reads the body itself: bounded, and as strict as RFC 8259, which the standard library's decoder is not."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "the body must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            message = f"the body must be of at most {MAX_BODY_BYTES} bytes"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_json() from None
    if not isinstance(document, dict):
        raise bad_json()
    try:
        return NewEvent.model_validate(document)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


# The routes are coroutines although SQLite blocks: a query takes less time than the way to a thread and back, and
# threads would wait for each other at the one connection.
Store = Annotated[EventStore, Depends(_event_store)]
Signer = Annotated[CursorSigner, Depends(_cursor_signer)]


@app.get("/healthz")
async def health() -> Health:
    """Answers once the calendar is open."""
    return Health(status="ok")


@app.get("/events")
async def list_events(query: Annotated[EventQuery, Query()], store: Store, signer: Signer) -> EventPage:
    """A page of events by start."""
    after = None
    if query.cursor is not None:
        try:
            after = signer.parse(query.cursor)
        except ValueError:
            raise invalid({"cursor": RULES["cursor"]}) from None
    # One more than asked for, to know whether there are more.
    events = store.list(query.limit + 1, query.first, query.to, after)
    page = list(events[: query.limit])
    more = len(events) > query.limit
    return EventPage(events=page, next=signer.render(Position(page[-1].start, page[-1].id)) if more else None)


@app.post("/events", status_code=HTTPStatus.CREATED)
async def create_event(event: Annotated[NewEvent, Depends(_new_event)], store: Store, response: Response) -> Event:
    """Keeps an event."""
    try:
        created = store.add(event)
    except DuplicateEvent:
        raise Problem(HTTPStatus.CONFLICT, "conflict", "there is an event with that start and title") from None
    response.headers["Location"] = f"/events/{created.id}"
    return created


@app.get("/events/{event_id}")
async def get_event(event_id: str, store: Store) -> Event:
    """One event."""
    event = store.get(event_id)
    if event is None:
        raise not_found()
    return event


@app.delete("/events/{event_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_event(event_id: str, store: Store) -> Response:
    """Forgets an event."""
    if not store.remove(event_id):
        raise not_found()
    return Response(status_code=HTTPStatus.NO_CONTENT)


@app.get("/months/{month}")
async def get_month(month: Month, store: Store) -> MonthView:
    """A month at a glance."""
    return month_view(month, store.starts_in_month(month))
