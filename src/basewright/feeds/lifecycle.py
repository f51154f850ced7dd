"""How long distributions, interpreters and toolchains are supported, and when their versions were released.

A date is a fact of its dataset; whether it has passed is for a driver to say.
"""

import datetime
import re
from collections.abc import Mapping
from functools import cache

import msgspec

from basewright.facts import LifecycleFact, RuntimeFacts
from basewright.feeds.snapshot import Dataset, read_dataset

_PRODUCTS = {
    "alpine": ("alpine-linux", "Alpine"),
    "debian": ("debian", "Debian"),
    "ubuntu": ("ubuntu", "Ubuntu"),
    "amzn": ("amazon-linux", "Amazon Linux"),
    "rhel": ("rhel", "Red Hat Enterprise Linux"),
    "rocky": ("rocky-linux", "Rocky Linux"),
    "almalinux": ("almalinux", "AlmaLinux"),
}
"""os-release ID → the dataset's product, and its name for people."""


class _Cycle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cycle: str
    released: datetime.date
    eol: datetime.date | None
    extended: datetime.date | None = None


class _Lifecycles(Dataset, frozen=True, kw_only=True):
    products: dict[str, tuple[_Cycle, ...]]


class _Releases(Dataset, frozen=True, kw_only=True):
    products: dict[str, dict[str, tuple[tuple[str, datetime.date], ...]]]


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One series of Debian or Ubuntu. No `version`: a rolling suite such as sid. No `release`: not released yet."""

    series: str
    version: str | None = None
    release: datetime.date | None = None
    eol: datetime.date | None = None
    extended: datetime.date | None = None
    """End of long-term support by others than the security team (Debian LTS)."""


class _DistroInfo(Dataset, frozen=True, kw_only=True):
    series: dict[str, tuple[Series, ...]]


def distribution_series(distribution: str, name: str) -> Series | None:
    """The series of `debian` or `ubuntu` with this codename (`trixie`) or version (`13`, `13.1`, `24.04`)."""
    known = _distro_info().series.get(distribution, ())
    by_name = {each.series: each for each in known} | {each.version: each for each in known if each.version}
    return next((by_name[each] for each in _prefixes(name.strip().lower()) if each in by_name), None)


def newest_series(distribution: str, day: datetime.date) -> Series | None:
    """The series of `debian` or `ubuntu` that was released last before `day`, as far as the data knows."""
    released = [each for each in _distro_info().series.get(distribution, ()) if each.release and each.release <= day]
    return max(released, key=lambda each: each.release or day, default=None)


def distribution_lifecycle(distribution_id: str, version: str | None) -> LifecycleFact | None:
    """Support of a distribution by os-release ID and VERSION_ID (or codename): `alpine`, `3.18.9`. None: not known."""
    if distribution_id not in _PRODUCTS or not version or "_alpha" in version:  # Alpine edge: before 3.25, of no cycle
        return None
    product, title = _PRODUCTS[distribution_id]
    series = distribution_series(distribution_id, version)
    fact = _lifecycle("distribution", product, title, series.version if series and series.version else version)
    return fact or (_series_lifecycle(title, series) if series else None)


def python_lifecycle(version: str) -> LifecycleFact | None:
    """Support of an interpreter's minor version: `3.13.5` → Python 3.13."""
    return _lifecycle("interpreter", "python", "Python", _minor(version))


def go_lifecycle(version: str) -> LifecycleFact | None:
    """Support of a toolchain's minor version: `1.24.13` or `go1.24` → Go 1.24."""
    return _lifecycle("toolchain", "go", "Go", _minor(version.removeprefix("go")))


def known_lifecycles(runtime: RuntimeFacts) -> tuple[LifecycleFact, ...]:
    """What is known of a runtime's distribution, interpreter and toolchain, in this order."""
    facts = (
        distribution_lifecycle(runtime.distribution or "", runtime.distribution_version),
        python_lifecycle(runtime.python_version or ""),
        go_lifecycle(runtime.go_version or ""),
    )
    return tuple(fact for fact in facts if fact)


def release_dates(product: str) -> Mapping[str, tuple[tuple[str, datetime.date], ...]]:
    """Minor version → its releases in order, each with its date. `product` is `go` or `python`; others are empty."""
    return _releases().products.get(product, {})


def release_dates_known_until() -> datetime.date:
    """The date of the release dates: later releases are not in them."""
    return _releases().as_of


def _minor(version: str) -> str:
    match = re.match(r"\d+\.\d+", version)
    return match[0] if match else version


def _prefixes(version: str) -> list[str]:
    """`3.18.9` → `3.18.9`, `3.18`, `3`."""
    parts = version.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _lifecycle(role: str, product: str, title: str, version: str) -> LifecycleFact | None:
    data = _lifecycles()
    cycles = {each.cycle: each for each in data.products[product]}
    cycle = next((cycles[each] for each in _prefixes(version) if each in cycles), None)
    if cycle is None:
        return None
    return LifecycleFact(
        role=role,
        subject=f"{title} {cycle.cycle}",
        eol=cycle.eol,
        extended_until=cycle.extended,
        released=cycle.released,
        source=f"endoflife.date of {data.as_of}",
    )


def _series_lifecycle(title: str, series: Series) -> LifecycleFact:
    return LifecycleFact(
        role="distribution",
        subject=f"{title} {series.version or series.series}",
        eol=series.eol,
        extended_until=series.extended,
        released=series.release,
        source=f"distro-info-data of {_distro_info().as_of}",
    )


@cache
def _lifecycles() -> _Lifecycles:
    return read_dataset("lifecycle", _Lifecycles)


@cache
def _distro_info() -> _DistroInfo:
    return read_dataset("distro-info", _DistroInfo)


@cache
def _releases() -> _Releases:
    return read_dataset("release-dates", _Releases)
