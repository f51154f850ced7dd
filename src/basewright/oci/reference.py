"""Names of images: https://github.com/distribution/reference, with docker's defaults."""

import re

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.digest import Digest

DEFAULT_REGISTRY = "docker.io"
_LEGACY_REGISTRY = "index.docker.io"
_OFFICIAL = "library/"
_MAX_REPOSITORY = 255
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")
"""Of an image or a container; docker takes no repository of that shape."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """`registry/repository:tag@digest`, whole: docker's defaults are filled in."""

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self._end}"

    @property
    def familiar(self) -> str:
        """As people write it: without docker.io and library."""
        if self.registry != DEFAULT_REGISTRY:
            return str(self)
        name = self.repository.removeprefix(_OFFICIAL)
        return (self.repository if "/" in name else name) + self._end

    @property
    def _end(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def is_tag(text: str) -> bool:
    """Whether `text` can stand behind a repository's colon."""
    return _TAG.fullmatch(text) is not None


def parse_reference(text: str, *, default_tag: str | None = "latest") -> Reference:
    """Parses what `docker pull` takes; no tag and no digest means `default_tag`. Raises InputError."""
    if text.startswith(("http://", "https://")):
        from basewright._url import redact

        scheme = text.partition("//")[0] + "//"
        raise InputError(f"{redact(text)[:200]!r} is not an image reference", hint=f"write it without {scheme}")
    rest, at, digest_text = text.partition("@")
    digest = _digest(digest_text, text) if at else None
    registry, remainder = _split_registry(rest)
    repository, colon, tag = remainder.partition(":")
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = _OFFICIAL + repository
    if not _HOST.fullmatch(registry):
        raise _fault(text, f"{registry[:80]!r} is no host")
    if _IDENTIFIER.fullmatch(text):
        raise _fault(text, "64 hexadecimal digits name no repository")
    if len(repository) > _MAX_REPOSITORY:
        raise _fault(text, f"its repository is longer than {_MAX_REPOSITORY} characters")
    if not all(_COMPONENT.fullmatch(part) for part in repository.split("/")):
        if repository != repository.lower():
            raise _fault(text, "its repository is not in lower case")
        raise _fault(text, "its repository is malformed")
    if colon and not is_tag(tag):
        raise _fault(text, "its tag is malformed")
    if not colon and digest is None:
        tag = default_tag or ""
    return Reference(registry=registry, repository=repository, tag=tag or None, digest=digest)


def _split_registry(text: str) -> tuple[str, str]:
    """The part before the first slash is a registry where no repository could be named like it."""
    head, slash, tail = text.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        return DEFAULT_REGISTRY, text
    return (DEFAULT_REGISTRY if head == _LEGACY_REGISTRY else head), tail


def _digest(text: str, whole: str) -> Digest:
    try:
        return Digest(text)
    except HostileInputError as error:
        raise _fault(whole, error.message) from None


def _fault(text: str, why: str) -> InputError:
    return InputError(
        f"{text[:200]!r} is not an image reference: {why}", hint="such as python:3.13-slim, in lower case"
    )
