"""URLs: what of one may be shown, whom it names, and where an answer may lead."""

import ipaddress
from urllib.parse import unquote_to_bytes, urljoin, urlsplit, urlunsplit

from basewright.errors import InputError, OutOfReachError


def redact(url: str) -> str:
    """The URL without user, password, query and fragment: what may stand in an error, a log or a record."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what a credential is for. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def is_loopback(host: str) -> bool:
    """Whether `host` (with or without a port) is this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user and password, and the header that says them."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InputError("a URL is malformed") from None
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    import base64

    basic = base64.b64encode(unquote_to_bytes(user if ":" in user else f"{user}:")).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {basic}"}


def follow(url: str, location: str) -> str:
    """Where an answer of `url` says to go on, without user and password. Raises OutOfReachError where that is no URL to
    ask, and where it would leave https for http on another machine."""
    try:
        target, _ = split_credentials(urljoin(url, location))
        here, there = urlsplit(url), urlsplit(target)
        usable = origin(target)[0] in ("http", "https") and bool(there.hostname)
    except (ValueError, InputError):
        usable = False
    if not usable:
        raise OutOfReachError(f"{redact(url)} redirects to what is no http or https URL")
    if here.scheme == "https" and there.scheme == "http" and not is_loopback(there.netloc):
        raise OutOfReachError(f"{redact(url)} redirects to {there.netloc} without TLS")
    return target
