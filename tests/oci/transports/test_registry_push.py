"""Blobs pushed to a registry on loopback: whole, in chunks, by a mount; with a login; faults on the way."""

import hashlib
import random
import threading
from collections.abc import Iterable, Iterator

import pytest

from basewright.errors import BasewrightError, ExitCode, HostileInputError, OutOfReachError
from basewright.oci.manifest import Descriptor
from basewright.oci.transports import blob_upload
from tests.doubles.image import as_json, sha256
from tests.doubles.logins import registries
from tests.doubles.registry import running_registry
from tests.doubles.registry_client import described, sink, source
from tests.doubles.registry_state import PASSWORD, USER, Fault, Registry

LARGE = random.Random(1).randbytes(700_000)
SMALL = b"x" * 1000
ALICE = registries(login=True)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_upload, "WHOLE_BYTES", 100_000)
    monkeypatch.setattr(blob_upload, "CHUNK_BYTES", 300_000)
    monkeypatch.setattr(blob_upload, "_PAUSE_SECONDS", 0.01)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


def pieces(data: bytes, size: int = 70_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def put(registry: Registry, data: bytes, chunks: Iterable[bytes] | None = None) -> None:
    sink(registry).put_blob(described(data), pieces(data) if chunks is None else chunks)


def refused(registry: Registry, data: bytes, chunks: Iterable[bytes] | None = None) -> BasewrightError:
    with pytest.raises(BasewrightError) as caught:
        put(registry, data, chunks)
    for secret in ("hidden", "_state", USER, PASSWORD):
        assert secret not in caught.value.message + caught.value.hint
    return caught.value


# Blobs


@pytest.mark.parametrize("data", [b"", b"1", SMALL, LARGE[:100_000], LARGE[:100_001], LARGE[:300_000], LARGE])
def test_blobs_of_any_size(registry: Registry, data: bytes) -> None:
    put(registry, data)
    assert registry.blobs[sha256(data)] == data
    assert not registry.uploads


def test_a_small_blob_goes_in_one_request_and_a_large_one_in_chunks(registry: Registry) -> None:
    put(registry, SMALL)
    assert [method for method, _, _ in registry.requests] == ["POST", "PUT"]
    registry.requests.clear()
    put(registry, LARGE)
    assert [method for method, _, _ in registry.requests] == ["POST", "PATCH", "PATCH", "PATCH", "PUT"]
    ranges = [headers["Content-Range"] for method, _, headers in registry.requests if method == "PATCH"]
    assert ranges == ["0-299999", "300000-599999", "600000-699999"]


def test_a_blob_with_another_digest_algorithm(registry: Registry) -> None:
    digest = "sha512:" + hashlib.sha512(LARGE).hexdigest()
    sink(registry).put_blob(Descriptor(media_type="x", digest=digest, size=len(LARGE)), pieces(LARGE))
    assert registry.blobs[digest] == LARGE


def test_a_registry_that_wants_larger_chunks_gets_them(registry: Registry) -> None:
    registry.chunk_minimum = 500_000
    put(registry, LARGE)
    assert len(registry.paths("PATCH")) == 2
    assert registry.blobs[sha256(LARGE)] == LARGE


@pytest.mark.parametrize("status", [400, 404, 405, 411, 413, 501])
def test_a_registry_that_takes_no_chunks_gets_the_whole_blob(registry: Registry, status: int) -> None:
    registry.faults = [Fault(path="", method="PATCH", status=status, times=99)]
    put(registry, LARGE)
    assert registry.blobs[sha256(LARGE)] == LARGE
    assert len(registry.paths("PATCH")) == 1


@pytest.mark.parametrize("kept", [0, 1, 2, 250_000])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_upload_that_is_cut_goes_on_where_it_ended(registry: Registry, kept: int, after: int) -> None:
    if after == 2 and kept == 250_000:
        kept = 99_999
    registry.faults = [Fault(path="", method="PATCH", after=after, cut_request_after=kept)]
    put(registry, LARGE)
    assert registry.blobs[sha256(LARGE)] == LARGE
    sent = sum(int(headers["Content-Length"]) for method, _, headers in registry.requests if method == "PATCH")
    assert sent - len(LARGE) <= 300_000
    if kept > 2:
        resumed = [headers["Content-Range"] for method, _, headers in registry.requests if method == "PATCH"]
        assert any(each.startswith(f"{after * 300_000 + kept}-") for each in resumed)


def test_an_upload_whose_chunk_came_but_not_its_answer(registry: Registry) -> None:
    registry.faults = [Fault(path="", method="PATCH", after=1, cut_answer=True)]
    put(registry, LARGE)
    assert registry.blobs[sha256(LARGE)] == LARGE
    assert len(registry.paths("PATCH")) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("data", [SMALL, LARGE])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_registry_that_stumbles(registry: Registry, status: int, data: bytes, method: str) -> None:
    registry.faults = [Fault(path="/uploads/", method=method, times=2, status=status, headers={"Retry-After": "0"})]
    put(registry, data)
    assert registry.blobs[sha256(data)] == data


@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_a_last_answer_that_is_cut_is_no_second_upload(registry: Registry, data: bytes) -> None:
    registry.faults = [Fault(path="", method="PUT", cut_answer=True)]
    put(registry, data)
    assert (len(registry.paths("POST")), len(registry.paths("PUT")), len(registry.paths("HEAD"))) == (1, 1, 1)


@pytest.mark.parametrize("data", [SMALL, LARGE])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_registry_that_stays_down(registry: Registry, data: bytes, method: str) -> None:
    if data == SMALL and method == "PATCH":
        return
    body = as_json({"errors": [{"code": "UNAVAILABLE", "message": "see https://a/b?signature=hidden"}]})
    registry.faults = [Fault(path="/uploads/", method=method, times=99, status=503, body=body)]
    error = refused(registry, data)
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert "503 UNAVAILABLE: see https://a/b" in error.message
    assert len(registry.paths(method)) <= 8


def test_an_upload_that_is_cut_each_time(registry: Registry) -> None:
    registry.faults = [Fault(path="", method="PATCH", times=99, cut_request_after=0)]
    error = refused(registry, LARGE)
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert len(registry.paths("PATCH")) == 4


def test_a_registry_that_forgets_an_upload(registry: Registry) -> None:
    def forgetful() -> Iterator[bytes]:
        for index, piece in enumerate(pieces(LARGE)):
            if index == 7:
                registry.uploads.clear()
            yield piece

    assert "the registry lost" in refused(registry, LARGE, forgetful()).message


# What is sent is not what was announced


@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_bytes_that_are_not_the_blob_s(registry: Registry, data: bytes) -> None:
    wrong = bytes((data[0] ^ 1,)) + data[1:]
    for chunks, words in (
        (pieces(data[:-1]), "ends early"),
        (pieces(data + b"x"), "does not end there"),
        (pieces(wrong), "does not have its digest"),
    ):
        error = refused(registry, data, chunks)
        assert isinstance(error, HostileInputError)
        assert words in error.message
        assert sha256(data)[7:19] in error.message
    assert sha256(data) not in registry.blobs


@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_a_source_that_fails_is_what_the_error_is_about(registry: Registry, data: bytes) -> None:
    def failing() -> Iterator[bytes]:
        yield data[: len(data) // 2]
        raise OutOfReachError("the source is gone")

    assert refused(registry, data, failing()).message == "the source is gone"
    assert not registry.uploads


# Mounts


def test_what_is_there_is_not_sent_again(registry: Registry) -> None:
    registry.keep("team/app", sha256(SMALL), SMALL)
    assert sink(registry).has(described(SMALL), source=source(registry))
    assert [method for method, _, _ in registry.requests] == ["HEAD"]


def test_what_another_repository_has_is_mounted(registry: Registry) -> None:
    registry.keep("other/app", sha256(SMALL), SMALL)
    assert sink(registry).has(described(SMALL), source=source(registry, "other/app:1"))
    assert registry.holds("team/app", sha256(SMALL))
    assert not registry.uploads


def test_a_registry_that_mounts_nothing_is_sent_the_bytes_in_the_upload_that_it_began(registry: Registry) -> None:
    registry.keep("other/app", sha256(SMALL), SMALL)
    registry.mounts = False
    target = sink(registry)
    assert not target.has(described(SMALL), source=source(registry, "other/app:1"))
    target.put_blob(described(SMALL), [SMALL])
    assert registry.holds("team/app", sha256(SMALL))
    assert len(registry.paths("POST")) == 1


def test_an_upload_that_was_begun_for_nothing_is_ended(registry: Registry) -> None:
    registry.mounts = False
    target = sink(registry)
    target.has(described(SMALL), source=source(registry, "other/app:1"))
    assert registry.uploads
    target.close()
    assert not registry.uploads


def test_nothing_is_mounted_from_another_registry(registry: Registry) -> None:
    with running_registry() as other:
        other.keep("other/app", sha256(SMALL), SMALL)
        assert not sink(registry).has(described(SMALL), source=source(other, "other/app:1"))
    assert not registry.paths("POST")


def test_a_mount_asks_for_the_right_to_read_there(registry: Registry) -> None:
    registry.login = "bearer"
    registry.keep("other/app", sha256(SMALL), SMALL)
    assert sink(registry, known=ALICE).has(described(SMALL), source=source(registry, "other/app:1", known=ALICE))
    assert any("team%2Fapp%3Apull%2Cpush&scope=repository%3Aother%2Fapp%3Apull" in path for path in registry.paths())


def test_threads_push_at_once(registry: Registry) -> None:
    registry.login, registry.token_uses = "bearer", 30
    target, failed = sink(registry, known=ALICE), []
    blobs = [random.Random(each).randbytes(150_000) for each in range(12)]

    def work(data: bytes) -> None:
        try:
            assert not target.has(described(data), source=source(registry))
            target.put_blob(described(data), pieces(data))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(data,)) for data in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert all(registry.blobs[sha256(data)] == data for data in blobs)


# Logins


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_a_login_is_made_on_the_way(registry: Registry, login: str) -> None:
    registry.login = login
    target = sink(registry, known=ALICE)
    assert not target.has(described(LARGE), source=source(registry))
    target.put_blob(described(LARGE), pieces(LARGE))
    assert registry.blobs[sha256(LARGE)] == LARGE
    assert len([path for path in registry.paths() if path.startswith("/token")]) == (login == "bearer")


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_a_token_that_runs_out_in_the_middle_is_renewed(registry: Registry, method: str, data: bytes) -> None:
    registry.login = "bearer"
    target = sink(registry, known=ALICE)
    target.has(described(data), source=source(registry))
    registry.faults = [Fault(path="/uploads/", method=method, renounce=True)]
    target.put_blob(described(data), pieces(data))
    assert registry.blobs[sha256(data)] == data


def test_nobody_may_push(registry: Registry) -> None:
    registry.login = "bearer"
    with pytest.raises(OutOfReachError, match="401 UNAUTHORIZED") as caught:
        sink(registry).put_blob(described(SMALL), [SMALL])
    assert "docker login" in caught.value.hint


def test_an_upload_at_another_host_carries_no_login(registry: Registry) -> None:
    registry.login = "bearer"
    with running_registry(name="localhost") as storage:
        registry.upload_host = storage
        for data in (SMALL, LARGE):
            sink(registry, known=ALICE).put_blob(described(data), pieces(data))
            assert registry.blobs[sha256(data)] == data
        assert storage.requests
        assert not any("Authorization" in headers for _, _, headers in storage.requests)
