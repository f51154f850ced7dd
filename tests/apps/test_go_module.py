"""A Go module in a repository: which one, which workspace, which main package; and nothing from outside."""

from pathlib import Path

import pytest
from tests.doubles.repository import write_repository

from basewright.apps.go_module import absolute_workspace, find_module, parse_mod_file
from basewright.apps.go_package import find_main_package
from basewright.errors import InputError
from basewright.strategy import Candidate, GoApp, ScratchBase

MAIN = "package main\n\nfunc main() {}\n"


def candidate(folder: str = "go", package: str | None = None) -> Candidate:
    return Candidate(name="go-static", app=GoApp(go=folder, package=package), base=ScratchBase())


def test_go_mod_is_read_with_blocks_quotes_and_comments() -> None:
    found = parse_mod_file(
        b"""// a service
module "example.com/shop" // its name
go 1.24.0
toolchain go1.24.3
require (
\tgithub.com/google/uuid v1.6.0 // indirect
\texample.com/shared v0.0.0
)
require example.com/one v1.0.0
replace example.com/shared => ../shared
replace (
\texample.com/one v1.0.0 => example.com/two v1.1.0
\texample.com/three => ./three
)
""",
        "go.mod",
    )
    assert (found.module, found.go, found.toolchain) == ("example.com/shop", "1.24.0", "go1.24.3")
    assert found.requires == ("github.com/google/uuid", "example.com/shared", "example.com/one")
    assert found.local_replacements == ("../shared", "./three")


def test_a_version_that_is_none_names_its_line() -> None:
    with pytest.raises(InputError, match=r"go\.mod: the go line: .*'one' is not a version of Go"):
        parse_mod_file(b"module x\ngo one\n", "go.mod")


def test_the_higher_of_the_go_and_toolchain_lines_is_wanted(tmp_path: Path) -> None:
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.23.4\ntoolchain go1.24.2\n", "go/main.go": MAIN})
    module = find_module(tmp_path, candidate())
    assert module.wanted_go == "go1.24.2" and module.least_go == "1.23.4"
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.25.1\ntoolchain default\n"})
    assert find_module(tmp_path, candidate()).wanted_go == "1.25.1"
    write_repository(tmp_path, {"go/go.mod": "module x\n"})
    assert find_module(tmp_path, candidate()).wanted_go is None


@pytest.mark.parametrize(
    ("folder", "message"),
    [("../elsewhere", "outside the repository"), ("nothing", "is no folder"), ("docs", "has no go.mod")],
)
def test_a_folder_that_is_no_module_is_refused(tmp_path: Path, folder: str, message: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_repository(tmp_path / "repository", {"docs/README.md": "", "go/go.mod": "module x\ngo 1.24\n"})
    with pytest.raises(InputError, match=message) as caught:
        find_module(tmp_path / "repository", candidate(folder))
    assert 'candidate "go-static"' in caught.value.message


def test_a_linked_folder_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    write_repository(tmp_path / "other", {"go.mod": "module x\ngo 1.24\n", "main.go": MAIN})
    write_repository(tmp_path / "repository", {})
    (tmp_path / "repository" / "go").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="outside the repository"):
        find_module(tmp_path / "repository", candidate())


def test_a_replaced_folder_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    write_repository(tmp_path / "repository", {"go/go.mod": "module x\ngo 1.24\nreplace y => ../../y\n"})
    with pytest.raises(InputError, match=r"'\.\./\.\./y' lies outside the repository"):
        find_module(tmp_path / "repository", candidate())


def test_a_replaced_folder_beside_the_module_belongs_to_what_is_copied(tmp_path: Path) -> None:
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.24\nreplace y => ../y\n", "y/go.mod": "module y\n"})
    module = find_module(tmp_path, candidate())
    assert module.local_folders == (tmp_path / "y",) and module.copy_root == tmp_path


def test_a_workspace_counts_where_it_uses_the_module_and_is_shared(tmp_path: Path) -> None:
    files = {
        "go/go.mod": "module x\ngo 1.24\n",
        "lib/go.mod": "module y\n",
        "go.work": "go 1.25.2\nuse (\n\t./go\n\t./lib\n)\n",
    }
    write_repository(tmp_path, files)
    module = find_module(tmp_path, candidate())
    assert module.workspace == tmp_path and module.wanted_go == "1.25.2"
    assert module.local_folders == (tmp_path / "lib",)
    write_repository(tmp_path, {".gitignore": "# private\n/go.work\n"})
    assert find_module(tmp_path, candidate()).workspace is None
    write_repository(tmp_path, {".gitignore": "*.work\n!go.work\n"})
    assert find_module(tmp_path, candidate()).workspace == tmp_path
    write_repository(tmp_path, {"go.work": "go 1.25.2\nuse ./lib\n"})
    assert find_module(tmp_path, candidate()).workspace is None


def test_a_vendor_folder_is_seen(tmp_path: Path) -> None:
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.24\n", "go/vendor/modules.txt": ""})
    assert find_module(tmp_path, candidate()).vendored


def test_the_only_main_package_is_the_service(tmp_path: Path) -> None:
    write_repository(
        tmp_path,
        {
            "go/go.mod": "module example.com/x\ngo 1.24\n",
            "go/store/store.go": "package store\n",
            "go/cmd/server/main.go": "// Command server.\n/* licence */ package main\nfunc main() {}\n",
            "go/cmd/server/main_test.go": MAIN,
            "go/gen.go": "//go:build ignore\n\npackage main\n",
            "go/tool/tool_windows.go": MAIN,
            "go/testdata/x/main.go": MAIN,
            "go/_old/main.go": MAIN,
            "go/nested/go.mod": "module nested\n",
            "go/nested/main.go": MAIN,
            "go/vendor/y/main.go": MAIN,
        },
    )
    assert find_main_package(find_module(tmp_path, candidate()), candidate(), "amd64") == "./cmd/server"


def test_several_main_packages_are_listed(tmp_path: Path) -> None:
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.24\n", "go/main.go": MAIN, "go/cmd/migrate/main.go": MAIN})
    with pytest.raises(InputError) as caught:
        find_main_package(find_module(tmp_path, candidate()), candidate(), "amd64")
    assert "several main packages: ., ./cmd/migrate" in caught.value.message
    assert 'package = "."' in caught.value.hint


def test_a_module_without_a_program_is_refused(tmp_path: Path) -> None:
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.24\n", "go/x.go": "package x\n// package main\n"})
    with pytest.raises(InputError, match="no main package for linux/arm64"):
        find_main_package(find_module(tmp_path, candidate()), candidate(), "arm64")


@pytest.mark.parametrize(
    ("text", "package"),
    [
        *(
            ("./cmd/server", "./cmd/server"),
            ("cmd/server", "./cmd/server"),
            (".", "."),
            ("./cmd/../cmd/server/", "./cmd/server"),
        ),
        *(("example.com/x/cmd/server", "./cmd/server"), ("example.com/x", ".")),
    ],
)
def test_a_package_is_named_in_every_usual_way(tmp_path: Path, text: str, package: str) -> None:
    write_repository(tmp_path, {"go/go.mod": "module example.com/x\ngo 1.24\n", "go/cmd/server/main.go": MAIN})
    chosen = candidate(package=text)
    assert find_main_package(find_module(tmp_path, chosen), chosen, "amd64") == package


@pytest.mark.parametrize("text", ["../other", "/etc", "./...", "-o=/etc/passwd", "./nothing", "a\nb", "./link"])
def test_a_package_outside_the_module_is_refused(tmp_path: Path, text: str) -> None:
    write_repository(tmp_path, {"go/go.mod": "module x\ngo 1.24\n", "other/main.go": MAIN})
    (tmp_path / "go" / "link").symlink_to(tmp_path / "other")
    chosen = candidate(package=text)
    with pytest.raises(InputError, match='candidate "go-static"'):
        find_main_package(find_module(tmp_path, chosen), chosen, "amd64")


def test_a_workspace_can_be_read_from_another_place(tmp_path: Path) -> None:
    lines = [
        "go 1.24 // why",
        "use ./go",
        "use (",
        '\t"./my lib"',
        ")",
        "replace y v1.0.0 => ./y",
        "replace z => w v1.2.3",
    ]
    write_repository(tmp_path, {"go.work": "\n".join(lines)})
    assert absolute_workspace(tmp_path).splitlines() == [
        "go 1.24",
        f"use {tmp_path}/go",
        f'use "{tmp_path}/my lib"',
        f"replace y v1.0.0 => {tmp_path}/y",
        "replace z => w v1.2.3",
    ]
