"""The only door to the network: pooled, retried, bounded, and redacted in every error.

Proxies come from the environment, credentials from the caller only; a URL in an error has neither query nor user.
"""

import hashlib
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from basewright import __version__
from basewright.errors import HostileInputError, OutOfReachError

CHUNK_BYTES = 1 << 18
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
RETRIES = 3


class NotFoundError(OutOfReachError):
    """The server answered that there is no such thing (404 or 410)."""


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
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class PooledHttp:
    """`Http` over urllib3; safe to share between threads."""

    def __init__(self, *, connections: int = 8, ca_file: str | None = None) -> None:
        context = ssl.create_default_context()
        extra = ca_file or os.environ.get("SSL_CERT_FILE")
        if extra:
            context.load_verify_locations(cafile=extra)
        retries = urllib3.Retry(
            total=RETRIES,
            backoff_factor=0.3,
            status_forcelist=(429, 500, 502, 503, 504),
            respect_retry_after_header=True,
            redirect=5,
            raise_on_status=False,
            remove_headers_on_redirect=("Authorization", "Cookie", "Proxy-Authorization"),
        )
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._options = {"maxsize": connections, "block": True}
        self._direct = urllib3.PoolManager(
            num_pools=16, maxsize=connections, block=True, retries=retries, timeout=timeout, ssl_context=context
        )
        self._proxied: dict[str, urllib3.PoolManager] = {
            scheme: urllib3.ProxyManager(
                proxy, num_pools=16, maxsize=connections, retries=retries, timeout=timeout, ssl_context=context
            )
            for scheme, proxy in getproxies().items()
            if scheme in ("http", "https")
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
        """A successful answer whose body is read by the caller; any other status is an error."""
        wanted = {"User-Agent": f"basewright/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        try:
            response = self._pool(url).request(method, url, headers=wanted, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise OutOfReachError(f"{redact(url)} is out of reach: {_why(error)}") from None
        try:
            if response.status >= 300:
                body = response.read(65536)
                if response.status in (404, 410):
                    raise NotFoundError(f"{redact(url)} does not exist ({response.status})")
                raise RefusedError(
                    f"{redact(url)} answered {response.status} {response.reason or ''}".rstrip(),
                    status=response.status,
                    headers=dict(response.headers),
                    body=body,
                )
            yield response
        except urllib3.exceptions.HTTPError as error:
            raise OutOfReachError(f"{redact(url)} broke off: {_why(error)}") from None
        finally:
            response.release_conn()

    def read(self, url: str, *, max_bytes: int, headers: Mapping[str, str] | None = None) -> bytes:
        body = bytearray()
        with self.open(url, headers=headers) as response:
            for chunk in response.stream(CHUNK_BYTES, decode_content=False):
                body += chunk
                if len(body) > max_bytes:
                    response.close()
                    raise HostileInputError(f"{redact(url)} is larger than {max_bytes:,} bytes")
        return bytes(body)

    def download(
        self, url: str, path: Path, *, max_bytes: int, sha256: str, headers: Mapping[str, str] | None = None
    ) -> None:
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        digest, size = hashlib.sha256(), 0
        try:
            with self.open(url, headers=headers) as response, partial.open("wb") as file:
                for chunk in response.stream(CHUNK_BYTES, decode_content=False):
                    size += len(chunk)
                    if size > max_bytes:
                        response.close()
                        raise HostileInputError(f"{redact(url)} is larger than {max_bytes:,} bytes")
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != sha256:
                raise HostileInputError(
                    f"{redact(url)} has the wrong contents: SHA-256 {digest.hexdigest()[:16]}…, expected {sha256[:16]}…"
                )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _why(error: Exception) -> str:
    """One clause without addresses of objects or of proxies."""
    cause: BaseException = error
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        cause = error.reason
    match cause:
        case urllib3.exceptions.NameResolutionError():
            return "its name cannot be resolved"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.ReadTimeoutError():
            return "no answer in time"
        case urllib3.exceptions.SSLError():
            return "its certificate is not trusted"
        case urllib3.exceptions.ProxyError():
            return "the proxy refused"
        case urllib3.exceptions.NewConnectionError():
            return "the connection was refused"
        case _:
            return type(cause).__name__
