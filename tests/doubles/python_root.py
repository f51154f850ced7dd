"""A root filesystem made of this machine's own Python: its interpreter, libraries and standard library, no shell."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from basewright.oci.tree import Entry, Tree, file, symlink

_LEFT_OUT = {"test", "tests", "idlelib", "site-packages", "dist-packages", "__pycache__", "ensurepip", "lib2to3"}
INTERPRETER = os.path.realpath(sys.executable)


@cache
def python_entries() -> tuple[Entry, ...]:
    """The same paths as on this machine, so that the interpreter finds its library; links of the root are kept."""
    tree = Tree()
    for name in ("bin", "lib", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            tree.add(symlink(name, str(path.readlink())))
    _add(tree, INTERPRETER, mode=0o755)
    for library in _libraries():
        _add(tree, library, mode=0o755)
    standard_library = Path(os.path.realpath(os.__file__)).parent
    for folder, names, files in os.walk(standard_library):
        names[:] = [name for name in names if name not in _LEFT_OUT and not name.startswith("config-")]
        for name in files:
            if name.endswith((".py", ".so")):
                _add(tree, f"{folder}/{name}", mode=0o644)
    return tuple(tree)


def _add(tree: Tree, path: str, *, mode: int) -> None:
    parent, _, name = path.rpartition("/")
    tree.add(file(f"{os.path.realpath(parent)}/{name}", Path(path).read_bytes(), mode=mode))


def _libraries() -> set[str]:
    """Shared objects that a Python process has mapped, and the path of the loader that its header names."""
    code = "import http.server, json, ctypes, socketserver, ssl; print(open('/proc/self/maps').read())"
    maps = subprocess.run([INTERPRETER, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    found = {line.split()[5] for line in maps.splitlines() if len(line.split()) == 6 and ".so" in line}
    names = {os.path.realpath(path): Path(path).name for path in found}
    paths: set[str] = set(found)
    header = Path(INTERPRETER).read_bytes()[:4096]
    start = header.find(b"/lib")
    if start >= 0:
        paths.add(header[start : header.index(b"\0", start)].decode())
    # A library is looked for by its soname, which may be a link to the file that is mapped.
    for path in names:
        for other in Path(path).parent.glob(Path(path).name.split(".so")[0] + ".so.*"):
            if os.path.realpath(other) == path:
                paths.add(str(other))
    return paths
