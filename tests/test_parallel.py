"""Many things in a few threads."""

import threading

import pytest

from basewright.parallel import map_parallel, map_within


def test_results_stand_in_the_order_of_the_things() -> None:
    assert map_parallel(lambda each: each * 2, range(100), workers=8) == [each * 2 for each in range(100)]
    assert map_parallel(lambda each: each, [], workers=8) == []


def test_the_first_error_is_raised_and_stops_the_rest() -> None:
    begun = []
    gate = threading.Event()

    def work(each: int) -> int:
        begun.append(each)
        if each == 0:
            raise ValueError("zero")
        gate.wait(0.2)
        return each

    with pytest.raises(ValueError, match="zero"):
        map_parallel(work, range(1000), workers=2)
    assert len(begun) < 10


def test_what_is_late_is_left_out() -> None:
    gate = threading.Event()
    try:
        assert map_within(lambda each: gate.wait(10) if each else each, [0, 1], seconds=0.2) == {0: 0}
    finally:
        gate.set()
    assert map_within(str, [1, 2], seconds=10) == {1: "1", 2: "2"}
    assert map_within(str, [], seconds=10) == {}


def test_an_error_in_time_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        map_within(lambda each: 1 / each, [0], seconds=10)
