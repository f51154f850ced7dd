"""Logins to Amazon ECR from the AWS credential chain, without the aws command.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html; botocore (the extra `aws`)
knows the chain and signs the request, through connections of its own.
"""

import base64
import binascii
import re
import threading
import time
from collections.abc import Callable
from importlib import import_module

import msgspec

from basewright.errors import BasewrightError, InputError, OutOfReachError
from basewright.oci.transports.registries import Credentials, Keychain

_PRIVATE = re.compile(
    r"[0-9]{12}\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]{1,40})\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)
_PUBLIC = "public.ecr.aws"
_PUBLIC_REGION = "us-east-1"
"""The only one in which public.ecr.aws gives tokens."""
_CONNECT_SECONDS = 10
_READ_SECONDS = 30
_EARLY_SECONDS = 300.0
"""How long before its end a token is renewed."""
_MAX_WORD = 60
_CHAIN_HINT = "see that AWS knows who you are: environment, ~/.aws, SSO or the role of this machine"


class EcrHost(msgspec.Struct, frozen=True, kw_only=True):
    """Which endpoint gives tokens for a registry."""

    service: str
    region: str
    fips: bool = False


class EcrKeychain:
    """`Keychain` that asks `inner` first and AWS for what is Amazon's. Tokens are kept until they end, in memory."""

    def __init__(self, inner: Keychain, *, now: Callable[[], float] = time.time) -> None:
        self._inner = inner
        self._now = now
        self._guard = threading.Lock()
        self._kept: dict[EcrHost, tuple[Credentials, float]] = {}

    def credentials(self, registry: str) -> Credentials | None:
        """As `inner`. Raises OutOfReachError where AWS gives no token, and where the extra is missing."""
        found = self._inner.credentials(registry)
        host = parse_ecr_host(registry.partition("/")[0])
        if found is not None or host is None:
            return found
        with self._guard:
            kept = self._kept.get(host)
            if kept is not None and self._now() < kept[1] - _EARLY_SECONDS:
                return kept[0]
            try:
                self._kept[host] = _fetch_token(host)
            except _NobodyError:
                if registry.partition("/")[0] == _PUBLIC:  # which everybody may read
                    return None
                raise
            return self._kept[host][0]


class _NobodyError(OutOfReachError):
    """AWS was not asked, since nobody could ask."""


def parse_ecr_host(host: str) -> EcrHost | None:
    """None where the host is not one of Amazon's."""
    if host == _PUBLIC:
        return EcrHost(service="ecr-public", region=_PUBLIC_REGION)
    match = _PRIVATE.fullmatch(host)
    return None if match is None else EcrHost(service="ecr", region=match["region"], fips=match["fips"] is not None)


def _fetch_token(host: EcrHost) -> tuple[Credentials, float]:
    """A login and the second at which it ends."""
    try:
        session = import_module("botocore.session")
        config = import_module("botocore.config")
        exceptions = import_module("botocore.exceptions")
    except ImportError:
        raise _NobodyError(
            "a login to Amazon ECR needs the extra `aws`, which is not installed",
            hint="install basewright[aws], or log in with `docker login`",
        ) from None
    try:
        client = session.get_session().create_client(
            host.service,
            region_name=host.region,
            config=config.Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                use_fips_endpoint=host.fips or None,
                retries={"mode": "standard", "max_attempts": 3},
            ),
        )
        data = client.get_authorization_token()["authorizationData"]
        first = data[0] if isinstance(data, list) else data
        return _login(str(first["authorizationToken"])), float(first["expiresAt"].timestamp())
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise _refusal(host, error) from None
    except (LookupError, TypeError, AttributeError, ValueError):
        raise OutOfReachError(f"Amazon ECR in {host.region} gave no token as agreed") from None


def _login(token: str) -> Credentials:
    """A token is base64 of `AWS:password`."""
    try:
        username, colon, password = base64.b64decode(token, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("a token") from None
    if not colon or not password:
        raise ValueError("a token")
    return Credentials(username=username, password=password)


def _refusal(host: EcrHost, error: Exception) -> BasewrightError:
    """AWS's own code and the kind of fault; its messages are left out, since one of a bad signature repeats the signed
    request with the session's token in it."""
    response = getattr(error, "response", None)
    fault = response.get("Error", {}) if isinstance(response, dict) else {}
    code = str(fault.get("Code", "")) if isinstance(fault, dict) else ""
    kind = "".join(each if each.isprintable() else "?" for each in code[:_MAX_WORD]) or type(error).__name__
    if kind in ("NoCredentialsError", "NoAuthTokenError"):
        return _NobodyError(f"no AWS credentials are found to log in to Amazon ECR in {host.region}", hint=_CHAIN_HINT)
    if kind in ("ProfileNotFound", "PartialCredentialsError", "ConfigParseError", "InvalidConfigError"):
        return InputError(f"AWS's own settings must be mended to log in to Amazon ECR: {kind}", hint=_CHAIN_HINT)
    if kind.startswith("Endpoint") or "Connection" in kind or "Timeout" in kind or kind == "ProxyError":
        return OutOfReachError(f"Amazon ECR in {host.region} is out of reach: {kind}")
    return OutOfReachError(f"Amazon ECR in {host.region} gives no login: {kind}", hint=_CHAIN_HINT)
