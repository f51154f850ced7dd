"""The environment of a Go build: nothing of the host shapes the output, and what reaches private modules stays."""

from pathlib import Path

from basewright.apps.go_command import GoCache, GoCommand, build_environment
from basewright.ecosystems.golang import GoVersion
from basewright.strategy import Platform


def environment(host: dict[str, str], **settings: str) -> dict[str, str]:
    return build_environment(
        GoCommand(path=Path("/usr/bin/go"), version=GoVersion("1.26.0"), settings=settings),
        toolchain="1.24.13",
        platform=Platform.LINUX_ARM64,
        cache=GoCache(directory=Path("/cache/go")),
        scratch=Path("/scratch"),
        workspace=None,
        host=host,
    )


def test_what_shapes_a_binary_is_fixed() -> None:
    host = {
        "GOFLAGS": "-race -toolexec=evil",
        "GOAMD64": "v3",
        "GOEXPERIMENT": "arenas",
        "CGO_ENABLED": "1",
        "CC": "clang",
    }
    env = environment({**host, "GOTOOLCHAIN": "local", "GODEBUG": "x=1", "TZ": "Asia/Tokyo", "LD_PRELOAD": "x.so"})
    assert env["GOTOOLCHAIN"] == "go1.24.13"
    assert (env["GOOS"], env["GOARCH"], env["GOARM64"], env["GOAMD64"]) == ("linux", "arm64", "v8.0", "v1")
    assert (env["CGO_ENABLED"], env["GOENV"], env["GOWORK"], env["GOEXPERIMENT"]) == ("0", "off", "off", "")
    assert env["GOFLAGS"] == "-modcacherw" and env["GODEBUG"] == ""
    assert not {"CC", "TZ", "LD_PRELOAD"} & set(env)


def test_what_reaches_private_modules_is_kept() -> None:
    host = {"HOME": "/home/me", "NETRC": "/home/me/.netrc", "SSH_AUTH_SOCK": "/agent", "GIT_CONFIG_COUNT": "1"}
    env = environment(
        {**host, "https_proxy": "http://proxy:3128"},
        GOPROXY="https://ci:secret@go.example.com",
        GOPRIVATE="example.com",
    )
    assert env["GOPROXY"] == "https://ci:secret@go.example.com" and env["GOPRIVATE"] == "example.com"
    assert {name: env[name] for name in host} == host and env["https_proxy"] == "http://proxy:3128"


def test_everything_that_go_writes_goes_to_the_cache() -> None:
    env = environment({"TMPDIR": "/elsewhere", "GOCACHE": "/elsewhere", "GOMODCACHE": "/elsewhere"})
    written = {env[name] for name in ("GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR", "TMPDIR")}
    assert all(path.startswith(("/cache/go/", "/scratch")) for path in written)
