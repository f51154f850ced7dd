"""Dockerfile instructions from values that others wrote: quoted, so that none of them can become an instruction.

https://docs.docker.com/reference/dockerfile/#parser-directives and #environment-replacement
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence

from basewright.errors import InputError

_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/@+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def copy(sources: Sequence[str], target: str, *, stage: str = "") -> str:
    """COPY; paths with spaces and the like in the JSON form, patterns and variables in them made literal."""
    for path in (*sources, target):
        if _CONTROL.search(path) or "\\" in path:
            raise InputError(
                f"the path {path!r} cannot stand in a Dockerfile",
                hint="rename it: no control characters or backslashes",
            )
    flag = f"--from={stage} " if stage else ""
    if all(_PLAIN_PATH.fullmatch(path) for path in (*sources, target)):
        return f"COPY {flag}{' '.join((*sources, target))}"
    words = [*(_literal(path, pattern=not stage) for path in sources), _literal(target, pattern=False)]
    return f"COPY {flag}{json.dumps(words, ensure_ascii=False)}"


def _literal(path: str, *, pattern: bool) -> str:
    """A path in which nothing is a variable, and where sources of the context are meant, nothing is a pattern."""
    if pattern:
        path = re.sub(r"([*?\[])", r"[\1]", path)
    return path.replace("$", "\\$")


def env(variables: Mapping[str, str], *, extending: Sequence[str] = ()) -> str:
    """ENV, one variable a line. Values of the names in `extending` may use `$`; all others are literal."""
    pairs = []
    for name, value in variables.items():
        if _CONTROL.search(value.replace("\t", " ")):
            raise InputError(
                f"the variable {name} holds a line break or control character, which no Dockerfile can",
                hint="set it where the container is started",
            )
        # A backslash goes outside the quotes: hadolint takes the end of `"\\\\"` for an escaped quote.
        literal = '"\\\\"'.join(part.replace('"', '\\"') for part in value.split("\\"))
        if name not in extending:
            literal = literal.replace("$", "\\$")
        pairs.append(f"{name}={value}" if re.fullmatch(r"[A-Za-z0-9._/:$@+-]+", literal) else f'{name}="{literal}"')
    return "ENV " + " \\\n    ".join(pairs)


def exec_form(instruction: str, words: Sequence[str]) -> str:
    """ENTRYPOINT or CMD without a shell: JSON, in which Docker replaces no variables."""
    return f"{instruction} {_json(words)}"


def shell_word(word: str) -> str:
    """One word of a RUN line."""
    if _CONTROL.search(word):
        raise InputError(f"{word!r} cannot stand in a Dockerfile", hint="rename it: no control characters")
    return shlex.quote(word)


def run(*commands: str, mounts: Sequence[str] = ()) -> str:
    """RUN: cache mounts, then commands that each need the one before."""
    head = [f"--mount=type=cache,target={target}" for target in mounts]
    joined = " \\\n    && ".join(commands)
    return "RUN " + " \\\n    ".join([*head, joined])


def _json(words: Sequence[str]) -> str:
    """JSON without raw control characters, and with backslashes spelt out: hadolint misreads `\\\\"`."""
    text = json.dumps(list(words), ensure_ascii=False).replace("\\\\", "\\u005c")
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def workdir(path: str) -> str:
    """WORKDIR, which takes one unquoted path."""
    if _PLAIN_PATH.fullmatch(path):
        return f"WORKDIR {path}"
    if _CONTROL.search(path) or "\\" in path:
        raise InputError(f"the path {path!r} cannot stand in a Dockerfile", hint="rename it")
    return "WORKDIR " + path.replace("$", "\\$")
