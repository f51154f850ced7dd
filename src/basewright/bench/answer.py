"""Reads HTTP/1.1 answers as they come, as little of them as a load generator needs.

Standard library only: this runs in the load script.
"""

import re

MAX_HEAD_BYTES = 65536
MAX_BODY_BYTES = 256 << 20
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_LENGTH = re.compile(rb"[0-9]{1,18}")


class BadAnswer(Exception):
    """What is wrong with an answer, in a few words."""


class Answer:
    """The parser of one HTTP/1.1 answer; its body is counted, not kept."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._head = b""
        self._left = -1  # bytes of the body or of the chunk that are still to come; -1: still in the head
        self._chunked = self._trailer = self._until_close = False
        self.status = 0
        self.closes = False

    def feed(self, data: bytes) -> bool:
        """True once the answer is whole. Raises BadAnswer."""
        if self._left < 0:
            data = self._head + data if self._head else data
            end = data.find(b"\r\n\r\n")
            if end < 0 or end > MAX_HEAD_BYTES:
                if len(data) > MAX_HEAD_BYTES:
                    raise BadAnswer("headers without end")
                self._head = data
                return False
            self._parse(data[:end])
            data = data[end + 4 :]
            if 100 <= self.status < 200:
                self._reset()
                return self.feed(data) if data else False
        if self._chunked:
            return self._feed_chunks(data)
        self._left -= len(data)
        if self._left < 0:
            raise BadAnswer("more than it announced")
        return self._left == 0 and not self._until_close

    def _parse(self, head: bytes) -> None:
        first, _, rest = head.partition(b"\r\n")
        fields = first.split(None, 2)
        if len(fields) < 2 or fields[0] not in (b"HTTP/1.1", b"HTTP/1.0") or not _STATUS.fullmatch(fields[1]):
            raise BadAnswer("something that is not HTTP")
        self.status = int(fields[1])
        self.closes = fields[0] == b"HTTP/1.0"
        length: bytes | None = None
        for line in rest.lower().split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = value.strip()
            elif name == b"transfer-encoding":
                self._chunked = value.strip().endswith(b"chunked")
            elif name == b"connection":
                self.closes = b"close" in value or (self.closes and b"keep-alive" not in value)
        self._head = b""
        self._begin_body(length)

    def _begin_body(self, length: bytes | None) -> None:
        """https://www.rfc-editor.org/rfc/rfc9112#section-6.3"""
        self._left = 0
        if self.status < 200 or self.status in (204, 304):
            self._chunked = False
        elif self._chunked:
            return
        elif length is not None:
            if not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
                raise BadAnswer("an impossible Content-Length")
            self._left = int(length)
        else:
            self._until_close = self.closes = True
            self._left = MAX_BODY_BYTES

    def _feed_chunks(self, data: bytes) -> bool:
        """`_left` counts what is left of a chunk with its line end; `_head` holds a size line that is not whole."""
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                data = data[taken:]
                continue
            data, self._head = self._head + data, b""
            end = data.find(b"\r\n")
            if end < 0:
                if len(data) > MAX_HEAD_BYTES:
                    raise BadAnswer("a chunk that is not HTTP")
                self._head = data
                return False
            line, data = data[:end], data[end + 2 :]
            if self._trailer:  # up to its empty line
                if not line:
                    return True
                continue
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise BadAnswer("a chunk that is not HTTP") from None
            if not 0 <= size <= MAX_BODY_BYTES:
                raise BadAnswer("a chunk without end")
            self._trailer = size == 0
            self._left = size + 2 if size else 0
        return False

    def end(self) -> bool:
        """The connection was closed: whether that was the proper end."""
        return self._left >= 0 and self._until_close
