"""What a root filesystem is, told from its files: distribution, libc, interpreter, packages, owners of bytes."""

import re
from collections.abc import Iterable, Mapping

from basewright.ecosystems.apk import read_apk_installed
from basewright.ecosystems.dpkg import read_installed
from basewright.facts import RuntimeFacts
from basewright.oci.tree import Tree

_GLIBC = re.compile(rb"GNU C Library [^\n]{0,100}version (\d+\.\d+)")
_MUSL = re.compile(rb"\0(1\.\d+\.\d+)\0")
_RUNTIME = re.compile(
    r"usr/(?:local/)?bin/(?:python|pydoc|pip|idle|2to3)[0-9.]*(?:-config)?"
    r"|usr/(?:local/)?lib/(?:[^/]+/)?(?:libpython3[^/]*|python3(?:\.\d+)?(?:/.*)?|pkgconfig/python[^/]*)"
    r"|usr/(?:local/)?include/(?:[^/]+/)?python3.*"
    r"|usr/share/python[^/]*(?:/.*)?"
)
_INTERPRETERS = ("usr/local/bin/python3", "usr/bin/python3", "opt/venv/bin/python3", "bin/python3")


def is_runtime_path(path: str) -> bool:
    """Whether a path of a base belongs to its Python interpreter."""
    return _RUNTIME.fullmatch(path) is not None


def runtime_of(tree: Tree, env: Iterable[str] = ()) -> RuntimeFacts:
    """The facts that an application needs; None in a field where the files do not tell."""
    release, packages = os_release(tree), installed_packages(tree)
    libc, libc_version = _libc(tree, packages)
    interpreter, version = _python(tree, dict(each.split("=", 1) for each in env if "=" in each), packages)
    return RuntimeFacts(
        libc=libc,
        libc_version=libc_version,
        interpreter=interpreter,
        python_version=version,
        distribution=release.get("ID"),
        distribution_version=release.get("VERSION_ID"),
    )


def os_release(tree: Tree) -> dict[str, str]:
    """The fields of os-release; empty where there is none."""
    data = _data(tree, "etc/os-release") or _data(tree, "usr/lib/os-release")
    fields = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and key.isidentifier():
            fields[key] = value.strip().strip("\"'")
    return fields


def installed_packages(tree: Tree) -> dict[str, str]:
    """Distribution packages by name with their versions, from dpkg's or apk's database."""
    packages = {package.name: package.version for package in read_installed(tree)}
    packages.update((package.name, package.version) for package in read_apk_installed(tree))
    return packages


def _data(tree: Tree, path: str) -> bytes:
    entry = tree.find(path)
    return (entry.data or b"") if entry is not None else b""


def _libc(tree: Tree, packages: Mapping[str, str]) -> tuple[str | None, str | None]:
    for entry in tree:
        name = entry.path.rpartition("/")[2]
        if name == "libc.so.6" and (found := tree.find(entry.path)) is not None:
            match = _GLIBC.search(found.data or b"")
            return "glibc", match[1].decode() if match else _glibc_of_packages(packages)
        if name.startswith("ld-musl-") and name.endswith(".so.1"):
            version = packages.get("musl", "").partition("-")[0]
            if version:
                return "musl", version
            match = _MUSL.search(entry.data or b"")
            return "musl", match[1].decode() if match else None
    return None, None


def _glibc_of_packages(packages: Mapping[str, str]) -> str | None:
    match = re.match(r"(\d+\.\d+)", packages.get("libc6", ""))
    return match[1] if match else None


def _python(tree: Tree, env: Mapping[str, str], packages: Mapping[str, str]) -> tuple[str | None, str | None]:
    for path in _INTERPRETERS:
        resolved = tree.resolve(path)
        if resolved is None:
            continue
        match = re.search(r"python(3\.\d+)$", resolved)
        if match is None:
            continue
        return f"/{path}", _python_version(tree, match[1], env, packages)
    return None, None


def _python_version(tree: Tree, minor: str, env: Mapping[str, str], packages: Mapping[str, str]) -> str:
    """The full version where something tells it, else the minor one."""
    stated = env.get("PYTHON_VERSION", "")
    if stated.startswith(f"{minor}."):
        return stated
    for name in (f"python{minor}-minimal", f"python{minor}", f"libpython{minor}-minimal", "python3"):
        match = re.match(r"(\d+\.\d+\.\d+)", packages.get(name, ""))
        if match and match[1].startswith(f"{minor}."):
            return match[1]
    for prefix in ("usr/local", "usr"):
        header = _data(tree, f"{prefix}/include/python{minor}/patchlevel.h")
        match_bytes = re.search(rb'PY_VERSION\s+"([0-9.]+)', header)
        if match_bytes:
            return match_bytes[1].decode()
    return minor
