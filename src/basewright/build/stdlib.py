"""Bytecode of an assembled base's own standard library, made before its layer is written."""

from basewright.apps.bytecode import CachedBytecode
from basewright.oci.tree import Tree, file

_LIBRARIES = ("usr/lib/python3", "usr/local/lib/python3")


def compile_standard_library(tree: Tree, compiler: CachedBytecode) -> int:
    """Adds the `.pyc` of every module below the interpreter's library; returns how many there are now."""
    sources = {}
    for entry in tree:
        if not entry.is_directory and entry.path.endswith(".py") and entry.path.startswith(_LIBRARIES):
            found = tree.find(entry.path)  # sitecustomize, which every start imports, is a link in Debian's packages
            if found is not None and found.data is not None:
                sources[entry.path] = found.data
    compiled = compiler(sources)
    for path, data in compiled.items():
        tree.add(file(path, data))
    return len(compiled)
