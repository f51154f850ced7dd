"""Bytecode of an assembled base's own standard library, made before its layer is written."""

from basewright.apps.bytecode import CachedBytecode
from basewright.oci.tree import Tree, file

_LIBRARIES = ("usr/lib/python3", "usr/local/lib/python3")


def compile_standard_library(tree: Tree, compiler: CachedBytecode) -> int:
    """Adds the `.pyc` of every module below the interpreter's library; returns how many there are now."""
    sources = {
        entry.path: entry.data
        for entry in tree
        if entry.is_file and entry.path.endswith(".py") and entry.path.startswith(_LIBRARIES) and entry.data is not None
    }
    compiled = compiler(sources)
    for path, data in compiled.items():
        tree.add(file(path, data))
    return len(compiled)
