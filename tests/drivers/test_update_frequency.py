"""update_frequency from dates of changes."""

import datetime

import msgspec
import pytest

from basewright.drivers.update_frequency import UPDATE_FREQUENCY
from basewright.facts import Basis, CadenceFacts, LifecycleFact, Measurement, NotMeasured, Unmeasured
from tests.doubles.candidates import AS_OF, cadence, context, evidence


def _measured(facts: CadenceFacts, as_of: datetime.date = AS_OF) -> Measurement:
    found = UPDATE_FREQUENCY.measure(evidence(cadence=facts), context(as_of=as_of))
    assert isinstance(found, Measurement)
    return found


def test_the_median_gap_of_the_last_year() -> None:
    found = _measured(cadence(5, 15, 35, 45, 400, 1000))
    assert (found.value, found.unit, found.better) == (15.0, "days", "less")  # 10, 20, 10, 355; not 600
    assert found.interval is None
    assert found.basis == (Basis.PUBLISHED,)
    assert found.also["open_gap_days"].value == 5
    assert found.also["changes_in_a_year"].value == 4


def test_the_open_gap_where_it_is_larger() -> None:
    assert _measured(cadence(60, 70, 80)).value == 60


def test_a_gap_is_open_only_as_far_as_the_data_reach() -> None:
    assert _measured(cadence(60, 70, 80, known=55)).value == 10


def test_what_has_ended_stays_open_until_the_day_of_the_evaluation() -> None:
    found = _measured(cadence(649, 660, known=100, ended=True))
    assert found.value == 649
    assert found.samples == (649.0,)
    assert found.also["ended"].value == "no longer rebuilt"


def test_own_changes_are_the_other_end_of_the_interval() -> None:
    found = _measured(cadence(1, 8, 15, 22, own=(1, 22)))
    assert (found.value, found.interval, found.samples) == (7.0, (7.0, 21.0), ())
    assert found.also["own_days_between_rebuilds"].value == 21


def test_another_day_sees_only_what_had_happened() -> None:
    facts = cadence(1, 8, 100, 120)
    assert _measured(facts, AS_OF - datetime.timedelta(days=90)).value == 20


def test_several_changes_in_a_day_are_one() -> None:
    assert _measured(cadence(10, 10, 10, 20)).value == 10


def test_nothing_to_measure_is_not_measured_and_support_is_still_told() -> None:
    lifecycle = LifecycleFact(role="toolchain", subject="Go 1.24", eol=datetime.date(2026, 2, 10), source="a list")
    for facts in (NotMeasured(reason="nothing is known"), cadence()):
        found = UPDATE_FREQUENCY.measure(evidence(cadence=facts, lifecycles=(lifecycle,)), context())
        assert isinstance(found, Unmeasured)
        assert found.also["toolchain_support_left_days"].value == -287


def test_support_left_is_counted_from_the_day_of_the_evaluation() -> None:
    alpine = LifecycleFact(
        role="distribution", subject="Alpine 3.18", eol=datetime.date(2025, 5, 9), source="endoflife.date"
    )
    python = LifecycleFact(role="interpreter", subject="Python 3.13", eol=None, source="endoflife.date")
    facts = evidence(cadence=cadence(1), lifecycles=(alpine, python))
    day = datetime.date(2025, 6, 6)
    found = UPDATE_FREQUENCY.measure(
        msgspec.structs.replace(facts, cadence=cadence(1, as_of=day)),
        context(as_of=day),
    )
    assert isinstance(found, Measurement)
    assert found.also["distribution_support_left_days"].value == -28
    assert found.also["distribution_eol"].value == "2025-05-09"
    assert found.also["interpreter_support_left_days"].value is None
    assert found.also["interpreter_eol"].value == "no end is announced"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_distributions_the_one_that_ends_first_counts(order: int) -> None:
    both = (
        LifecycleFact(role="distribution", subject="Debian 12", eol=datetime.date(2026, 6, 10), source="a"),
        LifecycleFact(role="distribution", subject="Debian 13", eol=datetime.date(2028, 8, 9), source="a"),
    )
    found = UPDATE_FREQUENCY.measure(evidence(lifecycles=both[::order]), context())
    assert found.also["distribution"].value == "Debian 12"


def test_the_age_of_the_base() -> None:
    facts = msgspec.structs.replace(cadence(1), base_created=AS_OF - datetime.timedelta(days=40))
    assert _measured(facts).also["base_age_days"].value == 40
