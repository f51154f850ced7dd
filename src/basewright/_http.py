"""The only door to the network: pooled, retried, bounded, and redacted in every error.

Proxies come from the environment, credentials from the caller or the URL; an error shows neither query nor user.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from basewright import __version__
from basewright._disk import partial_file
from basewright._url import follow, is_loopback, origin, redact, split_credentials
from basewright.errors import HostileInputError, InputError, OutOfReachError, UnreachableError

if TYPE_CHECKING:
    import ssl

    import urllib3

CHUNK_BYTES = 1 << 20
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
RETRIES = 3
RETRY_AFTER_SECONDS = 30
"""The longest that a server's Retry-After is obeyed."""
_MAX_REDIRECTS = 5
_MAX_ERROR_BYTES = 1 << 16
_KEPT_CONNECTIONS = 16
_REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE"))
_SECRET_HEADERS = frozenset(("authorization", "cookie", "proxy-authorization"))


NOT_TRUSTED = "its certificate is not trusted"
CUT = "the connection was cut"
NOT_LISTENING = "the connection was refused"


class NotFoundError(OutOfReachError):
    """The server answered that there is no such thing (404 or 410)."""


class BrokenOffError(OutOfReachError):
    """The answer's body ended early."""


class RefusedError(OutOfReachError):
    """The server answered with another status than success. `status` and the `headers` of the answer are kept."""

    def __init__(
        self, message: str, *, status: int, headers: Mapping[str, str], body: bytes = b"", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.headers = headers
        self.body = body


class Http(Protocol):
    """Asks servers; passed in wherever the network is needed."""

    def read(self, url: str, *, max_bytes: int, headers: Mapping[str, str] | None = None) -> bytes:
        """The whole body of a GET, at most `max_bytes`."""
        ...

    def download(
        self, url: str, path: Path, *, max_bytes: int, sha256: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Streams a GET into `path`, atomically, and refuses it where its SHA-256 is another one."""
        ...


class PooledHttp:
    """`Http` over urllib3; safe to share between threads.

    Tried again, with growing pauses and at most `retries` times each: connections that fail, 429 and 5xx (as long as
    Retry-After asks for, up to `retry_after_seconds`), bodies that break off. User and password of a URL are sent as
    Basic credentials, to that host only. With a `unix_socket` every URL (`http://localhost/...`) is asked through it.
    """

    def __init__(
        self,
        *,
        connections: int = _KEPT_CONNECTIONS,
        ca_file: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        retries: int = RETRIES,
        retry_after_seconds: int = RETRY_AFTER_SECONDS,
        backoff_seconds: float = 0.3,
        unix_socket: Path | None = None,
    ) -> None:
        self._connections = connections
        self._ca_file = ca_file or os.environ.get("SSL_CERT_FILE")
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._retries = retries
        self._retry_after_seconds = retry_after_seconds
        self._backoff_seconds = backoff_seconds
        self._unix_socket = unix_socket
        self._lock = threading.Lock()
        self._managers: dict[tuple[str, str, tuple[str, ...]], urllib3.PoolManager] = {}

    def _manager(self, url: str, ca_files: tuple[str, ...]) -> "urllib3.PoolManager":
        """Made when it is first asked for: reading the system's certificates takes time."""
        scheme = urlsplit(url).scheme
        proxy = "" if self._unix_socket else _proxy_for(url)
        key = (scheme, proxy, ca_files if scheme == "https" else ())
        with self._lock:
            if key not in self._managers:
                context = _ssl_context(self._ca_file, *ca_files) if "https" in (scheme, proxy[:5]) else None
                self._managers[key] = _make_manager(self._unix_socket, proxy, context, self._connections)
            return self._managers[key]

    def _retry(self, repeatable: bool) -> "urllib3.Retry":
        """What was not sent yet is sent again in any case, the rest where that is no danger."""
        import urllib3

        return urllib3.Retry(
            total=None,
            connect=self._retries,
            read=self._retries if repeatable else 0,
            status=self._retries,
            other=0,
            redirect=0,
            allowed_methods=None,
            backoff_factor=self._backoff_seconds,
            status_forcelist=(429, 500, 502, 503, 504) if repeatable else (),
            respect_retry_after_header=True,
            retry_after_max=self._retry_after_seconds,
            raise_on_status=False,
        )

    @contextmanager
    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes | Iterable[bytes | memoryview] | None = None,
        repeatable: bool | None = None,
        read_seconds: float | None = None,
        ca_files: tuple[str, ...] = (),
    ) -> Iterator["urllib3.BaseHTTPResponse"]:
        """A successful answer whose body is read by the caller; any other status is an error. A body that ends early
        raises BrokenOffError where it is read.

        A `body` that is no bytes is streamed once, as it comes (name its Content-Length, else it goes in chunks).
        `repeatable`: whether the request may be sent twice (None: as its method allows). `ca_files`: PEM certificates
        that are trusted beside the system's. A redirect to another host carries no credential, none leaves https for
        http but to this machine.
        """
        import urllib3

        bare, credentials = split_credentials(url)
        sent = {"User-Agent": f"basewright/{__version__}", "Accept-Encoding": "identity"} | credentials
        streamed = body is not None and not isinstance(body, bytes)
        again = not streamed and (method in _REPEATABLE if repeatable is None else repeatable)
        try:
            response = self._follow(
                method,
                bare,
                {**sent, **(headers or {})},
                body,
                self._retry(again),
                urllib3.Timeout(connect=self._connect_seconds, read=read_seconds or self._read_seconds),
                ca_files,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{redact(url)} is out of reach", why=_why(error)) from None
        try:
            if response.status >= 300:
                fault = _status_error(url, response)
                with suppress(urllib3.exceptions.HTTPError):
                    _drain(response)
                raise fault
            yield response
            _drain(response)
        except urllib3.exceptions.HTTPError as error:
            raise BrokenOffError(f"{redact(url)} broke off: {_why(error)}") from None
        finally:
            if not response.closed:  # what was not read to its end is no use to the next request
                response.close()
            response.release_conn()

    def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | Iterable[bytes | memoryview] | None,
        retry: "urllib3.Retry",
        timeout: "urllib3.Timeout",
        ca_files: tuple[str, ...],
    ) -> "urllib3.BaseHTTPResponse":
        """The first answer that is no redirect, or is one that a body which was streamed cannot follow."""
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._manager(url, ca_files).request(
                method,
                url,
                headers=headers,
                body=cast("bytes | Iterable[bytes] | None", body),  # a socket sends views as they are
                preload_content=False,
                redirect=False,
                retries=retry,
                timeout=timeout,
            )
            location = response.get_redirect_location()
            plain = method in ("GET", "HEAD") or (response.status in (307, 308) and (body is None or body == b""))
            if not location or not plain:
                return response
            _drain(response)
            response.release_conn()
            target = follow(url, location)
            if origin(target) != origin(url):
                headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}
            url = target
        raise OutOfReachError(f"{redact(url)} is out of reach: it redirects too often")

    def read(self, url: str, *, max_bytes: int, headers: Mapping[str, str] | None = None) -> bytes:
        for attempt in range(self._retries + 1):
            try:
                return b"".join(self._bounded(url, max_bytes, headers))
            except BrokenOffError:
                if attempt == self._retries:
                    raise
                time.sleep(self._backoff_seconds * 2**attempt)
        raise AssertionError("the last attempt raises")

    def download(
        self, url: str, path: Path, *, max_bytes: int, sha256: str, headers: Mapping[str, str] | None = None
    ) -> None:
        for attempt in range(self._retries + 1):
            try:
                self._download(url, path, max_bytes, sha256, headers)
                return
            except BrokenOffError:
                if attempt == self._retries:
                    raise
                time.sleep(self._backoff_seconds * 2**attempt)

    def _download(self, url: str, path: Path, max_bytes: int, sha256: str, headers: Mapping[str, str] | None) -> None:
        digest = hashlib.sha256()
        with partial_file(path.parent) as partial:
            for chunk in self._bounded(url, max_bytes, headers):
                digest.update(chunk)
                partial.write(chunk)
            if digest.hexdigest() != sha256:
                raise HostileInputError(
                    f"{redact(url)} has the wrong contents: SHA-256 {digest.hexdigest()[:16]}…, expected {sha256[:16]}…"
                )
            partial.become(path)

    def _bounded(self, url: str, max_bytes: int, headers: Mapping[str, str] | None) -> Iterator[bytes]:
        size = 0
        with self.open(url, headers=headers) as response:
            for chunk in response.stream(CHUNK_BYTES, decode_content=False):
                size += len(chunk)
                if size > max_bytes:
                    raise HostileInputError(f"{redact(url)} is larger than {max_bytes:,} bytes")
                yield chunk


def _drain(response: "urllib3.BaseHTTPResponse") -> None:
    """Reads what little is left, so that the next request finds the connection free."""
    left = response.length_remaining
    if not response.closed and (left is None or left <= _MAX_ERROR_BYTES):
        response.read(_MAX_ERROR_BYTES, decode_content=False)


def _ssl_context(*ca_files: str | None) -> "ssl.SSLContext":
    import ssl

    context = ssl.create_default_context()
    for ca_file in ca_files:
        if not ca_file:
            continue
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise InputError(
                f"the certificates in {ca_file} cannot be read: {error.strerror}",
                hint="mend the setting that names the file, or SSL_CERT_FILE",
            ) from None
    return context


def _proxy_for(url: str) -> str:
    """The proxy that the environment names for a URL; this machine is asked without one."""
    parts = urlsplit(url)
    if not parts.hostname or is_loopback(parts.netloc):
        return ""
    from urllib.request import getproxies, proxy_bypass

    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all", "")
    if not proxy or proxy_bypass(parts.hostname):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _make_manager(
    unix_socket: Path | None, proxy: str, context: "ssl.SSLContext | None", connections: int
) -> "urllib3.PoolManager":
    """Connections beyond `connections` are made where they are needed and not kept: no thread waits for another."""
    import urllib3

    if not proxy:
        manager = urllib3.PoolManager(num_pools=16, maxsize=connections, ssl_context=context)
        if unix_socket is not None:
            manager.pool_classes_by_scheme = {"http": _socket_pool(unix_socket)}
        return manager
    bare, credentials = split_credentials(proxy)
    try:
        return urllib3.ProxyManager(
            bare,
            num_pools=16,
            maxsize=connections,
            ssl_context=context,
            proxy_headers={f"Proxy-{name}": value for name, value in credentials.items()},
        )
    except (urllib3.exceptions.HTTPError, ValueError):
        raise InputError(
            f"the proxy {redact(proxy)} is not one that basewright can use", hint="name an http:// or https:// proxy"
        ) from None


def _socket_pool(path: Path) -> "type[urllib3.HTTPConnectionPool]":
    """Connections to a Unix socket, whatever host the URL names."""
    import socket

    import urllib3
    from urllib3.connection import HTTPConnection

    class SocketConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self.timeout)
            try:
                connection.connect(str(path))
            except OSError as error:
                connection.close()
                raise urllib3.exceptions.NewConnectionError(self, f"{path}: {error.strerror or error}") from None
            return connection

    class SocketPool(urllib3.HTTPConnectionPool):
        ConnectionCls = SocketConnection

    return SocketPool


def _status_error(url: str, response: "urllib3.BaseHTTPResponse") -> OutOfReachError:
    if response.status in (404, 410):
        return NotFoundError(f"{redact(url)} does not exist ({response.status})")
    wait = response.headers.get("Retry-After", "")
    reason = "".join(each for each in response.reason or "" if each.isprintable())[:80]
    return RefusedError(
        f"{redact(url)} answered {response.status} {reason}".rstrip(),
        status=response.status,
        headers=dict(response.headers),
        body=response.read(_MAX_ERROR_BYTES, decode_content=False),
        hint=f"it asks to wait {wait} s" if wait.isdigit() else "",
    )


def _why(error: Exception) -> str:
    """One clause without addresses of objects or of proxies."""
    import urllib3

    cause: BaseException = error
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        cause = error.reason
    match cause:
        case urllib3.exceptions.NameResolutionError():
            return "its name cannot be resolved"
        case urllib3.exceptions.SSLError():
            return NOT_TRUSTED
        case urllib3.exceptions.ProxyError():
            return "the proxy refused"
        case urllib3.exceptions.NewConnectionError():
            return NOT_LISTENING if "refused" in str(cause) else "no connection can be made"
        case urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case urllib3.exceptions.ResponseError():
            return "it redirects too often"
        case urllib3.exceptions.ProtocolError():
            return CUT
        case urllib3.exceptions.LocationValueError():
            return "that is no http or https URL"
        case _:
            return type(cause).__name__
