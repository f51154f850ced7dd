"""Whether a Go source takes part in a build for linux: its name and its `//go:build` line.

https://pkg.go.dev/cmd/go#hdr-Build_constraints
"""

import re

# fmt: off
_OTHER_SYSTEMS = frozenset((
    "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "nacl", "netbsd", "openbsd",
    "plan9", "solaris", "wasip1", "windows", "zos",
))
_ARCHITECTURES = frozenset((
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x", "sparc64", "wasm",
))
# fmt: on
_TOKEN = re.compile(r"\s*(\|\||&&|!|\(|\)|[\w.]+)")
_MAX_DEPTH = 100


def builds_on(name: str, text: str, architecture: str, *, cgo: bool = False) -> bool:
    """Whether the file `name` with the source `text` is built for linux on `architecture`. A constraint that cannot be
    understood counts as met: `go` itself will say so."""
    words = name.removesuffix(".go").split("_")[1:][-2:]
    if any(word in _OTHER_SYSTEMS for word in words[-1:]):
        return False
    if (
        words
        and words[-1] in _ARCHITECTURES
        and (words[-1] != architecture or any(word in _OTHER_SYSTEMS for word in words[:-1]))
    ):
        return False
    line = re.search(r"^//go:build\s+(.+)$", ("\n" + text).partition("\npackage ")[0], re.MULTILINE)
    if line is None:
        return True
    try:
        return _Expression(line[1], {"linux", "unix", "gc", architecture} | ({"cgo"} if cgo else set())).value()
    except (ValueError, IndexError):
        return True


class _Expression:
    """A recursive descent over `||`, `&&`, `!` and parentheses."""

    def __init__(self, text: str, tags: set[str]) -> None:
        self._tokens = _TOKEN.findall(text.partition("//")[0])
        self._tags = tags
        self._at = 0
        self._depth = 0

    def value(self) -> bool:
        result = self._either()
        if self._at != len(self._tokens):
            raise ValueError("words are left over")
        return result

    def _either(self) -> bool:
        result = self._both()
        while self._peek() == "||":
            self._at += 1
            right = self._both()
            result = result or right
        return result

    def _both(self) -> bool:
        result = self._single()
        while self._peek() == "&&":
            self._at += 1
            right = self._single()
            result = result and right
        return result

    def _single(self) -> bool:
        token = self._tokens[self._at]
        self._at += 1
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        try:
            if token == "!":
                return not self._single()
            if token == "(":
                result = self._either()
                if self._tokens[self._at] != ")":
                    raise ValueError("a parenthesis is left open")
                self._at += 1
                return result
            return token in self._tags or re.fullmatch(r"go1\.\d+", token) is not None
        finally:
            self._depth -= 1

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""
