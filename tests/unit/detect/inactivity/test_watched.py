"""Others than the resident are recognised by their lone motions; sensors that fell silent are named."""

import random
from collections.abc import Iterator

from gateway.detect.home import Coverage, Input, Sign, SignKind
from gateway.detect.inactivity import State, notice, step
from gateway.detect.inactivity.detector import Told
from tests.unit.detect.inactivity.homes import DAY_S, HOUR_S, SETTINGS, day, lived, motion


def fridge(at_s: float) -> Sign:
    return Sign(at_s, at_s, "fridge", SignKind.INNER_DOOR, "kitchen", True)


def with_cat(number: int) -> list[Input]:
    """A day with a fridge opened at meals, and a cat at any hour in three rooms."""
    dice = random.Random(-number - 1)
    cat = [motion(number * DAY_S + dice.uniform(0, DAY_S), room) for room in ("kitchen", "living", "hall") * 16]
    meals = [fridge(number * DAY_S + hour * HOUR_S + one_s) for hour in (8, 10, 12.5, 15, 18, 20) for one_s in (5, 70)]
    return sorted([*day(number), *meals, *cat], key=lambda happened: happened.at_s)


def told_of(days: Iterator[list[Input]]) -> tuple[State, list[Told]]:
    state, told = State(), []
    for events in days:
        for happened in events:
            state, more = step(state, happened, SETTINGS)
            told += more
    return state, told


def test_a_cat_is_told_as_reduced_cover_within_a_week():
    _, told = told_of(with_cat(number) for number in range(8))
    (cover,) = [one for one in told if isinstance(one, Coverage)]
    assert cover.reduced
    assert "others" in cover.reasons[0]
    assert cover.at_s < 7 * DAY_S


def test_a_resident_alone_is_not_taken_for_two():
    assert not [one for one in lived(14)[1] if isinstance(one, Coverage)]


def test_with_a_cat_its_motion_no_longer_ends_a_silence():
    state, _ = told_of(with_cat(number) for number in range(14))
    begin_s = 14 * DAY_S + 12 * HOUR_S
    state, _ = step(state, fridge(begin_s), SETTINGS)
    before = notice(state, begin_s, begin_s, 24 * HOUR_S, SETTINGS)
    state, _ = step(state, motion(begin_s + HOUR_S, "living"), SETTINGS)
    after = notice(state, begin_s + HOUR_S, begin_s + HOUR_S, 24 * HOUR_S, SETTINGS)
    assert before is not None
    assert after is not None
    assert abs(before - HOUR_S - after) < 60.0


def test_with_a_cat_that_does_not_enter_the_bathroom_its_motion_still_counts():
    state, _ = told_of(with_cat(number) for number in range(14))
    begin_s = 14 * DAY_S + 12 * HOUR_S
    state, _ = step(state, fridge(begin_s), SETTINGS)
    state, _ = step(state, motion(begin_s + HOUR_S, "bathroom"), SETTINGS)
    assert state.human.clock is not None
    assert state.human.clock.since_s == begin_s + HOUR_S


def test_a_sensor_still_for_days_while_the_home_is_lively_is_named_and_later_dropped():
    state, _ = lived(10)
    told: list[Told] = []
    for number in range(10, 24):
        for happened in day(number):
            if not (isinstance(happened, Sign) and happened.sensor == "pir-bathroom"):
                state, more = step(state, happened, SETTINGS)
                told += more
    first, last = [one for one in told if isinstance(one, Coverage)]
    assert first.reduced
    assert first.reasons[0].startswith("pir-bathroom")
    assert first.at_s < 15 * DAY_S
    assert not last.reduced
