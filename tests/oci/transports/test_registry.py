"""Pulling from a registry on loopback: logins, redirects, faults; nothing secret in an error."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from basewright._http import PooledHttp
from basewright.errors import BasewrightError, ExitCode, HostileInputError, InputError, OutOfReachError
from basewright.oci.blob import BlobStore
from basewright.oci.image import Image
from basewright.oci.platform import parse_platform
from basewright.oci.pull import pull_image
from basewright.oci.reference import parse_reference
from basewright.oci.transports.registry import RegistrySource
from tests.doubles.image import archive, as_json, make_image, member, render_index, sha256
from tests.doubles.logins import registries
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import PASSWORD, USER, Fault, Registry

NOISE = bytes(range(256)) * 4000
MADE = make_image(archive(member("a", NOISE)), packing="tar")
LAYER = sha256(MADE.layers[0])


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        registry.put("team/app", "1.0", MADE)
        yield registry


def pull(
    registry: Registry, folder: Path, *, name: str = "team/app:1.0", login: bool = False, read_seconds: float = 5
) -> Image:
    http = PooledHttp(backoff_seconds=0.01, read_seconds=read_seconds)
    source = RegistrySource(parse_reference(f"{registry.host}/{name}"), http, registries(login=login))
    return pull_image(source, BlobStore(folder), platform=parse_platform("amd64"))


def refused(registry: Registry, folder: Path, *, name: str = "team/app:1.0", login: bool = False) -> BasewrightError:
    with pytest.raises(BasewrightError) as caught:
        pull(registry, folder, name=name, login=login)
    text = f"{caught.value.message} {caught.value.hint}"
    for secret in (USER, PASSWORD, "signature", "hidden", base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert secret not in text
    assert not list(folder.rglob(".*"))
    return caught.value


def test_an_image_by_tag_and_by_digest(registry: Registry, tmp_path: Path) -> None:
    digest = sha256(MADE.manifest_bytes)
    for name in ("team/app:1.0", f"team/app@{digest}", f"team/app:gone@{digest}"):
        assert pull(registry, tmp_path / name.replace("/", "_"), name=name).digest == digest


def test_an_index_is_followed(registry: Registry, tmp_path: Path) -> None:
    arm = make_image(archive(member("arm")), architecture="arm64")
    registry.put("team/app", "arm", arm)
    index = render_index([arm.descriptor(), MADE.descriptor()])
    registry.put_manifest("team/app", "both", index, media_type="application/vnd.oci.image.index.v1+json")
    assert pull(registry, tmp_path, name="team/app:both").digest == sha256(MADE.manifest_bytes)


def test_a_blob_that_is_here_is_not_fetched_again(registry: Registry, tmp_path: Path) -> None:
    pull(registry, tmp_path)
    pull(registry, tmp_path)
    assert sum(LAYER in path for path in registry.paths()) == 1


# Logins


def test_a_token_is_asked_for_without_a_name_where_there_is_none(registry: Registry, tmp_path: Path) -> None:
    registry.login = "bearer"
    pull(registry, tmp_path)
    assert [path for path in registry.paths() if path.startswith("/token")] == [
        "/token?scope=repository%3Ateam%2Fapp%3Apull&service=double"
    ]


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_the_user_s_own_login(registry: Registry, tmp_path: Path, login: str) -> None:
    registry.login, registry.anonymous_tokens = login, False
    assert pull(registry, tmp_path, login=True).digest == sha256(MADE.manifest_bytes)


def test_a_token_that_runs_out_is_renewed(registry: Registry, tmp_path: Path) -> None:
    registry.login, registry.token_uses = "bearer", 1
    pull(registry, tmp_path)
    assert sum(path.startswith("/token") for path in registry.paths()) == 3


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_a_login_that_is_missing(registry: Registry, tmp_path: Path, login: str) -> None:
    registry.login, registry.anonymous_tokens = login, False
    error = refused(registry, tmp_path)
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert "docker login" in error.hint


def test_a_login_that_is_refused_is_not_tried_for_ever(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(path="/v2/", times=99, status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})]
    error = refused(registry, tmp_path, login=True)
    assert "refused" in error.message
    assert len(registry.requests) == 2


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer realm="http://example.com/token",service="x"',
        'Bearer realm="file:///etc/passwd"',
        'Bearer realm=""',
        "Bearer",
        "Negotiate",
        "",
    ],
)
def test_a_challenge_that_no_login_should_answer(registry: Registry, tmp_path: Path, challenge: str) -> None:
    registry.faults = [Fault(path="/manifests/", times=9, status=401, headers={"WWW-Authenticate": challenge})]
    assert isinstance(refused(registry, tmp_path, login=True), OutOfReachError)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": "a\\nb: c"}', b'{"token": 3}', b'{"token": "\xff"}'])
def test_a_damaged_token(registry: Registry, tmp_path: Path, body: bytes) -> None:
    registry.login = "bearer"
    registry.faults = [Fault(path="/token", status=200, body=body)]
    assert "damaged token" in refused(registry, tmp_path).message


# Redirects


def test_a_redirect_to_another_host_carries_no_login(registry: Registry, tmp_path: Path) -> None:
    registry.login = "bearer"
    with running_registry(name="localhost") as storage:
        registry.storage = storage
        pull(registry, tmp_path)
    assert len(storage.requests) == 2
    assert all("Authorization" not in headers for _, _, headers in storage.requests)
    assert all("signature=hidden" in path for path in storage.paths())


def test_a_redirect_that_fails_shows_no_signature(registry: Registry, tmp_path: Path) -> None:
    with running_registry(name="localhost") as storage:
        registry.storage = storage
        storage.faults = [Fault(path="/storage/", times=99, status=403)]
        assert "refused" in refused(registry, tmp_path).message


# Faults


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_registry_that_stumbles(registry: Registry, tmp_path: Path, status: int) -> None:
    registry.faults = [
        Fault(path="/manifests/", times=2, status=status, headers={"Retry-After": "0"}),
        Fault(path=LAYER, times=2, status=status, headers={"Retry-After": "0"}),
    ]
    assert pull(registry, tmp_path).digest == sha256(MADE.manifest_bytes)


def test_a_registry_that_stays_down(registry: Registry, tmp_path: Path) -> None:
    body = as_json({"errors": [{"code": "UNAVAILABLE", "message": "back \u001b[31msoon"}]})
    registry.faults = [Fault(path="/manifests/", times=99, status=503, body=body)]
    error = refused(registry, tmp_path)
    assert error.message.endswith("503 UNAVAILABLE: back \\x1b[31msoon")
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert len(registry.requests) == 4


@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_cut_off_goes_on_where_it_ended(registry: Registry, tmp_path: Path, ranges: bool) -> None:
    registry.ranges = ranges
    registry.faults = [Fault(path=LAYER, cut_after=400_000), Fault(path=LAYER, cut_after=200_000)]
    pull(registry, tmp_path)
    asked = [headers.get("Range", "") for _, path, headers in registry.requests if LAYER in path]
    assert asked == ["", "bytes=400000-", "bytes=600000-"] if ranges else ["", "bytes=400000-", "bytes=400000-"]


def test_what_is_cut_off_each_time(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(path=LAYER, times=99, cut_after=100)]
    error = refused(registry, tmp_path)
    assert "broke off" in error.message
    assert error.exit_code is ExitCode.COULD_NOT_TELL


def test_wrong_bytes(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(path=LAYER, wrong=True)]
    error = refused(registry, tmp_path)
    assert isinstance(error, HostileInputError)
    assert LAYER[7:19] in error.message
    registry.faults = [Fault(path=sha256(MADE.manifest_bytes), wrong=True)]
    assert isinstance(refused(registry, tmp_path, name=f"team/app@{sha256(MADE.manifest_bytes)}"), HostileInputError)


def test_more_bytes_than_announced(registry: Registry, tmp_path: Path) -> None:
    registry.blobs[LAYER] += b"x"
    assert f"larger than the {len(MADE.layers[0]):,} bytes" in refused(registry, tmp_path).message
    registry.put_manifest("team/app", "huge", MADE.manifest_bytes + b" " * (4 << 20))
    assert "larger than the 4,194,304 bytes" in refused(registry, tmp_path, name="team/app:huge").message


def test_a_registry_that_does_not_answer(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(path="/manifests/", times=99, pause_seconds=0.6)]
    with pytest.raises(OutOfReachError, match="no answer in time"):
        pull(registry, tmp_path, read_seconds=0.1)


@pytest.mark.parametrize("login", ["", "bearer"])
def test_what_is_not_there_is_the_user_s_to_mend(registry: Registry, tmp_path: Path, login: str) -> None:
    registry.login = login
    error = refused(registry, tmp_path, name="team/app:2.0")
    assert (type(error), error.exit_code) == (InputError, ExitCode.FIX_INPUT)
    assert error.message.endswith("/team/app:2.0 does not exist in its registry")
    del registry.blobs[LAYER]
    error = refused(registry, tmp_path)
    assert (type(error), error.exit_code) == (InputError, ExitCode.FIX_INPUT)
    assert error.message.startswith(f"the blob {LAYER[7:19]} of ")


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    with running_registry() as registry:
        pass
    error = refused(registry, tmp_path)
    assert "the connection was refused" in error.message
    assert error.exit_code is ExitCode.COULD_NOT_TELL
