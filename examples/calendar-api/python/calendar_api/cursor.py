"""Where a page of events ends, as text that a client can hand back but not make up."""

import base64
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.hmac import HMAC

from calendar_api.models import parse_timestamp, render_timestamp


class Position(NamedTuple):
    """The place of an event in the order of the list."""

    start: datetime
    id: str


class CursorSigner:
    """Cursors are `payload.signature`, both base64url: the position, and the HMAC-SHA256 of the payload."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def render(self, position: Position) -> str:
        payload = _encode(f"{render_timestamp(position.start)} {position.id}".encode())
        return f"{payload}.{self._sign(payload)}"

    def parse(self, cursor: str) -> Position:
        """Raises ValueError unless the cursor was rendered with the same key."""
        payload, _, signature = cursor.partition(".")
        if not constant_time.bytes_eq(signature.encode(), self._sign(payload).encode()):
            raise ValueError("not a cursor of ours")
        # The signature holds, so the payload is one of ours.
        start, _, event_id = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().partition(" ")
        return Position(parse_timestamp(start), event_id)

    def _sign(self, payload: str) -> str:
        mac = HMAC(self._key, hashes.SHA256())
        mac.update(payload.encode())
        return _encode(mac.finalize())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
