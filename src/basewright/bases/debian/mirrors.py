"""Where a Debian archive is asked: the strategy, else the host's apt configuration, else Debian's own default.

sources.list(5) in both styles, `mirror+file:` lists, Signed-By keys and apt_auth.conf(5) credentials are read; a host
of another suite still names its mirror. Whatever a source says of trust, its Release file is verified.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from basewright._http import Http
from basewright._url import redact
from basewright.bases.debian.keys import MAX_KEYRING_BYTES
from basewright.ecosystems.dpkg import parse_paragraphs
from basewright.errors import InputError
from basewright.strategy import DebianBase

DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://deb.debian.org/debian-security"
SNAPSHOT = "https://snapshot.debian.org/archive"
APT_DIRECTORY = Path("/etc/apt")
MAX_CONFIGURATION_BYTES = 1 << 20
POCKETS = ("-updates", "-security", "-backports", "-proposed-updates", "-backports-sloppy")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)")
_AUTH = re.compile(r"machine\s+(\S+)\s+login\s+(\S+)\s+password\s+(\S+)")


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """One archive. `url` has no credentials and no slash at its end. `keys` are armored keys and keyring files that
    the host's configuration trusts for it, beyond Debian's own."""

    url: str
    authorization: str = ""
    """The value of the Authorization header, empty where none is configured."""
    keys: tuple[str, ...] = ()
    is_guess: bool = False
    """Only its path looks like Debian's: its Release file must say so before anything is made of it."""

    def __repr__(self) -> str:
        return f"Mirror({self.url!r})"

    def read(self, http: Http, path: str, *, max_bytes: int) -> bytes:
        """The file at `path` of the archive. Raises OutOfReachError, or its NotFoundError."""
        url = f"{self.url}/{quote(path, safe='/+~:=@,')}"
        return http.read(
            url, max_bytes=max_bytes, headers={"Authorization": self.authorization} if self.authorization else None
        )


class Mirrors(msgspec.Struct, frozen=True, kw_only=True):
    """Archives to ask, the first that has something wins: `main` for the suite and its updates, `security` for its
    security pocket, `snapshot` (an URL, or None) for what they no longer hold."""

    main: tuple[Mirror, ...]
    security: tuple[Mirror, ...]
    snapshot: str | None = SNAPSHOT

    def of(self, archive: str) -> tuple[Mirror, ...]:
        """Those of `main` or `security`, as a lock names them."""
        return self.security if archive == "security" else self.main


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """One archive and suite of the host's apt configuration."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keys: tuple[str, ...] = ()

    @property
    def is_security(self) -> bool:
        return self.suite.endswith(("-security", "/updates"))

    @property
    def family(self) -> str:
        """The suite without its pocket."""
        for pocket in POCKETS:
            if self.suite.endswith(pocket):
                return self.suite.removesuffix(pocket)
        return self.suite.removesuffix("/updates")


def find_mirrors(base: DebianBase | None = None, *, apt_directory: Path = APT_DIRECTORY) -> Mirrors:
    """The mirrors for `base`. One that the strategy names is the only one asked; the host's are followed by Debian's.

    Raises InputError where the strategy's is not a http or https URL.
    """
    sources, are_guesses = _debian_sources(tuple(read_sources(apt_directory)))
    logins = _read_logins(apt_directory)
    host_main = [_mirror(each.uri, logins, each.keys, is_guess=are_guesses) for each in sources if not each.is_security]
    host_security = [_mirror(each.uri, logins, each.keys) for each in sources if each.is_security]
    main = (*host_main, _mirror(DEFAULT_MIRROR, logins))
    security = (*host_security, _mirror(DEFAULT_SECURITY_MIRROR, logins))
    if base is not None and base.mirror is not None:
        chosen = _chosen(base.mirror, "mirror", logins)
        keys = {each.url: each.keys for each in main}
        main = (msgspec.structs.replace(chosen, keys=keys.get(chosen.url, ())),)
        # Most mirrors carry the security archive beside the main one.
        security = (_mirror(f"{base.mirror.rstrip('/')}-security", logins), *security)
    if base is not None and base.security_mirror is not None:
        security = (_chosen(base.security_mirror, "security-mirror", logins),)
    return Mirrors(main=_distinct(main), security=_distinct(security))


def _chosen(url: str, key: str, logins: Mapping[str, str]) -> Mirror:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise InputError(f"base.{key}: expected a http or https URL, not {redact(url)[:100]!r}")
    return _mirror(url, logins)


def _distinct(mirrors: tuple[Mirror, ...]) -> tuple[Mirror, ...]:
    """Each URL once, where it first stands, with the keys of all."""
    keys: dict[str, list[str]] = {}
    first: dict[str, Mirror] = {}
    for mirror in mirrors:
        first.setdefault(mirror.url, mirror)
        keys.setdefault(mirror.url, []).extend(each for each in mirror.keys if each not in keys.get(mirror.url, []))
    return tuple(msgspec.structs.replace(mirror, keys=tuple(keys[url])) for url, mirror in first.items())


def _mirror(url: str, logins: Mapping[str, str], keys: tuple[str, ...] = (), *, is_guess: bool = False) -> Mirror:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    if parts.username is not None:
        login = f"{parts.username}:{parts.password or ''}"
    else:
        matching = [machine for machine in logins if f"{host}{parts.path}/".startswith(machine.rstrip("/") + "/")]
        login = logins[max(matching, key=len)] if matching and parts.scheme == "https" else ""
    authorization = "Basic " + base64.b64encode(login.encode()).decode() if login else ""
    return Mirror(url=plain, authorization=authorization, keys=keys, is_guess=is_guess)


def read_sources(apt_directory: Path) -> Iterator[_Source]:
    """Every enabled http(s) binary source of an apt configuration; what cannot be read or understood is left out."""
    parts = apt_directory / "sources.list.d"
    for path in (apt_directory / "sources.list", *sorted(parts.glob("*.list"))):
        for line in _read_text(path).splitlines():
            yield from _parse_line(line.partition("#")[0].strip())
    for path in sorted(parts.glob("*.sources")):
        for fields in parse_paragraphs(_read_text(path)):
            yield from _parse_stanza({key.lower(): value for key, value in fields.items()})


def _parse_line(line: str) -> Iterator[_Source]:
    match = _ONE_LINE.fullmatch(line)
    if match is None:
        return
    options = dict(each.split("=", 1) for each in (match["options"] or "").split() if "=" in each)
    keys = tuple(each for each in options.get("signed-by", "").split(",") if each.startswith("/"))
    for uri in _uris(match["uri"]):
        yield _Source(uri=uri, suite=match["suite"], components=tuple(match["components"].split()), keys=keys)


def _parse_stanza(fields: Mapping[str, str]) -> Iterator[_Source]:
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
        return
    signed_by = fields.get("signed-by", "")
    if "BEGIN PGP" in signed_by:  # a key in place: its blank lines are written as dots
        keys: tuple[str, ...] = ("\n".join("" if line == "." else line for line in signed_by.strip().splitlines()),)
    else:
        keys = tuple(each for each in re.split(r"[\s,]+", signed_by) if each.startswith("/"))
    for uri in (each for text in fields.get("uris", "").split() for each in _uris(text)):
        for suite in fields.get("suites", "").split():
            yield _Source(uri=uri, suite=suite, components=tuple(fields.get("components", "").split()), keys=keys)


def _uris(uri: str) -> Iterator[str]:
    """The http(s) URLs that a source's URI stands for, in order."""
    if uri.startswith(("http://", "https://")):
        yield uri
    elif uri.startswith(("mirror+file:", "mirror:file:")):
        path = uri.partition("file:")[2]
        for line in _read_text(Path("/" + path.lstrip("/"))).splitlines():
            yield from (each for each in line.partition("#")[0].split()[:1] if each.startswith(("http://", "https://")))


def _debian_sources(sources: tuple[_Source, ...]) -> tuple[tuple[_Source, ...], bool]:
    """Those that are Debian's own archive or a mirror of it, and whether that is a guess.

    Third parties name their suites `bookworm` or `stable` too; what they do not have is a suite of updates beside it.
    Where the host has none either, a path that ends in `debian` is what is left to go by.
    """
    found = [each for each in sources if "ubuntu" not in each.uri]
    security = [each for each in found if each.is_security and "debian" in each.uri]
    main = [each for each in found if not each.is_security and "main" in each.components]
    with_updates = {(each.uri, each.family) for each in main if each.suite.endswith("-updates")}
    certain = [each for each in main if (each.uri, each.family) in with_updates]
    guesses = [each for each in main if urlsplit(each.uri).path.rstrip("/").endswith("/debian")]
    return (*(certain or guesses), *security), not certain


def _read_logins(apt_directory: Path) -> dict[str, str]:
    """`machine` (host and perhaps path) → `user:password` of apt's auth.conf files that this user may read."""
    logins = {}
    for path in (apt_directory / "auth.conf", *sorted((apt_directory / "auth.conf.d").glob("*.conf"))):
        for machine, user, password in _AUTH.findall(_read_text(path)):
            logins[re.sub(r"^https?://", "", machine)] = f"{user}:{password}"
    return logins


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(max(MAX_CONFIGURATION_BYTES, MAX_KEYRING_BYTES)).decode("utf-8", "replace")
    except OSError:
        return ""
