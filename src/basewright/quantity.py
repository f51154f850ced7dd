"""Quantities with units. MB is 10^6 bytes everywhere, MiB is 2^20."""

import re

_QUANTITY = re.compile(r"\s*([0-9][0-9_]{0,29}(?:\.[0-9]{1,30})?)\s*([^0-9\s].*?)?\s*")
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


def split_quantity(text: str) -> tuple[float, str]:
    """The number and the unit of `text` (`150 MB` → 150.0, `MB`). Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number with its unit, not {text[:40]!r}")
    return float(match[1].replace("_", "")), match[2] or ""


def parse_bytes(text: str) -> int:
    """Bytes of a quantity such as `2 GiB`. Raises ValueError."""
    number, unit = split_quantity(text)
    if unit not in _BYTES:
        raise ValueError(f"expected bytes such as `512 MiB` ({', '.join(_BYTES)}), not {text[:40]!r}")
    return round(number * _BYTES[unit])


def parse_seconds(text: str) -> float:
    """Seconds of a quantity such as `30 s`. Raises ValueError."""
    number, unit = split_quantity(text)
    if unit not in _SECONDS:
        raise ValueError(f"expected a time such as `30 s` ({', '.join(_SECONDS)}), not {text[:40]!r}")
    if number <= 0:
        raise ValueError(f"expected a time above zero, not {text[:40]!r}")
    return number * _SECONDS[unit]


def megabytes(count: float) -> float:
    """Bytes as MB."""
    return count / 1e6
