"""Before anything large moves: what will be downloaded, and about how long that takes."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from basewright.apps.go import TOOLCHAIN_MB, has_toolchain
from basewright.apps.python_wheels import WheelCache, choose_wheels
from basewright.bases.catalog import assembler_key, debian_key, whole_set
from basewright.bases.debian.download import missing_debs
from basewright.build.workshop import Workshop
from basewright.candidate import Option
from basewright.errors import BasewrightError
from basewright.lock import LockedDebian, LockedGo, LockedPython
from basewright.progress import about_seconds

INDEX_MB = 15
"""Of one suite with its updates and security pockets: trixie has 14, bookworm 13."""
WHEEL_MB = 1
"""What a wheel is taken for: nobody says its size before it is asked for."""
_SMALLEST_BYTES = 1e6


def announce_indexes(workshop: Workshop, options: Sequence[Option]) -> None:
    """The package indexes of suites that are to be resolved and of which none is here."""
    suites: dict[str, None] = {}
    for option in options:
        base = whole_set(workshop.request(option))
        if base is None or debian_key(base, option.platform) in workshop.lock.debian:
            continue
        kept = (workshop.world.cache / "debian" / "indexes").glob(f"{base.debian}-{option.platform.architecture}-*")
        if not any(kept):
            suites.setdefault(base.debian)
    said = [f"the package index of Debian {suite} (about {INDEX_MB} MB)" for suite in suites]
    _say(workshop, said, len(suites) * INDEX_MB * 1e6)


def announce_bases(workshop: Workshop, options: Sequence[Option], toolchains: Sequence[LockedGo | None]) -> None:
    """Debian packages and Go toolchains that are locked and not here. An image in a registry is announced once the
    registry has told its size."""
    lacking = {
        package.sha256: package.size
        for option in options
        for locked in _debian(workshop, option)
        for package in missing_debs(locked, workshop.world.cache)
    }
    size = float(sum(lacking.values()))
    said = [f"{len(lacking)} Debian packages ({size / 1e6:.1f} MB)"] if lacking else []
    for toolchain in dict.fromkeys(each.toolchain for each in toolchains if each is not None):
        with suppress(BasewrightError):  # no `go` at all: the build says so
            if not has_toolchain(toolchain, process=workshop.world.process, cache=workshop.world.cache):
                said.append(f"Go {toolchain} (about {TOOLCHAIN_MB} MB)")
                size += TOOLCHAIN_MB * 1e6
    _say(workshop, said, size)


def announce_wheels(workshop: Workshop, locked: Mapping[str, LockedPython | None], options: Sequence[Option]) -> None:
    """The wheels that are not here; `locked` are the requirements by candidate."""
    cache = WheelCache(workshop.world.cache, process=workshop.world.process, http=workshop.world.http)
    lacking: set[str] = set()
    for option in options:
        base, requirements = workshop.base_if_known(option), locked[option.name]
        if base is None or requirements is None:
            continue
        with suppress(BasewrightError):  # what cannot be chosen is the build's to tell
            chosen = choose_wheels(requirements, option.platform, base.runtime)
            lacking |= {wheel.file.sha256 for wheel in cache.missing(chosen.wheels)}
    size = len(lacking) * WHEEL_MB
    _say(workshop, [f"{len(lacking)} Python wheel{'s' * (len(lacking) != 1)} (some {size} MB)"], size * 1e6)


def _debian(workshop: Workshop, option: Option) -> list[LockedDebian]:
    """What is locked for the option's base, or for what the assembler adds to it."""
    base = whole_set(workshop.request(option))
    names = option.candidate.runtime_packages
    key = assembler_key(names, option.platform) if base is None else debian_key(base, option.platform)
    locked = workshop.lock.debian.get(key)
    return [locked] if locked is not None else []


def _say(workshop: Workshop, said: Sequence[str], size: float) -> None:
    if said and size >= _SMALLEST_BYTES:
        workshop.world.notice(f"to download: {', '.join(said)}; {about_seconds(size)}")
