"""Amazon ECR's endpoint for tokens, on loopback: the JSON protocol that botocore speaks."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSWORD = "a-very-secret-token"


class Ecr:
    """What it answers, and what it was asked: the targets with the Authorization header of each request."""

    def __init__(self) -> None:
        self.url = ""
        self.password = PASSWORD
        self.expires_at = 2_000_000_000.0
        self.status = 200
        self.body: bytes | None = None
        self.requests: list[tuple[str, str]] = []

    def answer(self, target: str) -> bytes:
        """The JSON of one call; the public registry's API, by the name of Spencer, gives one token, not a list."""
        if self.body is not None:
            return self.body
        token = base64.b64encode(f"AWS:{self.password}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": self.expires_at}
        return json.dumps({"authorizationData": data if target.startswith("Spencer") else [data]}).encode()


@contextmanager
def running_ecr() -> Iterator[Ecr]:
    """Serves until the block ends."""
    double = Ecr()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            target = self.headers.get("X-Amz-Target", "")
            double.requests.append((target, self.headers.get("Authorization", "")))
            body = double.answer(target)
            self.send_response(double.status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
