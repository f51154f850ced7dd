"""An app's folder as a tree: what belongs to it, and what never does."""

import os
import socket
from pathlib import Path

import pytest

from basewright.apps.ignored import docker_ignores, git_ignores, parse_dockerignore, parse_gitignore
from basewright.apps.sources import app_folder, read_app_folder
from basewright.errors import InputError
from basewright.oci.tree import FileType


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    (root / "app/pkg").mkdir(parents=True)
    (root / "app/pkg/__init__.py").write_text("")
    (root / "app/main.py").write_text("print()\n")
    return root


def paths(repository: Path, folder: str = "app", exclude: tuple[str, ...] = ()) -> list[str]:
    tree = read_app_folder(
        repository / folder,
        strategy_directory=repository,
        at="app",
        exclude=[repository / each for each in exclude],
    )
    return [entry.path.removeprefix("app/") for entry in tree if not entry.is_directory]


def test_what_never_belongs(repository: Path) -> None:
    for path in (
        ".git/config", ".hg/store", "__pycache__/main.cpython-313.pyc", "pkg/__pycache__/x.pyc",
        ".basewright/evidence.json", "venv/pyvenv.cfg", "venv/bin/python", "any-name/pyvenv.cfg",
    ):  # fmt: skip
        (repository / "app" / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / "app" / path).write_text("x")
    assert paths(repository) == ["main.py", "pkg/__init__.py"]


def test_strategy_beside_the_app_and_records_stay_out(repository: Path) -> None:
    for name in ("basewright.toml", "basewright.lock", "README.md"):
        (repository / name).write_text("x")
    (repository / "docs/adr").mkdir(parents=True)
    (repository / "docs/adr/0001.md").write_text("x")
    assert paths(repository, ".", exclude=("docs/adr",)) == ["README.md", "app/main.py", "app/pkg/__init__.py"]


def test_ignored_by_git_from_the_root_down(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.log\n/app/local/\n")
    (repository / "app/.gitignore").write_text("!keep.log\n# a comment\nsecret.env\n")
    (repository / "app/local").mkdir()
    for name in ("a.log", "keep.log", "secret.env", "pkg/secret.env", "local/keep.log"):
        (repository / "app" / name).write_text("x")
    assert paths(repository) == [".gitignore", "keep.log", "main.py", "pkg/__init__.py"]


def test_ignored_by_docker(repository: Path) -> None:
    (repository / "app/.dockerignore").write_text("**/*.md\ntests\n!tests/data\n.dockerignore\n")
    (repository / "app/tests/data").mkdir(parents=True)
    for name in ("README.md", "pkg/NOTES.md", "tests/test_a.py", "tests/data/a.json"):
        (repository / "app" / name).write_text("x")
    assert paths(repository) == ["main.py", "pkg/__init__.py", "tests/data/a.json"]


def test_modes_and_owners_are_fixed(repository: Path) -> None:
    (repository / "app/run").write_text("#!/bin/sh\n")
    (repository / "app/run").chmod(0o4711)
    (repository / "app/main.py").chmod(0o600)
    (repository / "app/pkg").chmod(0o700)
    tree = read_app_folder(repository / "app", strategy_directory=repository, at="app")
    assert {entry.path: oct(entry.mode) for entry in tree} == {
        "app": "0o755",
        "app/main.py": "0o644",
        "app/pkg": "0o755",
        "app/pkg/__init__.py": "0o644",
        "app/run": "0o755",
    }


def test_links(repository: Path) -> None:
    (repository / "shared").mkdir()
    (repository / "shared/data.json").write_text("{}")
    app = repository / "app"
    (app / "inside").symlink_to("pkg/__init__.py")
    (app / "absolute").symlink_to(app / "main.py")
    (app / "pkg/up").symlink_to("../main.py")
    (app / "elsewhere").symlink_to("../shared")
    tree = read_app_folder(app, strategy_directory=repository, at="app")
    links = {entry.path: entry.link for entry in tree if entry.type is FileType.SYMLINK}
    assert links == {"app/inside": "pkg/__init__.py", "app/absolute": "main.py", "app/pkg/up": "../main.py"}
    assert "app/elsewhere/data.json" in tree


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../outside", "../../../../../../etc"])
def test_link_out_of_the_repository(repository: Path, target: str) -> None:
    (repository / "app/pkg/escape").symlink_to(target)
    with pytest.raises(InputError, match="the link app/pkg/escape leaves the repository"):
        paths(repository)


def test_link_in_a_circle(repository: Path) -> None:
    (repository / "app/a").symlink_to("b")
    (repository / "app/b").symlink_to("a")
    (repository / "loop").mkdir()
    (repository / "loop/again").symlink_to("../loop")
    (repository / "app/loop").symlink_to("../loop")
    with pytest.raises(InputError, match=r"in a circle|folders deep"):
        paths(repository)


def test_what_is_no_file(repository: Path) -> None:
    os.mkfifo(repository / "app/pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(repository / "app")  # the path of a socket is short
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)
    assert paths(repository) == ["main.py", "pkg/__init__.py"]


def test_folder_outside_of_the_repository(repository: Path) -> None:
    (repository.parent / "other").mkdir()
    for name, message in (("../other", "lies outside"), ("gone", "does not exist")):
        with pytest.raises(InputError, match=message):
            app_folder(repository, name)


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        ("build", "a/build", True),
        ("build/", "a/build", False),
        ("/build", "a/build", False),
        ("a/*.py", "a/b.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/c.py", "a/c.py", True),
        ("a/**/c.py", "a/x/y/c.py", True),
        ("**/logs", "x/logs", True),
        ("logs/**", "logs/a/b", True),
        ("*.py[co]", "x.pyc", True),
        ("[!a].txt", "b.txt", True),
        ("\\#name", "#name", True),
        ("trailing   ", "trailing", True),
        ("[", "[", True),
    ],
)
def test_patterns_of_git(pattern: str, path: str, ignored: bool) -> None:
    assert git_ignores(path, parse_gitignore(pattern, ""), directory=False) is ignored


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("docs", "docs/a/b", True),
        ("/docs/", "docs/a", True),
        ("*\n!a", "a/b", False),
        ("*\n!a", "b", True),
        ("**/temp?", "x/temp1", True),
    ],
)
def test_patterns_of_docker(patterns: str, path: str, ignored: bool) -> None:
    assert docker_ignores(path, parse_dockerignore(patterns, "")) is ignored
