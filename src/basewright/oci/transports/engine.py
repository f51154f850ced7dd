"""A running docker or podman through its socket, by Docker's Engine API: images are saved and loaded whole.

https://docs.docker.com/reference/api/engine/ ; podman answers to the same calls
"""

import hashlib
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

import msgspec

from basewright._disk import ScratchFolder, partial_file
from basewright._http import NotFoundError, PooledHttp, RefusedError
from basewright._process import Process, kill_group
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.oci.layer_limits import MAX_LAYER_BYTES, LayerLimits
from basewright.oci.manifest import Descriptor
from basewright.oci.span import Span
from basewright.oci.transports.docker_archive import DockerArchiveSink
from basewright.oci.transports.transport import Source

_SAVE_SECONDS = 600.0
"""How long an engine may think before it sends or answers: it packs and unpacks whole images."""
_START_SECONDS = 20.0
_POLL_SECONDS = 0.02
_MAX_ANSWER_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 20
_URL = "http://localhost"


class Engine(StrEnum):
    """By the names of its transport."""

    DOCKER = "docker-daemon"
    PODMAN = "containers-storage"

    @property
    def program(self) -> str:
        return "docker" if self is Engine.DOCKER else "podman"


class _Line(msgspec.Struct, frozen=True):
    """One of what an engine tells while it loads, or its error."""

    stream: str = ""
    error: str = ""
    message: str = ""


@contextmanager
def open_engine(engine: Engine, process: Process) -> Iterator[PooledHttp]:
    """Asks the engine's socket. A podman that runs no service is given one for as long as the block lasts."""
    found = _docker_socket() if engine is Engine.DOCKER else _podman_socket()
    fault = _fault(found) if found is not None else None
    if found is not None and fault is None:
        yield PooledHttp(unix_socket=found, read_seconds=_SAVE_SECONDS)
    elif engine is Engine.DOCKER or os.environ.get("CONTAINER_HOST") or isinstance(fault, PermissionError):
        variable = "DOCKER_HOST" if engine is Engine.DOCKER else "CONTAINER_HOST"
        if isinstance(fault, PermissionError):
            raise OutOfReachError(
                f"you may not use {engine.program} at {found}", hint=f"see who may with `ls -l {found}`"
            )
        raise OutOfReachError(
            f"{engine.program} does not answer at {found}", hint=f"start it, or name its socket in {variable}"
        )
    else:
        with _podman_service(process) as started:
            yield PooledHttp(unix_socket=started, read_seconds=_SAVE_SECONDS)


def _docker_socket() -> Path:
    """DOCKER_HOST, else docker's context, else where it listens by default."""
    host = os.environ.get("DOCKER_HOST") or _context_host()
    if host:
        return _socket_of(host, "DOCKER_HOST")
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere") / "docker.sock"
    default = Path("/var/run/docker.sock")
    return rootless if not default.exists() and rootless.exists() else default


def _podman_socket() -> Path | None:
    host = os.environ.get("CONTAINER_HOST")
    if host:
        return _socket_of(host, "CONTAINER_HOST")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folders = [Path(runtime)] if runtime else []
    folders += [Path("/run")] if os.geteuid() == 0 else []
    return next((each for folder in folders if (each := folder / "podman" / "podman.sock").exists()), None)


def _socket_of(host: str, variable: str) -> Path:
    if not host.startswith("unix://"):
        raise InputError(
            f"{variable} is {host.partition('@')[2] or host!r}, which is no unix:// socket",
            hint="an engine elsewhere is reached through a file: docker save there, docker-archive:FILE here",
        )
    return Path(host.removeprefix("unix://"))


class _ContextName(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="currentContext", default="")


class _Endpoint(msgspec.Struct, frozen=True):
    host: str = msgspec.field(name="Host", default="")


class _Context(msgspec.Struct, frozen=True):
    endpoints: dict[str, _Endpoint] = msgspec.field(name="Endpoints", default={})


def _context_host() -> str:
    """https://docs.docker.com/engine/manage-resources/contexts/ ; empty for the default context."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        name = (
            os.environ.get("DOCKER_CONTEXT")
            or msgspec.json.decode((folder / "config.json").read_bytes(), type=_ContextName).name
        )
        if name in ("", "default"):
            return ""
        meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        endpoint = msgspec.json.decode(meta.read_bytes(), type=_Context).endpoints.get("docker")
    except (OSError, msgspec.DecodeError, UnicodeError):
        return ""
    return endpoint.host if endpoint is not None else ""


def _fault(path: Path) -> OSError | None:
    """Why nobody answers at a socket; None where somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            return error
    return None


@contextmanager
def _podman_service(process: Process) -> Iterator[Path]:
    scratch = ScratchFolder()
    try:
        path = scratch.path / "podman.sock"
        child = process.start(["podman", "system", "service", "--time", "0", f"unix://{path}"])
        try:
            until = time.monotonic() + _START_SECONDS
            while _fault(path) is not None:
                if child.poll() is not None or time.monotonic() > until:
                    raise OutOfReachError("podman starts no service", hint="see what `podman system service` says")
                time.sleep(_POLL_SECONDS)
            yield path
        finally:
            kill_group(child)
    finally:
        scratch.close()


def _path(reference: str, call: str) -> str:
    return f"{_URL}/images/{quote(reference, safe='/:@')}/{call}"


@contextmanager
def saved_image(engine: Engine, reference: str, http: PooledHttp) -> Iterator[Path]:
    """The image as a docker-archive in a scratch file. Raises InputError where the engine has none of that name."""
    scratch = ScratchFolder()
    try:
        target = scratch.path / "saved.tar"
        _ask(engine, reference, http)
        try:
            _save(engine, reference, http, target)
        except OutOfReachError as error:
            raise OutOfReachError(f"{engine.program} does not save {reference}: {_reason(error)}") from None
        yield target
    finally:
        scratch.close()


def _save(engine: Engine, reference: str, http: PooledHttp, target: Path) -> None:
    size = 0
    with (
        http.open(_path(reference, "get"), read_seconds=_SAVE_SECONDS) as answer,
        partial_file(target.parent) as partial,
    ):
        for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
            size += len(chunk)
            if size > MAX_LAYER_BYTES:
                raise HostileInputError(f"{engine}:{reference} is larger than {MAX_LAYER_BYTES:,} bytes")
            partial.write(chunk)
        partial.become(target)


def _ask(engine: Engine, reference: str, http: PooledHttp) -> None:
    """Whether the engine has the image."""
    try:
        http.read(_path(reference, "json"), max_bytes=_MAX_ANSWER_BYTES)
    except NotFoundError:
        raise InputError(f"{engine.program} has no image {reference}", hint=f"see `{engine.program} images`") from None
    except OutOfReachError as error:
        raise OutOfReachError(f"{engine.program} does not show {reference}: {_reason(error)}") from None


class EngineSink:
    """`Sink` over an engine: the image is written to a scratch file, and loaded with `finish`."""

    def __init__(self, engine: Engine, http: PooledHttp, *, names: Sequence[str], limits: LayerLimits) -> None:
        self._engine, self._http = engine, http
        self._scratch = ScratchFolder()
        self._path = self._scratch.path / "image.tar"
        self._archive = DockerArchiveSink(self._path, names=names, limits=limits)
        self._names = tuple(names)

    @property
    def name(self) -> str:
        return f"{self._engine}:{', '.join(self._names)}"

    @property
    def keeps_manifests(self) -> bool:
        return False

    def has(self, descriptor: Descriptor, *, source: Source) -> bool:
        return False

    def put_blob(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        self._archive.put_blob(descriptor, chunks)

    def put_manifest(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        self._archive.put_manifest(descriptor, data, tag=tag)

    def finish(self, top: Descriptor, data: bytes) -> None:
        self._archive.finish(top, data)
        size = self._path.stat().st_size
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
        try:
            with self._http.open(
                f"{_URL}/images/load?quiet=1",
                method="POST",
                headers=headers,
                body=Span(self._path, 0, size).chunks(),
                read_seconds=_SAVE_SECONDS,
            ) as answer:
                told = answer.read(_MAX_ANSWER_BYTES, decode_content=False)
        except OutOfReachError as error:
            raise OutOfReachError(f"{self._engine.program} does not load the image: {_reason(error)}") from None
        for line in told.splitlines():
            if error_text := _line(line).error:
                raise OutOfReachError(f"{self._engine.program} does not load the image: {error_text[:300]}")

    def close(self) -> None:
        self._archive.close()
        self._scratch.close()


def _line(data: bytes) -> _Line:
    try:
        return msgspec.json.decode(data, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Line()


def _reason(error: OutOfReachError) -> str:
    """The engine's own words, where it had any."""
    if isinstance(error, RefusedError):
        return f"{error.status} {_line(error.body).message[:300]}".rstrip()
    return error.message.rpartition(": ")[2]
