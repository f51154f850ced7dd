"""Sends one blob to a registry: small ones at once, large ones in chunks that go on where the registry was cut off.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from urllib.parse import urlencode

from basewright._http import RETRIES, NotFoundError, RefusedError
from basewright._url import follow
from basewright.errors import HostileInputError, OutOfReachError
from basewright.oci.digest import Digest
from basewright.oci.manifest import Descriptor
from basewright.oci.transports.registry_host import RegistryHost, is_interrupted

WHOLE_BYTES = 4 << 20
"""Up to so many go in one request."""
CHUNK_BYTES = 32 << 20
"""Of a larger blob; held in memory until the registry has them."""
_MAX_CHUNK_BYTES = 256 << 20
_COMMIT_SECONDS = 600.0
"""What a registry may take to check and keep a blob of many gigabytes."""
_PAUSE_SECONDS = 0.2
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_OCTETS = {"Content-Type": "application/octet-stream"}


class _FeedError(Exception):
    """What the blob's bytes come from failed, not the registry."""


class BlobUpload:
    """One blob on its way. `session` is an upload that the registry has begun already."""

    def __init__(
        self,
        host: RegistryHost,
        descriptor: Descriptor,
        chunks: Iterable[bytes],
        *,
        scopes: tuple[str, ...],
        name: str,
        session: str | None = None,
    ) -> None:
        self._host, self._scopes, self._session = host, scopes, session
        self._digest, self._size = descriptor.checked_digest, descriptor.size
        self._name = name
        self._chunk_bytes = CHUNK_BYTES
        self._feed = _Feed(chunks, self._digest, self._size)

    def run(self) -> None:
        """Sends it. Raises HostileInputError where the bytes are not the blob's, OutOfReachError, and what the bytes'
        own source raises."""
        try:
            if self._size <= WHOLE_BYTES:
                self._send_whole()
            else:
                self._send_chunks()
        except _FeedError as error:
            self._cancel()
            assert error.__cause__ is not None
            raise error.__cause__ from None
        except HostileInputError:
            self._cancel()
            raise
        except OutOfReachError as error:
            raise self._failed(error) from None

    def _send_whole(self) -> None:
        """POST, then PUT with all bytes; from the start again where that was cut."""
        data = b"".join(self._feed.take(self._size))
        self._feed.end()
        for attempt in range(RETRIES + 1):
            place = self._with_digest(self._begin())
            try:
                with self._host.open(
                    place, method="PUT", body=data, headers=_OCTETS, repeatable=False, scopes=self._scopes
                ):
                    return
            except OutOfReachError as error:
                if attempt == RETRIES or not self._may_start_again(error):
                    raise
                self._session = None
                time.sleep(_PAUSE_SECONDS * 2**attempt)
                if self._is_there():
                    return

    def _may_start_again(self, error: OutOfReachError) -> bool:
        """A session that is gone (404) is as good as one that was cut."""
        return isinstance(error, NotFoundError) or is_interrupted(error)

    def _send_chunks(self) -> None:
        start = 0
        self._begin()
        while start < self._size:
            chunk = _Chunk(self._feed, start, min(self._chunk_bytes, self._size - start))
            if not self._send_chunk(chunk):
                self._send_streamed(chunk)
                return
            start = chunk.end
        self._feed.end()
        self._commit()

    def _send_chunk(self, chunk: "_Chunk") -> bool:
        """Until the registry has all of it. False where it takes no chunks at all."""
        at, tries = chunk.start, 0
        while at < chunk.end:
            before = at
            try:
                at = self._patch(chunk, at)
            except OutOfReachError as error:
                if chunk.start == 0 and not tries and _takes_no_chunks(error):
                    return False
                if tries == RETRIES or not (is_interrupted(error) or _is_out_of_step(error)):
                    raise
                time.sleep(_PAUSE_SECONDS * 2**tries)
                at = self._resume(chunk)
            tries = 0 if at > before else tries + 1
            if tries > RETRIES:
                raise self._lost()
        return True

    def _patch(self, chunk: "_Chunk", at: int) -> int:
        """Sends a chunk from the blob's byte `at` on; returns how many bytes of the blob the registry has then."""
        url = self._session
        assert url is not None
        headers = {
            **_OCTETS,
            "Content-Length": str(chunk.end - at),
            "Content-Range": f"{at}-{chunk.end - 1}",
        }
        with self._host.open(
            url,
            method="PATCH",
            body=lambda: chunk.body(at),
            headers=headers,
            read_seconds=_COMMIT_SECONDS,
            scopes=self._scopes,
        ) as answer:
            self._go_on(url, answer.headers)
            held = _held(answer.headers, chunk.end)
        if not chunk.start <= held <= chunk.end:
            raise self._lost()
        return held

    def _resume(self, chunk: "_Chunk") -> int:
        """Asks how much the registry has, and goes on there; from the start where the upload is gone or empty."""
        url = self._session
        assert url is not None
        try:
            with self._host.open(url, scopes=self._scopes) as answer:
                self._go_on(url, answer.headers)
                held = _held(answer.headers, -1)
        except NotFoundError:
            held = 0
        if held <= 1 and chunk.start == 0:  # `0-0` is said of nothing and of one byte
            self._session = None
            self._begin()
            return 0
        if not chunk.start <= held <= chunk.end:
            raise self._lost()
        return held

    def _send_streamed(self, chunk: "_Chunk") -> None:
        """In one request as the bytes come, for registries that take no chunks; only the first chunk was read."""
        self._cancel()
        place = self._with_digest(self._begin())
        with self._host.open(
            place,
            method="PUT",
            body=lambda: chain(chunk.body(0), self._feed.rest()),
            headers={**_OCTETS, "Content-Length": str(self._size)},
            read_seconds=_COMMIT_SECONDS,
            scopes=self._scopes,
        ):
            return

    def _commit(self) -> None:
        assert self._session is not None
        place = self._with_digest(self._session)
        for attempt in range(RETRIES + 1):
            try:
                with self._host.open(
                    place,
                    method="PUT",
                    body=b"",
                    headers=_OCTETS,
                    repeatable=False,
                    read_seconds=_COMMIT_SECONDS,
                    scopes=self._scopes,
                ):
                    return
            except OutOfReachError as error:
                if not self._may_start_again(error):
                    raise
                time.sleep(_PAUSE_SECONDS * 2**attempt)
                if self._is_there():
                    return
                if attempt == RETRIES or isinstance(error, NotFoundError):
                    raise

    def _begin(self) -> str:
        """The session's URL."""
        if self._session is None:
            self._session, minimum = begin_upload(self._host, self._scopes, {})
            if self._session is None:
                raise OutOfReachError(f"the registry names no place to upload to for {self._name}")
            self._chunk_bytes = min(max(CHUNK_BYTES, minimum), _MAX_CHUNK_BYTES)
        return self._session

    def _go_on(self, url: str, headers: Mapping[str, str]) -> None:
        location = headers.get("Location", "")
        self._session = follow(url, location) if location else url

    def _with_digest(self, url: str) -> str:
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'digest': self._digest})}"

    def _is_there(self) -> bool:
        """Whether the blob came whole, though its answer did not."""
        with suppress(OutOfReachError), self._host.open(f"blobs/{self._digest}", method="HEAD", scopes=self._scopes):
            return True
        return False

    def _cancel(self) -> None:
        if self._session is not None:
            cancel_upload(self._host, self._session, self._scopes)
            self._session = None

    def _lost(self) -> OutOfReachError:
        return OutOfReachError(f"the registry lost what it had of the blob {self._digest.short} for {self._name}")

    def _failed(self, error: OutOfReachError) -> OutOfReachError | HostileInputError:
        what = f"the blob {self._digest.short} for {self._name}"
        if isinstance(error, RefusedError) and b"DIGEST_INVALID" in error.body:
            return HostileInputError(f"{what} does not have its digest, says the registry")
        if isinstance(error, NotFoundError):
            return OutOfReachError(f"the registry lost the upload of {what}")
        return self._host.refused(error, what)


class _Feed:
    """The blob's bytes as they come, cut where they are wanted, and counted."""

    def __init__(self, chunks: Iterable[bytes], digest: Digest, size: int) -> None:
        self._chunks = iter(chunks)
        self._rest: bytes | memoryview = b""
        self._left = size
        self._digest, self._size = digest, size

    def take(self, count: int) -> Iterator[bytes | memoryview]:
        """The next `count` bytes."""
        while count:
            piece = self._rest or self._next()
            if not piece:
                raise _FeedError from self._wrong("ends early")
            if len(piece) > count:
                view = memoryview(piece)
                piece, self._rest = view[:count], view[count:]
            else:
                self._rest = b""
            count -= len(piece)
            self._left -= len(piece)
            yield piece

    def rest(self) -> Iterator[bytes | memoryview]:
        """All that has not been taken."""
        yield from self.take(self._left)
        self.end()

    def end(self) -> None:
        """Sees that nothing is left, and lets the source check what it gave."""
        if self._rest or self._next():
            raise _FeedError from self._wrong("does not end there")

    def _next(self) -> bytes:
        try:
            return next((chunk for chunk in self._chunks if chunk), b"")
        except BaseException as error:
            raise _FeedError from error

    def _wrong(self, what: str) -> HostileInputError:
        return HostileInputError(f"the blob {self._digest.short} was announced with {self._size:,} bytes, and {what}")


class _Chunk:
    """A part of the blob that is kept as it is taken, so that it can be sent again."""

    def __init__(self, feed: _Feed, start: int, size: int) -> None:
        self.start, self.end = start, start + size
        self._feed = feed
        self._kept: list[bytes | memoryview] = []
        self._kept_to = start

    def body(self, at: int) -> Iterator[bytes | memoryview]:
        """From the blob's byte `at` on."""
        position = self.start
        for piece in self._kept:
            skip = max(0, at - position)
            position += len(piece)
            if skip < len(piece):
                yield memoryview(piece)[skip:]
        while self._kept_to < self.end:
            for piece in self._feed.take(self.end - self._kept_to):
                self._kept.append(piece)
                self._kept_to += len(piece)
                yield piece


def begin_upload(host: RegistryHost, scopes: tuple[str, ...], query: Mapping[str, str]) -> tuple[str | None, int]:
    """Begins an upload: its URL, and the least bytes of a chunk that is not the last. No URL means that `query` asked
    for a mount, and that it was made."""
    place = host.url("blobs/uploads/") + (f"?{urlencode(query)}" if query else "")
    with host.open(place, method="POST", body=b"", repeatable=True, scopes=scopes) as answer:
        location = answer.headers.get("Location", "")
        if answer.status == 201 or not location:
            return None, 0
        minimum = answer.headers.get("OCI-Chunk-Min-Length", "")
        return follow(place, location), int(minimum) if re.fullmatch(r"[0-9]{1,10}", minimum) else 0


def cancel_upload(host: RegistryHost, session: str, scopes: tuple[str, ...]) -> None:
    """Lets the registry forget an upload, where it can."""
    with suppress(OutOfReachError), host.open(session, method="DELETE", repeatable=False, scopes=scopes):
        pass


def _held(headers: Mapping[str, str], otherwise: int) -> int:
    """How many bytes of the blob the registry says to have."""
    match = _RANGE.fullmatch(headers.get("Range", ""))
    return int(match[1]) + 1 if match else otherwise


def _takes_no_chunks(error: OutOfReachError) -> bool:
    """What registries say to the first chunk that know whole blobs only."""
    return isinstance(error, NotFoundError) or (
        isinstance(error, RefusedError) and error.status in (400, 405, 411, 413, 415, 501)
    )


def _is_out_of_step(error: OutOfReachError) -> bool:
    return isinstance(error, RefusedError) and error.status == 416
