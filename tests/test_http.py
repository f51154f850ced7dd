"""The door to the network: bounded, retried, redacted; proxies, certificates and logins as the environment has them."""

import base64
import hashlib
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from basewright._http import BrokenOffError, NotFoundError, PooledHttp, RefusedError
from basewright._url import redact
from basewright.errors import HostileInputError, InputError, OutOfReachError
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import Fault, Registry

BODY = bytes(range(256)) * 4000
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *(each.upper() for each in PROXY_VARIABLES), "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Registry]:
    """Any server will do; a blob is at /v2/x/blobs/big."""
    with running_registry() as registry:
        registry.blobs["big"] = BODY
        yield registry


def quick(**options: float) -> PooledHttp:
    return PooledHttp(backoff_seconds=0.01, read_seconds=options.get("read_seconds", 5), retry_after_seconds=1)


def url(server: Registry, path: str = "/v2/x/blobs/big", *, user: str = "") -> str:
    return f"http://{user}{server.host}{path}"


# Bodies


def test_a_body_is_read_whole_and_within_its_bound(server: Registry) -> None:
    assert quick().read(url(server), max_bytes=len(BODY)) == BODY
    with pytest.raises(HostileInputError, match="is larger than 1,000 bytes"):
        quick().read(url(server), max_bytes=1000)


def test_a_connection_is_used_again_and_one_that_was_left_in_the_middle_is_not(server: Registry) -> None:
    http = quick()
    for _ in range(3):
        with pytest.raises(HostileInputError):
            http.read(url(server), max_bytes=10)
        assert http.read(url(server), max_bytes=len(BODY)) == BODY


def test_an_answer_of_nothing_there_leaves_the_connection_to_the_next_request() -> None:
    connections: list[int] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            connections.append(1)
            while request := self.rfile.readline():
                while self.rfile.readline() != b"\r\n":
                    pass
                body = b"" if request.startswith(b"HEAD") else b"nothing"
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n" + body)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        http = quick()
        for method in ("HEAD", "GET", "HEAD", "GET"):
            with (
                pytest.raises(NotFoundError),
                http.open(f"http://127.0.0.1:{server.server_address[1]}/x", method=method),
            ):
                pass
        server.shutdown()
    assert len(connections) == 1


def test_threads_share_it(server: Registry) -> None:
    http, found = quick(), []
    threads = [
        threading.Thread(target=lambda: found.append(http.read(url(server), max_bytes=len(BODY)))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [BODY] * 20


def test_a_download_is_checked_and_appears_whole_or_not_at_all(server: Registry, tmp_path: Path) -> None:
    path, right = tmp_path / "new" / "file", hashlib.sha256(BODY).hexdigest()
    quick().download(url(server), path, max_bytes=len(BODY), sha256=right)
    assert path.read_bytes() == BODY
    for max_bytes, digest, message in ((len(BODY), "0" * 64, "wrong contents"), (1000, right, "larger than 1,000")):
        with pytest.raises(HostileInputError, match=message):
            quick().download(url(server), tmp_path / "other", max_bytes=max_bytes, sha256=digest)
    assert [each.name for each in tmp_path.iterdir()] == ["new"]
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_a_body_that_is_cut_off_is_asked_for_again(server: Registry, tmp_path: Path) -> None:
    server.faults = [Fault(path="big", times=2, cut_after=70_000), Fault(path="big", cut_after=0)]
    assert quick().read(url(server), max_bytes=len(BODY)) == BODY
    server.faults = [Fault(path="big", times=2, cut_after=70_000)]
    quick().download(url(server), tmp_path / "f", max_bytes=len(BODY), sha256=hashlib.sha256(BODY).hexdigest())
    server.faults = [Fault(path="big", times=99, cut_after=70_000)]
    server.requests.clear()
    with pytest.raises(BrokenOffError, match="broke off: the connection was cut"):
        quick().read(url(server), max_bytes=len(BODY))
    assert len(server.requests) == 4


# Answers that are none


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_stumbles_is_asked_again(server: Registry, status: int) -> None:
    server.faults = [Fault(path="big", times=3, status=status)]
    assert quick().read(url(server), max_bytes=len(BODY)) == BODY
    server.faults = [Fault(path="big", times=4, status=status)]
    with pytest.raises(RefusedError, match=rf"answered {status} \w") as caught:
        quick().read(url(server), max_bytes=len(BODY))
    assert caught.value.status == status


def test_a_server_s_wish_to_wait_is_obeyed_up_to_a_bound(server: Registry) -> None:
    server.faults = [Fault(path="big", status=429, headers={"Retry-After": "86400"})]
    assert quick().read(url(server), max_bytes=len(BODY)) == BODY
    server.faults = [Fault(path="big", status=409, headers={"Retry-After": "86400"})]
    with pytest.raises(RefusedError) as caught:
        quick().read(url(server), max_bytes=len(BODY))
    assert caught.value.hint == "it asks to wait 86400 s"


@pytest.mark.parametrize("status", [400, 401, 403, 409, 418, 501])
def test_a_refusal_is_not_asked_again(server: Registry, status: int) -> None:
    server.faults = [Fault(path="big", status=status, headers={"X-Why": "so"}, body=b"because")]
    with pytest.raises(RefusedError) as caught:
        quick().read(url(server), max_bytes=len(BODY))
    assert (caught.value.status, caught.value.headers["X-Why"], caught.value.body) == (status, "so", b"because")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there(server: Registry, status: int) -> None:
    server.faults = [Fault(path="big", status=status)]
    with pytest.raises(NotFoundError, match=f"does not exist \\({status}\\)"):
        quick().read(url(server), max_bytes=len(BODY))


def test_a_server_that_does_not_answer_in_time(server: Registry) -> None:
    server.faults = [Fault(path="big", times=99, pause_seconds=0.5)]
    with pytest.raises(OutOfReachError, match="out of reach: no answer in time"):
        quick(read_seconds=0.05).read(url(server), max_bytes=len(BODY))


def test_hosts_that_are_not_there() -> None:
    with pytest.raises(OutOfReachError, match="its name cannot be resolved"):
        quick().read("http://none.invalid/x", max_bytes=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OutOfReachError, match="the connection was refused"):
            quick().read(f"http://127.0.0.1:{taken.getsockname()[1]}/x", max_bytes=1)


@pytest.mark.parametrize("bad", ["ftp://example.com/x", "file:///etc/passwd", "no url", "http://[::1/x", "http:///x"])
def test_urls_that_are_none(bad: str) -> None:
    with pytest.raises((OutOfReachError, InputError)) as caught:
        quick().read(bad, max_bytes=1)
    assert "Traceback" not in caught.value.message


# Redirects and logins


def test_redirects_are_followed_to_a_bound(server: Registry) -> None:
    server.faults = [Fault(path="big", times=5, status=302, headers={"Location": "/v2/x/blobs/big"})]
    assert quick().read(url(server), max_bytes=len(BODY)) == BODY
    server.faults = [Fault(path="big", times=99, status=302, headers={"Location": "/v2/x/blobs/big"})]
    with pytest.raises(OutOfReachError, match="it redirects too often"):
        quick().read(url(server), max_bytes=len(BODY))


def test_a_login_stays_at_its_host(server: Registry) -> None:
    with running_registry(name="localhost") as other:
        other.blobs["big"] = BODY
        for place, leaks in ((url(other), False), ("/v2/x/blobs/big?again", True)):
            for given, headers in (("alice:se%20cret@", {}), ("", {"Authorization": "Bearer t", "Cookie": "c"})):
                server.requests.clear()
                other.requests.clear()
                server.faults = [Fault(path="big", status=307, headers={"Location": place})]
                quick().read(url(server, user=given), max_bytes=len(BODY), headers=headers)
                sent = server.requests[0][2]["Authorization"]
                assert sent in ("Bearer t", "Basic " + base64.b64encode(b"alice:se cret").decode())
                last = (server if leaks else other).requests[-1][2]
                assert ("Authorization" in last) is leaks
                assert ("Cookie" in last) is (leaks and bool(headers))


def test_errors_show_no_secret(server: Registry) -> None:
    secret = url(server, "/v2/x/blobs/big?token=hidden#hidden", user="hidden:hidden@")
    for fault in (
        Fault(path="big", status=403),
        Fault(path="big", status=404),
        Fault(path="big", times=9, cut_after=1),
    ):
        server.faults = [fault]
        with pytest.raises(OutOfReachError) as caught:
            quick().read(secret, max_bytes=len(BODY))
        assert "hidden" not in caught.value.message + caught.value.hint
        assert url(server) in caught.value.message
    server.faults = []
    with pytest.raises(HostileInputError) as large:
        quick().read(secret, max_bytes=1)
    assert "hidden" not in large.value.message


def test_redact() -> None:
    assert redact("https://u:p@host:1/a/b?c=d#e") == "https://host:1/a/b"
    assert redact("http://[::1") == "a malformed URL"


# Proxies


def test_a_proxy_of_the_environment_is_used_with_its_login(server: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://bob:hidden@{server.host}")
    server.faults = [Fault(path="http://none.invalid/x", status=200, body=b"by proxy")]
    assert quick().read("http://none.invalid/x", max_bytes=100) == b"by proxy"
    _, path, headers = server.requests[0]
    assert path == "http://none.invalid/x"
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"bob:hidden").decode()


def test_a_proxy_without_a_scheme_and_hosts_that_go_around_it(
    server: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", server.host)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal")
    server.faults = [Fault(path="none.invalid", status=200, body=b"by proxy")]
    http = quick()
    assert http.read("http://none.invalid/x", max_bytes=100) == b"by proxy"
    assert http.read(url(server), max_bytes=len(BODY)) == BODY
    assert server.paths() == ["http://none.invalid/x", "/v2/x/blobs/big"]


def test_a_proxy_that_cannot_be_used_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://bob:hidden@127.0.0.1:1")
    with pytest.raises(InputError, match=r"the proxy socks5://127\.0\.0\.1:1 is not one") as caught:
        quick().read("https://none.invalid/x", max_bytes=1)
    assert "http://" in caught.value.hint
    monkeypatch.setenv("https_proxy", "http://bob:hidden@127.0.0.1:1")
    with pytest.raises(OutOfReachError) as down:
        quick().read("https://none.invalid/x", max_bytes=1)
    assert "hidden" not in down.value.message


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run([*make, "-keyout", key, "-out", certificate, *named], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    return key, certificate


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Registry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    with running_registry(name="localhost", tls=context) as registry:
        registry.blobs["big"] = BODY
        yield registry


def test_a_certificate_of_one_s_own(
    secure: Registry, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"https://{secure.host}/v2/x/blobs/big"
    with pytest.raises(OutOfReachError, match="its certificate is not trusted"):
        quick().read(place, max_bytes=len(BODY))
    assert PooledHttp(ca_file=str(certificate[1])).read(place, max_bytes=len(BODY)) == BODY
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    assert quick().read(place, max_bytes=len(BODY)) == BODY


def test_certificates_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(InputError, match=r"none\.pem cannot be read") as caught:
        quick().read("https://localhost:1/x", max_bytes=1)
    assert "SSL_CERT_FILE" in caught.value.hint
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"none\.pem cannot be read"):
        quick().read("https://localhost:1/x", max_bytes=1)


# Bodies that are sent


@pytest.mark.parametrize("body", [b"all at once", iter([b"as it ", b"", memoryview(b"comes")])])
def test_a_body_is_sent(server: Registry, body: bytes | Iterator[bytes]) -> None:
    server.uploads["x/1"] = bytearray()
    headers = {"Content-Length": "11"} if not isinstance(body, bytes) else {}
    place = url(server, "/v2/x/blobs/uploads/1?_state=1.0")
    with quick().open(place, method="PATCH", body=body, headers=headers) as answer:
        assert answer.status == 202
    assert bytes(server.uploads["x/1"]) in (b"all at once", b"as it comes")


def test_what_may_not_be_sent_twice_is_not(server: Registry) -> None:
    for body, repeatable, count in ((b"x", None, 1), (b"x", True, 4), (iter([b"x"]), True, 1)):
        server.requests.clear()
        server.faults = [Fault(path="/uploads/", times=9, status=503)]
        with (
            pytest.raises(RefusedError),
            quick().open(url(server, "/v2/x/blobs/uploads/"), method="POST", body=body, repeatable=repeatable),
        ):
            pass
        assert len(server.requests) == count


def test_a_unix_socket_is_asked_whatever_the_host(tmp_path: Path) -> None:
    path, heard = tmp_path / "socket", []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            heard.append(self.rfile.readline())
            while self.rfile.readline() != b"\r\n":
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        assert PooledHttp(unix_socket=path).read("http://localhost/version", max_bytes=9) == b"ok"
        server.shutdown()
    assert heard == [b"GET /version HTTP/1.1\r\n"]
    with pytest.raises(OutOfReachError, match="out of reach"):
        PooledHttp(unix_socket=tmp_path / "none", retries=0).read("http://localhost/", max_bytes=9)
