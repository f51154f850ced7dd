"""Where the tests run as root, the sandbox is tried once more as an ordinary user, who has other rights in it."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import basewright

_NOBODY = 65534
_TESTS = Path(__file__).parents[1] / "runner"


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests ran as an ordinary user")
def test_the_sandbox_works_for_an_ordinary_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    os.chown(home, _NOBODY, _NOBODY)
    paths = {str(Path(module.__file__ or "").parents[1]) for module in (basewright, msgspec, pytest)}
    env = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sorted(paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{here}"):
        seen = _as_nobody([python, "-c", "import basewright, msgspec, pytest"], env) if Path(python).exists() else None
        if seen is not None and seen.returncode == 0:
            break
    else:
        pytest.skip("an ordinary user cannot read this Python")
    completed = _as_nobody(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(_TESTS.parents[1]), str(_TESTS)], env
    )
    assert completed.returncode == 0, completed.stdout[-5000:]
    assert "ordinary user" in _describe(python, env)


def _describe(python: str, env: dict[str, str]) -> str:
    code = (
        "from basewright._process import HostProcess; from basewright.runner.sandbox import Sandbox;"
        "print(Sandbox().available(HostProcess()).description)"
    )
    return _as_nobody([python, "-c", code], env).stdout


def _as_nobody(argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv,
            cwd=_TESTS.parents[1],
            env=env,
            user=_NOBODY,
            group=_NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except PermissionError:
        return subprocess.CompletedProcess(argv, 126, "", "")
