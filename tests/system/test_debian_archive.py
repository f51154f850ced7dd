"""Debian's real archive: resolved as apt resolves, assembled, and run in a root written out. Needs a mirror."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from basewright._http import PooledHttp
from basewright.bases.debian.assembly import DebianRoot
from basewright.bases.debian.distribution import (
    assemble_debian,
    assembler_files,
    find_mirrors,
    library_packages,
    resolve_assembler_files,
    resolve_debian,
)
from basewright.bases.debian.index import Universe, fetch_universe
from basewright.bases.debian.release import fetch_suite
from basewright.bases.debian.resolution import resolve
from basewright.errors import OutOfReachError
from basewright.oci.tree import FileType, Tree
from basewright.strategy import DebianBase, Platform

NOW = datetime.now(UTC)
MINIMAL = ("python3.13-minimal", "libpython3.13-stdlib", "ca-certificates", "tzdata")
WITH_APT = (
    "base-files", "base-passwd", "bash", "dash", "coreutils", "dpkg", "apt", "debianutils", "diffutils", "findutils",
    "grep", "gzip", "hostname", "libc-bin", "login", "mawk", "perl-base", "sed", "tar", "util-linux", "python3",
)  # fmt: skip
SETS = (
    "python3.13-minimal libpython3.13-stdlib ca-certificates tzdata",
    "apt dpkg bash coreutils curl git openssh-client",
    "php-fpm php-pgsql mariadb-server exim4",
    "nodejs npm default-jre-headless",
)
"""More were compared by hand; a simulation by apt takes five seconds."""
SCRIPT = """
import ssl, sqlite3, zoneinfo, lzma, bz2, ctypes, pwd, socket, readline, uuid
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert pwd.getpwuid(65532).pw_dir == "/home/nonroot"
assert socket.gethostbyname("localhost") == "127.0.0.1"
print(zoneinfo.ZoneInfo("Europe/Berlin").key, len(zoneinfo.available_timezones()) > 400)
"""
PLAIN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Not this machine's: variables such as SSL_CERT_FILE would hide what an image lacks."""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def http() -> PooledHttp:
    return PooledHttp()


@pytest.fixture(scope="module")
def trixie(cache: Path, http: PooledHttp) -> Iterator[Universe]:
    mirrors = find_mirrors()
    try:
        releases = fetch_suite("trixie", mirrors.main, mirrors.security, http=http, now=NOW)
    except OutOfReachError as error:
        pytest.skip(error.message)
    yield fetch_universe(releases, Platform.LINUX_AMD64, http=http, cache=cache, progress=say)


def say(text: str) -> None:
    """Nobody listens."""


def write_out(tree: Tree, root: Path) -> None:
    links = []
    for entry in tree:
        path = root / entry.path
        match entry.type:
            case FileType.DIRECTORY:
                path.mkdir(exist_ok=True)
            case FileType.SYMLINK:
                path.symlink_to(entry.link)
                continue
            case FileType.HARDLINK:
                links.append(entry)
                continue
            case _:
                path.write_bytes(entry.data or b"")
        path.chmod(entry.mode)
    for entry in links:
        (root / entry.path).hardlink_to(root / entry.link)


def write_base(packages: tuple[str, ...], folder: Path, cache: Path, http: PooledHttp) -> DebianRoot:
    """Trixie with these packages, assembled for this machine."""
    if os.uname().machine != "x86_64":
        pytest.skip("for amd64 only")
    base, platform = DebianBase(debian="trixie", packages=packages), Platform.LINUX_AMD64
    locked = resolve_debian(base, platform, http=http, cache=cache, now=NOW, progress=say)
    root = assemble_debian(locked, platform, mirrors=find_mirrors(base), http=http, cache=cache, progress=say)
    write_out(root.tree, folder)
    return root


def run_in(root: Path, *command: str) -> str:
    done = subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, check=False, env=PLAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("platform", list(Platform))
def test_a_minimal_python_is_assembled_in_seconds(platform: Platform, cache: Path, http: PooledHttp) -> None:
    base = DebianBase(debian="trixie", packages=MINIMAL)
    started = time.monotonic()
    locked = resolve_debian(base, platform, http=http, cache=cache / "cold", now=NOW, progress=say)
    options = find_mirrors(base)
    root = assemble_debian(locked, platform, mirrors=options, http=http, cache=cache / "cold", progress=say)
    cold = time.monotonic() - started
    assert cold < 30
    assert root.runtime.libc_version == "2.41" and root.runtime.distribution_version == "13"
    assert (root.runtime.python_version or "").startswith("3.13.")
    assert root.cadence.change_dates and root.cadence.change_dates[0] > datetime(2025, 8, 9).date()


@AS_ROOT
def test_a_minimal_python_runs(cache: Path, http: PooledHttp, tmp_path: Path) -> None:
    write_base(MINIMAL, tmp_path, cache, http)
    assert run_in(tmp_path, "/usr/bin/python", "-c", SCRIPT) == "Europe/Berlin True\n"


@AS_ROOT
def test_a_root_with_apt_has_a_database_that_dpkg_accepts(cache: Path, http: PooledHttp, tmp_path: Path) -> None:
    root = write_base(WITH_APT, tmp_path, cache, http)
    assert run_in(tmp_path, "/usr/bin/dpkg", "--audit") == ""
    assert run_in(tmp_path, "/bin/sh", "-c", "apt-get check && awk 'BEGIN{print 42}' && which ls").endswith(
        "42\n/usr/bin/ls\n"
    )
    listed = run_in(tmp_path, "/usr/bin/dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n").splitlines()
    assert listed == [f"{name} ii " for name in sorted(root.packages)]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not on this machine")
def test_apt_resolves_the_same_packages(trixie: Universe, tmp_path: Path) -> None:
    env = {**os.environ, "LC_ALL": "C", "APT_CONFIG": str(_apt(tmp_path))}
    updated = subprocess.run(["apt-get", "update"], env=env, capture_output=True, text=True, check=False)
    assert updated.returncode == 0, updated.stderr
    for each in SETS:
        names = each.split()
        done = subprocess.run(
            ["apt-get", "-s", "install", *names], env=env, capture_output=True, text=True, check=False
        )
        theirs = set(re.findall(r"^Inst (\S+) \((\S+) ", done.stdout, re.MULTILINE))
        ours = {(package.name, package.version) for package in resolve(trixie, names, scripts_too=True).packages}
        assert theirs == ours, each


def _apt(directory: Path) -> Path:
    """A configuration for an apt that knows an empty trixie and nothing of the host."""
    for name in ("lists/partial", "cache/archives/partial", "state", "etc"):
        (directory / name).mkdir(parents=True)
    (directory / "status").write_bytes(b"")
    mirrors = find_mirrors()
    main, security = mirrors.main[0].url, mirrors.security[0].url
    keyring = Path(__file__).parents[2] / "src/basewright/bases/keys/debian-archive-keyring.asc"
    (directory / "sources.list").write_text(
        f"deb [signed-by={keyring}] {main} trixie main\ndeb [signed-by={keyring}] {main} trixie-updates main\n"
        f"deb [signed-by={keyring}] {security} trixie-security main\n"
    )
    path = directory / "apt.conf"
    path.write_text(
        f'Dir::Etc "{directory}/etc"; Dir::Etc::sourcelist "{directory}/sources.list"; Dir::Etc::sourceparts "/none";\n'
        f'Dir::State "{directory}/state"; Dir::State::status "{directory}/status";\n'
        f'Dir::State::lists "{directory}/lists";\n'
        f'Dir::Cache "{directory}/cache"; APT::Install-Recommends "false"; APT::Architecture "amd64";\n'
        'APT::Architectures { "amd64"; }; APT::Sandbox::User "root";\n'
    )
    return path


def test_single_files_and_library_names(cache: Path, http: PooledHttp) -> None:
    platform, mirrors = Platform.LINUX_AMD64, find_mirrors()
    names = ("ca-certificates", "tzdata")
    locked = resolve_assembler_files(names, platform, http=http, cache=cache, now=NOW, progress=say)
    tree = assembler_files(locked, mirrors=mirrors, http=http, cache=cache, progress=say)
    assert tree.find("etc/ssl/certs/ca-certificates.crt") and tree.find("usr/share/zoneinfo/Europe/Berlin")
    wanted = {
        "libpq.so.5": "libpq5",
        "libGL.so.1": "libgl1",
        "libxml2.so.2": "libxml2",
        "libmagic.so.1": "libmagic1t64",
    }
    found = library_packages(wanted, "trixie", platform, http=http, cache=cache, now=NOW, progress=say)
    assert found == wanted
