"""The two services of examples/calendar-api on loopback, which are asked both at once.

The Python one runs in an environment made from its locked requirements, the Go one is built with the oldest
toolchain it names. Both need a package registry the first time.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from basewright._process import HostProcess
from basewright.apps.go_command import find_go
from basewright.apps.python_index import uv_environment
from basewright.errors import OutOfReachError

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "calendar-api"
_START_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request."""

    path: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What must be equal of two responses."""

    status: int
    content_type: str | None
    location: str | None
    body: bytes

    @property
    def document(self) -> dict[str, object]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


@dataclass(frozen=True, kw_only=True)
class Services:
    """The ports of both services."""

    python: int
    go: int

    def answer(self, call: Call) -> Answer:
        """Asks both, and returns the one answer."""
        python, go = _ask(self.python, call), _ask(self.go, call)
        assert python == go
        return python


def _ask(port: int, call: Call) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(call.method, call.path, body=call.body, headers=dict(call.headers))
        response = connection.getresponse()
        return Answer(
            status=response.status,
            content_type=response.headers["Content-Type"],
            location=response.headers["Location"],
            body=response.read(),
        )
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], folder: Path, port: int, environment: dict[str, str], log: Path) -> Iterator[None]:
    """Runs a service until it is no longer needed. Returns once it is healthy."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_healthy(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[0]} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_healthy(port: int) -> bool:
    try:
        return _ask(port, Call(path="/healthz")).status == 200
    except OSError:
        return False


def _install_python(folder: Path) -> Path:
    """Makes an environment with the locked requirements, and returns its interpreter."""
    uv = [found] if (found := shutil.which("uv")) else [sys.executable, "-m", "uv"]
    interpreter = folder / "bin" / "python"
    requirements = _EXAMPLE / "python" / "requirements.txt"
    settings = uv_environment(os.environ, _EXAMPLE)  # this machine's index and certificates
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True, env=settings)
    install = ["pip", "install", "--quiet", "--require-hashes", "--python", str(interpreter), "-r", str(requirements)]
    subprocess.run([*uv, *install], check=True, env=settings)
    return interpreter


def _build_go(program: Path) -> Path:
    try:
        go = str(find_go(HostProcess()).path)
    except OutOfReachError as error:
        pytest.skip(error.message)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "go1.24.13+auto"}
    subprocess.run([go, "vet", "./..."], cwd=_EXAMPLE / "go", env=environment, check=True)
    subprocess.run([go, "build", "-o", str(program), "."], cwd=_EXAMPLE / "go", env=environment, check=True)
    return program


@contextmanager
def calendar_services(folder: Path) -> Iterator[Services]:
    """Both, made and running in `folder` for as long as the block lasts."""
    go_program = _build_go(folder / "calendar-api")
    interpreter = _install_python(folder / "venv")
    ports = Services(python=_free_port(), go=_free_port())
    uvicorn = [str(interpreter), "-m", "uvicorn", "calendar_api:app", "--port", f"{ports.python}"]
    environment = {"CALENDAR_KEY": "the same for both", "CALENDAR_DB": "", "PYTHONDONTWRITEBYTECODE": "1"}
    with ExitStack() as stack:
        stack.enter_context(
            _running(uvicorn, _EXAMPLE / "python", ports.python, environment, folder / "python.log"),
        )
        stack.enter_context(
            _running([str(go_program)], folder, ports.go, {**environment, "PORT": f"{ports.go}"}, folder / "go.log")
        )
        yield ports
