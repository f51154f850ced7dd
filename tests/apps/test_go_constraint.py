"""Build constraints: which sources a linux build without cgo takes."""

import pytest

from basewright.apps.go_constraint import builds_on


@pytest.mark.parametrize(
    ("name", "constraint", "built"),
    [
        ("main.go", "", True),
        ("windows.go", "", True),
        ("main_windows.go", "", False),
        ("main_linux.go", "", True),
        ("main_linux_amd64.go", "", True),
        ("main_linux_arm64.go", "", False),
        ("main_darwin_amd64.go", "", False),
        ("main_amd64.go", "", True),
        ("main.go", "ignore", False),
        ("main.go", "linux && (amd64 || arm64)", True),
        ("main.go", "!linux", False),
        ("main.go", "!windows && !cgo", True),
        ("main.go", "cgo || darwin", False),
        ("main.go", "unix && go1.22", True),
        ("main.go", "((linux", True),
        ("main.go", "(" * 500 + "ignore", True),
        ("main.go", "linux linux", True),
    ],
)
def test_a_file_is_built_where_its_name_and_constraint_say_so(name: str, constraint: str, built: bool) -> None:
    line = f"//go:build {constraint}\n\n" if constraint else ""
    assert builds_on(name, f"// Copyright\n\n{line}package main\n", "amd64") is built


def test_a_line_behind_the_package_clause_is_no_constraint() -> None:
    assert builds_on("main.go", "package main\n\n//go:build ignore\n", "amd64")
