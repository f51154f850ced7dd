"""Posture checks of an image, from its bytes and its run, never from history strings.

CIS ids are sections of the CIS Docker Benchmark 1.6, chapter 4 (container images and build files).
"""

import re
from collections.abc import Iterable

from basewright.facts import NotMeasured, PostureCheck, PostureFacts, RunFacts, Severity
from basewright.oci.tree import Entry, FileType, Tree

_MAX_FOUND = 20
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "rbash", "busybox", "toybox"}
_PACKAGE_MANAGERS = {
    "apt", "apt-get", "aptitude", "dpkg", "apk", "yum", "dnf", "microdnf", "rpm", "zypper", "pacman", "opkg",
    "pip", "pip3", "uv", "npm", "npx", "yarn", "pnpm", "gem", "conda", "brew",
}  # fmt: skip
_COMPILERS = {
    "gcc", "g++", "cc", "c++", "clang", "clang++", "tcc", "as", "ld", "make", "cmake", "go", "rustc", "cargo",
    "javac", "ghc", "gfortran", "cpp",
}  # fmt: skip
_VERSIONED = re.compile(r"^(?:[a-z0-9_]+-(?:linux|alpine)-[a-z0-9]+-)?(?P<name>[a-z+]+?)(?:-?\d[\d.]*)?$")
_PROGRAM_FOLDERS = ("bin/", "sbin/", "usr/bin/", "usr/sbin/", "usr/local/bin/", "usr/local/sbin/", "opt/")
_ROOT_NAMES = {"", "0", "root"}
_STICKY = 0o1000


def posture_facts(tree: Tree, *, user: str, run: RunFacts | NotMeasured) -> PostureFacts:
    """All first checks of the final `tree` of an image that runs as `user` (its config's words)."""
    programs = _programs(tree)
    setuid = [entry for entry in tree if entry.is_file and entry.mode & 0o6000]
    capable = [entry for entry in tree if entry.is_file and entry.capabilities]
    writable = [entry for entry in tree if _world_writable(entry)]
    effective = _effective_uid(tree, user)
    return PostureFacts(
        checks=(
            _check(
                "root-user",
                "Runs as a user that is not root",
                Severity.HIGH,
                "4.1",
                [f"User {user!r}"] * (effective == 0),
            ),
            _check("setuid", "No setuid or setgid files", Severity.MEDIUM, "4.8", _paths(setuid)),
            _check("file-capabilities", "No file capabilities", Severity.MEDIUM, "4.8", _paths(capable)),
            _check("world-writable", "No world-writable paths", Severity.MEDIUM, None, _paths(writable)),
            _check("shell", "No shell", Severity.MEDIUM, "4.3", _named(programs, _SHELLS)),
            _check(
                "package-manager", "No package manager", Severity.MEDIUM, "4.3", _named(programs, _PACKAGE_MANAGERS)
            ),
            _check("compiler", "No compiler or build tool", Severity.HIGH, "4.3", _named(programs, _COMPILERS)),
            _read_only_root(run),
        )
    )


def _check(identifier: str, title: str, severity: Severity, cis: str | None, found: list[str]) -> PostureCheck:
    return PostureCheck(
        id=identifier,
        title=title,
        severity=severity,
        cis=cis,
        passed=not found,
        found=tuple(found[:_MAX_FOUND]),
        count=len(found),
    )


def _read_only_root(run: RunFacts | NotMeasured) -> PostureCheck:
    """CIS 5.12 asks for it at run time; only a run proves that the image bears it."""
    identifier, title = "read-only-root", "Works on a read-only root filesystem"
    if isinstance(run, NotMeasured):
        return PostureCheck(id=identifier, title=title, severity=Severity.MEDIUM, passed=None, reason=run.reason)
    return PostureCheck(
        id=identifier,
        title=title,
        severity=Severity.MEDIUM,
        passed=run.read_only_root,
        found=run.writable_paths[:_MAX_FOUND],
        count=len(run.writable_paths),
    )


def _paths(entries: Iterable[Entry]) -> list[str]:
    return [f"/{entry.path}" for entry in entries]


def _programs(tree: Tree) -> dict[str, str]:
    """Path → what it is called, for every executable name that leads to a file."""
    programs: dict[str, str] = {}
    for entry in tree:
        if entry.is_directory or not entry.path.startswith(_PROGRAM_FOLDERS):
            continue
        target = tree.find(entry.path)
        if target is None or not target.is_file or not target.mode & 0o111:
            continue
        programs[entry.path] = entry.path.rpartition("/")[2]
    return programs


def _named(programs: dict[str, str], names: set[str]) -> list[str]:
    found = []
    for path, name in programs.items():
        match = _VERSIONED.match(name)
        if name in names or (match is not None and match["name"] in names):
            found.append(f"/{path}")
    return sorted(found)


def _world_writable(entry: Entry) -> bool:
    """Anyone may write it; a directory with the sticky bit, such as /tmp, is as it should be."""
    if not entry.mode & 0o002 or entry.type in (FileType.SYMLINK, FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE):
        return False
    return not (entry.is_directory and entry.mode & _STICKY)


def _effective_uid(tree: Tree, user: str) -> int | None:
    """The uid that `USER` stands for: empty is root, a name is looked up in the image."""
    name = user.partition(":")[0]
    if name in _ROOT_NAMES:
        return 0
    if name.isdigit():
        return int(name)
    passwd = tree.find("etc/passwd")
    for line in ((passwd.data if passwd else None) or b"").decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) > 3 and fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    return None
