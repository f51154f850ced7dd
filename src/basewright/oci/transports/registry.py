"""Pulls from registries: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

Anonymous first, then with docker's config.json; the full client (push, mirrors, helpers) is to come.
"""

import base64
import ipaddress
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from basewright._http import CHUNK_BYTES, RETRIES, BrokenOffError, NotFoundError, RefusedError, redact
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.oci.digest import Digest
from basewright.oci.manifest import INDEX_TYPES, MANIFEST_TYPES, MAX_MANIFEST_BYTES, Descriptor
from basewright.oci.reference import DEFAULT_REGISTRY, Reference

_ACCEPT = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))
_MAX_TOKEN_BYTES = 1 << 20
_MAX_CONFIG_BYTES = 1 << 20
_CHALLENGE = re.compile(r'([a-zA-Z_]+)="([^"]*)"')
_TOKEN = re.compile(r"[!-~]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PAUSE_SECONDS = 0.1
_DOCKER_HUB = "registry-1.docker.io"
_DOCKER_HUB_AUTH = "https://index.docker.io/v1/"


class OpensUrls(Protocol):
    """The part of PooledHttp that a registry needs."""

    def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> AbstractContextManager["Answer"]: ...

    def read(self, url: str, *, max_bytes: int, headers: Mapping[str, str] | None = None) -> bytes: ...


class Answer(Protocol):
    """A successful answer whose body has not been read."""

    status: int

    def stream(self, amt: int | None = ..., decode_content: bool | None = ...) -> Iterator[bytes]: ...


class _DockerAuth(msgspec.Struct, frozen=True):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _DockerAuth] = {}


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...]


class RegistrySource:
    """`Source` over one reference of a registry."""

    def __init__(self, reference: Reference, http: OpensUrls, *, credentials: Mapping[str, str] | None = None) -> None:
        self._reference = reference
        self._http = http
        self._credentials = read_docker_credentials() if credentials is None else credentials
        self._authorization: dict[str, str] = {}
        host = _DOCKER_HUB if reference.registry == DEFAULT_REGISTRY else reference.registry
        scheme = "http" if _is_loopback(host) else "https"
        self._base = f"{scheme}://{host}/v2/{reference.repository}"

    @property
    def name(self) -> str:
        return self._reference.familiar

    def manifest(self, digest: Digest | None) -> bytes:
        wanted = digest or self._reference.digest or self._reference.tag or "latest"
        data = b"".join(
            self._stream(f"{self._base}/manifests/{wanted}", {"Accept": _ACCEPT}, MAX_MANIFEST_BYTES, str(wanted))
        )
        named = digest or self._reference.digest
        if named is not None and not named.matches(data):
            raise HostileInputError(f"{self.name}: the manifest does not have the digest {named.short}")
        return data

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        digest = descriptor.checked_digest
        return self._stream(f"{self._base}/blobs/{digest}", {}, descriptor.size, f"the blob {digest.short}")

    def _stream(self, url: str, headers: Mapping[str, str], max_bytes: int, what: str) -> Iterator[bytes]:
        """The body of one GET. A login that is asked for is made once; what was cut off goes on where it ended."""
        done, cuts, logged_in = 0, 0, False
        while True:
            try:
                for chunk in self._chunks(url, headers, done):
                    done += len(chunk)
                    if done > max_bytes:
                        raise HostileInputError(f"{redact(url)} is larger than the {max_bytes:,} bytes announced")
                    yield chunk
                return
            except BrokenOffError:
                cuts += 1
                if cuts > RETRIES:
                    raise
                logged_in = False  # a token may have run out meanwhile
                time.sleep(_PAUSE_SECONDS * 2**cuts)
            except RefusedError as error:
                if error.status != 401 or logged_in:
                    raise self._refused(error) from None
                self._authorize(error)
                logged_in = True
            except NotFoundError:
                missing = self.name if what in self.name else f"{what} of {self.name}"
                raise InputError(f"{missing} does not exist in its registry") from None

    def _chunks(self, url: str, headers: Mapping[str, str], start: int) -> Iterator[bytes]:
        """The body from its byte `start` on, whether the server sends parts or not."""
        part = {"Range": f"bytes={start}-"} if start else {}
        with self._http.open(url, headers={**headers, **self._authorization, **part}) as answer:
            skip = start if answer.status != 206 else 0
            for chunk in answer.stream(CHUNK_BYTES, False):
                dropped = min(skip, len(chunk))
                skip -= dropped
                if dropped < len(chunk):
                    yield chunk[dropped:]

    def _refused(self, error: RefusedError) -> OutOfReachError:
        login = "log in with `docker login`, or check the name" if error.status in (401, 403) else error.hint
        return OutOfReachError(f"the registry refused {self.name}: {_reason(error)}", hint=login)

    def _authorize(self, error: RefusedError) -> None:
        """Answers the challenge: Basic with the user's credentials, or a token, anonymously where there are none."""
        challenge = next((value for key, value in error.headers.items() if key.lower() == "www-authenticate"), "")
        scheme, _, rest = challenge.partition(" ")
        basic = self._basic()
        if scheme.lower() == "basic" and basic:
            self._authorization = {"Authorization": f"Basic {basic}"}
            return
        fields = dict(_CHALLENGE.findall(rest))
        realm = fields.get("realm", "")
        if scheme.lower() != "bearer" or urlsplit(realm).scheme not in ("http", "https"):
            raise OutOfReachError(f"the registry of {self.name} wants a login", hint="log in with `docker login`")
        if urlsplit(realm).scheme == "http" and not _is_loopback(urlsplit(realm).netloc):
            raise OutOfReachError(f"the registry of {self.name} wants credentials sent without TLS")
        query = {"scope": fields.get("scope") or f"repository:{self._reference.repository}:pull"}
        if fields.get("service"):
            query["service"] = fields["service"]
        headers = {"Authorization": f"Basic {basic}"} if basic else {}
        joiner = "&" if "?" in realm else "?"
        try:
            data = self._http.read(
                f"{realm}{joiner}{urlencode(query, quote_via=quote)}", max_bytes=_MAX_TOKEN_BYTES, headers=headers
            )
            answer = msgspec.json.decode(data, type=_Token)
        except RefusedError as refused:
            raise OutOfReachError(
                f"the registry of {self.name} gives no token: {_reason(refused)}", hint="log in with `docker login`"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = _Token()
        token = answer.token or answer.access_token
        if not _TOKEN.fullmatch(token):
            raise OutOfReachError(f"the registry of {self.name} gave a damaged token")
        self._authorization = {"Authorization": f"Bearer {token}"}

    def _basic(self) -> str:
        registry = self._reference.registry
        keys: tuple[str, ...] = (registry, f"https://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/")
        if registry == DEFAULT_REGISTRY:
            keys = (_DOCKER_HUB_AUTH, "docker.io", _DOCKER_HUB)
        return next((self._credentials[key] for key in keys if key in self._credentials), "")


def read_docker_credentials() -> dict[str, str]:
    """Registry → base64 of `user:password` from docker's config.json; helpers are not asked yet."""
    folder = os.environ.get("DOCKER_CONFIG")
    path = Path(folder) if folder else Path.home() / ".docker"
    try:
        with (path / "config.json").open("rb") as file:
            config = msgspec.json.decode(file.read(_MAX_CONFIG_BYTES), type=_DockerConfig)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    credentials = {}
    for registry, each in config.auths.items():
        if _BASE64.fullmatch(each.auth):
            credentials[registry] = each.auth
        elif each.username:
            credentials[registry] = base64.b64encode(f"{each.username}:{each.password}".encode()).decode()
    return credentials


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _reason(error: RefusedError) -> str:
    """The registry's own code and message, else the status."""
    try:
        first = msgspec.json.decode(error.body, type=_Errors).errors[0]
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
        return str(error.status)
    text = f"{error.status} {first.code}: {first.message}"
    return "".join(each if each.isprintable() else " " for each in text)[:200]
