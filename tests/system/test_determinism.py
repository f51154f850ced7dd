"""A layer has one digest: on every processor, for every user, in every folder, at every hour."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

import basewright
from basewright._http import PooledHttp
from basewright.bases.debian.distribution import assemble_debian, find_mirrors, resolve_debian
from basewright.errors import OutOfReachError
from basewright.runner.root import write_tree
from basewright.strategy import DebianBase, Platform

SCRIPT = '''
"""Writes a layer of text, code, noise and zeros that spans several gzip members; prints digest and diff id."""
import concurrent.futures.thread, hashlib, os, sys
from pathlib import Path
import deflate
from basewright.oci.blob import BlobStore
from basewright.oci.layer import write_layer
from basewright.oci.tree import Entry, FileType, Tree, directory, file, symlink

def noise(name, count):
    return b"".join(hashlib.sha256(b"%s%d" % (name, number)).digest() for number in range(count))

WORDS = [hashlib.sha256(b"%d" % number).hexdigest()[:7].encode() for number in range(977)]

def words(count):
    return b" ".join(WORDS[number * number % 977] for number in range(count))

target, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid:
    os.setgid(uid)
    os.setuid(uid)
tree = Tree()
tree.add(file("usr/lib/noise", noise(b"a", 8_000)))
tree.add(file("usr/share/words", words(150_000)))
tree.add(file("usr/bin/code", Path(__file__).read_bytes() * 100 + bytes(8_000_000), mode=0o755, uid=7, gid=70_000))
tree.add(directory("tmp", mode=0o1777))
tree.add(symlink("bin", "usr/bin"))
tree.add(file("na\\u00efve", b"x"))
tree.add(Entry(path="hard", type=FileType.HARDLINK, mode=0o755, link="usr/bin/code"))
for number in range(100):
    tree.add(file(f"etc/conf.d/{number}", words(number)))
layer = write_layer(BlobStore(target), tree, created_by="x")
print(layer.digest, layer.diff_id, flush=True)
'''


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "write.py"
    path.write_text(SCRIPT)
    path.parent.chmod(0o755)
    return path


def written(argv: Sequence[object], *, env: Mapping[str, str] = {}, cwd: Path | None = None, umask: int = -1) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "SOURCE_DATE"))}
    done = subprocess.run(
        [str(word) for word in argv],
        capture_output=True,
        check=False,
        timeout=300,
        cwd=cwd,
        env={**clean, **env},
        umask=umask,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def here(script: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What this machine writes."""
    return written([sys.executable, script, tmp_path_factory.mktemp("here"), 0])


@pytest.mark.parametrize(
    ("umask", "env"),
    [
        (0o000, {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
        (0o077, {"TZ": "America/Los_Angeles", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}),
    ],
)
def test_mask_hour_language_and_folder_leave_no_trace(
    here: str, script: Path, tmp_path: Path, umask: int, env: Mapping[str, str]
) -> None:
    time.sleep(1.1)  # a second, which gzip and tar could note
    assert written([sys.executable, script, "relative", 0], env=env, cwd=tmp_path, umask=umask) == here


def test_the_user_leaves_no_trace(here: str, script: Path, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can become another user")
    os.chown(tmp_path, 65534, 65534)
    for above in (tmp_path.parent, tmp_path.parent.parent):
        above.chmod(0o711)
    assert written([sys.executable, script, tmp_path, 65534]) == here


# Other processors


def emulator(name: str) -> str:
    path = shutil.which(name) or shutil.which(f"{name}-static")
    if path is None:
        pytest.skip(f"{name} (Debian's qemu-user) is not installed")
    return path


@pytest.mark.parametrize("model", ["Nehalem", "max"])
def test_an_older_processor_writes_the_same(here: str, script: Path, tmp_path: Path, model: str) -> None:
    """Nehalem has neither AVX nor BMI; `max` has what the emulator knows."""
    if os.uname().machine != "x86_64":
        pytest.skip("this machine is no x86_64")
    assert written([emulator("qemu-x86_64"), "-cpu", model, sys.executable, script, tmp_path, 0]) == here


def test_an_arm_processor_writes_the_same(here: str, script: Path, tmp_path: Path) -> None:
    """With Debian's own python3.13 for arm64, and the arm64 wheels of the versions that are installed here."""
    program, root, packages = emulator("qemu-aarch64"), tmp_path / "root", tmp_path / "packages"
    packages.mkdir()
    unpack_python(root, tmp_path / "cache")
    for name in ("deflate", "msgspec"):
        unpack_wheel(name, packages, tmp_path / "wheels")
    shutil.copytree(Path(basewright.__file__).parent, packages / "basewright", ignore=lambda *_: ["__pycache__"])
    env = {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [program, "-L", root, root / "usr" / "bin" / "python3.13", script, tmp_path / "out", 0]
    assert written(argv, env=env) == here


def quietly(text: str) -> None:
    """Nobody listens."""


def unpack_python(root: Path, cache: Path) -> None:
    http, base = PooledHttp(), DebianBase(debian="trixie", packages=("python3.13-minimal", "libpython3.13-stdlib"))
    platform, now = Platform.LINUX_ARM64, datetime.now(UTC)
    try:
        locked = resolve_debian(base, platform, http=http, cache=cache, now=now, progress=quietly)
        found = assemble_debian(locked, platform, mirrors=find_mirrors(base), http=http, cache=cache, progress=quietly)
    except OutOfReachError as error:
        pytest.skip(error.message)
    write_tree(found.tree, root)


def unpack_wheel(name: str, target: Path, wheels: Path) -> None:
    version = importlib.metadata.version(name)
    wanted = ["--platform", "manylinux2014_aarch64", "--python-version", "3.13", "--only-binary", ":all:", "--no-deps"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(wheels)]
    done = subprocess.run([*pip, *wanted, f"{name}=={version}"], capture_output=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip(f"no arm64 wheel of {name} {version}: {done.stderr.decode()[-200:]}")
    (path,) = wheels.glob(f"{name}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(target)
