"""The two calendar services of examples/calendar-api answer alike, byte for byte."""

import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import pytest
from tests.doubles.calendar_services import Call, Services, calendar_services

_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with calendar_services(tmp_path_factory.mktemp("calendar-api")) as running:
        yield running


_GETS: list[tuple[str, int]] = [
    ("/healthz", 200),
    ("/healthz?x=1", 200),
    ("/", 404),
    ("/nope", 404),
    ("/events/", 404),
    ("/healthz/", 404),
    ("/months", 404),
    ("/months/2026-11/", 404),
    ("/docs", 404),
    ("/openapi.json", 404),
    ("//events", 404),
    ("/events", 200),
    ("/events?", 200),
    ("/events?limit=20", 200),
    ("/events?limit=1", 200),
    ("/events?limit=100", 200),
    ("/events?unknown=1", 200),
    ("/events?limit=2&limit=3", 200),
    ("/events?limit=x&limit=3", 200),
    ("/events?limit=3;from=x", 422),
    ("/events?limi%74=2", 200),
    ("/events?limit=%32", 200),
    ("/events?limit=101", 422),
    ("/events?limit=0", 422),
    ("/events?limit=-1", 422),
    ("/events?limit=+5", 422),
    ("/events?limit=%205", 422),
    ("/events?limit=5.0", 422),
    ("/events?limit=05", 422),
    ("/events?limit=1_0", 422),
    ("/events?limit=", 422),
    ("/events?limit", 422),
    ("/events?limit=%zz", 422),
    ("/events?limit=%ff", 422),
    ("/events?limit=" + quote("５"), 422),
    ("/events?limit=" + "9" * 400, 422),
    ("/events?from=2026-06-01&limit=3", 200),
    ("/events?to=2026-01-03", 200),
    ("/events?from=2026-12-30&limit=50", 200),
    ("/events?from=2026-06-01&to=2026-06-01", 200),
    ("/events?from=2026-06-01&to=2026-06-02", 200),
    ("/events?from=0001-01-01&to=9999-12-31&limit=1", 200),
    ("/events?from=2027-01-01", 200),
    ("/events?from=2024-02-29&limit=1", 200),
    ("/events?from=2026-02-29", 422),
    ("/events?from=1900-02-29", 422),
    ("/events?from=2026-06-02&to=2026-06-01", 422),
    ("/events?from=2026-06-02&to=2026-06-01&limit=0", 422),
    ("/events?from=0000-01-01", 422),
    ("/events?from=2026-1-1", 422),
    ("/events?from=20260101", 422),
    ("/events?from=2026-W01-1", 422),
    ("/events?from=2026-01-01T00:00:00Z", 422),
    ("/events?from=2026-01-01%0A", 422),
    ("/events?from=", 422),
    ("/events?from=x&to=y&limit=z", 422),
    ("/events?cursor=", 422),
    ("/events?cursor=x", 422),
    ("/events?cursor=x.y", 422),
    ("/events?cursor=x.y&limit=0", 422),
    ("/events?cursor=" + quote("é.ü"), 422),
    ("/events?cursor=%ff.%00", 422),
    ("/events/x", 404),
    ("/events/00000000-0000-0000-0000-000000000000", 404),
    ("/events/%00", 404),
    ("/events/" + quote("ü"), 404),
    ("/events/a%2Fb", 404),
    ("/events/a/b", 404),
    ("/months/2026-01", 200),
    ("/months/2026-02", 200),
    ("/months/2026-03", 200),
    ("/months/2026-11", 200),
    ("/months/2026-12", 200),
    ("/months/2026%2D11", 200),
    ("/months/2024-02", 200),
    ("/months/2000-02", 200),
    ("/months/1900-02", 200),
    ("/months/2021-02", 200),
    ("/months/0001-01", 200),
    ("/months/9999-12", 200),
    ("/months/0000-01", 422),
    ("/months/2026-00", 422),
    ("/months/2026-13", 422),
    ("/months/2026-1", 422),
    ("/months/2026-011", 422),
    ("/months/202611", 422),
    ("/months/-026-11", 422),
    ("/months/10000-01", 422),
    ("/months/2026-11%0A", 422),
    ("/months/%202026-11", 422),
    ("/months/" + quote("２０２６-11"), 422),
    ("/months/nope", 422),
]


@pytest.mark.parametrize(("path", "status"), _GETS)
def test_reading(services: Services, path: str, status: int) -> None:
    assert services.answer(Call(path=path)).status == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/healthz"),
        ("DELETE", "/healthz"),
        ("HEAD", "/healthz"),
        ("OPTIONS", "/events"),
        ("PUT", "/events"),
        ("DELETE", "/events"),
        ("PATCH", "/events/x"),
        ("POST", "/events/x"),
        ("POST", "/months/2026-11"),
    ],
)
def test_methods_that_are_not_allowed(services: Services, method: str, path: str) -> None:
    assert services.answer(Call(method=method, path=path)).status == 405


def _event(**changes: object) -> bytes:
    """The body of a request for an event in 2030."""
    event = {"title": "Review", "start": "2030-05-06T09:00:00Z", "end": "2030-05-06T10:00:00Z", **changes}
    return json.dumps(event).encode()


def _post(body: bytes, headers: Mapping[str, str] = _JSON) -> Call:
    return Call(method="POST", path="/events", body=body, headers=headers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" ", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"1", 400),
        (b"{} {}", 400),
        (b"{'title': 1}", 400),
        (b'{"title": NaN}', 400),
        (b'{"title": 01}', 400),
        (b'{"title": "a\nb"}', 400),
        (b'{"title": "\\x"}', 400),
        (b'{"title": "\xff"}', 400),
        (b'{"title": "\xed\xa0\x80"}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b'{"title": "\\udc00\\ud800"}', 400),
        (b'{"title": "\\ud83d\\u0041"}', 400),
        (b'{"\\ud800": 1}', 400),
        (b'\xef\xbb\xbf{"title": "a"}', 400),
        ('{"title": "a"}'.encode("utf-16"), 400),
        (b'{"title": "a",}', 400),
        (b"{}", 422),
        (b'{"title": 1e999}', 400),
        (b'{"title": 1e308}', 422),
        (b'{"title": ' + b"9" * 400 + b"}", 400),
        (b'{"title": 123456789012345678901234567890}', 422),
        (b'{"title": [{"a": [null]}], "start": {}, "end": true}', 422),
        (b'{"title": null, "start": null, "end": null, "location": 1, "notes": null}', 422),
        (_event(title=""), 422),
        (_event(title="x" * 201), 422),
        (_event(title="\N{GRINNING FACE}" * 201), 422),
        (_event(location="x" * 201), 422),
        (_event(notes="x" * 2001), 422),
        (_event(TITLE="x"), 422),
        (_event(id="x", **{"é\u2028\\u2028<&>\x01\x7f": 1, "": 2, "\N{GRINNING FACE}": 3, "\uffee": 4}), 422),
        (_event(start="2030-05-06"), 422),
        (_event(start="2030-05-06T09:00:00"), 422),
        (_event(start="2030-05-06 09:00:00Z"), 422),
        (_event(start="2030-05-06t09:00:00z"), 422),
        (_event(start="2030-05-06T09:00Z"), 422),
        (_event(start="2030-05-06T09:00:00.5Z"), 422),
        (_event(start="2030-05-06T24:00:00Z"), 422),
        (_event(start="2030-05-06T09:60:00Z"), 422),
        (_event(start="2030-05-06T09:00:60Z"), 422),
        (_event(start="2030-02-30T09:00:00Z"), 422),
        (_event(start="2030-13-01T09:00:00Z"), 422),
        (_event(start="2030-05-06T09:00:00+24:00"), 422),
        (_event(start="2030-05-06T09:00:00+0200"), 422),
        (_event(start="2030-05-06T09:00:00Z\n"), 422),
        (_event(start="٢٠٣٠-05-06T09:00:00Z"), 422),
        (_event(start="0000-12-31T23:00:00-02:00"), 422),
        (_event(start="0001-01-01T00:30:00+01:00"), 422),
        (_event(start="9999-12-31T23:30:00-01:00"), 422),
        (_event(end="2030-05-06T09:00:00Z"), 422),
        (_event(end="2030-05-06T11:00:00+02:00"), 422),
        (_event(end="2030-05-06T08:59:59Z"), 422),
        (_event(start=1893456000), 422),
        (_event(end=[]), 422),
    ],
)
def test_bodies_that_are_refused(services: Services, body: bytes, status: int) -> None:
    assert services.answer(_post(body)).status == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 415),
        ("", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("application/json", 400),
        ("Application/JSON; charset=utf-8", 400),
        (" application/json ;", 400),
    ],
)
def test_media_types(services: Services, content_type: str | None, status: int) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert services.answer(_post(b"{", headers)).status == status


def test_size_of_a_body(services: Services) -> None:
    fits, exceeds = _event().ljust(1 << 16), _event().ljust((1 << 16) + 1)
    created = services.answer(_post(fits))
    assert created.status == 201
    assert services.answer(_post(exceeds)).status == 413
    assert services.answer(Call(method="DELETE", path=str(created.location))).status == 204


@pytest.mark.parametrize(
    "body",
    [
        _event(location=None, notes=""),
        _event(location="", notes="two\nlines\ttab \x00 \x07 \x7f \x1b"),
        _event(title="x" * 200, location="y" * 200, notes="z" * 2000),
        _event(title="\N{GRINNING FACE}" * 200),
        _event(title='Mañana \u2028 \u2029 \\u2028 \\\u2028 </script> & "quoted" / \ufffd \uffff e\u0301'),
        json.dumps(json.loads(_event(title="raw ünïcode \U0001f600\u2028")), ensure_ascii=False).encode(),
        b'{"title": "\\ud83d\\ude00 \\\\ud800 \\/", "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z"}',
        b'{"title": 1, "title": "last", "start": "2030-01-01T00:00:00Z", "end": "2030-01-01T00:00:01Z"}',
        _event(start="2030-12-31T23:30:00-02:00", end="2031-01-01T02:30:00+00:30"),
        _event(start="2028-02-29T23:59:59-23:59", end="2028-03-02T00:00:00Z"),
        _event(start="0001-01-01T00:00:00Z", end="9999-12-31T23:59:59Z"),
        _event(start="9999-12-31T23:59:58Z", end="9999-12-31T23:59:59Z"),
    ],
)
def test_an_event_from_creation_to_deletion(services: Services, body: bytes) -> None:
    created = services.answer(_post(body))
    assert created.status == 201
    assert created.location is not None
    event = created.document
    month, day = str(event["start"])[:7], str(event["start"])[:10]

    assert services.answer(_post(body)).status == 409
    assert services.answer(Call(path=created.location)).body == created.body
    assert services.answer(Call(path=created.location.upper())).status == 404
    assert str(event["id"]).encode() in services.answer(Call(path=f"/months/{month}")).body
    assert created.body in services.answer(Call(path=f"/events?from={day}")).body
    assert services.answer(Call(path=f"/events?to={day}&limit=100")).status == 200

    deleted = services.answer(Call(method="DELETE", path=created.location))
    assert (deleted.status, deleted.body) == (204, b"")
    assert services.answer(Call(method="DELETE", path=created.location)).status == 404
    assert services.answer(Call(path=created.location)).status == 404
    assert services.answer(Call(path=f"/months/{month}")).status == 200


@pytest.mark.parametrize("limit", [7, 100])
@pytest.mark.parametrize(
    ("filters", "count"), [("", 500), ("&from=2026-03-01&to=2026-06-01", 126), ("&to=2000-01-01", 0)]
)
def test_cursors_lead_through_all_events(services: Services, limit: int, filters: str, count: int) -> None:
    events: list[object] = []
    cursor: object = ""
    while cursor is not None:
        after = f"&cursor={cursor}" if cursor else ""
        page = services.answer(Call(path=f"/events?limit={limit}{filters}{after}")).document
        assert isinstance(page["events"], list)
        events += page["events"]
        cursor = page["next"]
    starts = [event["start"] for event in events if isinstance(event, dict)]
    assert starts == sorted(set(starts))
    assert len(starts) == count


def test_a_cursor_that_was_changed_is_refused(services: Services) -> None:
    cursor = str(services.answer(Call(path="/events")).document["next"])
    payload, _, signature = cursor.partition(".")
    for changed in (payload, f"{payload}.", f"A{cursor}", f"{cursor}A", f"{cursor}=", f"{payload}=.{signature}"):
        assert services.answer(Call(path=f"/events?cursor={quote(changed)}")).status == 422


def test_a_cursor_outlives_its_event(services: Services) -> None:
    bodies = [_event(start=f"2031-01-0{day}T00:00:00Z", end="2031-02-01T00:00:00Z") for day in (1, 2, 3)]
    first, *others = [str(services.answer(_post(body)).location) for body in bodies]
    cursor = services.answer(Call(path="/events?from=2031-01-01&limit=1")).document["next"]
    assert services.answer(Call(method="DELETE", path=first)).status == 204
    page = services.answer(Call(path=f"/events?from=2031-01-01&limit=1&cursor={cursor}")).document
    assert isinstance(page["events"], list)
    assert [event["start"] for event in page["events"]] == ["2031-01-02T00:00:00Z"]
    for path in others:
        assert services.answer(Call(method="DELETE", path=path)).status == 204
