"""A binary that was built in another way than asked is refused."""

from pathlib import Path

import pytest
from tests.doubles.go_binary import elf, inline_info

from basewright.apps.go_binary import binary_name, check_binary
from basewright.apps.go_module import GoModFile, GoModuleFolder
from basewright.errors import BuildFailedError

BUILT = "path\tx\nbuild\t-trimpath=true\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=amd64\nbuild\tGOOS=linux\n"


def check(modules: str = BUILT, version: str = "go1.24.13", interpreter: bytes = b"", machine: int = 62) -> None:
    data = elf(inline_info(version, modules), machine=machine, interpreter=interpreter)
    check_binary(data, name="shop", toolchain="1.24.13", architecture="amd64")


def test_a_binary_that_was_built_as_asked_passes() -> None:
    check()
    check(version="go1.24.13 X:loopvar")


@pytest.mark.parametrize(
    ("modules", "version", "interpreter", "machine", "words"),
    [
        (BUILT.replace("CGO_ENABLED=0", "CGO_ENABLED=1"), "go1.24.13", b"", 62, "CGO_ENABLED=1"),
        (BUILT.replace("-trimpath=true", "-x=1"), "go1.24.13", b"", 62, "-trimpath=unset"),
        (BUILT.replace("GOARCH=amd64", "GOARCH=arm64"), "go1.24.13", b"", 62, "GOARCH=arm64"),
        (BUILT.replace("GOOS=linux", "GOOS=darwin"), "go1.24.13", b"", 62, "GOOS=darwin"),
        (BUILT, "go1.26.8", b"", 62, "built by go1.26.8"),
        (BUILT, "go1.24.13", b"/lib/ld-linux-x86-64.so.2\0", 62, "asks for the loader /lib/ld-linux-x86-64.so.2"),
        (BUILT, "go1.24.13", b"", 183, "an executable for arm64"),
    ],
)
def test_what_differs_is_named(modules: str, version: str, interpreter: bytes, machine: int, words: str) -> None:
    with pytest.raises(BuildFailedError, match="shop was not built as asked") as caught:
        check(modules, version, interpreter, machine)
    assert caught.value.message.endswith(words)


def test_what_is_no_go_binary_is_refused() -> None:
    with pytest.raises(BuildFailedError, match="no build information"):
        check_binary(b"#!/bin/sh\n", name="shop", toolchain="1.24.13", architecture="amd64")


@pytest.mark.parametrize(
    ("module", "package", "name"),
    [
        ("calendar-api", ".", "calendar-api"),
        ("example.com/shop", ".", "shop"),
        ("example.com/shop/v2", ".", "shop"),
        ("example.com/shop/v2", "./cmd/server", "server"),
        ("example.com/shop", "./cmd/server/v3", "server"),
        ("v2", ".", "v2"),
        (None, ".", "folder"),
    ],
)
def test_a_binary_is_named_as_go_names_it(module: str | None, package: str, name: str) -> None:
    folder = GoModuleFolder(
        repository=Path("/r"),
        folder=Path("/r/folder"),
        mod=GoModFile(module=module, go=None, toolchain=None),
        workspace=None,
        work=None,
        vendored=False,
        local_folders=(),
    )
    assert binary_name(folder, package) == name
