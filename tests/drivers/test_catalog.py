"""The table of drivers against the strategy's names, the design's reference points, real measurements and the docs."""

from pathlib import Path

import pytest

from basewright.decide.value import value_fault, value_of
from basewright.drivers.catalog import DRIVERS
from basewright.drivers.driver import Better, choose_measure
from basewright.drivers.limit import parse_limit
from basewright.facts import Measurement, Unmeasured
from basewright.strategy import DriverName, Requirement
from tests.doubles.candidates import context
from tests.doubles.evidence import seven_candidates

ROOT = Path(__file__).parents[2]
REFERENCE_POINTS = {
    DriverName.IMAGE_SIZE: ("MB", 5, 500, "log"),
    DriverName.SECURITY_POSTURE: ("points", 0, 40, "linear"),
    DriverName.BUILD_PERFORMANCE: ("s", 0.5, 60, "log"),
    DriverName.RUNTIME_PERFORMANCE: ("s", 0.02, 5, "log"),
    DriverName.PACKAGE_AVAILABILITY: ("%", 100, 80, "linear"),
    DriverName.UPDATE_FREQUENCY: ("days", 7, 180, "log"),
    DriverName.RESOURCE_EFFICIENCY: ("USD", 9, 150, "log"),
}


def test_every_name_has_a_driver_in_the_same_order() -> None:
    assert list(DRIVERS) == list(DriverName)


@pytest.mark.parametrize("name", list(DriverName))
def test_reference_points(name: DriverName) -> None:
    driver = DRIVERS[name]
    assert (driver.unit, driver.value.one, driver.value.zero, driver.value.scale) == REFERENCE_POINTS[name]
    assert value_fault(driver.value) == ""
    assert (driver.value.one > driver.value.zero) is (driver.better is Better.MORE)
    assert (value_of(driver.value, driver.value.one), value_of(driver.value, driver.value.zero)) == (1, 0)


@pytest.mark.parametrize("name", list(DriverName))
def test_every_measure_has_a_unit_that_a_requirement_can_be_written_in(name: DriverName) -> None:
    for measure, further in DRIVERS[name].further.items():
        limit = f"10 {further.unit}".strip()
        requirement = Requirement(driver=name, text=f"<= {limit}", operator="<=", limit=limit)
        assert parse_limit(name, requirement, measure=measure) == 10


@pytest.mark.parametrize("name", list(DriverName))
def test_measurements_are_what_the_driver_says(name: DriverName) -> None:
    driver = DRIVERS[name]
    measured = 0
    for evidence in seven_candidates():
        found = driver.measure(evidence, context())
        for measure, further in driver.further.items():
            if measure in found.also:
                assert found.also[measure].unit == further.unit
        if isinstance(found, Measurement):
            measured += 1
            assert (found.driver, found.measure, found.unit) == (name, driver.headline, driver.unit)
            assert found.better == driver.better
            assert found.basis
            assert driver.headline not in found.also
            low, high = found.interval or (found.value, found.value)
            assert low <= found.value <= high
    assert measured >= 3


def test_another_measure_becomes_the_headline() -> None:
    driver, facts = DRIVERS[DriverName.RUNTIME_PERFORMANCE], seven_candidates()[-1]
    found = choose_measure(driver, driver.measure(facts, context()), "p50_ms", Better.LESS)
    assert isinstance(found, Measurement)
    assert (found.measure, found.unit, len(found.samples)) == ("p50_ms", "ms", 6)
    assert found.interval is not None
    assert "p50_ms" not in found.also
    assert found.also[driver.headline].unit == "s"


def test_another_measure_that_was_not_taken_is_not_measured() -> None:
    driver, facts = DRIVERS[DriverName.IMAGE_SIZE], seven_candidates()[0]
    found = choose_measure(driver, driver.measure(facts, context()), "files", Better.LESS)
    assert isinstance(found, Unmeasured)
    assert found.reason == "files is not known"
    assert "layers" in found.also


@pytest.mark.parametrize("name", list(DriverName))
def test_the_docs_tell_every_driver(name: DriverName) -> None:
    driver = DRIVERS[name]
    text = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert " ".join(driver.docs.split()) in " ".join(section.split())
    assert f"`{driver.headline}` in {driver.unit}, {driver.better} is better" in section
    assert f"1 at {driver.value.one:g} {driver.unit}, 0 at {driver.value.zero:g} {driver.unit}" in section
    assert driver.value.scale in section
    for measure, further in driver.further.items():
        assert f"| `{measure}` | {further.unit or '–'} | {further.means} |" in section
    assert f"\n| {name} |" in (ROOT / "README.md").read_text(encoding="utf-8")
