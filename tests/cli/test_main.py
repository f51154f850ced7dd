"""The command itself: what it imports, what its exit status says, what the shell is told."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from basewright.cli import main as command
from basewright.cli.main import main
from basewright.errors import ExitCode
from tests.doubles.image import archive, lay_out, make_image, member

HEAVY = (
    "urllib3", "ssl", "rich", "msgspec", "pysequoia", "zstandard", "isal", "deflate", "packaging", "installer", "uv",
    "email", "asyncio", "importlib.metadata", "subprocess", "basewright.pipeline", "basewright.world",
)  # fmt: skip
STRATEGY = """
[service]
name = "shop"
port = 80
[[candidate]]
name = "go-static"
[[candidate]]
name = "go-alpine"
[[candidate]]
name = "python-slim"
"""


def run(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    script = "import sys; from basewright.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("evaluate", "--help"), ("build", "--help")])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    script = (
        f"import sys; from basewright.cli.main import main; main({list(words)!r}); "
        f"print([each for each in {HEAVY!r} if each in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_an_error_of_the_users_is_told_without_a_traceback(tmp_path: Path) -> None:
    done = run("evaluate", str(tmp_path))
    assert done.returncode == ExitCode.FIX_INPUT
    assert done.stderr.startswith("error: ") and "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_traceback_changes_no_exit_code(tmp_path: Path) -> None:
    done = run("evaluate", str(tmp_path), "--verbose")
    assert done.returncode == ExitCode.FIX_INPUT
    assert "Traceback" in done.stderr and "error: " in done.stderr


def test_a_fault_of_ours_is_no_gates_no(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("https://user:secret@host/")

    monkeypatch.setattr(command.basewright, "main", fails)
    assert main(["evaluate"]) == ExitCode.COULD_NOT_TELL
    told = capsys.readouterr().err
    assert "basewright itself failed (ZeroDivisionError)" in told and "--verbose" in told
    assert "secret" not in told


def test_an_unknown_option_is_the_users_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--nonsense"]) == ExitCode.FIX_INPUT
    assert "--nonsense" in capsys.readouterr().err


def test_a_reader_that_went_away_changes_no_exit_code() -> None:
    script = (
        "import sys, time; from basewright.cli.talk import print_result; time.sleep(0.2); "
        "print_result('x' * 1_000_000); sys.exit(1)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        told = child.stderr.read()
    assert (child.returncode, told) == (1, b"")


def completed(words: list[str], incomplete: str) -> list[str]:
    found = BashComplete(command.basewright, {}, "basewright", "_BASEWRIGHT_COMPLETE")
    return [each.value for each in found.get_completions(words, incomplete)]


def test_candidates_are_completed_from_the_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "basewright.toml").write_text(STRATEGY, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert completed(["build"], "") == ["go-static", "go-alpine", "python-slim"]
    assert completed(["dockerfile"], "py") == ["python-slim"]
    assert completed(["evaluate", "--only"], "go") == ["go-static", "go-alpine"]
    assert completed(["evaluate", "--only", "go-static", "--only"], "go") == ["go-alpine"]
    monkeypatch.chdir("/")
    assert completed(["build", "-C", str(tmp_path)], "go-s") == ["go-static"]


@pytest.mark.parametrize("text", ["", "candidate = 3", "[[candidate]]", "no toml [", "[[candidate]]\nname = ['x']\n"])
def test_a_faulty_strategy_completes_nothing_and_says_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert completed(["build"], "x") == []
    (tmp_path / "basewright.toml").write_text(text, "utf-8")
    assert completed(["build"], "x") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == ExitCode.PASS
    assert "_BASEWRIGHT_COMPLETE" in capsys.readouterr().out


def test_the_installed_script_answers_the_shell(tmp_path: Path) -> None:
    (tmp_path / "basewright.toml").write_text(STRATEGY, "utf-8")
    program = Path(sys.executable).with_name("basewright")
    env = {
        **os.environ,
        "_BASEWRIGHT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"basewright build -C {tmp_path} go",
        "COMP_CWORD": "4",
    }
    done = subprocess.run([str(program)], check=False, capture_output=True, text=True, env=env)
    assert done.returncode == ExitCode.PASS
    assert done.stdout.split() == ["plain,go-static", "plain,go-alpine"]


def test_no_image_writes_to_the_terminal_not_even_in_a_traceback(tmp_path: Path) -> None:
    archived = tmp_path / "root.tar"
    archived.write_bytes(archive(member("\x1b[31m\u202e", kind=b"Q")))
    done = run("inspect", f"rootfs:{archived}", "--verbose")
    assert done.returncode == ExitCode.FIX_INPUT
    assert "Traceback" in done.stderr and r"\x1b[31m\xe2\x80\xae has the unknown type" in done.stderr
    assert "\x1b" not in done.stderr and "\u202e" not in done.stderr


def test_no_image_s_platform_writes_to_the_terminal(tmp_path: Path) -> None:
    image = make_image(archive(member("a")))
    image.config["os"], image.platform = "\x1b[2J", None
    layout = lay_out(tmp_path / "layout", image.seal())
    done = run("inspect", f"oci:{layout}", "--tree", env={"BASEWRIGHT_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    assert r"\x1b[2J/amd64" in done.stdout and "\x1b" not in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path: Path, closed: str) -> None:
    layout = lay_out(tmp_path / "layout", make_image(archive(member("a"))))
    copied = tmp_path / "copied"
    script = f'exec "$0" -m basewright copy "$1" "$2" {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable, f"oci:{layout}", f"oci:{copied}"], check=False)
    assert done.returncode == ExitCode.PASS
    assert (copied / "index.json").is_file()
    assert b"sha256:" not in (copied / "oci-layout").read_bytes()
