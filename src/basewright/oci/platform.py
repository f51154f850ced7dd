"""Platforms as people write them, as machines call themselves, and which image fits which.

Names and fallbacks are containerd's: https://github.com/containerd/platforms
"""

import platform as host
import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from basewright.errors import InputError
from basewright.oci.manifest import ImagePlatform

_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386"}
_ARM = {"armhf": "v7", "armel": "v6", "armv5l": "v5", "armv6l": "v6", "armv7l": "v7", "armv8l": "v7"}
_SYSTEMS = ("linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "illumos", "plan9", "aix")
_VERSION = re.compile(r"v(\d{1,2})(?:\.(\d{1,2}))?")
_BASELINES = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
"""The variant that a platform without one has."""
_ARM64_V9 = 5
"""Arm's v9.0 has everything of v8.5: https://developer.arm.com/documentation/102378/latest/"""

_Thing = TypeVar("_Thing")


def parse_platform(text: str) -> ImagePlatform:
    """`linux/arm64/v8`, `linux/amd64`, or a processor alone (`arm64`), which is for linux. Raises InputError."""
    parts = text.split("/")
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
        raise InputError(f"{text[:100]!r} is not a platform", hint="such as linux/amd64, linux/arm64 or linux/arm/v7")
    if len(parts) == 1:
        if parts[0].lower() in _SYSTEMS:
            raise InputError(f"{text[:100]!r} names no processor", hint=f"such as {text.lower()}/amd64")
        parts = ["linux", *parts]
    system, architecture, variant = (*parts, "")[:3]
    return normalize(ImagePlatform(os=system, architecture=architecture, variant=variant))


def host_platform() -> ImagePlatform:
    """linux on this machine's processor: that is what an engine runs, on macOS too."""
    return normalize(ImagePlatform(os="linux", architecture=host.machine() or "amd64"))


def normalize(platform: ImagePlatform) -> ImagePlatform:
    """The names of the specification, without a variant that goes without saying."""
    system, architecture = platform.os.lower(), platform.architecture.lower()
    variant = platform.variant.lower()
    if architecture in _ARM:
        architecture, variant = "arm", variant or _ARM[architecture]
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if variant[:1].isdigit():
        variant = f"v{variant}"
    if architecture == "arm":
        variant = variant or _BASELINES["arm"]
    elif variant == _BASELINES.get(architecture):
        variant = ""
    return msgspec.structs.replace(
        platform, os="darwin" if system == "macos" else system, architecture=architecture, variant=variant
    )


def distance(wanted: ImagePlatform, offered: ImagePlatform) -> int | None:
    """How far an image for `offered` is from what a machine that is `wanted` runs best: 0 is that, None does not run.
    A newer variant runs what was made for an older one, and never the other way."""
    wanted, offered = normalize(wanted), normalize(offered)
    if (wanted.os, wanted.architecture) != (offered.os, offered.architecture):
        return None
    if wanted.variant == offered.variant:
        return 0
    have, need = _rank(wanted), _rank(offered)
    return have - need if have is not None and need is not None and have > need else None


def unmet(wanted: ImagePlatform, offered: ImagePlatform) -> ImagePlatform | None:
    """What is `wanted`, where it does not run what is for `offered`."""
    return wanted if distance(wanted, offered) is None else None


def nearest(wanted: ImagePlatform, offered: Iterable[tuple[ImagePlatform, _Thing]]) -> _Thing | None:
    """The first of those that fit best, None where none does."""
    best: tuple[int, _Thing] | None = None
    for platform, thing in offered:
        away = distance(wanted, platform)
        if away is not None and (best is None or away < best[0]):
            best = away, thing
    return best[1] if best is not None else None


def is_unknown(platform: ImagePlatform) -> bool:
    """`unknown/unknown`: what builders write where there is nothing to run, such as an attestation."""
    return platform.os == "unknown" or platform.architecture == "unknown"


def _rank(platform: ImagePlatform) -> int | None:
    """The place of a variant among its architecture's; None where these are not in an order."""
    baseline = _BASELINES.get(platform.architecture)
    found = _VERSION.fullmatch(platform.variant or baseline or "")
    if baseline is None or found is None:
        return None
    major, minor = int(found[1]), int(found[2] or 0)
    if platform.architecture == "arm64" and major == 9:
        return 1600 + 2 * (minor + _ARM64_V9) + 1
    return major * 200 + 2 * minor
