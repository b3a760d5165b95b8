"""Others than the resident are recognised by their lone motions; sensors that fell silent are named."""

import random
from collections.abc import Iterator

from gateway.detect import watch
from gateway.detect.home import Coverage, Input, Outage, Sign, SignKind
from gateway.detect.inactivity import State, notice, step
from gateway.detect.inactivity.detector import Told
from gateway.detect.inactivity.place import IN, OUT
from gateway.detect.inactivity.watched import trusts_bursts
from tests.unit.detect.inactivity.homes import DAY_S, HOUR_S, SETTINGS, day, door, lived, motion


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


def blind(events: Iterator[Input], blind_s: float) -> list[Input]:
    """The same day with sensors of motion that are blind for so long after each report."""
    last_s: dict[str, float] = {}
    kept: list[Input] = []
    for happened in events:
        if isinstance(happened, Sign) and happened.kind is SignKind.MOTION:
            if happened.at_s - last_s.get(happened.sensor, -blind_s) < blind_s:
                continue
            last_s[happened.sensor] = happened.at_s
        kept.append(happened)
    return kept


def test_a_resident_alone_with_sensors_blind_for_five_minutes_is_not_taken_for_two():
    def busy(number: int) -> Iterator[Input]:
        for minute in range(8 * 60, 20 * 60, 2):
            room = ("kitchen", "living", "bathroom")[minute // 60 % 3]
            yield motion(number * DAY_S + minute * 60.0, room)

    _, told = told_of(blind(busy(number), 300.0) for number in range(14))
    assert [one for one in told if isinstance(one, Coverage) and "others" in "".join(one.reasons)] == []


def out_and_back(number: int, *, pet_bursts: bool = False) -> list[Input]:
    """An afternoon out of two hours, at home a walk through two rooms, tea; while out, perhaps, a pet that runs."""
    begin_s = number * DAY_S + 13.2 * HOUR_S
    home_s = begin_s + 2 * HOUR_S
    runs = [motion(begin_s + HOUR_S + place * 20.0, room) for place, room in enumerate(("hall", "living") * 2)]
    walk = [motion(home_s + 20.0 + place * 20.0, room) for place, room in enumerate(("hall", "living") * 2)]
    return [door(begin_s), *(runs if pet_bursts else ()), door(home_s), *walk, fridge(home_s + 300.0)]


def with_outings(days: int, *, pet_bursts: bool = False) -> State:
    def one(number: int) -> list[Input]:
        out = out_and_back(number, pet_bursts=pet_bursts)
        rest = [happened for happened in with_cat(number)
                if not out[0].at_s - 60.0 < happened.at_s < out[-1].at_s + 60.0]
        return sorted([*rest, *out], key=lambda happened: happened.at_s)

    return told_of(one(number) for number in range(days))[0]


def since_s_after_a_burst(state: State, begin_s: float) -> float:
    for happened in (fridge(begin_s), *(motion(begin_s + HOUR_S + place * 30.0, room)
                                        for place, room in enumerate(("kitchen", "living") * 2))):
        state, _ = step(state, happened, SETTINGS)
    assert state.watched.others
    assert state.human.clock is not None
    return state.human.clock.since_s - begin_s


def test_beside_a_cat_a_burst_in_two_rooms_is_a_person_once_the_empty_flat_was_seen_without_any():
    assert since_s_after_a_burst(with_outings(9), 9 * DAY_S + 12 * HOUR_S) > HOUR_S
    assert since_s_after_a_burst(with_outings(3), 3 * DAY_S + 12 * HOUR_S) == 0.0


def test_beside_an_animal_that_runs_through_the_empty_flat_a_burst_is_nobody():
    assert since_s_after_a_burst(with_outings(12, pet_bursts=True), 12 * DAY_S + 12 * HOUR_S) == 0.0


def test_an_hour_at_home_that_begins_with_a_few_motions_is_not_the_empty_flat():
    def come_and_gone(number: int) -> list[Input]:
        home_s = number * DAY_S + 15.2 * HOUR_S
        moves = [motion(home_s + minute * 60.0, room) for minute, room in ((1, "hall"), (6, "living"), (11, "kitchen"))]
        later = [motion(home_s + HOUR_S + place * 20.0, room) for place, room in enumerate(("hall", "living") * 2)]
        gone_s = home_s + 1.5 * HOUR_S
        return [door(home_s - 2 * HOUR_S), door(home_s), *moves, *later, door(gone_s), door(gone_s + HOUR_S),
                fridge(gone_s + HOUR_S + 60.0)]

    assert trusts_bursts(told_of(come_and_gone(number) for number in range(9))[0].watched)


def test_beside_a_cat_the_door_lets_in_who_went_out_by_it():
    state, begin_s = with_outings(9), 9 * DAY_S + 13 * HOUR_S
    for happened, place in ((fridge(begin_s - 60.0), None), (door(begin_s), OUT), (door(begin_s + 12.0), OUT),
                            (door(begin_s + HOUR_S), IN), (door(begin_s + HOUR_S + 12.0), IN),
                            (door(begin_s + 3 * HOUR_S), OUT)):
        state, _ = step(state, happened, SETTINGS)
        assert state.human.clock is not None
        assert place in (None, state.human.clock.place)


def test_the_rules_take_for_a_persons_what_the_detector_of_inactivity_does():
    state, _ = told_of(with_cat(number) for number in range(14))
    at_s, known = 14 * DAY_S + 12 * HOUR_S, watch.State(state)
    inside = {room: watch.step(known, motion(at_s, room), watch.Settings())[0].rules.scene.inside_at_s
              for room in ("bathroom", "living")}
    assert inside == {"bathroom": at_s, "living": None}


def test_a_lost_sensor_does_not_make_the_cat_forgotten():
    state, _ = told_of(with_cat(number) for number in range(10))
    state, _ = step(state, Outage(10 * DAY_S, 10 * DAY_S, "pir-living", True), SETTINGS)
    for number in range(10, 24):
        for happened in with_cat(number):
            if not (isinstance(happened, Sign) and happened.sensor in ("pir-living", "pir-bathroom")):
                state, _ = step(state, happened, SETTINGS)
    assert state.watched.others
