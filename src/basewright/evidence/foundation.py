"""What an image is based on, and how that is known: by annotation, by layer digests, by history or by os-release. Pure.

An annotation is its builder's word, a layer's digest is proof; history names what official images write into it.
"""

import re
from collections.abc import Mapping, Sequence

from basewright.evidence.inspected import Foundation, KnownBy
from basewright.feeds.snapshot import dataset_names
from basewright.oci.manifest import History
from basewright.oci.reading import ImageReading

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
_SYSTEMS = (
    (re.compile(r"debian\.sh .*\bout/ '(?P<v>[a-z]+)'"), "debian"),
    (re.compile(r"\bADD alpine-minirootfs-(?P<v>\d+\.\d+[^- ]*)-"), "alpine"),
    (re.compile(r"\bLABEL org\.opencontainers\.image\.version=(?P<v>\d\d\.\d\d)\b"), "ubuntu"),
)
"""What the makers of official images write where they add a distribution."""
_LANGUAGES = {
    "golang": ("GOLANG_VERSION", "GOTOOLCHAIN"),
    "nginx": ("NGINX_VERSION", "PKG_RELEASE"),
    "node": ("NODE_VERSION", "YARN_VERSION"),
    "php": ("PHP_VERSION", "PHP_SHA256"),
    "python": ("PYTHON_VERSION", "PYTHON_SHA256"),
    "ruby": ("RUBY_VERSION", "RUBY_DOWNLOAD_SHA256"),
}
"""Official image → the two variables that its Dockerfile sets, the version first."""


def find_foundation(reading: ImageReading, distribution: str) -> Foundation | None:
    """The first that applies. `distribution` is os-release's name for it, empty where there is none."""
    found = _annotated(reading.manifest.annotations, "annotation of the manifest")
    found = found or _annotated(reading.config.config.labels or {}, "label of the config")
    found = found or _known(reading) or _told(reading.config.history)
    if found is None and distribution:
        found = Foundation(name=distribution, by=KnownBy.OS_RELEASE, source="os-release")
    return found


def _annotated(annotations: Mapping[str, str], source: str) -> Foundation | None:
    name, digest = annotations.get(BASE_NAME, ""), annotations.get(BASE_DIGEST)
    if not name and not digest:
        return None
    return Foundation(name=name or digest or "", by=KnownBy.ANNOTATION, digest=digest, source=source)


def _known(reading: ImageReading) -> Foundation | None:
    digests = [layer.descriptor.digest for layer in reading.layers]
    if not digests or not dataset_names("official-images", digests[0]):
        return None
    from basewright.feeds.official import known_layers  # takes as long to import as all of the rest here

    known = known_layers(digests)
    if known is None:
        return None
    return Foundation(
        name=known.name,
        by=KnownBy.LAYERS,
        digest=known.manifest.digest,
        layers=len(known.manifest.layers),
        source=f"{known.name} as published {known.manifest.published}",
    )


def _told(history: Sequence[History]) -> Foundation | None:
    """The language's image over the distribution's, with as many layers as stand before its last line."""
    lines = [each.created_by for each in history]
    system, at = _system(lines)
    for image, (version, other) in _LANGUAGES.items():
        where = [number for number, line in enumerate(lines) if (found := _value(line, version)) and number >= at]
        proof = [number for number, line in enumerate(lines) if _value(line, other)]
        if where and proof:
            found = _value(lines[where[-1]], version)
            is_end = _is_home if image == "golang" else _is_command
            end = next((n for n, line in enumerate(lines) if n > where[-1] and is_end(line)), None)
            on = f" on {system}" if system else ""
            return Foundation(
                name=f"{image}:{found}{on}", by=KnownBy.HISTORY, layers=_layers(history, end), source=lines[where[-1]]
            )
    if system is None:
        return None
    end = at + 1 if at + 1 < len(lines) and _is_command(lines[at + 1]) else at
    return Foundation(name=system, by=KnownBy.HISTORY, layers=_layers(history, end), source=lines[at])


def _system(lines: Sequence[str]) -> tuple[str | None, int]:
    for number, line in enumerate(lines):
        for pattern, name in _SYSTEMS:
            match = pattern.search(line)
            if match is not None:
                return f"{name}:{match['v']}", number
    return None, 0


def _value(line: str, variable: str) -> str:
    match = re.search(rf"\bENV {variable}[= ](?P<v>[^\s]+)", line)
    return match["v"] if match else ""


def _is_command(line: str) -> bool:
    return "CMD [" in line and "HEALTHCHECK" not in line


def _is_home(line: str) -> bool:
    """The last line of Go's image, which has no command of its own."""
    return "WORKDIR /go" in line


def _layers(history: Sequence[History], end: int | None) -> int | None:
    return None if end is None else sum(not each.empty_layer for each in history[: end + 1])
