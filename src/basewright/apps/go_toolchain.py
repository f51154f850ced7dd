"""Which release of Go a candidate's words stand for: `golang:1.24-alpine`, `1.24`, `go1.24.13`, or go.mod's own lines.

What is newest is asked of the module proxy's list of toolchains (https://go.dev/ref/mod#goproxy-protocol), a list of
what was asked of it before and so never complete, and of the release dates that basewright ships.
"""

import base64
import datetime
import netrc
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

import msgspec

from basewright._http import Http
from basewright.ecosystems.golang import GoVersion
from basewright.errors import BasewrightError, InputError, OutOfReachError

OLDEST = GoVersion("1.19")
"""The first Go whose `go list` tells chosen fields; 1.18 began to write settings into binaries."""
MAX_LIST_BYTES = 8 << 20
_MODULE = "golang.org/toolchain"

ReleaseDates = Mapping[str, Sequence[tuple[str, datetime.date]]]
"""Release line (`1.24`) → its releases and when they came out."""


class GoWords(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: one release (`exact`), the newest of a line or major version (`prefix`, such as `1.24`), or
    the newest of all (an empty prefix). `variant` is the image's, such as `alpine3.21`."""

    exact: str | None = None
    prefix: str = ""
    variant: str = ""

    def allows(self, version: GoVersion) -> bool:
        """Whether a release is one of those that were asked for, newest or not."""
        if self.exact is not None:
            return version == GoVersion(self.exact)
        return not self.prefix or self.prefix in (version.line, version.line.partition(".")[0])


_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.:_/-]+/)?(?P<name>golang|go)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?"
)
_BARE = re.compile(r"(?:go)?(?P<version>\d+\.\d+(?:\.\d+|rc\d+|beta\d+)?)")
_TAG = re.compile(r"(?:(?P<version>\d+(?:\.\d+(?:\.\d+|rc\d+|beta\d+)?)?|latest)(?:-(?P<variant>.+))?|(?P<only>.+))")
_VARIANT_ALONE = re.compile(r"alpine(?:\d+\.\d+)?|stretch|buster|bullseye|bookworm|trixie|forky")
_HINT = 'such as toolchain = "golang:1.24-alpine", "1.24" or "go1.24.13"'


def parse_toolchain(text: str, where: str) -> GoWords:
    """Reads a candidate's `toolchain`; `where` names it in errors. Raises InputError where it is no Go."""
    bare = _BARE.fullmatch(text)
    if bare is not None:
        return _words(bare["version"], "")
    image = _IMAGE.fullmatch(text)
    if image is None or (image["name"] == "go" and "/" not in text):
        raise InputError(f"{where}: {text!r} is neither a version nor an image of Go", hint=_HINT)
    if image["tag"] is None and "@" in text:
        raise InputError(f"{where}: {text!r} does not say which version of Go it has", hint="name its tag as well")
    tag = _TAG.fullmatch(image["tag"] or "latest")
    assert tag is not None
    version, variant = tag["version"] or "latest", tag["variant"] or tag["only"] or ""
    if variant.startswith(("windows", "nanoserver")):
        raise InputError(f"{where}: {text!r} is for Windows; basewright builds for linux", hint=_HINT)
    if tag["only"] and _VARIANT_ALONE.fullmatch(variant) is None:
        raise InputError(f"{where}: the tag {variant!r} names no version of Go", hint=_HINT)
    return _words("" if version == "latest" else version, variant)


def _words(version: str, variant: str) -> GoWords:
    exact = version.count(".") == 2 or re.search(r"rc|beta", version) is not None
    if exact:
        return GoWords(exact=_release_name(version), variant=variant)
    return GoWords(prefix=version, variant=variant)


def _release_name(version: str) -> str:
    """Before 1.21 the first release of a line had two numbers: 1.20, and no 1.20.0."""
    return version.removesuffix(".0") if GoVersion(version) < GoVersion("1.21") else version


def words_of_version(version: GoVersion) -> GoWords:
    """What a go or toolchain line asks for: that release, or the newest one of the language's line."""
    text = str(version)
    return (
        GoWords(exact=text)
        if (version.is_release and text.count(".") == 2) or version.is_prerelease
        else GoWords(prefix=version.line)
    )


def newest_release(words: GoWords, *, release_dates: ReleaseDates, listed: Iterable[str]) -> tuple[str, str]:
    """The newest final release that `words` allow, and who knows of it. Raises OutOfReachError where none is known."""
    shipped = {version for releases in release_dates.values() for version, _ in releases}
    known = dict.fromkeys(shipped, "the release dates that basewright ships")
    known |= dict.fromkeys(listed, "the module proxy's list")
    best: tuple[GoVersion, str] | None = None
    for text, source in known.items():
        try:
            version = GoVersion(text)
        except ValueError:
            continue
        if not version.is_release or version.is_prerelease or not words.allows(version):
            continue
        if best is None or best[0] < version:
            best = (version, source)
    if best is None:
        raise OutOfReachError(
            f"no release of Go {words.prefix or 'at all'} is known here, and the module proxy names none",
            hint='name a full version, such as toolchain = "1.24.13"',
        )
    return _release_name(str(best[0])), best[1]


def fetch_toolchains(goproxy: str, http: Http) -> frozenset[str]:
    """The releases in the list of the first proxy that has one (GOPROXY's own form: URLs, `direct`, `off`, between
    commas or bars). Empty where none answers: the list only adds to what is known."""
    for entry in re.split(r"[,|]", goproxy):
        address = entry.strip()
        if address == "off":
            break
        scheme = urlsplit(address).scheme
        try:
            if scheme == "file":
                found = _parse_list(_read_folder_list(Path(url2pathname(unquote(urlsplit(address).path)))))
            elif scheme in ("http", "https"):
                found = _parse_list(_fetch_list(address, http))
            else:
                continue
        except (BasewrightError, OSError):
            continue
        if found:
            return found
    return frozenset()


def _parse_list(text: str) -> frozenset[str]:
    """`v0.0.1-go1.24.13.linux-amd64` → `1.24.13`. A release that one platform has, every one has."""
    return frozenset(
        re.findall(r"^v0\.0\.1-go(\d+\.\d+(?:\.\d+|rc\d+|beta\d+)?)\.[a-z0-9]+-[a-z0-9]+", text, re.MULTILINE)
    )


def _read_folder_list(proxy: Path) -> str:
    """The list of a proxy that is a folder, or the names of what lies there."""
    folder = proxy / _MODULE / "@v"
    lines = [path.name for path in folder.glob("v*.zip")]
    if (folder / "list").is_file():
        with (folder / "list").open("rb") as file:
            lines.append(file.read(MAX_LIST_BYTES).decode("utf-8", "replace"))
    return "\n".join(lines)


def _fetch_list(address: str, http: Http) -> str:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, host, f"{parts.path.rstrip('/')}/{_MODULE}/@v/list", "", ""))
    data = http.read(url, max_bytes=MAX_LIST_BYTES, headers=_authorization(address))
    return data.decode("utf-8", "replace")


def _authorization(address: str) -> dict[str, str]:
    """Basic authorization from the address itself or from netrc, as `go` finds it."""
    parts = urlsplit(address)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and parts.hostname:
        path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        try:
            entry = netrc.netrc(path).authenticators(parts.hostname) if path.is_file() else None
        except (netrc.NetrcParseError, OSError):
            entry = None
        user, password = (entry[0] or "", entry[2] or "") if entry else ("", "")
    if not user:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
