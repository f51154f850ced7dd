"""Numbers read well: three significant figures, units, intervals that match their value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basewright.view.number import format_interval, format_number, format_quantity, format_share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (41.234, "41.2"),
        (4.8123, "4.81"),
        (0.3712, "0.371"),
        (0.29, "0.290"),
        (0.0046123, "0.00461"),
        (399.52, "400"),
        (9.996, "10.0"),
        (99.96, "100"),
        (0.9996, "1.00"),
        (1234.5, "1,234"),
        (100.0, "100"),
        (649, "649"),
        (1e-12, "0.000000000"),
        (-3.14159, "−3.14"),
        (-0.0, "0"),
    ],
)
def test_three_significant_figures(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (41.23, (40.94, 42.31), "40.9–42.3"),
        (0.371, (0.3611, 0.3924), "0.361–0.392"),
        (0.371, (0.37101, 0.37104), "0.371–0.371"),
        (14, (9, 21), "9–21"),
        (14, (9.5, 21), "9.5–21.0"),
        (42, (42, 42), ""),
        (5, None, ""),
        (649, (649, math.inf), ""),
    ],
)
def test_intervals_have_the_digits_of_their_value(
    value: float, interval: tuple[float, float] | None, text: str
) -> None:
    assert format_interval(value, interval) == text


def test_units_and_open_ends() -> None:
    assert format_quantity(41.23, "MB") == "41.2 MB"
    assert format_quantity(100, "%") == "100 %"
    assert format_quantity(649, "d", (649, math.inf)) == "≥ 649 d"
    assert format_quantity(3, "") == "3"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0001, "under 1 %"), (0.714, "71 %"), (0.9999, "over 99 %"), (1, "100 %")],
)
def test_a_share_is_never_rounded_to_certainty(share: float, text: str) -> None:
    assert format_share(share) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_reads_back_near_itself(value: float) -> None:
    text = format_number(value).replace(",", "").replace("−", "-")
    assert float(text) == pytest.approx(value, rel=0.006, abs=1e-9)


@given(st.floats(0.001, 1e6), st.floats(0, 0.5), st.floats(0, 0.5))
def test_an_interval_reads_back_around_its_value(value: float, below: float, above: float) -> None:
    text = format_interval(value, (value * (1 - below), value * (1 + above)))
    if not text:
        return
    low, high = (float(end.replace(",", "")) for end in text.split("–"))
    assert low <= high
    assert low == pytest.approx(value * (1 - below), rel=0.6, abs=0.006 * value)
