"""Who is asked, and as whom: mirrors first, TLS but where plain HTTP is allowed, nobody before the user."""

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from basewright._http import PooledHttp
from basewright.errors import BasewrightError, HostileInputError, InputError, OutOfReachError
from basewright.oci.blob import BlobStore
from basewright.oci.manifest import Descriptor
from basewright.oci.platform import parse_platform
from basewright.oci.pull import pull_image
from basewright.oci.reference import parse_reference
from basewright.oci.transports.registries import Credentials, Mirror, Registries, RegistrySettings
from basewright.oci.transports.registry import RegistrySource
from tests.doubles.docker_registry import make_certificate
from tests.doubles.image import archive, as_json, make_image, member, sha256
from tests.doubles.logins import IDENTITY, LOGIN, OneLogin, registries
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import IDENTITY_TOKEN, PASSWORD, USER, Fault, Registry

NOISE = bytes(range(256)) * 4000
MADE = make_image(archive(member("a", NOISE)), packing="tar")
LAYER = sha256(MADE.layers[0])
DIGEST = sha256(MADE.manifest_bytes)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.put("team/app", "1", MADE)
        yield found


@pytest.fixture
def mirror() -> Iterator[Registry]:
    with running_registry(name="localhost") as found:
        found.put("cache/team/app", "1", MADE)
        yield found


def source(name: str, known: Registries, *, read_seconds: float = 5) -> RegistrySource:
    http = PooledHttp(backoff_seconds=0.01, read_seconds=read_seconds)
    return RegistrySource(parse_reference(name), http, known)


def pulled(found: RegistrySource, folder: Path) -> str:
    return pull_image(found, BlobStore(folder), platform=parse_platform("amd64")).digest


def error_of(found: RegistrySource) -> BasewrightError:
    with pytest.raises(BasewrightError) as caught:
        found.manifest(None)
    for secret in (PASSWORD, IDENTITY_TOKEN, "hidden"):
        assert secret not in caught.value.message + caught.value.hint
    return caught.value


# Mirrors


def behind(registry: Registry, *mirrors: Registry) -> tuple[str, Registries]:
    """The registry's own image, with these mirrors of it."""
    settled = tuple(Mirror(location=f"{each.host}/cache") for each in mirrors)
    return f"{registry.host}/team/app:1", registries(settings={registry.host: RegistrySettings(mirrors=settled)})


def test_a_mirror_is_asked_first(registry: Registry, mirror: Registry, tmp_path: Path) -> None:
    assert pulled(source(*behind(registry, mirror)), tmp_path) == DIGEST
    assert not registry.requests
    assert all(path.startswith("/v2/cache/team/app/") for path in mirror.paths())


def test_what_a_mirror_lacks_comes_from_the_next(registry: Registry, mirror: Registry, tmp_path: Path) -> None:
    with running_registry(name="localhost") as empty:
        assert pulled(source(*behind(registry, empty, mirror)), tmp_path) == DIGEST
        assert len(empty.requests) == 3
    assert not registry.requests
    del mirror.blobs[LAYER]
    assert pulled(source(*behind(registry, mirror)), tmp_path / "again") == DIGEST
    assert [path for path in registry.paths() if "/blobs/" in path] == [f"/v2/team/app/blobs/{LAYER}"]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_a_mirror_that_refuses_is_passed_over(registry: Registry, mirror: Registry, status: int) -> None:
    mirror.faults = [Fault(path="", status=status, times=99)]
    assert source(*behind(registry, mirror)).manifest(None) == MADE.manifest_bytes


def test_a_mirror_out_of_reach_is_asked_once(registry: Registry, tmp_path: Path) -> None:
    with running_registry(name="localhost") as gone:
        pass
    assert pulled(source(*behind(registry, gone)), tmp_path) == DIGEST


def test_another_goes_on_where_a_mirror_ends(registry: Registry, mirror: Registry, tmp_path: Path) -> None:
    mirror.faults = [Fault(path=LAYER, cut_after=300_000), Fault(path=LAYER, cut_after=0, times=99)]
    assert pulled(source(*behind(registry, mirror)), tmp_path) == DIGEST
    asked = [headers.get("Range") for _, path, headers in registry.requests if LAYER in path]
    assert asked == ["bytes=300000-"]


def test_a_mirror_s_bytes_are_checked(registry: Registry, mirror: Registry, tmp_path: Path) -> None:
    mirror.faults = [Fault(path=LAYER, wrong=True)]
    with pytest.raises(HostileInputError):
        pulled(source(*behind(registry, mirror)), tmp_path)


def test_the_registry_s_answer_is_the_one_that_is_told(registry: Registry, mirror: Registry) -> None:
    name, known = behind(registry, mirror)
    error = error_of(source(name.replace(":1", ":2"), known))
    assert isinstance(error, InputError)
    assert error.message == f"{registry.host}/team/app:2 does not exist in its registry"
    registry.faults = [Fault(path="", status=503, times=99)]
    assert isinstance(error_of(source(name.replace(":1", ":2"), known)), OutOfReachError)


def test_a_mirror_has_its_own_login(registry: Registry, mirror: Registry) -> None:
    mirror.login, mirror.anonymous_tokens = "bearer", False
    chain = OneLogin(LOGIN)
    name, known = behind(registry, mirror)
    known = Registries(keychain=chain, settings=known.settings)
    assert source(name, known).manifest(None) == MADE.manifest_bytes
    assert chain.asked == [f"{mirror.host}/cache/team/app"]
    assert not registry.requests


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Registry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    with running_registry(name="localhost", tls=context) as found:
        found.put("team/app", "1", MADE)
        yield found


def test_this_machine_s_registry_may_speak_tls(
    secure: Registry, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{secure.host}/team/app:1"
    assert "certificate is not trusted" in error_of(source(name, registries())).message
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    assert source(name, registries()).manifest(None) == MADE.manifest_bytes


@pytest.mark.parametrize("login", ["", "basic", "bearer"])
def test_certificates_for_one_registry(secure: Registry, certificate: tuple[Path, Path], login: str) -> None:
    secure.login, secure.anonymous_tokens = login, False
    settings = {secure.host: RegistrySettings(ca_files=(str(certificate[1]),))}
    found = source(f"{secure.host}/team/app:1", registries(login=True, settings=settings))
    assert found.manifest(None) == MADE.manifest_bytes


def test_no_redirect_leaves_tls(secure: Registry, certificate: tuple[Path, Path]) -> None:
    settings = {secure.host: RegistrySettings(ca_files=(str(certificate[1]),))}
    found = source(f"{secure.host}/team/app:1", registries(settings=settings))
    away = {"Location": "http://registry.example/blob?signature=hidden"}
    secure.faults = [Fault(path="/blobs/", status=307, headers=away)]
    described = Descriptor(media_type="x", digest=LAYER, size=len(MADE.layers[0]))
    with pytest.raises(OutOfReachError, match=r"redirects to registry\.example without TLS") as caught:
        b"".join(found.blob(described))
    assert "hidden" not in caught.value.message
    with running_registry() as secure.storage:  # on this machine
        assert b"".join(found.blob(described)) == MADE.layers[0]


def test_plain_http_beyond_this_machine_only_where_it_is_allowed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{registry.host}")  # which answers for any host
    monkeypatch.setenv("no_proxy", "localhost")
    body = MADE.manifest_bytes
    registry.faults = [Fault(path="http://registry.example/v2/", status=200, body=body)]
    allowed = registries(settings={"registry.example": RegistrySettings(plain_http=True)})
    assert source("registry.example/team/app:1", allowed).manifest(None) == body
    asked = len(registry.requests)
    assert "https://registry.example" in error_of(source("registry.example/team/app:1", registries())).message
    assert len(registry.requests) == asked


# Logins


def test_the_user_comes_after_nobody(registry: Registry, tmp_path: Path) -> None:
    registry.login = "bearer"
    chain = OneLogin(LOGIN)
    known = Registries(keychain=chain)
    assert pulled(source(f"{registry.host}/team/app:1", known), tmp_path) == DIGEST
    assert not chain.asked
    registry.private = {"team/app"}
    assert pulled(source(f"{registry.host}/team/app:1", known), tmp_path / "again") == DIGEST
    assert chain.asked == [f"{registry.host}/team/app"]
    tokens = [headers.get("Authorization", "") for _, path, headers in registry.requests if path.startswith("/token")]
    assert [bool(each) for each in tokens] == [False, False, True]


def test_a_host_that_has_had_enough_of_nobody(registry: Registry) -> None:
    registry.login = "bearer"
    body = as_json({"errors": [{"code": "TOOMANYREQUESTS", "message": "log in"}]})
    registry.faults = [Fault(path="/manifests/", after=1, times=4, status=429, body=body, headers={"Retry-After": "0"})]
    assert source(f"{registry.host}/team/app:1", registries(login=True)).manifest(None) == MADE.manifest_bytes
    registry.faults = [Fault(path="/manifests/", after=1, times=99, status=429, body=body)]
    assert "429 TOOMANYREQUESTS: log in" in error_of(source(f"{registry.host}/team/app:1", registries())).message


def test_an_identity_token_is_traded_for_a_token(registry: Registry, tmp_path: Path) -> None:
    registry.login, registry.anonymous_tokens = "bearer", False
    found = source(f"{registry.host}/team/app:1", registries(login=IDENTITY))
    assert pulled(found, tmp_path) == DIGEST
    assert [method for method, path, _ in registry.requests if path.startswith("/token")] == ["GET", "POST"]
    wrong = registries(login=Credentials(identity_token="hidden"))
    error = error_of(source(f"{registry.host}/team/app:1", wrong))
    assert "gives no token: 401 UNAUTHORIZED" in error.message


def test_a_token_is_renewed_before_it_runs_out(registry: Registry) -> None:
    registry.login, registry.token_seconds = "bearer", 0.2
    found = source(f"{registry.host}/team/app:1", registries())
    for _ in range(2):
        assert found.manifest(None) == MADE.manifest_bytes
        time.sleep(0.2)
    assert [path.partition("?")[0] for path in registry.paths()] == [
        "/v2/team/app/manifests/1",
        "/token",
        "/v2/team/app/manifests/1",
        "/token",
        "/v2/team/app/manifests/1",
    ]


def test_one_thread_asks_for_the_token_that_all_wait_for(registry: Registry) -> None:
    registry.login = "bearer"
    registry.faults = [Fault(path="/token", pause_seconds=0.2)]
    found, data = source(f"{registry.host}/team/app:1", registries()), []
    threads = [threading.Thread(target=lambda: data.append(found.manifest(None))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert data == [MADE.manifest_bytes] * 8
    assert len([path for path in registry.paths() if path.startswith("/token")]) == 1


def test_a_registry_that_repeats_secrets_is_not_quoted(registry: Registry) -> None:
    registry.login = "basic"
    body = as_json(
        {"errors": [{"code": "DENIED", "message": f"{PASSWORD} at https://u:hidden@h/x?key=hidden \x1b[31m"}]}
    )
    registry.faults = [Fault(path="/manifests/", after=1, times=99, status=403, body=body)]
    message = error_of(source(f"{registry.host}/team/app:1", registries(login=True))).message
    assert message.endswith(r"403 DENIED: … at https://h/x \x1b[31m")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"errors": []}', b'{"errors": [3]}', b"\xff", b"[" * 100_000])
def test_an_error_without_words_of_its_own(registry: Registry, body: bytes) -> None:
    registry.faults = [Fault(path="/manifests/", status=418, body=body)]
    assert error_of(source(f"{registry.host}/team/app:1", registries())).message.endswith(": 418 I'm a Teapot")


def test_a_user_is_shown_nowhere(registry: Registry) -> None:
    registry.login, registry.anonymous_tokens = "bearer", False
    error = error_of(source(f"{registry.host}/team/app:1", registries(login=Credentials(username=USER, password="no"))))
    assert USER not in error.message
    assert repr(LOGIN) == "Credentials(…)"
