"""What the `go` command's own words mean: out of reach, an input to mend, or code that does not compile."""

import re

from basewright._process import Completed
from basewright.errors import BasewrightError, BuildFailedError, HostileInputError, InputError, OutOfReachError

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"]+@")
_QUERY = re.compile(r"(https?://[^\s\"?]+)\?[^\s\":]*")
_MODULE = re.compile(r"(?P<module>[\w.~/-]+\.[\w.~/-]+@v[\w.+-]+)")
_STD_LACKS_STD = re.compile(r"([^/\s]+)/src/\S+\.go:[\d:]+ package (internal/\S+) is not in std \(\S*/\1/src/\2\)")
"""What `go` says of its own packages where it cannot write its cache."""
_NOISE = re.compile(r"go: downloading |go: finding |go: extracting |# ")

_UNREACHABLE = (
    ("connection refused", "the connection was refused"),
    ("no such host", "its name cannot be resolved"),
    ("server misbehaving", "its name cannot be resolved"),
    ("i/o timeout", "no answer in time"),
    ("TLS handshake timeout", "no answer in time"),
    ("context deadline exceeded", "no answer in time"),
    ("network is unreachable", "the network is unreachable"),
    ("no route to host", "the network is unreachable"),
    ("certificate", "its certificate is not trusted"),
    ("proxyconnect", "the proxy refused"),
    ("connection reset", "the connection broke off"),
    ("unexpected EOF", "the connection broke off"),
    ("GOPROXY=off", "GOPROXY is off"),
    ("401 Unauthorized", "the proxy asks for credentials"),
    ("403 Forbidden", "the proxy does not give it out"),
    ("429 Too Many Requests", "the proxy is too busy"),
    ("500 Internal", "the proxy failed"),
    ("502 Bad Gateway", "the proxy failed"),
    ("503 Service", "the proxy failed"),
    ("504 Gateway", "the proxy failed"),
    ("could not read Username", "its repository asks for credentials"),
    ("Permission denied (publickey", "its repository asks for credentials"),
    ("Could not resolve host", "its name cannot be resolved"),
    ('exec: "git"', "git is not on this machine"),
    ("dial tcp", "the network is unreachable"),
)
_INPUT = (
    ("missing go.sum entry", "go.sum lacks the hash of {module}", "run `go mod tidy` and commit go.sum"),
    ("updates to go.mod needed", "go.mod does not hold what the code needs", "run `go mod tidy` and commit it"),
    ("updates to go.work needed", "go.work does not fit its modules", "run `go work sync` and commit it"),
    ("no required module provides package", "go.mod lacks a module that the code imports", "run `go mod tidy`"),
    ("inconsistent vendoring", "the vendor folder does not fit go.mod", "run `go mod vendor` and commit it"),
    ("errors parsing go.", "go.mod or go.work cannot be read", "see the lines below"),
    ("unknown revision", "{module} does not exist", "name a version that was published"),
    ("invalid version", "{module} is no version", "name a version that was published"),
    ("404 Not Found", "{module} does not exist", "check its path and version; a private module needs GOPRIVATE"),
    ("410 Gone", "{module} does not exist", "check its path and version; a private module needs GOPRIVATE"),
    ("is not in std", "the code imports a package that Go {toolchain} does not have", "name a newer toolchain"),
)


def failure(answer: Completed, *, toolchain: str, subject: str) -> BasewrightError:
    """The error that a failed `go` stands for; `subject` names what was being built."""
    lines = tuple(_redacted(line) for line in answer.last_lines(40) if not _NOISE.match(line))
    text = "\n".join(lines)
    for judge in (_system, _toolchain, _distrust, _version, _reach, _input):
        found = judge(text, toolchain)
        if found is not None:
            return found
    return BuildFailedError(f"{subject} does not compile with Go {toolchain}", output=lines[-20:])


def _system(text: str, toolchain: str) -> BasewrightError | None:
    if "no space left on device" in text or "disk quota exceeded" in text or _STD_LACKS_STD.search(text):
        return OutOfReachError(
            "no space left to build with Go", hint="free some, or set BASEWRIGHT_CACHE to another disk"
        )
    if "signal: killed" in text:
        return OutOfReachError("the Go compiler was killed, as where memory runs out", hint="give it more memory")
    return None


def _toolchain(text: str, toolchain: str) -> BasewrightError | None:
    if f"download go{toolchain}" not in text:
        return None
    why = _why(text) or ("it is not available" if "not available" in text else "")
    return OutOfReachError(
        f"the toolchain Go {toolchain} is out of reach" + (f": {why}" if why else ""),
        hint="check the version, GOPROXY and the network",
    )


def _distrust(text: str, toolchain: str) -> BasewrightError | None:
    if "SECURITY ERROR" not in text and "checksum mismatch" not in text:
        return None
    return HostileInputError(
        f"{_module(text)} has other contents than go.sum or the checksum database says",
        hint="do not use it until you know why: a moved tag, or a tampered proxy",
    )


def _version(text: str, toolchain: str) -> BasewrightError | None:
    needed = re.search(r"(?P<who>\S+?):? requires go >= (?P<version>[\w.]+)", text)
    if needed is None:
        return None
    return InputError(
        f"{needed['who']} needs Go {needed['version']} or newer, the toolchain is {toolchain}",
        hint=f'name a newer one, such as toolchain = "{needed["version"]}"',
    )


def _reach(text: str, toolchain: str) -> BasewrightError | None:
    why = _why(text)
    if not why:
        return None
    return OutOfReachError(f"{_module(text)} is out of reach: {why}", hint="check GOPROXY, GOPRIVATE and the network")


def _why(text: str) -> str:
    return next((meaning for words, meaning in _UNREACHABLE if words in text), "")


def _input(text: str, toolchain: str) -> BasewrightError | None:
    for words, message, hint in _INPUT:
        if words in text:
            return InputError(message.format(module=_module(text), toolchain=toolchain), hint=hint)
    return None


def _module(text: str) -> str:
    """The first module that the words name."""
    match = _MODULE.search(text) or re.search(r"for module providing package (?P<module>\S+)", text)
    return f"the Go module {match['module']}" if match else "a Go module"


def _redacted(line: str) -> str:
    return _QUERY.sub(r"\1", _CREDENTIALS.sub("", line))
