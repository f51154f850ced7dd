"""package_availability from wheels and libraries."""

import pytest

from basewright.drivers.package_availability import PACKAGE_AVAILABILITY
from basewright.facts import Measurement, MissingLibrary, NotMeasured, PackageFacts, RequirementFact, Unmeasured
from tests.doubles.candidates import context, evidence


def _requirement(name: str, *, amd64: bool = True, arm64: bool = True, reason: str = "") -> RequirementFact:
    return RequirementFact(
        name=name, version="1.2", platforms={"linux/amd64": amd64, "linux/arm64": arm64}, reason=reason
    )


def test_a_wheel_is_needed_on_every_platform() -> None:
    packages = PackageFacts(
        requirements=(
            _requirement("a"),
            _requirement("b", arm64=False, reason="no wheel"),
            _requirement("c", amd64=False, arm64=False, reason="an sdist only"),
            _requirement("d"),
        ),
        missing_packages=("tzdata",),
        missing_libraries=(MissingLibrary(soname="libpq.so.5", needed_by="/app/x.so", package="libpq5"),),
    )
    found = PACKAGE_AVAILABILITY.measure(evidence(packages=packages), context())
    assert isinstance(found, Measurement)
    assert (found.value, found.unit, found.better) == (50.0, "%", "more")
    assert found.also["not_installable"].value == 2
    assert found.also["not_installable_names"].value == (
        "b 1.2 (linux/arm64: no wheel); c 1.2 (linux/amd64, linux/arm64: an sdist only)"
    )
    assert found.also["missing_package_names"].value == "tzdata"
    assert found.also["missing_library_names"].value == "libpq.so.5 (needed by /app/x.so, in libpq5)"


def test_without_requirements_it_is_whole() -> None:
    found = PACKAGE_AVAILABILITY.measure(evidence(packages=PackageFacts(requirements=())), context())
    assert isinstance(found, Measurement)
    assert (found.value, found.samples) == (100.0, (100.0,))
    assert "not_installable_names" not in found.also


def test_a_requirement_that_no_platform_was_asked_for_is_not_counted_as_there() -> None:
    packages = PackageFacts(requirements=(RequirementFact(name="a", version="1", platforms={}),))
    found = PACKAGE_AVAILABILITY.measure(evidence(packages=packages), context())
    assert isinstance(found, Measurement)
    assert found.value == 0


def test_an_index_out_of_reach_is_not_measured() -> None:
    found = PACKAGE_AVAILABILITY.measure(evidence(packages=NotMeasured(reason="the index")), context())
    assert isinstance(found, Unmeasured)


@pytest.mark.parametrize("count", [1, 49, 51])
def test_long_lists_are_cut(count: int) -> None:
    packages = PackageFacts(requirements=tuple(_requirement(f"p{each}", amd64=False) for each in range(count)))
    found = PACKAGE_AVAILABILITY.measure(evidence(packages=packages), context())
    assert isinstance(found, Measurement)
    assert str(found.also["not_installable_names"].value).endswith("and 1 more") is (count == 51)
