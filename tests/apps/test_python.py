"""A Python app, from its dependency file to layers that an interpreter of this machine can run."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.elf_file import make_elf
from tests.doubles.package_index import PackageIndex, make_sdist, make_wheel, serve_index
from tests.doubles.python_host import isolate

from basewright._http import PooledHttp
from basewright._process import HostProcess
from basewright.apps.app import AppLayers, AppTarget, BytecodeCompiler
from basewright.apps.bytecode import CachedBytecode, host_runner
from basewright.apps.python import build_python, python_packages
from basewright.apps.python_resolve import resolve_python
from basewright.errors import BasewrightError, BuildFailedError, HostileInputError, OutOfReachError
from basewright.facts import RuntimeFacts
from basewright.lock import LockedPython
from basewright.oci.tree import Entry, FileType, Tree, file, symlink
from basewright.strategy import Platform, PythonApp

VERSION = ".".join(str(each) for each in sys.version_info[:3])
MINOR = ".".join(VERSION.split(".")[:2])
NODOT = f"cp{MINOR.replace('.', '')}"
SITE = f"opt/venv/lib/python{MINOR}/site-packages"
NATIVE = make_elf(needed=["libgone.so.3", "libc.so.6"])
BACKEND = b"""
import zipfile, pathlib
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "service-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as archive:
        for path in sorted(pathlib.Path("service").glob("*.py")):
            archive.write(path, path.as_posix())
        archive.writestr("service/_version.py", "VERSION = '1.0'\\n")
        info = "service-1.0.dist-info"
        archive.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: service\\nVersion: 1.0\\n")
        archive.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "/entry_points.txt", "[console_scripts]\\nserve = service:main\\n")
        archive.writestr(info + "/RECORD", "")
    return name
"""
FILES = (
    make_wheel(
        "server",
        "2.0",
        requires=["tool"],
        files={
            "server/__init__.py": b"import tool\ndef main():\n    print('serving with', tool.VERSION)\n",
            "server/template.py": b"this is {{ no }} python\n",
            "server-2.0.data/scripts/serverctl": b"#!python\nprint('control')\n",
            "server-2.0.data/data/share/server/defaults.ini": b"[server]\n",
            "server-2.0.data/headers/server.h": b"/* */\n",
            "server-2.0.pth": b"/opt/extra\n",
        },
        entry_points="[console_scripts]\nserver = server:main\n[gui_scripts]\nserver-window = server:main\n",
    ),
    make_wheel("tool", "1.5"),
    make_wheel("native", "1.0", tag=f"{NODOT}-{NODOT}-manylinux_2_17_x86_64", files={"_native.so": NATIVE}),
    make_wheel("native", "1.0", tag=f"{NODOT}-{NODOT}-manylinux_2_17_aarch64", files={"_native.so": b"other"}),
    make_wheel("glibc-only", "1.0", tag=f"{NODOT}-{NODOT}-manylinux_2_17_x86_64"),
    make_wheel("evil", "1.0", files={"../../../../etc/passwd": b"root::0:0::/:/bin/sh\n"}),
    make_sdist("sdist-only", "4.0"),
    make_wheel("backend", "1.0", files={"backend.py": BACKEND}),
)  # fmt: skip


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    with serve_index(FILES) as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: PackageIndex) -> Path:
    repository = isolate(monkeypatch, tmp_path, index.url)
    (repository / "app/main.py").write_text("import tool\nprint('main with', tool.VERSION)\n")
    return repository


def base_tree() -> Tree:
    tree = Tree()
    tree.add(file(f"usr/bin/python{MINOR}", b"", mode=0o755))
    tree.add(symlink("usr/bin/python3", f"python{MINOR}"))
    tree.add(file("usr/bin/sh", b"", mode=0o755))
    tree.add(file("usr/lib/x86_64-linux-gnu/libc.so.6", b""))
    return tree


def target_of(libc: str = "glibc", *, compiler: BytecodeCompiler | None = None) -> AppTarget:
    return AppTarget(
        platform=Platform.LINUX_AMD64,
        runtime=RuntimeFacts(
            libc=libc,
            libc_version="2.41" if libc == "glibc" else "1.2.5",
            interpreter="/usr/bin/python3",
            python_version=VERSION,
        ),
        base_tree=base_tree(),
        compile_bytecode=compiler,
    )


def lock(home: Path) -> LockedPython:
    return resolve_python(
        home,
        PythonApp(python="app"),
        targets=((Platform.LINUX_AMD64, VERSION),),
        process=HostProcess(),
        cache=home.parent / "cache",
        progress=lambda text: None,
    )


def build(
    home: Path, command: str = "server", *, target: AppTarget | None = None, locked: LockedPython | None = None
) -> AppLayers:
    return build_python(
        home,
        PythonApp(python="app"),
        command.split(),
        locked or lock(home),
        target or target_of(),
        process=HostProcess(),
        http=PooledHttp(),
        cache=home.parent / "cache",
        progress=lambda text: None,
    )


def write(root: Path, layers: AppLayers) -> None:
    """The layers as files, with the interpreter that runs this test in place of the image's."""
    for entry in (*layers.dependencies, *layers.application):
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.path == "opt/venv/bin/python":
            path.symlink_to(os.path.realpath(sys.executable))
        elif entry.path == "opt/venv/pyvenv.cfg":
            path.write_text(f"home = {Path(os.path.realpath(sys.executable)).parent}\n")
        elif entry.type is FileType.SYMLINK:
            path.symlink_to(entry.link)
        elif entry.is_file:
            path.write_bytes(entry.data or b"")
            path.chmod(entry.mode)


def entry_of(tree: Tree, path: str) -> Entry:
    entry = tree.get(path)
    assert entry is not None, f"{path} is missing"
    return entry


def text_of(tree: Tree, path: str) -> str:
    return (entry_of(tree, path).data or b"").decode()


def test_what_the_layers_hold(home: Path) -> None:
    (home / "app/requirements.txt").write_text("server\n")
    layers = build(home, "server --port 80")
    assert (layers.entrypoint, layers.command) == (("/opt/venv/bin/server",), ("--port", "80"))
    assert layers.working_directory == "/app"
    assert layers.env["PATH"].startswith("/opt/venv/bin:") and layers.env["PYTHONPATH"] == "/app"
    dependencies = layers.dependencies
    assert entry_of(dependencies, "opt/venv/bin/python").link == f"/usr/bin/python{MINOR}"
    assert "home = /usr/bin\n" in text_of(dependencies, "opt/venv/pyvenv.cfg")
    assert text_of(dependencies, "opt/venv/bin/server").startswith("#!/opt/venv/bin/python\n")
    assert text_of(dependencies, "opt/venv/bin/serverctl") == "#!/opt/venv/bin/python\nprint('control')\n"
    assert entry_of(dependencies, "opt/venv/bin/serverctl").mode == 0o755
    assert entry_of(dependencies, f"{SITE}/tool.py").mode == 0o644
    assert "opt/venv/share/server/defaults.ini" in dependencies and f"{SITE}/server-2.0.pth" in dependencies
    assert text_of(dependencies, f"{SITE}/server-2.0.dist-info/INSTALLER") == "basewright\n"
    record = text_of(dependencies, f"{SITE}/server-2.0.dist-info/RECORD").splitlines()
    assert record == sorted(record) and any(each.startswith("../../../bin/server,sha256=") for each in record)
    assert "server-2.0.dist-info/RECORD,," in record
    assert all((entry.uid, entry.gid) == (0, 0) for entry in (*dependencies, *layers.application))
    assert sorted(entry.path for entry in layers.application if entry.is_file) == [
        "app/main.py",
        "app/requirements.txt",
    ]


def test_it_runs(home: Path, tmp_path: Path) -> None:
    (home / "app/requirements.txt").write_text("server\n")
    compiler = CachedBytecode(
        host_runner(HostProcess()), sys.executable, python_version=VERSION, interpreter_key="here", cache=None
    )
    layers = build(home, "python main.py", target=target_of(compiler=compiler))
    assert layers.entrypoint == ("/opt/venv/bin/python",)
    assert any("1 of 3 .py files are not valid" in each for each in layers.notes)
    root = tmp_path / "root"
    write(root, layers)
    # The sources are gone: only bytecode is left to answer.
    (root / SITE / "tool.py").write_text("raise SystemExit('the source was read')\n")
    environment = {"PYTHONPATH": str(root / "app"), "PYTHONDONTWRITEBYTECODE": "1"}
    python = str(root / "opt/venv/bin/python")
    for argv, said in (
        ([python, "main.py"], "main with 1.5"),
        ([python, "../opt/venv/bin/server"], "serving with 1.5"),
    ):
        done = subprocess.run(argv, cwd=root / "app", env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == said, done.stderr


def test_same_layers_anywhere(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (home / "app/requirements.txt").write_text("server\nnative\n")
    (home / "app/run.sh").write_text("#!/bin/sh\n")
    (home / "app/run.sh").chmod(0o700)
    locked = lock(home)
    first = build(home, locked=locked)
    before = os.umask(0o077)
    try:
        monkeypatch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        monkeypatch.chdir(tmp_path)
        for path in home.rglob("*"):
            path.chmod(0o700 if path.is_dir() or path.name == "run.sh" else 0o600)
        (home / "app/empty/__pycache__").mkdir(parents=True)
        (tmp_path / "cache").rename(tmp_path / "gone")
        second = build(home, locked=locked)
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert list(first.dependencies) == list(second.dependencies)
    assert list(first.application) == list(second.application)
    assert entry_of(first.application, "app/run.sh").mode == 0o755


def test_all_requirements_without_a_wheel_are_named(home: Path) -> None:
    (home / "app/requirements.txt").write_text("tool\nglibc-only\nnative\nsdist-only\n")
    locked, target = lock(home), target_of("musl")
    with pytest.raises(BuildFailedError) as error:
        build(home, target=target, locked=locked)
    for name in ("glibc-only 1.0", "native 1.0", "sdist-only 4.0 (a source archive only, no wheel at all)"):
        assert name in error.value.message
    facts = python_packages(locked, target, (Platform.LINUX_AMD64,)).requirements
    assert {each.name: each.platforms["linux/amd64"] for each in facts} == {
        "glibc-only": False,
        "native": False,
        "sdist-only": False,
        "tool": True,
    }


def test_availability_on_two_platforms(home: Path) -> None:
    (home / "app/requirements.txt").write_text("native\nglibc-only\n")
    facts = python_packages(lock(home), target_of(), (Platform.LINUX_AMD64, Platform.LINUX_ARM64)).requirements
    assert {each.name: each.platforms for each in facts} == {
        "glibc-only": {"linux/amd64": True, "linux/arm64": False},
        "native": {"linux/amd64": True, "linux/arm64": True},
    }


def test_missing_library_is_told(home: Path) -> None:
    (home / "app/requirements.txt").write_text("native\n")
    missing = build(home, "python main.py").packages.missing_libraries
    assert [(each.soname, each.needed_by) for each in missing] == [("libgone.so.3", f"{SITE}/_native.so")]


def test_wheel_that_climbs_out(home: Path) -> None:
    (home / "app/requirements.txt").write_text("evil\n")
    with pytest.raises(HostileInputError, match="leaves"):
        build(home, "python main.py")


def test_wheel_that_is_another_one_than_locked(
    home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "app/requirements.txt").write_text("tool\n")
    locked = lock(home)
    monkeypatch.setitem(
        index.files, "tool-1.5-py3-none-any.whl", make_wheel("tool", "1.5", files={"tool.py": b"evil\n"})[1]
    )
    with pytest.raises(BasewrightError) as error:
        build(home, "python main.py", locked=locked)
    assert isinstance(error.value, OutOfReachError | HostileInputError)


def test_private_index_is_asked_as_the_host_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_index(FILES, credentials=("reader", "hunter2secret")) as private:
        home = isolate(monkeypatch, tmp_path, private.url.replace("//", "//reader:hunter2secret@"))
        (home / "app/requirements.txt").write_text("tool\n")
        layers = build(home, "python -m tool")
        assert f"{SITE}/tool.py" in layers.dependencies
        for entry in (*layers.dependencies, *layers.application):
            assert b"hunter2" not in (entry.data or b"") and "hunter2" not in entry.path


def test_src_layout_without_build_system(home: Path) -> None:
    (home / "app/pyproject.toml").write_text('[project]\nname = "service"\nversion = "1"\ndependencies = ["tool"]\n')
    (home / "app/src/service").mkdir(parents=True)
    (home / "app/src/service/__init__.py").write_text("")
    layers = build(home, "python -m service")
    assert layers.env["PYTHONPATH"] == "/app:/app/src"
    assert "app/src/service/__init__.py" in layers.application and "opt/venv/bin/serve" not in layers.application


def test_project_with_build_system(home: Path) -> None:
    (home / "app/pyproject.toml").write_text(
        '[project]\nname = "service"\nversion = "1.0"\ndependencies = ["tool"]\nrequires-python = ">=3.11"\n'
        '[build-system]\nrequires = ["backend"]\nbuild-backend = "backend"\n'
    )
    (home / "app/service").mkdir()
    (home / "app/service/__init__.py").write_text("from service._version import VERSION\ndef main(): print(VERSION)\n")
    layers = build(home, "serve")
    assert layers.entrypoint == ("/opt/venv/bin/serve",)
    assert f"{SITE}/service/__init__.py" in layers.application
    # /app comes first on sys.path: what only the build made must be there too.
    assert text_of(layers.application, "app/service/_version.py") == "VERSION = '1.0'\n"
    assert not (home / "app/build").exists() and not (home / "app/service/_version.py").exists()


def test_build_that_fails(home: Path) -> None:
    (home / "app/pyproject.toml").write_text(
        '[project]\nname = "service"\nversion = "1.0"\n'
        '[build-system]\nrequires = ["backend"]\nbuild-backend = "inside"\nbackend-path = ["."]\n'
    )
    (home / "app/inside.py").write_text("def build_wheel(*a, **k):\n    raise ValueError('no such luck')\n")
    with pytest.raises(BuildFailedError, match="the project app cannot be built: ValueError: no such luck") as error:
        build(home, "serve")
    assert any("no such luck" in line for line in error.value.output)


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("python3 main.py", "/opt/venv/bin/python3"),
        ("/usr/bin/python3 main.py", "/opt/venv/bin/python"),
        ("./run.sh", "/app/run.sh"),
        ("sh -c true", "/usr/bin/sh"),
    ],
)
def test_program_of_the_command(home: Path, command: str, program: str) -> None:
    assert build(home, command).entrypoint == (program,)


def test_program_that_is_nowhere(home: Path) -> None:
    with pytest.raises(BuildFailedError, match="the command's program 'gunicorn' comes with no requirement"):
        build(home, "gunicorn main:app")


def test_base_without_an_interpreter(home: Path) -> None:
    target = AppTarget(platform=Platform.LINUX_AMD64, runtime=RuntimeFacts(), base_tree=Tree(), compile_bytecode=None)
    with pytest.raises(BuildFailedError, match="the base has no Python interpreter"):
        build(home, target=target)
