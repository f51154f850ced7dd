"""Runtimes that were put into a root filesystem without a package manager, told by their program and what lies with it.

A program alone proves nothing of the folders around it: each rule names the two things that must be there.
"""

import posixpath
import re
from collections.abc import Iterator

import msgspec

from basewright.oci.tree import Tree


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Where `program` lies below a prefix and `proof` with it, what matches `owned` below the prefix is the runtime's.
    `{v}` stands for the program's version. A runtime with a `home` has a folder for itself."""

    program: str
    proof: str
    owned: str
    home: bool = False


_RULES = (
    _Rule(
        program=r"bin/python(?P<v>3\.\d+t?)",
        proof="lib/python{v}/os.py",
        owned=r"bin/(?:python|pydoc|pip|idle|2to3)[0-9.]*t?(?:-config)?|lib/libpython3[^/]*"
        r"|lib/python{v}/(?!(?:site|dist)-packages/).*|include/python{v}/.*"
        r"|lib/pkgconfig/python[^/]*|share/man/man1/python3[^/]*",
    ),
    _Rule(
        program=r"bin/node",
        proof="include/node/node.h",
        owned=r"bin/node|include/node/.*|lib/node_modules/(?:npm|corepack)/.*|share/(?:doc|man)/(?:.*/)?node[./].*"
        r"|share/systemtap/tapset/node\.stp|(?:CHANGELOG|README)\.md|LICENSE",
    ),
    _Rule(
        program=r"bin/ruby", proof="lib/ruby", owned=r"bin/ruby|lib/ruby/(?!gems/).*|lib/libruby[^/]*|include/ruby-.*"
    ),
    _Rule(program=r"bin/php", proof="lib/php", owned=r"s?bin/php[^/]*|bin/phpize|lib/php/.*|include/php/.*|php/.*"),
    _Rule(program=r"bin/go", proof="pkg/include", owned=r".*", home=True),
    _Rule(program=r"bin/java", proof="release", owned=r".*", home=True),
    _Rule(program=r"dotnet", proof="shared/Microsoft.NETCore.App", owned=r"dotnet|(?:shared|host|sdk)/.*"),
)
_SHARED = ("", "usr/", "usr/local/", "opt/")
_NAMES = ("node", "ruby", "php", "go", "java", "dotnet")

_PACKAGES = (
    r"(?:lib)?python3(?:\.\d+)?(?:-(?:minimal|stdlib|venv|dev|pyc|pycache-pyc[0-2]|dbg|nopie|gdbm|distutils|lib2to3))?"
    r"|(?:lib)?pypy3[^/]*|(?:lib)?node(?:js)?(?:\d+)?(?:-(?:dev|doc|current|libs))?"
    r"|(?:lib)?ruby(?:\d[\d.]*)?(?:-libs)?|php[\d.]*(?:-(?:cli|common|fpm))?|openjdk\d*-.*|dotnet-(?:runtime|host)[^/]*"
    r"|golang(?:-[\d.]+)?(?:-(?:go|src))?|go"
)


def is_interpreter_package(name: str) -> bool:
    """Whether a distribution's package of this name is a language's runtime, not a library written in it."""
    return re.fullmatch(_PACKAGES, name) is not None


def runtime_patterns(tree: Tree, programs: Iterator[str]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """For every runtime among `programs` (paths of executables): its prefix (empty, or ending in `/`), and what of the
    paths below that is its own."""
    for path in programs:
        name = posixpath.basename(path)
        if name not in _NAMES and not name.startswith("python3."):
            continue
        for rule in _RULES:
            match = re.fullmatch(rf"(?P<prefix>(?:.*/)?){rule.program}", path)
            if match is None or (rule.home and match["prefix"] in _SHARED):
                continue
            version = match.groupdict().get("v") or ""
            if match["prefix"] + rule.proof.replace("{v}", version) in tree:
                yield match["prefix"], re.compile(rule.owned.replace("{v}", re.escape(version)), re.DOTALL)
