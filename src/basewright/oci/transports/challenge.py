"""What a server's WWW-Authenticate asks for: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1"""

import re
from collections.abc import Iterable, Mapping

import msgspec

_MAX_CHARACTERS = 16_384
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PIECE = re.compile(
    rf'\s*(?:(?P<comma>,)|(?P<key>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))'
    rf"|(?P<scheme>{_TOKEN})(?=[\s,]|$)(?:\s+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$)))?)"
)
_ESCAPE = re.compile(r"\\(.)")


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """One way to log in: its scheme and the names of its parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """All that one header (or several, joined by commas) offers. What is malformed ends it: what came before stands."""
    found: list[Challenge] = []
    position, text = 0, header[:_MAX_CHARACTERS]
    while match := _PIECE.match(text, position):
        position = match.end()
        key = match["key"]
        if match["scheme"]:
            found.append(Challenge(scheme=match["scheme"].lower(), parameters={}))
        elif key and found:
            value = match["plain"] if match["quoted"] is None else _ESCAPE.sub(r"\1", match["quoted"])
            found[-1] = Challenge(scheme=found[-1].scheme, parameters={**found[-1].parameters, key.lower(): value})
    return tuple(found)


def merge_scopes(*scopes: str) -> tuple[str, ...]:
    """Scopes (`repository:NAME:pull,push`), each a word of a text, with the actions of the same thing put together.

    https://distribution.github.io/distribution/spec/auth/scope/
    """
    actions: dict[str, list[str]] = {}
    for scope in _words(scopes):
        thing, colon, named = scope.rpartition(":")
        if colon:
            kept = actions.setdefault(thing, [])
            kept += [each for each in named.split(",") if each and each not in kept]
    return tuple(f"{thing}:{','.join(sorted(named))}" for thing, named in actions.items())


def _words(texts: Iterable[str]) -> Iterable[str]:
    return (word for text in texts for word in text.split())
