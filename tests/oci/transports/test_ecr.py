"""Logins to Amazon ECR: botocore against an endpoint on loopback; nothing secret in an error."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from basewright.errors import BasewrightError, ExitCode, InputError, OutOfReachError
from basewright.oci.transports.ecr import EcrKeychain, parse_ecr_host
from basewright.oci.transports.registries import Credentials
from tests.doubles.ecr import PASSWORD, Ecr, running_ecr

pytest.importorskip("botocore", reason="the extra `aws` is not installed")
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
SECRET_KEY, SESSION = "wJalrXUtnFEMI-secret", "session-secret"
ANSWERED = 1_900_000_000.0


class Logins:
    """The keychain inside."""

    def __init__(self, **logins: Credentials) -> None:
        self.logins = logins
        self.asked: list[str] = []

    def credentials(self, registry: str) -> Credentials | None:
        self.asked.append(registry)
        return self.logins.get(registry)


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ecr]:
    """The endpoint, and an AWS that knows one user by the environment."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": SESSION,
    }.items():
        monkeypatch.setenv(name, value)
    with running_ecr() as ecr:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", ecr.url)
        yield ecr


def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)


def refused(registry: str = HOST) -> BasewrightError:
    with pytest.raises(BasewrightError) as caught:
        EcrKeychain(Logins()).credentials(registry)
    for secret in (SECRET_KEY, SESSION, PASSWORD, "AKIDEXAMPLE"):
        assert secret not in f"{caught.value} {caught.value.message} {caught.value.hint}"
    return caught.value


def test_a_login_comes_from_the_chain(ecr: Ecr) -> None:
    found = EcrKeychain(Logins()).credentials(HOST)
    assert found == Credentials(username="AWS", password=PASSWORD)
    assert PASSWORD not in f"{found} {found!r}"
    ((target, authorization),) = ecr.requests
    assert target == "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    assert "AKIDEXAMPLE" in authorization
    assert "/eu-central-1/ecr/aws4_request" in authorization


def test_the_chain_reads_profiles(ecr: Ecr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody(monkeypatch)
    (tmp_path / "credentials").write_text(f"[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = {SECRET_KEY}")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert EcrKeychain(Logins()).credentials(HOST) is not None
    assert "AKIDWORK" in ecr.requests[0][1]


def test_the_public_registry_has_an_endpoint_of_its_own(ecr: Ecr) -> None:
    found = EcrKeychain(Logins()).credentials("public.ecr.aws")
    assert found == Credentials(username="AWS", password=PASSWORD)
    assert ecr.requests[0][0] == "SpencerFrontendService.GetAuthorizationToken"
    assert "/us-east-1/ecr-public/" in ecr.requests[0][1]


def test_a_token_is_kept_until_it_ends(ecr: Ecr) -> None:
    now = [ANSWERED]
    keychain = EcrKeychain(Logins(), now=lambda: now[0])
    for _ in range(3):
        assert keychain.credentials(HOST) is not None
    assert keychain.credentials(f"{HOST}/team/app") is not None
    assert len(ecr.requests) == 1
    now[0], ecr.password = ecr.expires_at - 60, "another-secret"
    assert keychain.credentials(HOST) == Credentials(username="AWS", password="another-secret")
    assert len(ecr.requests) == 2
    assert PASSWORD not in f"{keychain!r} {keychain}"


def test_a_login_of_the_user_s_own_comes_first(ecr: Ecr) -> None:
    own = Credentials(username="me", password="mine")
    assert EcrKeychain(Logins(**{HOST: own})).credentials(HOST) is own
    assert ecr.requests == []


@pytest.mark.parametrize(
    "registry", ["docker.io", "127.0.0.1:5000", f"{HOST}.evil.example", f"evil.example.{HOST}", f"{HOST}:5000"]
)
def test_other_registries_are_not_amazon_s(ecr: Ecr, registry: str) -> None:
    inner = Logins()
    assert EcrKeychain(inner).credentials(registry) is None
    assert inner.asked == [registry]
    assert ecr.requests == []


@pytest.mark.parametrize(
    ("host", "region", "fips"),
    [
        (HOST, "eu-central-1", False),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", True),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", False),
        ("123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1", False),
    ],
)
def test_hosts(host: str, region: str, fips: bool) -> None:
    found = parse_ecr_host(host)
    assert found is not None
    assert (found.service, found.region, found.fips) == ("ecr", region, fips)


def test_nobody_is_known(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody(monkeypatch)
    error = refused()
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert "no AWS credentials" in error.message
    assert EcrKeychain(Logins()).credentials("public.ecr.aws") is None  # everybody may read there


def test_aws_refuses(ecr: Ecr) -> None:
    ecr.status = 400
    ecr.body = json.dumps({"__type": "AccessDeniedException", "message": f"signed {SESSION} {SECRET_KEY}"}).encode()
    error = refused()
    assert isinstance(error, OutOfReachError)
    assert "AccessDeniedException" in error.message
    assert "eu-central-1" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"authorizationData": []}',
        b'{"authorizationData": [{"authorizationToken": "not base64 " , "expiresAt": 2000000000}]}',
        b'{"authorizationData": [{"authorizationToken": "QVdT", "expiresAt": 2000000000}]}',
        b'{"authorizationData": [{"authorizationToken": "QVdTOng="}]}',
        b"<html>a proxy's page</html>",
    ],
)
def test_a_damaged_answer(ecr: Ecr, body: bytes) -> None:
    ecr.body = body
    assert refused().exit_code is ExitCode.COULD_NOT_TELL


def test_the_endpoint_is_out_of_reach(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:1")
    error = refused()
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert "out of reach" in error.message


def test_a_profile_that_is_not_there(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "gone")
    error = refused()
    assert isinstance(error, InputError)
    assert "ProfileNotFound" in error.message


def test_without_the_extra_the_error_says_so() -> None:
    program = (
        "import sys\n"
        "sys.modules['botocore'] = sys.modules['botocore.session'] = None\n"
        "from basewright.errors import BasewrightError\n"
        "from basewright.oci.transports.ecr import EcrKeychain\n"
        "class Nobody:\n"
        "    def credentials(self, registry): return None\n"
        "assert EcrKeychain(Nobody()).credentials('public.ecr.aws') is None\n"
        "try:\n"
        f"    EcrKeychain(Nobody()).credentials({HOST!r})\n"
        "except BasewrightError as error:\n"
        "    print(int(error.exit_code), error.message, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3 ")
    assert "extra `aws`" in done.stdout
    assert "basewright[aws]" in done.stdout
