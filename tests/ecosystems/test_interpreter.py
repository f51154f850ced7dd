"""Runtimes without a package: told by two things that must be there, never by a name alone."""

import pytest

from basewright.ecosystems.interpreter import is_interpreter_package, runtime_patterns
from basewright.oci.tree import Tree, file

PYTHON = "usr/local/lib/python3.13"


def owned(*paths: str) -> set[str]:
    """The paths that belong to a runtime among files that are all executable."""
    tree = Tree()
    for path in paths:
        tree.add(file(path, b""))
    found = list(runtime_patterns(tree, (entry.path for entry in tree if entry.is_file)))
    return {
        path for path in paths if any(path.startswith(p) and pattern.fullmatch(path, len(p)) for p, pattern in found)
    }


def test_python_owns_its_library_and_not_what_was_installed_into_it() -> None:
    mine = {
        "usr/local/bin/python3.13",
        "usr/local/bin/python3",
        "usr/local/bin/pip3.13",
        f"{PYTHON}/os.py",
        f"{PYTHON}/json/decoder.py",
        "usr/local/lib/libpython3.13.so.1.0",
        "usr/local/include/python3.13/Python.h",
    }
    others = {f"{PYTHON}/site-packages/flask/app.py", "usr/local/bin/flask", "usr/local/lib/python3.12/os.py"}
    assert owned(*mine, *others) == mine


def test_a_program_without_its_library_owns_nothing() -> None:
    assert owned("usr/local/bin/python3.13", f"{PYTHON}/json/decoder.py") == set()


def test_a_python_of_another_prefix() -> None:
    home = "root/.local/share/python/cpython-3.13"
    assert owned(f"{home}/bin/python3.13", f"{home}/lib/python3.13/os.py", "lib/python3.13/os.py") == {
        f"{home}/bin/python3.13",
        f"{home}/lib/python3.13/os.py",
    }


def test_node_go_and_java() -> None:
    node = {"usr/local/bin/node", "usr/local/include/node/node.h", "usr/local/lib/node_modules/npm/cli.js"}
    go = {"usr/local/go/bin/go", "usr/local/go/pkg/include/a.h", "usr/local/go/src/fmt/print.go"}
    java = {"opt/java/openjdk/bin/java", "opt/java/openjdk/release", "opt/java/openjdk/lib/modules"}
    assert owned(*node, *go, *java, "usr/local/lib/node_modules/mine/a.js", "opt/other") == node | go | java


def test_a_home_is_never_all_of_a_shared_folder() -> None:
    assert owned("usr/local/bin/java", "usr/local/release", "usr/local/share/mine") == set()


@pytest.mark.parametrize(
    ("name", "is_interpreter"),
    [
        ("python3.13-minimal", True), ("libpython3.13-stdlib", True), ("python3", True), ("python3-pyc", True),
        ("nodejs", True), ("libnode108", True), ("openjdk-21-jre-headless", True), ("ruby3.3", True),
        ("php8.3-cli", True),
        ("python3-yaml", False), ("python3-pip-whl", False), ("libc6", False), ("nodejs-lodash", False),
        ("perl-base", False), ("golang-github-foo", False), ("phpmyadmin", False),
    ],
)  # fmt: skip
def test_a_runtime_s_package_is_no_library_s(name: str, is_interpreter: bool) -> None:
    assert is_interpreter_package(name) is is_interpreter
