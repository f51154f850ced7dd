"""Requirements: units that fit, and what meets them."""

import pytest

from basewright.drivers.limit import meets, parse_limit
from basewright.errors import InputError
from basewright.strategy import DriverName, Requirement
from tests.doubles.candidates import weighing


def _requirement(driver: DriverName, text: str) -> Requirement:
    return weighing(f'[drivers.{driver}]\nrequire = "{text}"').requirements[0]


@pytest.mark.parametrize(
    ("driver", "text", "limit"),
    [
        (DriverName.IMAGE_SIZE, "<= 150 MB", 150.0),
        (DriverName.IMAGE_SIZE, "<=150MB", 150.0),
        (DriverName.IMAGE_SIZE, "< 100 MiB", 104.8576),
        (DriverName.IMAGE_SIZE, "< 2_000 kB", 2.0),
        (DriverName.BUILD_PERFORMANCE, "<= 500 ms", 0.5),
        (DriverName.BUILD_PERFORMANCE, "<= 2 min", 120.0),
        (DriverName.RUNTIME_PERFORMANCE, "<= 1.5 s", 1.5),
        (DriverName.PACKAGE_AVAILABILITY, "== 100 %", 100.0),
        (DriverName.UPDATE_FREQUENCY, "<= 30 days", 30.0),
        (DriverName.UPDATE_FREQUENCY, "<= 30 d", 30.0),
        (DriverName.SECURITY_POSTURE, "== 0 points", 0.0),
        (DriverName.RESOURCE_EFFICIENCY, "< 40 USD", 40.0),
    ],
)
def test_units_that_fit(driver: DriverName, text: str, limit: float) -> None:
    assert parse_limit(driver, _requirement(driver, text)) == pytest.approx(limit)


@pytest.mark.parametrize(
    ("driver", "text", "hint"),
    [
        (DriverName.IMAGE_SIZE, "<= 150 s", "MB, kB, GB"),
        (DriverName.IMAGE_SIZE, "<= 150", "MB, kB, GB"),
        (DriverName.IMAGE_SIZE, "<= 150 mb", "MB, kB, GB"),
        (DriverName.RUNTIME_PERFORMANCE, "<= 1 d", "s, ms"),
        (DriverName.PACKAGE_AVAILABILITY, ">= 95 points", "%"),
        (DriverName.RESOURCE_EFFICIENCY, "<= 40 EUR", "USD"),
    ],
)
def test_a_unit_that_does_not_fit_names_the_key_and_those_that_do(driver: DriverName, text: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_limit(driver, _requirement(driver, text))
    assert f"drivers.{driver}.require" in caught.value.message
    assert hint in caught.value.hint


def test_a_measure_without_a_unit_takes_a_number_alone() -> None:
    requirement = _requirement(DriverName.IMAGE_SIZE, "<= 10")
    assert parse_limit(DriverName.IMAGE_SIZE, requirement, measure="layers") == 10
    with pytest.raises(InputError, match="'MB' is no unit"):
        parse_limit(DriverName.IMAGE_SIZE, _requirement(DriverName.IMAGE_SIZE, "<= 10 MB"), measure="layers")


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ("<= 150 MB", 150.0, True),
        ("< 150 MB", 150.0, False),
        ("<= 150 MB", 150.1, False),
        (">= 150 MB", 149.9, False),
        ("> 150 MB", 150.1, True),
        ("== 150 MB", 150.0, True),
        ("== 150 MB", 149.0, False),
        ("<= 1 MiB", 1048576 / 1e6, True),
        ("== 1048576 B", 1048576 / 1e6, True),
    ],
)
def test_meeting(text: str, value: float, met: bool) -> None:
    requirement = _requirement(DriverName.IMAGE_SIZE, text)
    assert meets(requirement, parse_limit(DriverName.IMAGE_SIZE, requirement), value) is met
