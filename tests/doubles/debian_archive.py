"""A real Debian archive, tiny and signed by a key of its own, served on loopback: what a test adds is in it."""

import gzip
import hashlib
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pysequoia
import zstandard

from basewright.bases.debian.mirrors import Mirror, Mirrors

NOW = datetime.now(UTC).replace(microsecond=0)
SUITE = "trixie"


def build_deb(
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes | str] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    control: Mapping[str, str] | None = None,
    members: Sequence[tarfile.TarInfo] = (),
    method: str = "xz",
) -> bytes:
    """A .deb. `files`: path → content, or the target of a symbolic link as text; a path that ends in `/` is a folder.
    `control` adds files to the control archive, `members` hand-made entries to the data."""
    paragraph = {"Package": name, "Version": version, "Architecture": "amd64", **(fields or {})}
    text = "".join(f"{key}: {value}\n" for key, value in paragraph.items()) + "Description: a test package\n"
    sums = "".join(
        f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {path}\n"
        for path, data in (files or {}).items()
        if isinstance(data, bytes) and not path.endswith("/")
    )
    scripts = {path: data.encode() for path, data in (control or {}).items()}
    control_tar = _tar({"control": text.encode(), "md5sums": sums.encode(), **scripts})
    data_tar = _tar(files or {}, members)
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(control_tar),
        f"data.tar.{method}" if method else "data.tar": _compress(data_tar, method),
    }
    return b"!<arch>\n" + b"".join(
        f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) & 1)
        for part, data in parts.items()
    )


def _compress(data: bytes, method: str) -> bytes:
    match method:
        case "xz":
            return lzma.compress(data)
        case "gz":
            return gzip.compress(data, mtime=0)
        case "zst":
            return zstandard.ZstdCompressor().compress(data)
        case _:
            return data


def _tar(files: Mapping[str, bytes | str], members: Sequence[tarfile.TarInfo] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        root = tarfile.TarInfo("./")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(root)
        for path, data in files.items():
            member = tarfile.TarInfo("./" + path.rstrip("/"))
            member.mode = 0o755 if "/bin/" in f"/{path}" or path.endswith("/") else 0o644
            if path.endswith("/"):
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            elif isinstance(data, str):
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, data, 0o777
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return buffer.getvalue()


class DebianArchive:
    """`files`: path below the server's root → bytes, for a test to look at or to damage; `asked` are the requests."""

    def __init__(self) -> None:
        self.key = pysequoia.Tsk.generate("Test archive <archive@example.org>")
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.url = ""
        self._index: dict[tuple[str, str], list[str]] = {}

    def add(
        self,
        name: str,
        version: str = "1.0",
        files: Mapping[str, bytes | str] | None = None,
        *,
        pocket: str = "",
        fields: Mapping[str, str] | None = None,
        control: Mapping[str, str] | None = None,
        method: str = "xz",
        architecture: str = "amd64",
    ) -> bytes:
        """Puts a package into the suite or into its `-updates` or `-security` pocket."""
        wanted = {"Architecture": architecture, **(fields or {})}
        deb = build_deb(name, version, files, fields=wanted, control=control, method=method)
        pool = f"pool/main/{name}_{version.rpartition(':')[2]}_{architecture}.deb"
        self.files[f"{self._root(pocket)}/{pool}"] = deb
        paragraph = {"Package": name, "Version": version, **wanted}
        paragraph |= {"Filename": pool, "Size": str(len(deb)), "SHA256": hashlib.sha256(deb).hexdigest()}
        listed = "".join(f"{key}: {value}\n" for key, value in paragraph.items())
        for each in ("amd64", "arm64") if architecture == "all" else (architecture,):
            self._index.setdefault((pocket, each), []).append(listed)
        return deb

    @staticmethod
    def _root(pocket: str) -> str:
        return "/debian-security" if pocket == "-security" else "/debian"

    def publish(
        self,
        suite: str = SUITE,
        *,
        pockets: Sequence[str] = ("", "-updates", "-security"),
        valid_until: datetime | None = None,
        date: datetime = NOW - timedelta(hours=1),
        by_hash: bool = False,
        compression: str = "gz",
        key: pysequoia.Tsk | None = None,
    ) -> None:
        """Writes the indexes and the signed Release files of the suite and its pockets."""
        for pocket in pockets:
            dists = f"{self._root(pocket)}/dists/{suite}{pocket}"
            lines = []
            for architecture in ("amd64", "arm64"):
                stem = f"main/binary-{architecture}/Packages"
                plain = "\n".join(self._index.get((pocket, architecture), [])).encode()
                packed = _compress(plain, compression)
                self.files[f"{dists}/{stem}.{compression}"] = packed
                for path, data in ((stem, plain), (f"{stem}.{compression}", packed)):
                    lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n")
                if by_hash:
                    folder = f"{dists}/main/binary-{architecture}/by-hash/SHA256"
                    self.files[f"{folder}/{hashlib.sha256(packed).hexdigest()}"] = packed
            text = f"Origin: Debian\nSuite: stable{pocket}\nCodename: {suite}{pocket}\nDate: {_date(date)}\n"
            text += f"Valid-Until: {_date(valid_until)}\n" if valid_until else ""
            text += "Acquire-By-Hash: yes\n" if by_hash else ""
            text += "SHA256:\n" + "".join(lines)
            self.files[f"{dists}/InRelease"] = sign(text, key or self.key)

    @property
    def mirrors(self) -> Mirrors:
        """How to reach it, with its key trusted."""
        keys = (str(self.key.extract_certificate()),)
        return Mirrors(
            main=(Mirror(url=f"{self.url}/debian", keys=keys),),
            security=(Mirror(url=f"{self.url}/debian-security", keys=keys),),
            snapshot=f"{self.url}/snapshot",
        )

    @contextmanager
    def serving(self) -> Iterator["DebianArchive"]:
        """Serves the files on loopback."""
        archive = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                archive.asked.append(self.path)
                data = archive.files.get(self.path)
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def sign(text: str, key: pysequoia.Tsk) -> bytes:
    """The text in a cleartext signature, as InRelease is."""
    return pysequoia.sign(key.signer(), text.encode(), mode=pysequoia.SignatureMode.CLEAR)


def _date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S UTC")
