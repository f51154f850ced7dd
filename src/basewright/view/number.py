"""Numbers as people read them: three significant figures, units, intervals with the digits of their value. Pure."""

import math

DASH = "–"


def format_number(value: float, *, figures: int = 3, decimals: int | None = None) -> str:
    """`41.2`, `0.0374`, `1,234`; whole numbers without decimals, thousands in full. `decimals` fixes them instead."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        decimals = decimals_of(value, figures=figures)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) != 0 else text.lstrip("-")


def decimals_of(value: float, *, figures: int = 3) -> int:
    """Decimals that show `value` with so many significant figures: 1 for 41.23, 3 for 0.374, 0 for a whole number."""
    if value == 0 or not math.isfinite(value) or (value == round(value) and abs(value) < 1e9):
        return 0
    magnitude = math.floor(math.log10(abs(value)))
    rounded = math.floor(math.log10(abs(round(value, figures - 1 - magnitude)) or 1))
    return min(max(figures - 1 - rounded, 0), 9)


def format_quantity(value: float, unit: str, interval: tuple[float, float] | None = None) -> str:
    """`41.2 MB`, `100 %`; `≥ 649 d` where the known upper end is open, `≤` where the lower one is."""
    sign = ""
    if interval is not None and math.isinf(interval[1]):
        sign = "≥ "
    elif interval is not None and math.isinf(interval[0]):
        sign = "≤ "
    return with_unit(sign + format_number(value), unit)


def format_interval(value: float, interval: tuple[float, float] | None) -> str:
    """`40.9–42.3` with the decimals of the value, empty where there is none or an end is open."""
    if interval is None or interval[0] == interval[1] or any(math.isinf(end) for end in interval):
        return ""
    low, high = interval
    decimals = decimals_of(value)
    if decimals == 0 and value == round(value) and max(abs(low), abs(high)) < 100:
        decimals = min(1, max(decimals_of(end) for end in interval))
    return f"{format_number(low, decimals=decimals)}{DASH}{format_number(high, decimals=decimals)}"


def with_unit(number: str, unit: str) -> str:
    """A number and its unit, a space between."""
    return f"{number} {unit}" if unit else number


def format_score(score: float) -> str:
    """A value in [0, 1] with two decimals."""
    return f"{score:.2f}"


def format_share(share: float) -> str:
    """A share in [0, 1] as percent; never `100 %` or `0 %` for what is not exactly that."""
    percent = share * 100
    if 0 < percent < 0.5:
        return "under 1 %"
    if 99.5 <= percent < 100:
        return "over 99 %"
    return f"{percent:.0f} %"


def format_bytes(count: int) -> str:
    """`812 B`, `4.10 kB`, `41.2 MB`, `1.20 GB`."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{format_number(count / limit)} {unit}"
    return f"{count} B"


def format_count(number: int, noun: str) -> str:
    """`1 layer`, `3,412 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
