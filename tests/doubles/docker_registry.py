"""Debian's docker-registry on loopback, plain or with TLS, open or behind a password."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doubles.registry_state import USER

HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki\n"
"""Of the doubles' own user and password."""


@contextmanager
def docker_registry(
    folder: Path, *, login: bool = False, certificate: tuple[Path, Path] | None = None, port: int = 0
) -> Iterator[str]:
    """Yields `host:port`, for as long as the block lasts; what was pushed stays in `folder`. `certificate`: its key and
    itself, for localhost. Skips the test where the program is missing."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    port = port or _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    config = f"storage:\n  filesystem:\n    rootdirectory: {folder}/storage\nhttp:\n  addr: 127.0.0.1:{port}\n"
    if certificate is not None:
        config += f"  tls:\n    key: {certificate[0]}\n    certificate: {certificate[1]}\n"
    if login:
        config += f"auth:\n  htpasswd:\n    realm: test\n    path: {folder}/htpasswd\n"
    (folder / "config.yml").write_text(f"version: 0.1\nlog:\n  level: error\n{config}")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _await(port, folder / "log")
        yield f"{'localhost' if certificate else '127.0.0.1'}:{port}"
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(port: int, log: Path) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.025)
    pytest.fail(log.read_text())


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of its own for localhost and 127.0.0.1. Skips the test without openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        subprocess.run([*make, "-keyout", key, "-out", certificate, *named], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    return key, certificate
