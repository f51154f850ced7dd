"""Many things in a few threads."""

import threading

import pytest

from basewright.parallel import map_parallel


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
