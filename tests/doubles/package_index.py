"""A simple repository (PEP 503) on loopback, with real wheels and source archives made in the test."""

import base64
import gzip
import hashlib
import html
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from basewright.ecosystems.dist_info import normal_name


def make_wheel(
    name: str,
    version: str,
    *,
    tag: str = "py3-none-any",
    requires: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    entry_points: str = "",
    executable: Sequence[str] = (),
) -> tuple[str, bytes]:
    """File name and bytes of a wheel. `files` are paths in the archive; without any it has one module."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    contents = dict(files if files is not None else {f"{module}.py": f"VERSION = {version!r}\n".encode()})
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    contents[f"{info}/METADATA"] = metadata.encode()
    pure = "true" if tag.endswith("-any") else "false"
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    if entry_points:
        contents[f"{info}/entry_points.txt"] = entry_points.encode()
    record = "".join(f"{path},{_record(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if path in executable else 0o100644) << 16
            archive.writestr(entry, data)
    return f"{module}-{version}-{tag}.whl", buffer.getvalue()


def make_sdist(name: str, version: str, *, setup: str = "", static: bool = True) -> tuple[str, bytes]:
    """File name and bytes of a source archive. `static`: its metadata may be read without building it."""
    module = name.replace("-", "_")
    head = "2.2" if static else "1.0"
    files = {
        "PKG-INFO": f"Metadata-Version: {head}\nName: {name}\nVersion: {version}\n",
        "setup.py": setup or "raise SystemExit('this machine cannot build it')\n",
    }
    if static:
        files["pyproject.toml"] = '[build-system]\nrequires = ["setuptools"]\n'
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{module}-{version}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{module}-{version}.tar.gz", buffer.getvalue()


class PackageIndex:
    """What an index holds. `credentials` are asked for where given; `requests` are the paths that came."""

    def __init__(self, files: Sequence[tuple[str, bytes]], credentials: tuple[str, str] | None = None) -> None:
        self.files = dict(files)
        self.credentials = credentials
        self.requests: list[str] = []
        self.url = ""

    def sha256(self, file_name: str) -> str:
        return hashlib.sha256(self.files[file_name]).hexdigest()

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2].partition("/")[0]

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        self.requests.append(path)
        if self.credentials is not None:
            wanted = base64.b64encode(":".join(self.credentials).encode()).decode()
            if authorization != f"Basic {wanted}":
                return 401, "text/plain", b"who are you?"
        if path.startswith("/files/"):
            data = self.files.get(path.removeprefix("/files/"))
            return (404, "text/plain", b"") if data is None else (200, "application/octet-stream", data)
        wanted_name = path.removeprefix("/simple/").strip("/")
        names = [each for each in self.files if normal_name(_project(each)) == wanted_name]
        if not names:
            return 404, "text/plain", b""
        links = "".join(
            f'<a href="/files/{html.escape(each)}#sha256={self.sha256(each)}">{html.escape(each)}</a>\n'
            for each in names
        )
        return 200, "text/html", f"<!DOCTYPE html><html><body>\n{links}</body></html>".encode()


@contextmanager
def serve_index(
    files: Sequence[tuple[str, bytes]], *, credentials: tuple[str, str] | None = None
) -> Iterator[PackageIndex]:
    """An index that answers at `url` (ending in /simple) until the block ends."""
    index = PackageIndex(files, credentials)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, kind, body = index.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="packages"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _project(file_name: str) -> str:
    return file_name.rpartition("-")[0] if file_name.endswith(".tar.gz") else file_name.partition("-")[0]


def _record(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
