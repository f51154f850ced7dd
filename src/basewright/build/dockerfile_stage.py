"""Stages of a Dockerfile: the image a stage starts from, pinned where its digest is known, and what is added to it."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from basewright.bases.base import NONROOT
from basewright.build import dockerfile_text as text
from basewright.errors import InputError
from basewright.oci.digest import Digest
from basewright.oci.reference import parse_reference

_DEBIAN_LIKE = ("debian", "ubuntu", "python", "golang", "buildpack-deps", "pypy")
_DEBIAN_WORDS = re.compile(r"slim|bookworm|bullseye|trixie|buster|forky|jammy|noble")


class StageImage(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage starts from. `packages` is `apk`, `apt`, or empty where it has no package manager that we know."""

    reference: str
    packages: str
    comments: tuple[str, ...] = ()

    def from_line(self, *, name: str = "", build_platform: bool = False) -> list[str]:
        platform = "--platform=$BUILDPLATFORM " if build_platform else ""
        return [*self.comments, f"FROM {platform}{self.reference}" + (f" AS {name}" if name else "")]


def stage_image(written: str, digests: Mapping[str, str], *, tag_of: str = "") -> StageImage:
    """The image that the strategy calls `written`; `tag_of` is a more exact tag of the same, taken where the digest of
    the written one is not known. Raises InputError where either is no reference."""
    named = parse_reference(written)
    digest = named.digest or _digest(digests, written, named.familiar)
    exact = parse_reference(tag_of) if tag_of and named.digest is None else named
    exact_digest = _digest(digests, tag_of, exact.familiar) if tag_of else None
    if exact_digest is not None or digest is None:
        named, digest = exact, exact_digest
    reference = named.familiar.partition("@")[0]
    comments = []
    if named.tag == "latest" or (named.tag is None and digest is None):
        comments = [
            "# The strategy asks for the newest image, whatever it is; a tag would say more.",
            "# hadolint ignore=DL3007",
        ]
    if named.tag is None and named.digest is None:
        reference += ":latest"
    if digest is not None:
        reference = f"{reference}@{digest}"
    return StageImage(
        reference=reference, packages=_package_manager(named.repository, named.tag or ""), comments=tuple(comments)
    )


def _digest(digests: Mapping[str, str], *names: str) -> Digest | None:
    found = next((digests[name] for name in names if name in digests), None)
    return Digest(found) if found is not None else None


def _package_manager(repository: str, tag: str) -> str:
    name = repository.rpartition("/")[2]
    if "distroless" in repository:
        return ""
    if "alpine" in tag or name.startswith("alpine"):
        return "apk"
    if name in _DEBIAN_LIKE or _DEBIAN_WORDS.search(tag):
        return "apt"
    return ""


def install_commands(image: StageImage, packages: Sequence[str]) -> list[str]:
    """Commands that install `packages` and leave no cache. Their names are checked by the strategy."""
    if not packages:
        return []
    names = " ".join(text.shell_word(name) for name in packages)
    if image.packages == "apk":
        return [f"apk add --no-cache {names}"]
    return [
        "apt-get update",
        f"apt-get install --yes --no-install-recommends {names}",
        "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives /var/cache/debconf /var/log/apt /var/log/dpkg.log",
    ]


def install_pragma(image: StageImage, packages: Sequence[str]) -> list[str]:
    """Why versions are not pinned, for a reader and for hadolint."""
    if not packages:
        return []
    if image.packages == "apk":
        return [
            "# Not pinned: Alpine's repository keeps only the newest build of a package.",
            "# hadolint ignore=DL3018",
        ]
    return ["# Not pinned: Debian's archive keeps only the newest build of a package.", "# hadolint ignore=DL3008"]


def account_command(image: StageImage) -> list[str]:
    """Commands that give the user that the service runs as a name, where the image has the tools for it."""
    if image.packages == "apk":
        return [
            f"addgroup -S -g {NONROOT} nonroot",
            f"adduser -S -D -H -u {NONROOT} -G nonroot -h /tmp -s /sbin/nologin nonroot",
        ]
    if image.packages == "apt":
        return [
            f"groupadd --gid {NONROOT} nonroot",
            f"useradd --uid {NONROOT} --gid {NONROOT} --no-log-init --no-create-home --home-dir /tmp"
            " --shell /usr/sbin/nologin nonroot",
        ]
    return []


def prepared(image: StageImage, packages: Sequence[str], *, where: str) -> list[str]:
    """The lines that make a runtime stage ready: packages of its distribution and the user, in one layer. Raises
    InputError where packages are wanted of an image that has no package manager."""
    if packages and not image.packages:
        raise InputError(
            f"{where}: how packages are installed in {image.reference.partition('@')[0]} is not known",
            hint="leave runtime-packages out, or choose an image of Alpine or Debian",
        )
    commands = [*install_commands(image, packages), *account_command(image)]
    return [*install_pragma(image, packages), text.run(*commands)] if commands else []
