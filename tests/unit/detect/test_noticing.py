"""How soon anyone would notice: what is kept of each hour, and what is said of it."""

import msgspec
import pytest

from gateway.detect import inactivity
from gateway.detect.home import Away, Sign, SignKind, Tick
from gateway.detect.noticing import DAYS, HORIZON_S, Hour, State, by_hour, due, note, step
from tests.unit.detect.inactivity.test_watched import fridge, told_of, with_cat

HOUR_S, DAY_S = 3600.0, 86400.0
MONDAY_S = 1704672000.0  # 2024-01-08, midnight


def kept(*waits: tuple[float, float | None]) -> State:
    state = State()
    for at_h, wait_h in waits:
        state = note(state, MONDAY_S + at_h * HOUR_S, None if wait_h is None else wait_h * HOUR_S)
    return state


def test_an_hour_has_the_middling_and_the_worst_wait_of_its_days() -> None:
    state = kept((7, 1), (7 + 24, 5), (7 + 48, 2))
    assert by_hour(state) == [Hour(7, 3, 2 * HOUR_S, 5 * HOUR_S)]


def test_the_first_word_on_an_hour_stands() -> None:
    assert by_hour(kept((7, 1), (7.5, 9))) == [Hour(7, 1, HOUR_S, HOUR_S)]
    assert not due(kept((7, 1)), MONDAY_S + 7.9 * HOUR_S)
    assert due(kept((7, 1)), MONDAY_S + 8 * HOUR_S)


def test_an_hour_of_which_nothing_can_be_said_counts_for_nothing() -> None:
    assert by_hour(kept((7, None), (31, 3))) == [Hour(7, 1, 3 * HOUR_S, 3 * HOUR_S)]


@pytest.mark.parametrize(("days_ago", "known"), [(DAYS - 1, 2), (DAYS, 1)])
def test_what_is_older_than_four_weeks_is_forgotten(days_ago: int, known: int) -> None:
    ((of,)) = by_hour(kept((7, 9), (7 + 24 * days_ago, 1)))
    assert of.days == known


def test_hours_without_power_are_no_hours_of_four_weeks_ago() -> None:
    every_day = [(7 + 24 * day, 1.0) for day in range(DAYS)]
    (of,) = by_hour(kept(*every_day, (7 + 24 * (DAYS + 9), 1.0)))
    assert of.days == DAYS - 9


def test_a_gap_longer_than_all_that_is_kept_forgets_all() -> None:
    assert by_hour(kept((7, 9), (8, 9), (24 * 400, 1))) == [Hour(0, 1, HOUR_S, HOUR_S)]


def test_a_clock_that_falls_back_by_days_was_wrong_before() -> None:
    assert by_hour(kept((24 * 4000, 9), (7, 1), (8, 2))) == [Hour(7, 1, HOUR_S, HOUR_S),
                                                             Hour(8, 1, 2 * HOUR_S, 2 * HOUR_S)]


def test_the_end_of_summer_time_forgets_nothing() -> None:
    assert [of.hour for of in by_hour(kept((2, 1), (1, 5), (3, 1)))] == [2, 3]


def test_the_state_is_small_and_survives_being_saved() -> None:
    state = kept(*((hour, 47.0) for hour in range(2000)))
    saved = msgspec.json.encode(state)
    assert len(saved) < 4096
    assert by_hour(msgspec.json.decode(saved, type=State)) == by_hour(state)
    assert len(by_hour(state)) == 24


def a_day_until(hour: float, *signs: Sign) -> inactivity.State:
    """What the detector knows after a week of two signs an hour by day, and these."""
    known = inactivity.State()
    usual = [MONDAY_S + day * DAY_S + at * 1800.0 for day in range(7) for at in range(14, 46)]
    for happened in [*(kitchen(at_s) for at_s in usual if at_s < MONDAY_S + 6 * DAY_S + hour * HOUR_S), *signs]:
        known, _ = inactivity.step(known, happened, inactivity.Settings())
    return known


def kitchen(at_s: float) -> Sign:
    return Sign(at_s, at_s, "m", SignKind.MOTION, "kitchen", True)


NOON_S = MONDAY_S + 6 * DAY_S + 12 * HOUR_S


def asked(known: inactivity.State) -> list[Hour]:
    return by_hour(step(State(), Tick(NOON_S, NOON_S), known, inactivity.Settings()))


def test_an_hour_at_home_has_a_wait_and_one_away_has_none() -> None:
    door = Sign(NOON_S - 60, NOON_S - 60, "d", SignKind.DOOR, "hall", False)
    assert [one.hour for one in asked(a_day_until(11.9))] == [12]
    assert asked(a_day_until(11.9, door)) == []


def test_while_the_flat_is_declared_empty_nothing_can_be_said() -> None:
    known, _ = inactivity.step(a_day_until(11.9), Away(NOON_S - 60, NOON_S - 60, NOON_S + DAY_S), inactivity.Settings())
    assert asked(known) == []


def test_after_an_alert_nothing_can_be_said_until_the_next_sign() -> None:
    known, alerts = a_day_until(0.0), 0
    for minute in range(12 * 60):
        at_s = MONDAY_S + 6 * DAY_S + minute * 60
        known, told = inactivity.step(known, Tick(at_s, at_s), inactivity.Settings())
        alerts += len(told)
    assert alerts == 1
    assert asked(known) == []


def test_where_an_animal_makes_the_cap_longer_the_longest_waits_are_kept_too() -> None:
    """A wait beyond the cap of a home without an animal is the worst of all: left out, the family would not hear it."""
    settings = inactivity.Settings(budget_days=1e6)
    known, _ = told_of(with_cat(number) for number in range(14))
    at_s = 14 * DAY_S + 12 * HOUR_S
    known, _ = inactivity.step(known, fridge(at_s), settings)
    wait_s = inactivity.notice(known, at_s, at_s, HORIZON_S, settings)
    assert wait_s is not None
    assert wait_s > settings.cap_h * HOUR_S
    (of,) = by_hour(step(State(), Tick(at_s, at_s), known, settings))
    assert of.worst_s == wait_s


# -- beside the detector ---------------------------------------------------------------------------------------------


def test_without_a_clock_nothing_is_noted() -> None:
    assert step(State(), Tick(10.0, None), inactivity.State(), inactivity.Settings()) == State()


def test_what_is_noted_is_when_the_detector_really_tells_it() -> None:
    """The wait that is said at an hour, and the moment at which the detector speaks if nothing more happens."""
    settings, known, waits = inactivity.Settings(), inactivity.State(), State()
    for hour in range(9 * 24):  # somebody who moves in the kitchen twice an hour by day and sleeps from 23 to 7
        for minute in range(60):
            at_s = MONDAY_S + hour * HOUR_S + minute * 60
            inputs = [Tick(at_s, at_s)]
            if 7 <= hour % 24 < 23 and minute in (5, 40):
                inputs = [Sign(at_s + 1, at_s + 1, "m", SignKind.MOTION, "kitchen", True)]
            for happened in inputs:
                known, _ = inactivity.step(known, happened, settings)
                waits = step(waits, happened, known, settings)
    at_s = MONDAY_S + 9 * DAY_S
    known, _ = inactivity.step(known, Tick(at_s, at_s), settings)
    said = step(waits, Tick(at_s, at_s), known, settings)
    said_min = int.from_bytes(said.minutes[2 * (said.hour % (DAYS * 24)) :][:2], "big")
    told, later_s = False, at_s
    while not told:
        later_s += 60
        known, found = inactivity.step(known, Tick(later_s, later_s), settings)
        told = any(one.kind == "inactivity" for one in found if hasattr(one, "kind"))
    assert said_min == pytest.approx((later_s - at_s) / 60, abs=2)
