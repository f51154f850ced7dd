"""Quantities: MB is 10^6 bytes everywhere, MiB is 2^20."""

import pytest

from basewright.quantity import megabytes, parse_bytes, parse_seconds, split_quantity


def test_quantities() -> None:
    assert parse_bytes("150 MB") == 150_000_000
    assert parse_bytes(" 1_024MiB ") == 1 << 30
    assert parse_bytes("0.5 GiB") == 1 << 29
    assert parse_bytes("7 B") == 7
    assert parse_seconds("250 ms") == 0.25
    assert parse_seconds("1.5 min") == 90
    assert split_quantity("95 %") == (95, "%")
    assert split_quantity("12 USD / month") == (12, "USD / month")
    assert split_quantity("3") == (3, "")
    assert megabytes(2_500_000) == 2.5


@pytest.mark.parametrize(
    "text", ["", "MB", "-1 MB", "1e3 MB", "1,5 MB", "1 mb", "1 Mb", "1", "nan MB", "٣ MB", "9" * 400 + " MB", "1 MB 2"]
)
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["30", "0 s", "1 sec", "-1 s", "1 S", "inf s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_seconds(text)
