"""Ratios to the round's median."""

from basewright.bench.ratio import ratios_to_median


def test_a_slow_round_cancels_out() -> None:
    ratios, middle = ratios_to_median([{"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 10.0, "b": 20.0, "c": 30.0}])
    assert ratios == {"a": (0.5, 0.5), "b": (1.0, 1.0), "c": (1.5, 1.5)}
    assert middle == 11.0


def test_what_was_not_measured_takes_no_part() -> None:
    ratios, middle = ratios_to_median([{"a": 1.0, "b": None}, {"a": 0.0, "b": 0.0}, {}])
    assert ratios == {"a": (1.0,)}
    assert middle == 1.0
    assert ratios_to_median([{"a": None}]) == ({}, None)
