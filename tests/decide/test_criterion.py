"""What a strategy asks of the drivers is checked before anything is built."""

import pytest

from basewright.decide.criterion import criteria_of
from basewright.errors import InputError
from basewright.strategy import DriverName
from tests.doubles.candidates import weighing


def test_every_driver_has_weight_one_by_default() -> None:
    criteria = criteria_of(weighing())
    assert [each.driver for each in criteria] == list(DriverName)
    assert {each.weight for each in criteria} == {1.0}


def test_weight_zero_leaves_a_driver_out_unless_something_is_required_of_it() -> None:
    strategy = weighing(
        '[drivers.image_size]\nweight = 0\n[drivers.security_posture]\nweight = 0\nrequire = "<= 3 points"'
    )
    criteria = {each.driver: each for each in criteria_of(strategy)}
    assert DriverName.IMAGE_SIZE not in criteria
    assert criteria[DriverName.SECURITY_POSTURE].weight == 0
    assert criteria[DriverName.SECURITY_POSTURE].limits[0].value == 3


def test_reference_points_and_measure_of_the_strategy() -> None:
    strategy = weighing(
        "[drivers.runtime_performance]\nmeasure = 'requests_per_second'\nrequire = '>= 100 req/s'\n"
        "value = { one = 5000, zero = 50, scale = 'log' }"
    )
    criterion = next(each for each in criteria_of(strategy) if each.driver is DriverName.RUNTIME_PERFORMANCE)
    assert (criterion.measure, criterion.better, criterion.limits[0].value) == ("requests_per_second", "more", 100)


def test_the_headline_by_its_own_name_is_the_headline() -> None:
    criterion = criteria_of(weighing("[drivers.image_size]\nmeasure = 'compressed_size'"))[0]
    assert criterion.measure is None


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[drivers.image_size]\nrequire = '<= 3 s'", "drivers.image_size.require: 's' is no unit of image size"),
        ("[drivers.image_size]\nmeasure = 'beauty'", "drivers.image_size.measure: 'beauty' cannot rank"),
        ("[drivers.runtime_performance]\nmeasure = 'p99_ms'", "'p99_ms' cannot rank"),
        ("[drivers.runtime_performance]\nmeasure = 'p50_ms'", "p50_ms needs reference points of its own in ms"),
        ("[drivers.image_size]\nvalue = { one = 500, zero = 5 }", "less is better here, so `one` lies below `zero`"),
        ("[drivers.package_availability]\nvalue = { one = 5, zero = 50 }", "`one` lies above `zero`"),
        ("[drivers.image_size]\nvalue = { one = 0, zero = 5, scale = 'log' }", "drivers.image_size.value: on a log"),
        ("[drivers.image_size]\nvalue = { one = 5, zero = 5 }", "must differ"),
        ("[drivers.image_size]\nvalue = { one = 5, zero = inf }", "finite"),
    ],
)
def test_what_does_not_fit_names_file_and_key(toml: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        criteria_of(weighing(toml))
    assert caught.value.message.startswith("basewright.toml: drivers.")
    assert message in caught.value.message
