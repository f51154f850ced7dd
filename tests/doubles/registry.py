"""A registry on loopback that speaks the distribution specification (pull, push, mount, chunks, referrers), checks the
scopes of its tokens, and does wrong on demand: https://github.com/opencontainers/distribution-spec/blob/main/spec.md"""

import base64
import hashlib
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import SplitResult, parse_qs, urlsplit

from tests.doubles.image import OCI_INDEX, as_json, sha256
from tests.doubles.registry_state import IDENTITY_TOKEN, PASSWORD, USER, Registry, Token

_UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/([^/]*)")
_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
_REFERRERS = re.compile(r"/v2/(.+)/referrers/([^/]+)")
_BLOB = re.compile(r"/v2/(.+)/blobs/([^/]+)")
_SCOPE = re.compile(r"repository:([^:]+):([a-z,*]+)")


class _Cut(Exception):
    """The connection ends here."""


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._fault = self.registry.fault(self.command, self.path)
        self.registry.requests.append((self.command, self.path, dict(self.headers.items())))
        try:
            self._answer(urlsplit(self.path))
        except _Cut:
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self, url: SplitResult) -> None:
        fault = self._fault
        if fault is not None:
            time.sleep(fault.pause_seconds)
            if fault.renounce:
                self.registry.tokens.clear()
        if fault is not None and fault.status:
            self._body()
            self._send(fault.status, fault.body, fault.headers)
        elif url.path == "/token":
            self._token(parse_qs(url.query) or parse_qs(self._body().decode()))
        elif missing := self._missing(url):
            self._body()
            self._challenge(missing)
        else:
            self._route(url)

    def _route(self, url: SplitResult) -> None:
        if url.path.rstrip("/") == "/v2":
            self._send(200, b"{}")
        elif match := _UPLOAD.fullmatch(url.path):
            self._upload(match[1], match[2], {key: values[0] for key, values in parse_qs(url.query).items()})
        elif match := _MANIFEST.fullmatch(url.path):
            self._put_manifest(*match.groups()) if self.command == "PUT" else self._manifest(*match.groups())
        elif (match := _REFERRERS.fullmatch(url.path)) and self.registry.referrers_api:
            self._referrers(match[1], match[2], int(parse_qs(url.query).get("from", ["0"])[0]))
        elif match := _BLOB.fullmatch(url.path):
            self._blob(match[1], match[2])
        else:
            self._body()
            self._send(404, b"404 page not found\n")

    # Logins

    def _missing(self, url: SplitResult) -> str:
        """The scopes that a request wants and does not have; nothing where it may go on."""
        registry, given = self.registry, self.headers.get("Authorization", "")
        repository = re.sub(r"/(manifests|blobs|referrers)/.*", "", url.path.removeprefix("/v2/"))
        wanted = {(repository, "pull")} if repository.strip("/") else set()
        if self.command not in ("GET", "HEAD"):
            wanted.add((repository, "push"))
        query = parse_qs(url.query)
        if "mount" in query:
            wanted |= {(name, "pull") for name in query.get("from", [])}
        scopes = " ".join(
            f"repository:{name}:{','.join(sorted(action for other, action in wanted if other == name))}"
            for name in sorted({name for name, _ in wanted}, key=lambda name: name != repository)
        )
        if not registry.login or (registry.login == "basic" and given == _basic()):
            return ""
        with registry.lock:
            token = registry.tokens.get(given.removeprefix("Bearer "))
            if token is None or not token.uses or time.monotonic() > token.until:
                return scopes or "-"
            token.uses -= 1
            return "" if wanted <= token.scopes else scopes + '",error="insufficient_scope'

    def _challenge(self, scope: str) -> None:
        named = "" if scope == "-" else f',scope="{scope}"'
        bearer = f'Bearer realm="{self.registry.scheme}://{self.registry.host}/token",service="double"{named}'
        challenge = bearer if self.registry.login == "bearer" else 'Basic realm="double"'
        self._send(401, _error("UNAUTHORIZED", "authentication required"), {"WWW-Authenticate": challenge})

    def _token(self, query: Mapping[str, list[str]]) -> None:
        registry, given = self.registry, self.headers.get("Authorization", "")
        refresh = query.get("refresh_token", [""])[0]
        if self.command == "POST":
            right = query["grant_type"] == ["refresh_token"] and refresh == IDENTITY_TOKEN and bool(query["client_id"])
        else:
            right = given == _basic() if given else registry.anonymous_tokens
        if not right:
            self._send(401, _error("UNAUTHORIZED", "incorrect username or password"))
            return
        assert query["service"] == ["double"], query
        named = bool(given or refresh)
        scopes = frozenset(
            (name, action)
            for scope in query.get("scope", [])
            for name, actions in _SCOPE.findall(scope)
            for action in actions.split(",")
            if named or (action == "pull" and name not in registry.private)
        )
        token = secrets.token_urlsafe(12)
        uses = 1_000_000 if registry.token_uses is None else registry.token_uses
        until = time.monotonic() + registry.token_seconds
        registry.tokens[token] = Token(scopes=scopes, uses=uses, until=until)
        kind = "access_token" if self.command == "POST" else "token"
        self._send(200, as_json({kind: token, "expires_in": registry.token_seconds}))

    # Manifests

    def _manifest(self, repository: str, name: str) -> None:
        key = f"{repository}@{name}" if ":" in name else f"{repository}:{name}"
        if key not in self.registry.manifests:
            self._send(404, _error("MANIFEST_UNKNOWN", "manifest unknown"))
            return
        media_type, data = self.registry.manifests[key]
        self._content(data, {"Content-Type": media_type, "Docker-Content-Digest": sha256(data)})

    def _put_manifest(self, repository: str, name: str) -> None:
        data, registry = self._body(), self.registry
        algorithm, colon, _ = name.partition(":")
        digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}" if colon else sha256(data)
        media_type = self.headers.get("Content-Type", "")
        value = json.loads(data)
        assert media_type == value.get("mediaType", media_type), media_type
        needed = [*value.get("layers", []), *([value["config"]] if "config" in value else [])]
        missing = [each["digest"] for each in needed if not registry.holds(repository, each["digest"])]
        children = [each["digest"] for each in value.get("manifests", [])]
        missing += [each for each in children if f"{repository}@{each}" not in registry.manifests]
        is_fallback = "-" in name and name.partition("-")[0] in ("sha256", "sha512")
        if colon and digest != name:
            self._send(400, _error("DIGEST_INVALID", "provided digest did not match uploaded content"))
        elif missing and not is_fallback:
            self._send(400, _error("MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}"))
        else:
            registry.manifests[f"{repository}@{digest}"] = (media_type, data)
            if not colon:
                registry.manifests[f"{repository}:{name}"] = (media_type, data)
            headers = {"Docker-Content-Digest": digest, "Location": f"/v2/{repository}/manifests/{digest}"}
            if "subject" in value and registry.referrers_api:
                headers["OCI-Subject"] = value["subject"]["digest"]
            self._send(201, b"", headers)

    def _referrers(self, repository: str, subject: str, start: int) -> None:
        found = []
        for key, (media_type, data) in sorted(self.registry.manifests.items()):
            value = json.loads(data)
            if key.startswith(f"{repository}@") and value.get("subject", {}).get("digest") == subject:
                kind = value.get("artifactType") or value.get("config", {}).get("mediaType", "")
                described = {"mediaType": media_type, "digest": sha256(data), "size": len(data), "artifactType": kind}
                found.append(described | ({"annotations": value["annotations"]} if "annotations" in value else {}))
        end = start + self.registry.referrers_page
        body = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found[start:end]})
        more = {"Link": f'</v2/{repository}/referrers/{subject}?from={end}>; rel="next"'} if end < len(found) else {}
        self._content(body, {"Content-Type": OCI_INDEX, **more})

    # Blobs

    def _blob(self, repository: str, digest: str) -> None:
        storage = self.registry.storage
        if not self.registry.holds(repository, digest):
            self._send(404, _error("BLOB_UNKNOWN", "blob unknown to registry"))
            return
        data = self.registry.blobs[digest]
        if storage is not None:
            storage.blobs[digest] = data
            place = f"{storage.scheme}://{storage.host}/v2/storage/blobs/{digest}?signature=hidden"
            self._send(307, b"", {"Location": place})
        else:
            self._content(data, {"Content-Type": "application/octet-stream"})

    def _upload(self, repository: str, session: str, query: Mapping[str, str]) -> None:
        registry = self.registry
        if self.command == "POST":
            self._body()
            mounted = query.get("mount", "")
            if mounted and registry.mounts and registry.holds(query.get("from", ""), mounted):
                registry.links[mounted].add(repository)
                self._send(201, b"", {"Location": f"/v2/{repository}/blobs/{mounted}"})
                return
            session = secrets.token_hex(6)
            holder = registry if registry.upload_host is None else registry.upload_host
            holder.blobs, holder.links = registry.blobs, registry.links
            holder.uploads[f"{repository}/{session}"] = bytearray()
            self._session(202, repository, session)
            return
        held = registry.uploads.get(f"{repository}/{session}")
        if held is None:
            self._body()
            self._send(404, _error("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"))
        elif self.command == "DELETE":
            del registry.uploads[f"{repository}/{session}"]
            self._send(204, b"")
        elif self.command == "GET":
            self._session(204, repository, session)
        elif query.get("_state") != f"{session}.{len(held)}":
            self._body()
            self._send(400, _error("BLOB_UPLOAD_INVALID", "the state is another one"))
        elif self.command == "PATCH":
            self._patch(repository, session, held)
        else:
            self._finish(repository, session, query["digest"], held)

    def _patch(self, repository: str, session: str, held: bytearray) -> None:
        wanted = self.headers.get("Content-Range", "")
        length = int(self.headers.get("Content-Length", -1))
        if wanted and wanted != f"{len(held)}-{len(held) + length - 1}":
            self._body()
            self._session(416, repository, session)
            return
        self._body(held)
        self._session(202, repository, session)

    def _finish(self, repository: str, session: str, digest: str, held: bytearray) -> None:
        self._body(held)
        algorithm = digest.partition(":")[0]
        if f"{algorithm}:{hashlib.new(algorithm, held).hexdigest()}" != digest:
            self._send(400, _error("DIGEST_INVALID", "provided digest did not match uploaded content"))
            return
        del self.registry.uploads[f"{repository}/{session}"]
        self.registry.keep(repository, digest, bytes(held))
        self._send(201, b"", {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest})

    def _session(self, status: int, repository: str, session: str) -> None:
        """The answer that tells how far an upload is; its place holds a state that goes into no error."""
        registry, other = self.registry, self.registry.upload_host
        held = (registry if other is None else other).uploads[f"{repository}/{session}"]
        place = "" if other is None else f"{other.scheme}://{other.host}"
        headers = {
            "Location": f"{place}/v2/{repository}/blobs/uploads/{session}?_state={session}.{len(held)}&key=hidden",
            "Range": f"0-{max(0, len(held) - 1)}",
        }
        if registry.chunk_minimum:
            headers["OCI-Chunk-Min-Length"] = str(registry.chunk_minimum)
        self._send(status, b"", headers)

    # Bodies

    def _body(self, into: bytearray | None = None) -> bytes:
        """The request's body, appended to `into` as it comes."""
        held = bytearray() if into is None else into
        cut = None if self._fault is None else self._fault.cut_request_after
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            while size := int(self.rfile.readline(), 16):
                held += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return bytes(held)
        left = int(self.headers.get("Content-Length", 0))
        if cut is not None and cut < left:
            held += self.rfile.read(cut)
            raise _Cut
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                raise _Cut
            held += piece
            left -= len(piece)
        return b"" if into is not None else bytes(held)

    def _content(self, data: bytes, headers: Mapping[str, str]) -> None:
        start, status, fault = 0, 200, self._fault
        wanted = self.headers.get("Range", "")
        if wanted and self.registry.ranges:
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        if fault is not None and fault.wrong:
            data = bytes((data[0] ^ 1,)) + data[1:]
        self._send(status, data[start:], headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        if self._fault is not None and self._fault.cut_answer:
            raise _Cut
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self._fault is not None and self._fault.cut_after is not None:
            self.wfile.write(body[: self._fault.cut_after])
            raise _Cut
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
        registry.scheme = "https"
    registry.host = f"{name}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
