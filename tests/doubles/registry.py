"""A registry on loopback, enough of the distribution specification to pull from, with faults on demand."""

import base64
import secrets
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.doubles.image import OCI_MANIFEST, MadeImage, as_json, sha256

USER, PASSWORD = "alice", "pass:word"


class Fault(msgspec.Struct, kw_only=True):
    """What goes wrong with requests whose path holds `path`, as many `times`."""

    path: str
    times: int = 1
    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cut_after: int | None = None
    """The connection is cut after so many bytes of the body."""
    wrong: bool = False
    """The first byte is another one."""
    pause_seconds: float = 0.0


class Registry:
    """What the registry holds and does; `requests` are the method, path and headers of all that came."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        """`repository:tag` or `repository@digest` → media type and bytes."""
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        self.login = ""
        """`basic`, `bearer`, or nothing."""
        self.anonymous_tokens = True
        self.token_uses: int | None = None
        """How many requests a token is good for."""
        self.ranges = True
        self.storage: Registry | None = None
        """The registry at another host that blobs are fetched from, with a signature in the query."""
        self.tokens: dict[str, int] = {}
        self.host = ""

    def put(self, repository: str, tag: str, image: MadeImage) -> str:
        """Keeps an image under a tag; returns its digest."""
        self.blobs |= image.blobs
        return self.put_manifest(repository, tag, image.manifest_bytes)

    def put_manifest(self, repository: str, tag: str, data: bytes, *, media_type: str = OCI_MANIFEST) -> str:
        digest = sha256(data)
        for name in (f"{repository}:{tag}", f"{repository}@{digest}"):
            self.manifests[name] = (media_type, data)
        return digest

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    def fault(self, path: str) -> Fault | None:
        """The fault that is due for a request, used up once more."""
        for fault in self.faults:
            if fault.path in path and fault.times:
                fault.times -= 1
                return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        registry = self.registry
        registry.requests.append((self.command, self.path, dict(self.headers.items())))
        fault = registry.fault(self.path)
        if fault is not None and fault.pause_seconds:
            time.sleep(fault.pause_seconds)
        if fault is not None and fault.status:
            self._send(fault.status, fault.body, fault.headers)
            return
        url = urlsplit(self.path)
        if url.path == "/token":
            self._token(parse_qs(url.query))
        elif not self._allowed():
            self._challenge()
        elif url.path.rstrip("/") == "/v2":
            self._send(200, b"{}")
        elif "/manifests/" in url.path:
            self._manifest(url.path, fault)
        else:
            self._blob(url.path, fault)

    do_HEAD = do_GET

    def _allowed(self) -> bool:
        registry, given = self.registry, self.headers.get("Authorization", "")
        if not registry.login:
            return True
        if registry.login == "basic":
            return given == _basic()
        token = given.removeprefix("Bearer ")
        if registry.tokens.get(token, 0) <= 0:
            return False
        registry.tokens[token] -= 1
        return True

    def _challenge(self) -> None:
        scope = (
            "repository:" + self.path.removeprefix("/v2/").partition("/manifests/")[0].partition("/blobs/")[0] + ":pull"
        )
        bearer = f'Bearer realm="http://{self.registry.host}/token",service="double",scope="{scope}"'
        challenge = bearer if self.registry.login == "bearer" else 'Basic realm="double"'
        self._send(401, _error("UNAUTHORIZED", "authentication required"), {"WWW-Authenticate": challenge})

    def _token(self, query: Mapping[str, list[str]]) -> None:
        given = self.headers.get("Authorization", "")
        if (given and given != _basic()) or (not given and not self.registry.anonymous_tokens):
            self._send(401, _error("UNAUTHORIZED", "incorrect username or password"))
            return
        assert query["service"] == ["double"], query
        token = secrets.token_urlsafe(12)
        uses = self.registry.token_uses
        self.registry.tokens[token] = 1_000_000 if uses is None else uses
        self._send(200, as_json({"token": token, "expires_in": 60}))

    def _manifest(self, path: str, fault: Fault | None) -> None:
        repository, _, name = path.removeprefix("/v2/").partition("/manifests/")
        key = f"{repository}@{name}" if name.startswith("sha256:") else f"{repository}:{name}"
        if key not in self.registry.manifests:
            self._send(404, _error("MANIFEST_UNKNOWN", "manifest unknown"))
            return
        media_type, data = self.registry.manifests[key]
        self._body(data, fault, {"Content-Type": media_type, "Docker-Content-Digest": sha256(data)})

    def _blob(self, path: str, fault: Fault | None) -> None:
        digest = path.rpartition("/")[2]
        data = self.registry.blobs.get(digest)
        storage = self.registry.storage
        if data is None:
            self._send(404, _error("BLOB_UNKNOWN", "blob unknown to registry"))
        elif storage is not None:
            storage.blobs[digest] = data
            place = f"http://{storage.host}/v2/storage/blobs/{digest}?signature=hidden"
            self._send(307, b"", {"Location": place})
        else:
            self._body(data, fault, {"Content-Type": "application/octet-stream"})

    def _body(self, data: bytes, fault: Fault | None, headers: Mapping[str, str]) -> None:
        start, status = 0, 200
        wanted = self.headers.get("Range", "")
        if wanted and self.registry.ranges:
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
        if fault is not None and fault.wrong:
            data = bytes((data[0] ^ 1,)) + data[1:]
        self._send(status, data[start:], headers, cut_after=None if fault is None else fault.cut_after)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}, *, cut_after: int | None = None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut_after is not None:
            self.wfile.write(body[:cut_after])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error here."""


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _error(code: str, message: str) -> bytes:
    return as_json({"errors": [{"code": code, "message": message, "detail": {"any": 1}}]})


@contextmanager
def running_registry(*, name: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Registry]:
    """A registry that answers, over TLS where it is given a context; `host` is its `name:port`."""
    registry = Registry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    registry.host = f"{name}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
