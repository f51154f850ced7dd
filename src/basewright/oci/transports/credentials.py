"""The user's logins: docker's config.json, podman's auth files, and the programs that keep passwords for both.

https://docs.docker.com/reference/cli/docker/login/ and
https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
"""

import base64
import binascii
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from basewright._process import Process
from basewright.errors import InputError, OutOfReachError
from basewright.oci.reference import DEFAULT_REGISTRY
from basewright.oci.transports.registries import Credentials

_MAX_FILE_BYTES = 1 << 20
_MAX_ANSWER_BYTES = 1 << 20
_HELPER_SECONDS = 60.0
"""Long enough to type a passphrase: some helpers ask for one."""
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NOT_FOUND = b"credentials not found in native keychain"
_TOKEN_USER = "<token>"
_DOCKER_HUB = "https://index.docker.io/v1/"
_HUB_HOSTS = frozenset((DEFAULT_REGISTRY, "index.docker.io", "registry-1.docker.io"))


class _Auth(msgspec.Struct, frozen=True):
    """Go's null is an empty value, so it is one here."""

    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identitytoken: str | None = None

    def __repr__(self) -> str:
        return "_Auth(…)"


class _Config(msgspec.Struct, frozen=True, rename="camel"):
    """An entry of `auths` is decoded when it is asked for: another one's fault is no fault of this."""

    auths: dict[str, msgspec.Raw] | None = None
    cred_helpers: dict[str, str] | None = None
    creds_store: str | None = None


class _Answer(msgspec.Struct, frozen=True, rename="pascal"):
    username: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return "_Answer(…)"


class DockerKeychain:
    """`Keychain` of what `docker login` and `podman login` left; the first file that knows the registry counts.

    Files are read when a login is wanted, never before. A damaged one raises InputError that names it.
    """

    def __init__(
        self, process: Process, environ: Mapping[str, str], *, helper_seconds: float = _HELPER_SECONDS
    ) -> None:
        self._process = process
        self._environ = environ
        self._helper_seconds = helper_seconds

    def credentials(self, registry: str) -> Credentials | None:
        """For a registry, or `registry/repository`: podman keeps logins for a part of a registry, too. Raises
        InputError (a damaged file), OutOfReachError (a helper that is missing or fails)."""
        names = _scopes(registry)
        for path in auth_files(self._environ):
            config = _read_config(path)
            found = None if config is None else self._find(config, names, path)
            if found is not None:
                return found
        return None

    def _find(self, config: _Config, names: tuple[str, ...], path: Path) -> Credentials | None:
        """What one file knows: from a helper where it names one, as docker does, else written down in it."""
        host = names[-1]
        helpers = {_scope(key): name for key, name in (config.cred_helpers or {}).items()}
        helper = helpers.get(host) or config.creds_store
        if helper:
            for server in (_DOCKER_HUB, host) if host == DEFAULT_REGISTRY else (host,):
                found = self._ask(helper, server, path)
                if found is not None:
                    return found
        auths = config.auths or {}
        by_scope = {_scope(key): key for key in sorted(auths, key=lambda key: (key == _DOCKER_HUB, key in names))}
        for name in names:
            key = by_scope.get(name)
            login = None if key is None else _parse_auth(bytes(auths[key]), f"the login for {shown(key)} in {path}")
            if login is not None:
                return login
        return None

    def _ask(self, helper: str, server: str, path: Path) -> Credentials | None:
        """https://github.com/docker/docker-credential-helpers#development"""
        if not _HELPER_NAME.fullmatch(helper):
            raise InputError(f"{path} names a credential helper that is no name of a program: {shown(helper)}")
        program = f"docker-credential-{helper}"
        hint = f"{path} names it: mend it there, or log in anew with `docker login`"
        try:
            done = self._process.run(
                (program, "get"),
                timeout_seconds=self._helper_seconds,
                env=self._environ,
                stdin=server.encode(),
                max_bytes=_MAX_ANSWER_BYTES,
            )
        except OutOfReachError as error:
            raise OutOfReachError(f"no login for {server}: {error.message}", hint=hint) from None
        if done.returncode != 0:
            if _NOT_FOUND in done.stdout or _NOT_FOUND in done.stderr:
                return None
            # Its words are not shown: nobody knows what is in them.
            raise OutOfReachError(f"no login for {server}: {program} failed with status {done.returncode}", hint=hint)
        try:
            answer = msgspec.json.decode(done.stdout, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise OutOfReachError(f"no login for {server}: {program} gave no answer as agreed", hint=hint) from None
        if not answer.secret:
            return None
        if answer.username == _TOKEN_USER:
            return Credentials(identity_token=answer.secret)
        return Credentials(username=answer.username, password=answer.secret)


def auth_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where logins may stand, docker's first: whether there is such a file or not."""
    home = home_directory(environ)
    folder = environ.get("DOCKER_CONFIG")
    yield (Path(folder) if folder else home / ".docker") / "config.json"
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"


def home_directory(environ: Mapping[str, str]) -> Path:
    """The user's; the root where nobody knows it, such as for a number without a name in a container."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        return Path("/")


def is_regular(path: Path) -> bool | None:
    """None where there is nothing, and where this user may not even look for it."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # the second for a NUL in the name
        return None


def _read_config(path: Path) -> _Config | None:
    """None where there is no such file. Its contents never come into an error."""
    hint = "mend it, or remove it and log in anew"
    regular = is_regular(path)
    if regular is None:
        return None
    if not regular:
        raise InputError(f"{path} is no regular file", hint=hint)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}, where logins are kept, cannot be read: {error.strerror}", hint=hint) from None
    if len(data) > _MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than {_MAX_FILE_BYTES:,} bytes", hint=hint)
    if not data.strip():  # what a login that was broken off leaves, and docker takes for none
        return None
    try:
        return msgspec.json.decode(data, type=_Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{path}, where logins are kept, is damaged", hint=hint) from None


def _parse_auth(data: bytes, what: str) -> Credentials | None:
    """One entry of `auths`; None for the empty ones that docker leaves beside a helper."""
    fault = InputError(f"{what} is damaged", hint="log in anew")
    try:
        entry = msgspec.json.decode(data, type=_Auth | None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise fault from None
    if entry is None:
        return None
    if entry.identitytoken:
        return Credentials(identity_token=entry.identitytoken)
    if not entry.auth:
        return Credentials(username=entry.username, password=entry.password or "") if entry.username else None
    try:
        decoded = base64.b64decode(entry.auth, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        raise fault from None
    username, colon, password = decoded.partition(":")
    if not colon:
        raise fault
    return Credentials(username=username, password=password.strip("\0"))  # docker's own padding


def _scopes(registry: str) -> tuple[str, ...]:
    """`host/a/b` → `host/a/b`, `host/a`, `host`."""
    parts = _scope(registry).split("/")
    return tuple("/".join(parts[:count]) for count in range(len(parts), 0, -1))


def _scope(key: str) -> str:
    """A key of a file as `host[:port][/path]`: docker wrote URLs, `https://index.docker.io/v1/` to this day."""
    host, _, path = key.partition("/")
    if "://" in key:
        try:
            parts = urlsplit(key)
        except ValueError:
            return key
        host, path = parts.netloc, parts.path
        if path.strip("/") not in ("", "v1", "v2"):
            return key  # Docker Desktop keeps tokens of its own under longer ones
        path = ""
    host = host.lower()
    if host in _HUB_HOSTS:
        host = DEFAULT_REGISTRY
    path = path.strip("/")
    return f"{host}/{path}" if path and path not in ("v1", "v2") else host


def shown(text: str) -> str:
    """What a file's author wrote, short and printable."""
    return '"' + "".join(each if each.isprintable() else "?" for each in text[:80]) + '"'
