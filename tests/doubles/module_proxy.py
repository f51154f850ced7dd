"""A Go module proxy on loopback that knows releases of the toolchain, and may ask for a password."""

import base64
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec


class ModuleProxy(msgspec.Struct, kw_only=True):
    """Where it listens, and what it was asked for."""

    url: str
    asked: list[str]


@contextmanager
def module_proxy(versions: Sequence[str], *, status: int = 200, password: str = "") -> Iterator[ModuleProxy]:
    """Serves `versions` as the list of golang.org/toolchain; `password` is asked of the user `ci`."""
    asked: list[str] = []
    body = "".join(f"v0.0.1-go{version}.linux-amd64\n" for version in versions).encode()
    wanted = "Basic " + base64.b64encode(f"ci:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            code = 401 if password and self.headers.get("Authorization") != wanted else status
            found = code == 200 and self.path.endswith("/golang.org/toolchain/@v/list")
            self.send_response(code if code != 200 or found else 404)
            self.send_header("Content-Length", str(len(body) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ModuleProxy(url=f"http://127.0.0.1:{server.server_port}", asked=asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
