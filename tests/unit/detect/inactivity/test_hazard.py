"""What is learned of silences: the home's own, at its own hours, fading, beside what any home does."""

import pytest

from gateway.detect.home import Sign, SignKind
from gateway.detect.inactivity import budget, hazard
from gateway.detect.inactivity.hazard import BINS, SLOTS, Gap, folded, hazards, quiet_from
from gateway.detect.inactivity.place import OUT, PLACES, place
from tests.unit.detect.inactivity.homes import DAY_S, HOUR_S

BED, KITCHEN = PLACES.index("bed"), PLACES.index("kitchen")


def nights(from_h: float, hours: float = 8.0, count: int = 20) -> bytes:
    return folded(b"", [Gap(BED, number * DAY_S + from_h * HOUR_S, int(hours * 60)) for number in range(count)], 1.0)


def at(counts: bytes, hour: float, minutes: int, place: int = BED) -> float:
    """Signs a minute at this place and hour, so long after the last sign."""
    slot = int(hour * HOUR_S / hazard.SLOT_S)
    return hazards(counts, human=False)[(place * (SLOTS + 1) + slot) * BINS + hazard.BIN_OF[min(minutes, 600)]]


def test_the_quiet_hours_move_with_the_home():
    assert (quiet_from(nights(4.0)) - quiet_from(nights(23.0))) % DAY_S == 5 * HOUR_S


def test_a_home_of_late_nights_is_expected_to_rise_late():
    assert at(nights(4.0), 7.5, 200) < at(b"", 7.5, 200)


def test_in_a_home_of_late_nights_midnight_is_the_evening_though_it_was_never_silent_then():
    late, any_home = (at(counts, 0.5, 70, KITCHEN) / at(counts, 14.0, 70, KITCHEN) for counts in (nights(4.0), b""))
    assert late > 1.2 * any_home


def test_where_silences_always_end_the_hazard_is_higher_than_in_any_home():
    assert at(nights(23.0), 6.9, 470) > 1.3 * at(b"", 6.9, 470)


def test_what_was_learned_fades_by_half_in_its_half_life():
    signs, minutes = hazard.unpacked(nights(23.0))
    later_signs, later_minutes = hazard.unpacked(folded(nights(23.0), (), hazard.HALF_LIFE_DAYS))
    assert later_signs.sum() == pytest.approx(signs.sum() / 2, rel=0.01)
    assert later_minutes.sum() == pytest.approx(minutes.sum() / 2, rel=0.01)


def test_the_prior_holds_a_hazard_for_every_cell():
    for human in (False, True):
        known = hazards(b"", human=human)
        assert len(known) == len(PLACES) * (SLOTS + 1) * BINS
        assert all(0.0 < rate < 1.0 for rate in known)


def test_a_door_of_the_bedroom_leads_to_no_street():
    doors = [Sign(0.0, 0.0, "d", SignKind.DOOR, room, True) for room in ("hall", "other", "bedroom", "bathroom")]
    assert [place(door, None, None, in_bed=False) == OUT for door in doors] == [True, True, False, False]


def test_a_home_of_a_day_is_borne_with_longer_than_one_of_weeks():
    assert budget.limit((), 60.0) > budget.limit((budget.MEDIAN,) * budget.NEW_DAYS, 60.0) + 2.0


def test_a_day_as_extreme_as_never_before_widens_the_limit():
    ordinary = (5.0, 5.5, 6.0) * 20
    assert budget.limit((*ordinary[1:], 14.0), 60.0) > budget.limit(ordinary, 60.0)


def test_counts_that_an_earlier_version_saved_are_forgotten():
    counts = hazard.folded(b"", [hazard.Gap(0, 12 * 3600.0, 60)], 1.0)
    assert hazard.unpacked(counts)[0].sum() > 0.0
    assert hazard.unpacked(counts.removeprefix(hazard.FORMAT))[0].sum() == 0.0
