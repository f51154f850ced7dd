"""What the go command's own words become: whose fault it is, with what mends it, and no credential."""

import pytest

from basewright._process import Completed
from basewright.apps.go_failure import failure
from basewright.errors import BasewrightError, BuildFailedError, HostileInputError, InputError, OutOfReachError


def judged(stderr: str) -> BasewrightError:
    return failure(Completed(("go",), 1, b"", stderr.encode()), toolchain="1.24.13", subject="calendar-api")


@pytest.mark.parametrize(
    ("stderr", "kind", "message"),
    [
        (
            'api.go:7:2: github.com/go-chi/chi/v5@v5.5.0: Get "http://127.0.0.1:9/x.zip": dial tcp 127.0.0.1:9: '
            "connect: connection refused",
            OutOfReachError,
            "the Go module github.com/go-chi/chi/v5@v5.5.0 is out of reach: the connection was refused",
        ),
        (
            "go: example.com/a@v1.0.0: module lookup disabled by GOPROXY=off",
            OutOfReachError,
            "the Go module example.com/a@v1.0.0 is out of reach: GOPROXY is off",
        ),
        (
            "go: download go1.24.13 for linux/amd64: toolchain not available",
            OutOfReachError,
            "the toolchain Go 1.24.13 is out of reach: it is not available",
        ),
        (
            'go: download go1.24.13: golang.org/toolchain@v0.0.1-go1.24.13.linux-amd64: Get "https://go.example/x": '
            "dial tcp: lookup go.example: no such host",
            OutOfReachError,
            "the toolchain Go 1.24.13 is out of reach: its name cannot be resolved",
        ),
        (
            "api.go:7:2: missing go.sum entry for module providing package github.com/go-chi/chi/v5 (imported by x); "
            "to add:\n\tgo get x",
            InputError,
            "go.sum lacks the hash of the Go module github.com/go-chi/chi/v5",
        ),
        ("go: updates to go.mod needed; to update it:\n\tgo mod tidy", InputError, "go.mod does not hold"),
        (
            "main.go:3:8: no required module provides package example.com/x; to add it:",
            InputError,
            "go.mod lacks a module that the code imports",
        ),
        ("go: inconsistent vendoring in /src:", InputError, "the vendor folder does not fit go.mod"),
        (
            "verifying github.com/a/b@v1.0.0: checksum mismatch\n\tdownloaded: h1:x\n\nSECURITY ERROR",
            HostileInputError,
            "the Go module github.com/a/b@v1.0.0 has other contents",
        ),
        (
            "go: example.com/a@v1.2.0 requires go >= 1.26 (running go 1.24.13; GOTOOLCHAIN=go1.24.13)",
            InputError,
            "example.com/a@v1.2.0 needs Go 1.26 or newer, the toolchain is 1.24.13",
        ),
        (
            "go: example.com/a@v9.9.9: reading https://proxy.example.com/a/@v/v9.9.9.info: 404 Not Found",
            InputError,
            "the Go module example.com/a@v9.9.9 does not exist",
        ),
        (
            "compile: writing output: write $WORK/b002/_pkg_.a: no space left on device",
            OutOfReachError,
            "no space left",
        ),
        ("# calendar-api\n./main.go:5:2: undefined: serve", BuildFailedError, "calendar-api does not compile"),
    ],
)
def test_each_failure_is_told_apart(stderr: str, kind: type[BasewrightError], message: str) -> None:
    error = judged(stderr)
    assert type(error) is kind
    assert message in error.message
    assert error.hint or kind is BuildFailedError


def test_a_compile_error_keeps_the_compiler_s_last_lines() -> None:
    error = judged(
        "go: downloading x v1\n# calendar-api\n" + "".join(f"./main.go:{n}:2: undefined: f{n}\n" for n in range(30))
    )
    assert isinstance(error, BuildFailedError)
    assert len(error.output) == 20 and error.output[-1] == "./main.go:29:2: undefined: f29"


def test_neither_credentials_nor_queries_are_repeated() -> None:
    error = judged("# x\nsee https://ci:secret@proxy.example.com/x?token=abc for more")
    assert isinstance(error, BuildFailedError)
    assert error.output == ("see https://proxy.example.com/x for more",)
