"""The house rules, kept by the tests: what can rot is a test. They look at the sources beside this folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "basewright"
MODULE_LINES = 400
FUNCTION_LINES = 50
LONG: Mapping[str, str] = {
    "build/assemble.py:assemble": "one image from its parts, each field of the result once",
}
"""What may be longer, `module` or `module:function`, and why."""
FAMILIES = ("bases", "apps", "ecosystems", "feeds", "drivers")
"""Folders whose files are variants: those share names with what they are about."""
HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|proxy\.golang\.org|sum\.golang\.org|deb\.debian\.org|security\.debian\.org"
)
HOSTS_ALLOWED = {"src/basewright/bases/debian/mirrors.py": "deb.debian.org is Debian's own default"}
MACHINE = re.compile(
    r"(?<![\w/.])/(?:work|mnt|workspace)/|/(?:home|Users)/(?!nonroot\b|me\b)[a-z]|/root/(?!\.cache/)|[A-Z]:\\Users"
)

pytestmark = pytest.mark.skipif(not SOURCES.is_dir(), reason="the sources are not here")


def modules() -> Iterator[tuple[str, ast.Module, str]]:
    """Every module of ours: its path below the package, its tree and its text."""
    for path in sorted(SOURCES.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield str(path.relative_to(SOURCES)), ast.parse(text), text


def tracked() -> Iterator[tuple[str, str]]:
    """Every text file that git keeps: its path and its text."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if b"\0" not in data:
                yield name, data.decode("utf-8", "replace")


def tool(*words: str) -> None:
    """Runs a tool of this environment at the root; what it says is the failure."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Tools


def test_imports_point_one_way() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_types() -> None:
    tool("mypy")


def test_lint() -> None:
    tool("ruff", "check", "--no-cache", ".")


def test_format() -> None:
    tool("ruff", "format", "--no-cache", "--check", ".")


# Shape


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    docstring = 0
    if ast.get_docstring(function) is not None:
        docstring = (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_modules_and_functions_are_of_a_size_to_be_read() -> None:
    long = {}
    for name, tree, text in modules():
        if (lines := text.count("\n")) > MODULE_LINES:
            long[name] = lines
        long |= {f"{name}:{each.name}": lines_of(each) for each in functions(tree) if lines_of(each) > FUNCTION_LINES}
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}, "find a better cut, not two halves"
    assert set(LONG) <= set(long), "no longer long: take it out of the list"


def test_packages_hold_one_docstring() -> None:
    for name, tree, _ in modules():
        if not name.endswith("__init__.py") or name == "__init__.py":
            continue
        assert ast.get_docstring(tree), name
        assert len(tree.body) == 1, name


def test_module_names_are_unique() -> None:
    """But for catalogues, the verbs of the command, and the variants of families (rule 7)."""
    counted = Counter(
        Path(name).name
        for name, _, _ in modules()
        if Path(name).name not in ("__init__.py", "catalog.py") and Path(name).parts[0] not in (*FAMILIES, "cli")
    )
    assert [name for name, count in counted.items() if count > 1] == []


def test_module_names_say_what_is_in_them() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "core", "manager", "misc", "base_command", "shared"}
    names = {part.removesuffix(".py") for name, _, _ in modules() for part in Path(name).parts}
    assert names & vague == set()


def test_every_module_and_public_name_has_a_docstring() -> None:
    missing = []
    for name, tree, _ in modules():
        if ast.get_docstring(tree) is None:
            missing.append(name)
        missing += [
            f"{name}:{node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and node.name != "main"
            and ast.get_docstring(node) is None
        ]
    assert missing == []


def test_the_doors_are_the_only_ones() -> None:
    """Programs are started by `_process` only, the network asked by `_http` only (rule 19)."""
    doors = {"subprocess.Popen": "_process.py", "subprocess.run": "_process.py", "os.system": "", "os.popen": ""}
    doors |= {"urllib3.PoolManager": "_http.py", "urllib3.ProxyManager": "_http.py", "urllib3.request": ""}
    doors |= {"urllib.request.urlopen": "", "subprocess.check_output": "", "subprocess.call": ""}
    found = [
        f"{name}: {ast.unparse(node.func)}"
        for name, tree, _ in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and doors.get(ast.unparse(node.func), name) != name
    ]
    assert found == []


# Words


def test_the_changelog_s_version_is_the_package_s() -> None:
    source = re.search(r'__version__ = "(.+)"', (SOURCES / "__init__.py").read_text())
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert source is not None
    assert changelog is not None
    assert changelog[1] == source[1]
    assert metadata.version("basewright") == source[1]


def test_the_readme_s_commands_are_in_the_makefile() -> None:
    commands = re.findall(r"^ {4}make (\S+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    assert set(commands) <= set(targets)


def test_the_readme_s_links_lead_somewhere() -> None:
    for document in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / document).read_text()):
            assert (ROOT / target).exists(), f"{document}: {target}"


def test_every_dependency_stands_in_a_decision_record() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!~\[ ]", each)[0] for each in project["dependencies"]]
    records = "\n".join(path.read_text() for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert [name for name in names if name not in records] == []


def test_no_registry_s_host_is_written_down() -> None:
    """Registries are the host's own setting."""
    found = {
        name: sorted(set(HOSTS.findall(text)))
        for name, text in tracked()
        if name not in HOSTS_ALLOWED and name != "tests/test_house.py" and HOSTS.search(text)
    }
    assert found == {}


def test_no_machine_s_path_is_written_down() -> None:
    found = {
        name: match[0]
        for name, text in tracked()
        if name != "tests/test_house.py" and (match := MACHINE.search(text)) is not None
    }
    assert found == {}
