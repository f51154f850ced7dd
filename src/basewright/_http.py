"""The only door to the network: pooled, retried, bounded, and redacted in every error.

Proxies come from the environment, credentials from the caller or the URL; an error shows neither query nor user.
"""

import base64
import hashlib
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from basewright import __version__
from basewright._disk import partial_file
from basewright.errors import HostileInputError, InputError, OutOfReachError

CHUNK_BYTES = 1 << 18
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
RETRIES = 3
RETRY_AFTER_SECONDS = 30
"""The longest that a server's Retry-After is obeyed."""
_MAX_ERROR_BYTES = 1 << 16


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


class Response(Protocol):
    """An answer whose body has not been read yet."""

    status: int
    url: str

    @property
    def headers(self) -> Mapping[str, str]: ...

    def chunks(self) -> Iterator[bytes]: ...


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


def redact(url: str) -> str:
    """The URL without user, password, query and fragment: what may stand in an error, a log or a record."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class PooledHttp:
    """`Http` over urllib3; safe to share between threads.

    Tried again, with growing pauses and at most `retries` times each: connections that fail, 429 and 5xx (as long as
    Retry-After asks for, up to `retry_after_seconds`), bodies that break off. User and password of a URL are sent as
    Basic credentials, to that host only.
    """

    def __init__(
        self,
        *,
        connections: int = 8,
        ca_file: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        retries: int = RETRIES,
        retry_after_seconds: int = RETRY_AFTER_SECONDS,
        backoff_seconds: float = 0.3,
    ) -> None:
        self._retries = retries
        self._backoff_seconds = backoff_seconds
        context = _ssl_context(ca_file or os.environ.get("SSL_CERT_FILE"))
        policy = urllib3.Retry(
            total=None,
            connect=retries,
            read=retries,
            status=retries,
            other=0,
            redirect=5,
            backoff_factor=backoff_seconds,
            status_forcelist=(429, 500, 502, 503, 504),
            respect_retry_after_header=True,
            retry_after_max=retry_after_seconds,
            raise_on_status=False,
            remove_headers_on_redirect=("Authorization", "Cookie", "Proxy-Authorization"),
        )
        timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._direct = urllib3.PoolManager(
            num_pools=16, maxsize=connections, block=True, retries=policy, timeout=timeout, ssl_context=context
        )
        self._proxied = {
            scheme: _proxy(proxy, context, urllib3.Timeout.clone(timeout), policy, connections)
            for scheme, proxy in _proxies().items()
        }

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxied = self._proxied.get(parts.scheme)
        if proxied is None or (parts.hostname and proxy_bypass(parts.hostname)):
            return self._direct
        return proxied

    @contextmanager
    def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """A successful answer whose body is read by the caller; any other status is an error. A body that ends early
        raises BrokenOffError where it is read."""
        bare, credentials = _split_credentials(url)
        wanted = {"User-Agent": f"basewright/{__version__}", "Accept-Encoding": "identity"} | credentials
        try:
            response = self._pool(bare).request(
                method, bare, headers={**wanted, **(headers or {})}, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise OutOfReachError(f"{redact(url)} is out of reach: {_why(error)}") from None
        try:
            if response.status >= 300:
                raise _status_error(url, response)
            yield response
        except urllib3.exceptions.HTTPError as error:
            raise BrokenOffError(f"{redact(url)} broke off: {_why(error)}") from None
        finally:
            if not response.closed:  # what was not read to its end is no use to the next request
                response.close()
            response.release_conn()

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


def _ssl_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise InputError(
                f"the certificates in {ca_file} cannot be read: {error.strerror}", hint="mend SSL_CERT_FILE"
            ) from None
    return context


def _proxies() -> dict[str, str]:
    """Scheme of the request → proxy, as the environment names them."""
    named = getproxies()
    found = {scheme: named.get(scheme) or named.get("all", "") for scheme in ("http", "https")}
    return {scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in found.items() if proxy}


def _proxy(
    url: str, context: ssl.SSLContext, timeout: urllib3.Timeout, retries: urllib3.Retry, connections: int
) -> urllib3.PoolManager:
    bare, credentials = _split_credentials(url)
    try:
        return urllib3.ProxyManager(
            bare,
            num_pools=16,
            maxsize=connections,
            block=True,
            retries=retries,
            timeout=timeout,
            ssl_context=context,
            proxy_headers={f"Proxy-{name}": value for name, value in credentials.items()},
        )
    except (urllib3.exceptions.HTTPError, ValueError):
        raise InputError(
            f"the proxy {redact(url)} is not one that basewright can use", hint="name an http:// or https:// proxy"
        ) from None


def _split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user and password, and the header that says them."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InputError("a URL is malformed") from None
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    basic = base64.b64encode(unquote_to_bytes(user if ":" in user else f"{user}:")).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {basic}"}


def _status_error(url: str, response: urllib3.BaseHTTPResponse) -> OutOfReachError:
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
    cause: BaseException = error
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        cause = error.reason
    match cause:
        case urllib3.exceptions.NameResolutionError():
            return "its name cannot be resolved"
        case urllib3.exceptions.SSLError():
            return "its certificate is not trusted"
        case urllib3.exceptions.ProxyError():
            return "the proxy refused"
        case urllib3.exceptions.NewConnectionError():
            return "the connection was refused" if "refused" in str(cause) else "no connection can be made"
        case urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case urllib3.exceptions.ResponseError():
            return "it redirects too often"
        case urllib3.exceptions.ProtocolError():
            return "the connection was cut"
        case urllib3.exceptions.LocationValueError():
            return "that is no http or https URL"
        case _:
            return type(cause).__name__
