"""`basewright build` and `dockerfile` as a user calls them: one digest everywhere, a lock that is kept, exit codes."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.doubles.image import archive, lay_out, make_image, member
from tests.doubles.project import PYTHON_BASE, Outcome, Project

from basewright._process import HostProcess
from basewright.apps.bytecode import host_interpreter
from basewright.apps.go_command import find_go
from basewright.errors import OutOfReachError
from basewright.lock import Lock, read_lock, write_lock

NO_NETWORK = ("unshare", "--user", "--map-root-user", "--net")
FILES = {
    "basewright.toml": f"""
[service]
name = "small"
port = 8000
command = ["small"]

[[candidate]]
name = "minimal"
app = {{ python = "." }}
base = {PYTHON_BASE.replace(" packages = [", ' packages = ["ca-certificates", ')}

[[candidate]]
name = "nothing"
app = {{ python = "." }}
base = "scratch"

[[candidate]]
name = "published"
app = {{ python = "." }}
base = "registry.invalid/python:3.13"

[[candidate]]
name = "lacking"
app = {{ python = "." }}
base = {{ debian = "trixie", packages = ["python3.13-minimal", "no-such-package"] }}
""",
    "pyproject.toml": """
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "small"
version = "1.0"
description = "A small service."
dependencies = ["markupsafe"]

[project.scripts]
small = "small:main"
""",
    "small/__init__.py": "import markupsafe\n\n\ndef main():\n    print(markupsafe.escape('<'), {'b', 'a'} & {'a'})\n",
    "small/data.txt": "a file of the package\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> tuple[Project, str]:
    """A project that was built once, with its lock, and the digest of its image."""
    project = Project(tmp_path_factory.mktemp("built") / "project", shared_cache)
    project.write(FILES)
    seen = project.run("build", "minimal", "-o", "../image.tar")
    if seen.code == 3:
        pytest.skip(seen.err)
    assert seen.code == 0, seen.err
    return project, seen.out.strip()


@pytest.fixture
def again(built: tuple[Project, str], tmp_path: Path) -> Project:
    """The same project elsewhere, with its lock."""
    project = Project(tmp_path / "a folder" / "project", built[0].cache)
    project.write({**FILES, "basewright.lock": (built[0].folder / "basewright.lock").read_bytes()})
    return project


def build(project: Project, *words: str, env: Mapping[str, str] = {}, before: Sequence[str] = ()) -> Outcome:
    return project.run("build", "minimal", "-o", str(project.folder.parent / "out.tar"), *words, env=env, before=before)


def edit(project: Project, change: Callable[[Lock], Lock]) -> Lock:
    path = project.folder / "basewright.lock"
    lock = change(read_lock(path))
    write_lock(path, lock)
    return lock


# One digest


def test_folder_umask_time_zone_and_hash_seed_make_no_difference(built: tuple[Project, str], again: Project) -> None:
    for umask, mode, zone in (("077", 0o600, "Asia/Kolkata"), ("000", 0o666, "America/Lima")):
        for path in again.folder.rglob("*"):
            if path.is_file():
                path.chmod(mode)
        env = {"TZ": zone, "PYTHONHASHSEED": umask, "LC_ALL": "C", "PYTHONOPTIMIZE": "2", "COLUMNS": "40"}
        seen = build(again, env=env, before=("sh", "-c", f'umask {umask} && exec "$@"', "sh"))
        assert (seen.code, seen.out.strip()) == (0, built[1]), seen.err


def test_another_user_with_an_empty_cache_builds_the_same(built: tuple[Project, str], again: Project) -> None:
    as_user = ("setpriv", "--reuid", "4321", "--regid", "4321", "--clear-groups")
    tried = [
        *as_user,
        sys.executable,
        "-c",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)",
    ]
    if os.geteuid() != 0 or subprocess.run(tried, capture_output=True, check=False).returncode != 0:
        pytest.skip("no other user can run this interpreter")
    home = again.folder.parent / "home"
    home.mkdir()
    (home / "settings.toml").touch()
    for path in (home, again.folder.parent, *again.folder.rglob("*"), again.folder):
        os.chown(path, 4321, 4321)
    for path in again.folder.parents:  # pytest's own folders are for root only
        if path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    env = {"HOME": str(home), "BASEWRIGHT_CACHE": str(home / "cache"), "TMPDIR": "/tmp"}
    env["BASEWRIGHT_SETTINGS"] = str(home / "settings.toml")
    seen = build(again, env=env, before=as_user)
    assert (seen.code, seen.out.strip()) == (0, built[1]), seen.err


def test_bytecode_of_this_machines_interpreter_is_that_of_the_image(built: tuple[Project, str], again: Project) -> None:
    """Where no sandbox can be had (here: another platform's image), the same version serves."""
    (packages,) = (each.packages for each in read_lock(again.folder / "basewright.lock").debian.values())
    version = next(each.version for each in packages if each.name == "python3.13-minimal").partition("-")[0]
    seen = build(again, "--platform", "linux/arm64")
    if host_interpreter(version, process=HostProcess()) is None and os.uname().machine == "x86_64":
        assert seen.code == 3 and f"bytecode for Python {version} needs that interpreter" in seen.err
        assert not (again.folder.parent / "out.tar").exists()
    else:
        assert seen.code == 0, seen.err


def test_source_date_epoch_is_the_time_of_everything(built: tuple[Project, str], again: Project) -> None:
    seen = build(again, env={"SOURCE_DATE_EPOCH": "1000000000"})
    assert seen.code == 0 and seen.out.strip() != built[1]
    image = _Archive(again.folder.parent / "out.tar")
    assert image.config["created"] == "2001-09-09T01:46:40Z"
    assert {member.mtime for layer in image.layers for member in layer} == {1_000_000_000}
    assert build(again, env={"SOURCE_DATE_EPOCH": "yesterday"}).code == 2


def test_what_was_written_beside_the_sources_is_no_part_of_them(built: tuple[Project, str], again: Project) -> None:
    for output in ("small.tar", "layout", "layout"):
        seen = again.run("build", "minimal", "-o", output)
        assert (seen.code, seen.out.strip()) == (0, built[1]), seen.err


# What was written


class _Archive:
    """An OCI archive, read with nothing of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        (entry,) = self.read("index.json")["manifests"]
        self.index_entry = entry
        self.manifest = self.blob(entry["digest"])
        self.config = self.blob(self.manifest["config"]["digest"])
        self.layers = [self._members(each["digest"]) for each in self.manifest["layers"]]

    def read(self, name: str):  # type: ignore[no-untyped-def]
        with tarfile.open(self._path) as archive:
            file = archive.extractfile(name)
            assert file is not None
            return json.loads(file.read())

    def blob(self, digest: str):  # type: ignore[no-untyped-def]
        return self.read(f"blobs/sha256/{digest[7:]}")

    def _members(self, digest: str) -> list[tarfile.TarInfo]:
        with tarfile.open(self._path) as archive:
            file = archive.extractfile(f"blobs/sha256/{digest[7:]}")
            with tarfile.open(fileobj=file, mode="r:gz") as layer:
                return list(layer)


def test_the_image_says_what_it_is_and_nothing_of_this_machine(built: tuple[Project, str]) -> None:
    image = _Archive(built[0].folder.parent / "image.tar")
    assert image.index_entry["digest"] == built[1]
    assert image.index_entry["annotations"]["org.opencontainers.image.ref.name"] == "small:minimal"
    assert image.config["config"]["User"] == "65532:65532" and image.config["config"]["WorkingDir"] == "/app"
    assert len(image.config["history"]) == len(image.layers) == 3
    members = [member for layer in image.layers for member in layer]
    assert {(member.uid, member.gid) for member in members if member.name != "home/nonroot"} == {(0, 0)}
    assert {f"{member.mode:o}" for member in members if member.isfile()} == {"644", "755"}
    names = {member.name for member in members}
    library = "opt/venv/lib/python3.13/site-packages"
    assert {"app/small/data.txt", f"{library}/small/data.txt", "usr/lib/ssl/cert.pem"} <= names
    assert not {name for name in names if ".git" in name or "basewright" in name}
    modules = [name for name in names if name.endswith(".py") and not name.startswith("etc/")]
    assert len(modules) > 500
    for module in modules:
        folder, _, name = module.rpartition("/")
        assert f"{folder}/__pycache__/{name[:-3]}.cpython-313.pyc" in names


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="no skopeo on this machine")
def test_skopeo_takes_folder_archive_and_docker_archive(built: tuple[Project, str], again: Project) -> None:
    folder = again.folder.parent / "layout"
    assert again.run("build", "minimal", "-o", str(folder)).code == 0
    archive = built[0].folder.parent / "image.tar"
    for source in (f"oci:{folder}", f"oci-archive:{archive}:small:minimal", f"docker-archive:{archive}:small:minimal"):
        target = again.folder.parent / "copied"
        done = subprocess.run(["skopeo", "copy", source, f"dir:{target}"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shutil.rmtree(target)


def test_a_file_or_a_folder_of_other_things_is_left_alone(again: Project) -> None:
    for name in ("file", "folder/photo.jpg", "image.tar.gz"):
        again.write({name: "precious"})
        seen = again.run("build", "minimal", "-o", name.partition("/")[0])
        assert seen.code == 2 and (again.folder / name).read_text() == "precious"


def test_the_lines_that_load_it_are_talk(again: Project) -> None:
    seen = build(again)
    assert seen.out.count("\n") == 1 and seen.out.startswith("sha256:")
    assert "docker load -i '" in seen.err and "skopeo copy oci-archive:" in seen.err
    assert build(again, "--quiet").err == ""


# The lock


def test_without_a_network_what_is_locked_and_kept_is_built(built: tuple[Project, str], again: Project) -> None:
    if subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network namespace can be made here")
    seen = build(again, before=NO_NETWORK)
    assert (seen.code, seen.out.strip()) == (0, built[1]), seen.err
    assert (again.folder / "basewright.lock").read_bytes() == (built[0].folder / "basewright.lock").read_bytes()
    anew = build(again, "--update-lock", before=NO_NETWORK)
    assert anew.code == 3 and "out of reach" in anew.err


def test_the_lock_pins_and_names_no_place(built: tuple[Project, str]) -> None:
    data = (built[0].folder / "basewright.lock").read_bytes()
    assert b"://" not in data and str(built[0].folder.parent).encode() not in data
    lock = read_lock(built[0].folder / "basewright.lock")
    assert set(lock.encoders) == {"deflate", "gzip", "installer"} and lock.bytecode == {"minimal": "compiled"}
    (python,) = lock.python.values()
    assert [each.name for each in python.requirements] == ["markupsafe"]
    assert all(file.first_seen for each in python.requirements for file in each.files)
    assert [each.name for each in python.build_requirements] == ["flit-core"]


def test_a_stale_part_is_resolved_again_and_no_other(again: Project) -> None:
    older = "1.9"  # what the mirror no longer says is kept all the same: only requirements were changed
    before = edit(again, lambda lock: msgspec.structs.replace(lock, encoders={**lock.encoders, "deflate": older}))
    again.write({"pyproject.toml": FILES["pyproject.toml"].replace('"markupsafe"', '"markupsafe", "iniconfig"')})
    seen = build(again)
    assert seen.code == 0, seen.err
    assert f"the lock was made with deflate {older}, this is" in seen.err
    lock = read_lock(again.folder / "basewright.lock")
    assert lock.debian == before.debian and lock.encoders["deflate"] != older
    assert [each.name for each in lock.python["."].requirements] == ["iniconfig", "markupsafe"]


def test_a_lock_that_was_tampered_with_is_refused(again: Project) -> None:
    lock = read_lock(again.folder / "basewright.lock")
    ((key, python),) = lock.python.items()
    (requirement,) = python.requirements

    def refused(**changes: object) -> Outcome:
        wrong = msgspec.structs.replace(requirement, **changes)
        parts = {key: msgspec.structs.replace(python, requirements=(wrong,))}
        edit(again, lambda _: msgspec.structs.replace(lock, python=parts))
        seen = build(again)
        assert seen.err.count("error:") == 1 and not (again.folder.parent / "out.tar").exists()
        return seen

    version = refused(version="0.1")
    assert version.code == 2 and "the lock's entry of markupsafe 0.1 is damaged" in version.err
    others = tuple(msgspec.structs.replace(file, sha256="0" * 64) for file in requirement.files)
    digest = refused(files=others)
    assert digest.code == 3 and "with the digest of the lock" in digest.err
    again.write({"basewright.lock": '{"version": 1, "encodres": {}}'})
    assert build(again).code == 2


# Exit codes


@pytest.mark.parametrize(
    ("candidate", "code", "said"),
    [
        ("unheard-of", 2, "basewright.toml has no candidate 'unheard-of'"),
        ("nothing", 2, "its base scratch has no Python interpreter"),
        ("lacking", 2, "there is no package no-such-package in trixie"),
        ("published", 3, "the registry of registry.invalid/python:3.13 could not be asked"),
    ],
)
def test_what_cannot_be_built_is_one_error(candidate: str, code: int, said: str, again: Project) -> None:
    before = again.files()
    seen = again.run("build", candidate, "-o", "out.tar")
    assert seen.code == code and seen.out == "" and said in seen.err and seen.err.count("error:") == 1
    assert again.files() == before


def test_a_base_out_of_reach_is_told_before_go_is_fetched(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", tmp_path / "cache")
    strategy = """
[service]
name = "served"
port = 8000

[[candidate]]
name = "published"
app = { go = "." }
base = "registry.invalid/base:1"
"""
    project.write(
        {
            "basewright.toml": strategy,
            "go.mod": "module example.com/served\n\ngo 1.24.13\n",
            "main.go": "package main\n\nfunc main() {}\n",
        }
    )
    seen = project.run("build", "published", "-o", "out.tar")
    assert seen.code == 3 and "registry.invalid/base:1 could not be asked" in seen.err
    assert "to download" not in seen.err and not list((tmp_path / "cache").rglob("*.zip"))
    assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file()) < 1e6


def test_an_archive_base_passes_on_how_it_is_run(tmp_path: Path) -> None:
    """Variables, user and stop signal; what runs is the application."""
    try:
        go = find_go(HostProcess())
    except OutOfReachError as error:
        pytest.skip(error.message)
    base = make_image(archive(member("etc/x", b"x")), architecture="amd64")
    base.config["config"] = {"Env": ["A=b"], "User": "7", "StopSignal": "SIGQUIT", "Entrypoint": ["/base"]}
    lay_out(tmp_path / "project" / "base", base.seal())
    strategy = f"""
[service]
name = "served"
port = 8000

[[candidate]]
name = "on-archive"
app = {{ go = "." }}
toolchain = "{go.version}"
base = {{ archive = "base" }}
"""
    project = Project(tmp_path / "project", tmp_path / "cache")
    project.write(
        {
            "basewright.toml": strategy,
            "go.mod": "module example.com/served\n\ngo 1.21\n",
            "main.go": "package main\n\nfunc main() {}\n",
        }
    )
    seen = project.run("build", "on-archive", "-o", str(tmp_path / "out.tar"), "--platform", "linux/amd64")
    assert seen.code == 0, seen.err
    run = _Archive(tmp_path / "out.tar").config["config"]
    assert (run["User"], run["StopSignal"], run["Entrypoint"]) == ("7", "SIGQUIT", ["/app/served"])
    assert "A=b" in run["Env"]


def test_a_requirement_without_a_wheel_names_all(again: Project) -> None:
    again.write({"pyproject.toml": FILES["pyproject.toml"].replace('"markupsafe"', '"docopt==0.6.2", "pywin32"')})
    seen = build(again)
    assert seen.code == 2 and "docopt 0.6.2 (a source archive only" in seen.err and "pywin32" in seen.err


def test_a_dockerfile_starts_from_what_is_published(again: Project) -> None:
    seen = again.run("dockerfile", "published")
    assert seen.code == 0 and seen.out.count("\nFROM registry.invalid/python:3.13") == 2
    assembled = again.run("dockerfile", "minimal")
    assert assembled.code == 2 and assembled.out == "" and "hint: basewright build minimal" in assembled.err
