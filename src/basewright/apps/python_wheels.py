"""Which wheel each requirement installs from on a target, and its bytes, by digest, in the cache."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from basewright._disk import disk_error
from basewright._http import Http
from basewright._process import Process
from basewright.apps.python_index import Credentials
from basewright.apps.python_resolve import locate_files
from basewright.ecosystems.pypi import (
    PylockFile,
    best_wheel,
    is_wheel_of,
    marker_environment,
    marker_holds,
    wheel_tags,
)
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.facts import RequirementFact, RuntimeFacts
from basewright.lock import LockedFile, LockedPython, LockedRequirement
from basewright.oci.blob import BlobStore
from basewright.oci.digest import Digest
from basewright.parallel import map_parallel
from basewright.progress import Progress
from basewright.strategy import Platform, PythonApp

MAX_WHEEL_BYTES = 4 << 30
_DOWNLOADS = 8


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a requirement that suits a target best."""

    requirement: LockedRequirement
    file: LockedFile


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A target's wheels, and the requirements that have none for it."""

    wheels: tuple[Wheel, ...]
    without: tuple[LockedRequirement, ...]


def choose_wheels(locked: LockedPython, platform: Platform, runtime: RuntimeFacts) -> Chosen:
    """For every requirement whose marker holds there. Raises OutOfReachError where the base's Python or C library is
    not known, InputError where the lock contradicts itself."""
    wheels: list[Wheel] = []
    without: list[LockedRequirement] = []
    holding = _holding(locked, platform, runtime)
    tags = wheel_tags(platform, runtime) if holding else ()
    for requirement in holding:
        by_name = {file.name: file for file in requirement.files}
        name = best_wheel(by_name, tags)
        if name is None:
            without.append(requirement)
        else:
            _check_wheel(name, requirement)
            wheels.append(Wheel(requirement=requirement, file=by_name[name]))
    return Chosen(wheels=tuple(wheels), without=tuple(without))


def _check_wheel(name: str, requirement: LockedRequirement) -> None:
    """What was resolved is what will be installed: a lock may have been edited, or merged line by line."""
    if not is_wheel_of(name, requirement.name, requirement.version):
        raise InputError(
            f"the lock's entry of {requirement.name} {requirement.version} is damaged: its file is {name}",
            hint="--update-lock resolves anew",
        )


def _holding(locked: LockedPython, platform: Platform, runtime: RuntimeFacts) -> list[LockedRequirement]:
    if not locked.requirements:
        return []
    if runtime.python_version is None:
        raise OutOfReachError("it is not known which Python the base has, so no wheel can be chosen")
    environment = marker_environment(platform, runtime.python_version)
    return [each for each in locked.requirements if marker_holds(each.marker, environment)]


def available(
    locked: LockedPython, platforms: Sequence[Platform], runtime: RuntimeFacts
) -> tuple[RequirementFact, ...]:
    """Whether a wheel fits, for every requirement that holds on one of the platforms; those without are all named."""
    facts: dict[tuple[str, str], RequirementFact] = {}
    for platform in platforms:
        chosen = choose_wheels(locked, platform, runtime)
        answers = [(each.requirement, True) for each in chosen.wheels] + [(each, False) for each in chosen.without]
        for requirement, fits in answers:
            key = (requirement.name, requirement.version)
            known = facts.get(key)
            facts[key] = RequirementFact(
                name=requirement.name,
                version=requirement.version,
                platforms={**(known.platforms if known else {}), platform.value: fits},
                reason=(known.reason if known else "") or ("" if fits else why_without(requirement, runtime)),
            )
    return tuple(facts[key] for key in sorted(facts))


def why_without(requirement: LockedRequirement, runtime: RuntimeFacts) -> str:
    """In a few words, why nothing of it installs there."""
    if not any(file.name.endswith(".whl") for file in requirement.files):
        return "a source archive only, no wheel at all"
    return f"no wheel for {runtime.libc} {runtime.libc_version} and Python {runtime.python_version}"


class WheelCache:
    """Wheels by digest, fetched where the host's own index settings say."""

    def __init__(self, cache: Path, *, process: Process, http: Http) -> None:
        self._store = BlobStore(cache / "wheels")
        self._process = process
        self._http = http

    def path(self, wheel: Wheel) -> Path:
        return self._store.path(_digest(wheel))

    def missing(self, wheels: Sequence[Wheel]) -> tuple[Wheel, ...]:
        """What would have to be downloaded."""
        return tuple(each for each in wheels if not self.path(each).is_file())

    def fetch(
        self,
        strategy_directory: Path,
        app: PythonApp,
        locked: LockedPython,
        wheels: Sequence[Wheel],
        *,
        progress: Progress,
    ) -> None:
        """Brings every wheel into the cache, in parallel, each against its digest. Raises OutOfReachError."""
        missing = self.missing(wheels)
        if not missing:
            return
        progress(f"downloading {len(missing)} wheels")
        wanted = {each.file.sha256: each.file.name for each in missing}
        places, uv = locate_files(strategy_directory, app, locked, wanted, process=self._process)
        map_parallel(lambda each: self._fetch(each, places, uv.credentials), missing, workers=_DOWNLOADS)

    def _fetch(self, wheel: Wheel, places: Mapping[str, PylockFile], credentials: Credentials) -> None:
        place, path = places[wheel.file.sha256], self.path(wheel)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(path, error) from None
        # A name of its own: two candidates may want the same wheel at the same time.
        partial = path.with_name(f".partial-{uuid.uuid4().hex}")
        try:
            local = _local_path(place)
            if local is not None:
                _copy(local, partial, wheel)
            else:
                url = place.url or ""
                self._http.download(
                    _without_user(url),
                    partial,
                    max_bytes=MAX_WHEEL_BYTES,
                    sha256=wheel.file.sha256,
                    headers=credentials.headers(url),
                )
            partial.replace(path)
        except OSError as error:
            raise disk_error(path, error) from None
        finally:
            partial.unlink(missing_ok=True)


def _digest(wheel: Wheel) -> Digest:
    return Digest(f"sha256:{wheel.file.sha256}")


def _local_path(place: PylockFile) -> Path | None:
    if place.path is not None:
        return Path(place.path)
    parts = urlsplit(place.url or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _copy(source: Path, target: Path, wheel: Wheel) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise OutOfReachError(f"{wheel.file.name} is not in the host's find-links folder any more") from None
    with target.open("rb") as stream:
        import hashlib

        if hashlib.file_digest(stream, "sha256").hexdigest() != wheel.file.sha256:
            raise HostileInputError(f"{wheel.file.name} does not have the SHA-256 digest of the lock")


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
