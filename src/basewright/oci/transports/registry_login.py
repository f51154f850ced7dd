"""Logging in at a registry: nobody first, then the user, with Basic credentials or a token for what is to be done.

https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/
"""

import base64
import re
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from basewright._http import RETRIES, BrokenOffError, NotFoundError, PooledHttp, RefusedError
from basewright._url import is_loopback
from basewright.errors import OutOfReachError
from basewright.oci.transports.challenge import Challenge, merge_scopes, parse_challenges
from basewright.oci.transports.registries import Credentials, Keychain
from basewright.printable import printable

LOGIN_HINT = "log in with `docker login`, or check the name"
_CLIENT = "basewright"
_MAX_TOKEN_BYTES = 1 << 20
_TOKEN = re.compile(r"[!-~]+")
_QUERY = re.compile(r"(https?://)(?:[^\s/@\"']*@)?([^\s?#\"']*)[?#][^\s\"']*")
_DEFAULT_SECONDS = 60.0
_MARGIN_SECONDS = 5.0
_REFUSALS = (401, 403, 429)
"""After which a user's login may help: 429 since hosts count what nobody in particular pulls."""


class _Token(msgspec.Struct, frozen=True):
    token: str | None = None
    access_token: str | None = None
    expires_in: int | float | str | None = None

    def __repr__(self) -> str:
        return "_Token(…)"


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...]


class _Granted(msgspec.Struct, kw_only=True):
    """What is sent along. `named`: as the user, not as nobody; `proven`: the registry has taken it once."""

    authorization: str
    named: bool
    challenge: Challenge
    expires: float = float("inf")
    proven: bool = False

    def __repr__(self) -> str:
        return "_Granted(…)"


class RegistryLogin:
    """How one host wants to be asked. Safe to share between threads: one of them asks for a token, the others wait.

    `name` is what the keychain is asked for, `plain_http` whether a token may be fetched without TLS.
    """

    def __init__(
        self,
        name: str,
        http: PooledHttp,
        keychain: Keychain,
        *,
        plain_http: bool = False,
        ca_files: tuple[str, ...] = (),
    ) -> None:
        self._name, self._http, self._keychain = name, http, keychain
        self._host = name.partition("/")[0]
        self._plain_http, self._ca_files = plain_http, ca_files
        self._lock = threading.Lock()
        self._granted: dict[tuple[str, ...], _Granted] = {}
        """By scopes; Basic credentials are good for all, and stand under none."""
        self._credentials: Credentials | None = None
        self._asked = False
        self._secrets: set[str] = set()

    def authorization(self, scopes: tuple[str, ...]) -> str:
        """The Authorization that requests for `scopes` carry now; nothing before the registry asked for one."""
        with self._lock:
            granted = self._current(scopes)
            if granted is None:
                return ""
            if time.monotonic() > granted.expires:
                granted = self._grant(granted.challenge, scopes, named=granted.named)
            return granted.authorization

    def accept(self, scopes: tuple[str, ...], sent: str) -> None:
        """The registry took what was sent: when it refuses that later, it has run out."""
        granted = self._current(scopes)
        if granted is not None and granted.authorization == sent:
            granted.proven = True

    def improve(self, refusal: RefusedError, scopes: tuple[str, ...], sent: str) -> bool:
        """Finds something better to send than what was refused; False where there is nothing. Raises OutOfReachError
        where the server's own way to a token fails."""
        if refusal.status not in _REFUSALS:
            return False
        with self._lock:
            granted = self._current(scopes)
            if granted is not None and granted.authorization != sent:
                return True  # another thread was here meanwhile
            challenges = _offered(refusal) or ((granted.challenge,) if granted is not None else ())
            if not challenges:
                if refusal.status == 401:
                    raise self._wants_login()
                return False
            if granted is None:
                return self._start(challenges, scopes)
            if granted.proven and refusal.status == 401:
                self._renew(challenges, granted, scopes)
                return True
            if granted.named or self._login() is None:
                self._granted = {key: each for key, each in self._granted.items() if each is not granted}
                return False
            self._grant(self._chosen(challenges), scopes, named=True)
            return True

    def reason(self, error: RefusedError) -> str:
        """The registry's own code and message, else the status; clean, short, and without a secret."""
        try:
            first = msgspec.json.decode(error.body, type=_Errors).errors[0]
            text = f"{error.status} {first.code}: {first.message}"
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
            return _status(error.status)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return printable(_QUERY.sub(r"\1\2", text))[:200]

    def _current(self, scopes: tuple[str, ...]) -> _Granted | None:
        return self._granted.get(scopes) or self._granted.get(())

    def _start(self, challenges: tuple[Challenge, ...], scopes: tuple[str, ...]) -> bool:
        """Nobody in particular comes first, where that could do: nobody may push, and Basic needs a name."""
        challenge = self._chosen(challenges)
        pushes = any("push" in scope.rpartition(":")[2].split(",") for scope in scopes)
        named = challenge.scheme == "basic" or (pushes and self._login() is not None)
        self._grant(challenge, scopes, named=named)
        return True

    def _renew(self, challenges: tuple[Challenge, ...], granted: _Granted, scopes: tuple[str, ...]) -> None:
        if granted.challenge.scheme == "basic":  # a keychain's password may have run out, such as Amazon's
            self._asked = False
        self._grant(self._chosen(challenges), scopes, named=granted.named)

    def _chosen(self, challenges: tuple[Challenge, ...]) -> Challenge:
        """Tokens come before passwords, which they keep out of every other request."""
        for challenge in challenges:
            if challenge.scheme == "bearer" and self._is_realm(challenge.parameters.get("realm", "")):
                return challenge
        for challenge in challenges:
            if challenge.scheme == "basic":
                return challenge
        if any(urlsplit(each.parameters.get("realm", "")).scheme == "http" for each in challenges):
            raise OutOfReachError(
                f"the registry {self._host} wants a token to be fetched without TLS",
                hint="allow plain HTTP for this registry in the settings",
            )
        raise self._wants_login()

    def _is_realm(self, realm: str) -> bool:
        try:
            parts = urlsplit(realm)
        except ValueError:
            return False
        plain = parts.scheme == "http" and (self._plain_http or is_loopback(parts.netloc))
        return bool(parts.netloc) and (parts.scheme == "https" or plain)

    def _grant(self, challenge: Challenge, scopes: tuple[str, ...], *, named: bool) -> _Granted:
        login = self._login() if named else None
        if challenge.scheme == "basic":
            if login is None or not login.username:
                raise self._wants_login()
            granted = _Granted(authorization=_basic(login), named=True, challenge=challenge)
            self._granted[()] = granted
            return granted
        wanted = merge_scopes(*scopes, challenge.parameters.get("scope", ""))
        try:
            granted = self._fetch(challenge, wanted, login)
        except RefusedError as error:
            if login is not None or error.status not in _REFUSALS or self._login() is None:
                raise self._no_token(error) from None
            try:
                granted = self._fetch(challenge, wanted, self._login())
            except (RefusedError, NotFoundError) as refused:
                raise self._no_token(refused) from None
        except NotFoundError as error:
            raise self._no_token(error) from None
        self._granted[scopes] = granted
        return granted

    def _fetch(self, challenge: Challenge, scopes: tuple[str, ...], login: Credentials | None) -> _Granted:
        """Asks the realm: as nobody, with a name (GET), or with an identity token (OAuth2's POST)."""
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service", "")
        fields = [("service", service)] if service else []
        asked = time.monotonic()
        if login is not None and login.identity_token:
            fields += [("grant_type", "refresh_token"), ("client_id", _CLIENT), ("scope", " ".join(scopes))]
            body = urlencode([*fields, ("refresh_token", login.identity_token)]).encode()
            data = self._ask(realm, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        else:
            query = urlencode([*(("scope", scope) for scope in scopes), *fields], quote_via=quote)
            headers = {"Authorization": _basic(login)} if login is not None else {}
            data = self._ask(f"{realm}{'&' if '?' in realm else '?'}{query}", headers, None)
        try:
            answer = msgspec.json.decode(data, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = _Token()
        token = answer.token or answer.access_token or ""
        if not _TOKEN.fullmatch(token):
            raise OutOfReachError(f"the registry {self._host} gave a damaged token")
        self._secrets.add(token)
        seconds = _seconds(answer.expires_in)
        return _Granted(
            authorization=f"Bearer {token}",
            named=login is not None,
            challenge=challenge,
            expires=asked + seconds - min(_MARGIN_SECONDS, seconds / 10),
        )

    def _ask(self, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        for attempt in range(RETRIES + 1):
            try:
                with self._http.open(
                    url,
                    headers=headers,
                    method="GET" if body is None else "POST",
                    body=body,
                    repeatable=True,
                    ca_files=self._ca_files,
                ) as answer:
                    return answer.read(_MAX_TOKEN_BYTES, decode_content=False)
            except BrokenOffError:
                if attempt == RETRIES:
                    raise
                time.sleep(0.1 * 2**attempt)
        raise AssertionError("the last attempt raises")

    def _login(self) -> Credentials | None:
        """What the keychain knows, asked once and late."""
        if not self._asked:
            self._credentials = self._keychain.credentials(self._name)
            self._asked = True
            if self._credentials is not None:
                login = self._credentials
                self._secrets |= {each for each in (login.password, login.identity_token, _basic(login)[6:]) if each}
        return self._credentials

    def _wants_login(self) -> OutOfReachError:
        return OutOfReachError(f"the registry {self._host} wants a login", hint="log in with `docker login`")

    def _no_token(self, error: RefusedError | NotFoundError) -> OutOfReachError:
        why = self.reason(error) if isinstance(error, RefusedError) else "its place does not exist"
        return OutOfReachError(f"the registry {self._host} gives no token: {why}", hint="log in with `docker login`")


def _offered(refusal: RefusedError) -> tuple[Challenge, ...]:
    header = next((value for key, value in refusal.headers.items() if key.lower() == "www-authenticate"), "")
    return tuple(each for each in parse_challenges(header) if each.scheme in ("basic", "bearer"))


def _basic(login: Credentials) -> str:
    data = f"{login.username}:{login.password}".encode("utf-8", "surrogateescape")
    return "Basic " + base64.b64encode(data).decode()


def _status(number: int) -> str:
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)


def _seconds(expires_in: int | float | str | None) -> float:
    """How long a token lives; a minute where that is not said, as the specification has it."""
    try:
        seconds = float(expires_in or 0)
    except ValueError:
        return _DEFAULT_SECONDS
    return seconds if seconds > 0 else _DEFAULT_SECONDS
