"""Names of images: https://github.com/distribution/reference, with docker's defaults."""

import re

import msgspec

from basewright.errors import HostileInputError, InputError
from basewright.oci.digest import Digest

DEFAULT_REGISTRY = "docker.io"
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """`registry/repository:tag@digest`, whole: docker's defaults are filled in."""

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def familiar(self) -> str:
        """As people write it: without docker.io and library."""
        name = f"{self.registry}/{self.repository}"
        name = name.removeprefix("docker.io/library/").removeprefix("docker.io/")
        tag = f":{self.tag}" if self.tag else ""
        return f"{name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """Parses what `docker pull` takes; no tag and no digest means `latest`. Raises InputError."""
    rest, at, digest_text = text.partition("@")
    digest = None
    if at:
        try:
            digest = Digest(digest_text)
        except HostileInputError as error:
            raise InputError(f"{text[:200]!r} is not an image reference: {error.message}") from None
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        registry, remainder = head, tail
    else:
        registry, remainder = DEFAULT_REGISTRY, rest
    if registry == "index.docker.io":
        registry = DEFAULT_REGISTRY
    repository, colon, tag = remainder.partition(":")
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    if not _HOST.fullmatch(registry):
        raise InputError(f"{text[:200]!r} is not an image reference: {registry!r} is no host")
    if len(repository) > 255 or not all(_COMPONENT.fullmatch(part) for part in repository.split("/")):
        raise InputError(f"{text[:200]!r} is not an image reference", hint="such as python:3.13-slim, in lower case")
    if colon and not _TAG.fullmatch(tag):
        raise InputError(f"{text[:200]!r} is not an image reference: its tag is malformed")
    if not colon:
        tag = "" if digest else "latest"
    return Reference(registry=registry, repository=repository, tag=tag or None, digest=digest)
