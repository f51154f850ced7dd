"""An application as layers over a base, and what is known of its requirements."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from basewright.facts import PackageFacts, RuntimeFacts
from basewright.oci.tree import Tree
from basewright.strategy import Platform

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH where an image says nothing else."""


class BytecodeCompiler(Protocol):
    """Compiles sources with the interpreter of the image that they are for (or its like)."""

    def __call__(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        """Path in the image of a `.py` file → its source, to path of the `.pyc` → its bytes; every source is answered
        or, where it is not valid Python (templates, tests of syntax), left out. Raises OutOfReachError."""
        ...


class AppTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What an application is built for: the base's facts, and the files of the base that it may need to look at."""

    platform: Platform
    runtime: RuntimeFacts
    base_tree: Tree | None
    """None where the base's bytes are out of reach."""
    compile_bytecode: BytecodeCompiler | None
    """None: bytecode is not part of the image."""


class AppLayers(msgspec.Struct, frozen=True, kw_only=True):
    """What an application adds. Trees are not yet layers: the assembler writes them, dependencies first."""

    dependencies: Tree
    application: Tree
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    working_directory: str
    env: dict[str, str]
    packages: PackageFacts
    notes: tuple[str, ...] = ()
