"""Python apps with requirements from the real index: resolved, built for several bases, and run by this interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from basewright._http import PooledHttp
from basewright._process import HostProcess
from basewright.apps.app import AppLayers, AppTarget
from basewright.apps.bytecode import CachedBytecode, host_runner
from basewright.apps.python import build_python
from basewright.apps.python_resolve import resolve_python
from basewright.apps.python_wheels import available
from basewright.facts import RuntimeFacts
from basewright.lock import LockedPython
from basewright.oci.tree import FileType
from basewright.strategy import Platform, PythonApp

EXAMPLE = Path(__file__).parents[2] / "examples/calendar-api"
VERSION = ".".join(str(each) for each in sys.version_info[:3])
INTERPRETER = os.path.realpath(sys.executable)
BOTH = (Platform.LINUX_AMD64, Platform.LINUX_ARM64)
HERE = Platform.LINUX_ARM64 if os.uname().machine == "aarch64" else Platform.LINUX_AMD64


def runtime(libc: str, version: str) -> RuntimeFacts:
    return RuntimeFacts(libc=libc, libc_version=version, interpreter=INTERPRETER, python_version=VERSION)


def lock(directory: Path, folder: str, cache: Path) -> LockedPython:
    return resolve_python(
        directory,
        PythonApp(python=folder),
        targets=((HERE, VERSION),),
        process=HostProcess(),
        cache=cache,
        progress=lambda text: None,
    )


def build(
    directory: Path, folder: str, command: str, cache: Path, *, libc: tuple[str, str] = ("glibc", "2.36")
) -> AppLayers:
    compiler = CachedBytecode(
        host_runner(HostProcess()), sys.executable, python_version=VERSION, interpreter_key=VERSION, cache=cache
    )
    return build_python(
        directory,
        PythonApp(python=folder),
        command.split(),
        lock(directory, folder, cache),
        AppTarget(platform=HERE, runtime=runtime(*libc), base_tree=None, compile_bytecode=compiler),
        process=HostProcess(),
        http=PooledHttp(),
        cache=cache,
        progress=lambda text: None,
    )


def write(root: Path, layers: AppLayers) -> None:
    for entry in (*layers.dependencies, *layers.application):
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.type is FileType.SYMLINK:
            path.symlink_to(entry.link)
        elif entry.is_file:
            path.write_bytes(entry.data or b"")
            path.chmod(entry.mode)


def said(root: Path, code: str, paths: str = "/app") -> str:
    environment = {
        "PYTHONPATH": ":".join(f"{root}{each}" for each in paths.split(":")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [root / "opt/venv/bin/python", "-c", code],
        cwd=root / "app",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="the wheels are for Linux")
def test_the_example_answers(tmp_path: Path) -> None:
    layers = build(EXAMPLE, "python", "uvicorn calendar_api:app", tmp_path / "cache")
    assert layers.entrypoint == ("/opt/venv/bin/uvicorn",)
    assert sum(entry.path.endswith(".pyc") for entry in layers.dependencies) > 500
    write(tmp_path / "root", layers)
    code = (
        "import uvicorn, uvloop, orjson, cryptography.x509, sqlalchemy, calendar_api\n"
        "print(type(calendar_api.app).__name__, uvicorn.__file__.startswith(__import__('sys').prefix))"
    )
    assert said(tmp_path / "root", code) == "FastAPI True"


def test_wheels_of_the_example_on_every_base(tmp_path: Path) -> None:
    locked = lock(EXAMPLE, "python", tmp_path)
    for libc in (("glibc", "2.41"), ("musl", "1.2.5")):
        facts = available(locked, BOTH, runtime(*libc))
        assert len(facts) > 20
        assert [each.name for each in facts if not all(each.platforms.values())] == []
    old = available(locked, BOTH, runtime("glibc", "2.5"))
    assert "cryptography" in [each.name for each in old if not each.platforms["linux/amd64"]]


def test_flask_without_pins(tmp_path: Path) -> None:
    folder = tmp_path / "service/api"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("flask\ngunicorn>=20  # serves it\n")
    (folder / "main.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    layers = build(tmp_path / "service", "api", "gunicorn main:app", tmp_path / "cache", libc=("musl", "1.2.5"))
    assert layers.entrypoint == ("/opt/venv/bin/gunicorn",)
    assert all(each.platforms[HERE.value] for each in layers.packages.requirements)


@pytest.mark.skipif(sys.platform != "linux", reason="the wheels are for Linux")
def test_hatchling_project_in_src(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    (folder / "src/greeter").mkdir(parents=True)
    (folder / "README.md").write_text("# Greeter\n")
    (folder / ".dockerignore").write_text("*.md\n")
    (folder / "src/greeter/__init__.py").write_text("import starlette\ndef main():\n    print('hello')\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "greeter"\nversion = "1.0"\nreadme = "README.md"\nrequires-python = ">=3.9"\n'
        'dependencies = ["starlette"]\n[project.scripts]\ngreet = "greeter:main"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    layers = build(folder, ".", "greet", tmp_path / "cache")
    assert layers.entrypoint == ("/opt/venv/bin/greet",) and "app/README.md" not in layers.application
    write(tmp_path / "root", layers)
    assert said(tmp_path / "root", "import greeter; greeter.main()") == "hello"
