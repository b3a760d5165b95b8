"""A silence that is unusual here, now: told once, in time, and never while it cannot be known."""

import msgspec
import pytest

from gateway.detect.home import GATEWAY, Away, Concern, Coverage, Outage, Sign, SignKind
from gateway.detect.inactivity import Settings, State, budget, notice, outing, step
from gateway.detect.inactivity.outing import Outing
from gateway.model.finding import FindingKind
from tests.unit.detect.inactivity.homes import (
    DAY_S,
    HOUR_S,
    SETTINGS,
    day,
    door,
    lived,
    motion,
    silence,
    tick,
    with_ticks,
)

NOON_S = 28 * DAY_S + 12 * HOUR_S


def until_noon(state: State) -> State:
    for happened in day(28, until_h=12.0):
        state, _ = step(state, happened, SETTINGS)
    state, _ = step(state, motion(NOON_S, "kitchen"), SETTINGS)
    return state


@pytest.fixture(scope="module")
def month() -> State:
    state, _ = lived(28)
    return state


@pytest.fixture(scope="module")
def noon(month: State) -> State:
    return until_noon(month)


def concerns(told: list[Concern | Coverage]) -> list[Concern]:
    return [one for one in told if isinstance(one, Concern)]


def test_a_month_of_ordinary_days_is_not_told():
    assert lived(28)[1] == []


def test_a_silence_from_noon_is_told_once_and_within_hours(noon: State):
    _, told = silence(noon, NOON_S, 24)
    (concern,) = concerns(told)
    assert concern.kind is FindingKind.INACTIVITY
    assert 1 * HOUR_S < concern.at_s - NOON_S < 4 * HOUR_S
    assert concern.evidence["quiet_s"] == concern.at_s - NOON_S


def test_the_next_sign_arms_it_again(noon: State):
    state, _ = silence(noon, NOON_S, 12)
    begin_s = NOON_S + 12 * HOUR_S + 60.0
    state, _ = step(state, motion(begin_s), SETTINGS)
    assert len(concerns(silence(state, begin_s, 20)[1])) == 1


def test_a_night_may_be_silent_longer_than_a_day(month: State):
    state = month
    for happened in day(28):
        state, _ = step(state, happened, SETTINGS)
    begin_s = 28 * DAY_S + 22.5 * HOUR_S
    by_night = notice(state, begin_s, begin_s, 24 * HOUR_S, SETTINGS)
    by_day = notice(until_noon(month), NOON_S, NOON_S, 24 * HOUR_S, SETTINGS)
    assert by_night is not None
    assert by_day is not None
    assert by_night > 1.5 * by_day


@pytest.mark.parametrize("begin_h", [7.5, 12.0, 22.4])
def test_notice_knows_the_moment_that_ticks_would_tell(month: State, begin_h: float):
    state = month
    for happened in day(28, until_h=begin_h):
        state, _ = step(state, happened, SETTINGS)
    at_s = 28 * DAY_S + (begin_h + 0.3) * HOUR_S
    expected = notice(state, at_s, at_s, 48 * HOUR_S, SETTINGS)
    (concern,) = concerns(silence(state, at_s, 48)[1])
    assert expected is not None
    assert 0 <= concern.at_s - at_s - expected < 60.0


def test_how_often_ticks_come_changes_nothing(noon: State):
    state, at_s = noon, NOON_S
    while at_s < NOON_S + 24 * HOUR_S:
        at_s += 1500.0
        state, told = step(state, tick(at_s), SETTINGS)
        if told:
            break
    expected = notice(noon, NOON_S, NOON_S, 24 * HOUR_S, SETTINGS)
    assert expected is not None
    assert 0 <= at_s - NOON_S - expected < 1500.0


def test_a_longer_budget_waits_longer(noon: State):
    waits = [notice(noon, NOON_S, NOON_S, 24 * HOUR_S, Settings(budget_days=days)) for days in (15, 60, 240)]
    assert waits == sorted(waits, key=lambda one: one or 0.0)
    assert len(set(waits)) == 3


def test_the_first_day_is_neither_silent_nor_noisy():
    state, told = lived(1)
    assert told == []
    state, _ = step(state, motion(DAY_S + 12 * HOUR_S), SETTINGS)
    (concern,) = concerns(silence(state, DAY_S + 12 * HOUR_S, 24)[1])
    assert concern.at_s - (DAY_S + 12 * HOUR_S) < 8 * HOUR_S


def test_no_gap_outlasts_the_cap(noon: State):
    waited = notice(noon, NOON_S, NOON_S, 24 * HOUR_S, Settings(cap_h=1.0))
    assert waited == HOUR_S


def test_without_a_clock_it_learns_nothing_of_the_hour_and_still_tells():
    state, told = lived(3, clock=False)
    assert told == []
    begin_s = 3 * DAY_S + 60.0
    state, _ = step(state, motion(begin_s, clock=False), SETTINGS)
    _, told = silence(state, begin_s, 15, clock=False)
    assert len(concerns(told)) == 1


def test_whoever_goes_out_and_stays_is_not_returned_and_not_silent(noon: State):
    state, _ = step(noon, door(NOON_S + 60.0), SETTINGS)
    (concern,) = concerns(silence(state, NOON_S + 60.0, 24)[1])
    assert concern.kind is FindingKind.NOT_RETURNED
    assert 3 * HOUR_S < concern.at_s - NOON_S < 12 * HOUR_S


def test_longer_outings_at_this_hour_put_the_return_off(month: State):
    state = month
    for number in range(28, 40):
        for happened in (door(number * DAY_S + 13 * HOUR_S), door(number * DAY_S + 19 * HOUR_S),
                         motion(number * DAY_S + 19 * HOUR_S + 200.0, "living")):
            state, _ = step(state, happened, SETTINGS)
    out_s = 40 * DAY_S + 13 * HOUR_S
    learned, _ = step(state, door(out_s), SETTINGS)
    fresh, _ = step(month, door(out_s), SETTINGS)
    before, after = (notice(one, out_s, out_s, 24 * HOUR_S, SETTINGS) for one in (fresh, learned))
    assert before is not None
    assert after is not None
    assert after > before
    assert after > 6 * HOUR_S


def test_a_day_out_is_waited_for_where_it_is_usual_and_not_where_it_is_rare():
    mornings = [Outing(10.0, 2.0)] * 30
    rare, usual = (outing.limit_s((*mornings, *[Outing(10.0, 8.0)] * days), 10 * HOUR_S, 60.0) for days in (1, 15))
    assert rare < 6 * HOUR_S
    assert usual > 8 * HOUR_S


def test_a_silence_told_falsely_raises_the_limit_and_a_budgets_days_lower_it_again(noon: State):
    told, _ = silence(noon, NOON_S, 14)
    back, _ = step(told, motion(NOON_S + 14 * HOUR_S), SETTINGS)
    assert (noon.all.raised, back.all.raised) == (0.0, budget.STEP)
    assert 0.0 < budget.sunk(budget.STEP, 30.0, 60.0) < budget.STEP
    assert budget.sunk(budget.STEP, 61.0, 60.0) == 0.0


def test_a_flat_declared_empty_is_not_told_and_teaches_nothing(noon: State):
    until_s = NOON_S + 5 * DAY_S
    state, _ = step(noon, Away(NOON_S, NOON_S, until_s), SETTINGS)
    assert notice(state, NOON_S, NOON_S, 24 * HOUR_S, SETTINGS) is None
    state, told = silence(state, NOON_S, 5 * 24 - 1)
    assert told == []
    back, _ = step(state, motion(until_s - 600.0), SETTINGS)
    assert noon.all.peak is not None
    assert (back.all.peaks[-1], back.all.peak) == (noon.all.peak, None)
    assert all(gap.minutes < 24 * 60 for gap in back.all.gaps)


def test_who_is_not_back_from_a_declared_absence_is_told(noon: State):
    until_s = NOON_S + DAY_S
    state, _ = step(noon, Away(NOON_S, NOON_S, until_s), SETTINGS)
    (concern,) = concerns(silence(state, NOON_S, 24 + 16)[1])
    assert concern.kind is FindingKind.NOT_RETURNED
    assert concern.at_s > until_s


def test_an_absence_that_is_taken_back_counts_from_then(noon: State):
    state, _ = step(noon, Away(NOON_S, NOON_S, NOON_S + 5 * DAY_S), SETTINGS)
    state, _ = step(state, Away(NOON_S + HOUR_S, NOON_S + HOUR_S, None), SETTINGS)
    assert len(concerns(silence(state, NOON_S + HOUR_S, 24)[1])) == 1


def test_time_in_which_the_gateway_was_down_is_no_silence(noon: State):
    lost_s, back_s = NOON_S + 600.0, NOON_S + 600.0 + 10 * HOUR_S
    state, _ = step(noon, Outage(lost_s, lost_s, GATEWAY, True), SETTINGS)
    assert notice(state, lost_s, lost_s, 24 * HOUR_S, SETTINGS) is None
    state, told = step(state, Outage(back_s, back_s, GATEWAY, False), SETTINGS)
    state, more = step(state, tick(back_s + 60.0), SETTINGS)
    assert (told, more) == ((), ())
    state, _ = step(state, motion(back_s + 120.0), SETTINGS)
    assert all(gap.minutes < 600 for gap in state.all.gaps)
    assert state.all.peak == noon.all.peak


def test_a_lost_sensor_of_weight_is_told_and_silence_weighs_less(noon: State):
    before = notice(noon, NOON_S, NOON_S, 24 * HOUR_S, SETTINGS)
    state, (told,) = step(noon, Outage(NOON_S, NOON_S, "pir-hall", True), SETTINGS)
    assert isinstance(told, Coverage)
    assert told.reduced
    assert "pir-hall" in told.reasons[0]
    after = notice(state, NOON_S, NOON_S, 24 * HOUR_S, SETTINGS)
    assert before is not None
    assert after is not None
    assert after > before
    (concern,) = concerns(silence(state, NOON_S, 24)[1])
    assert 0 <= concern.at_s - NOON_S - after < 60.0
    _, (told,) = step(state, Outage(NOON_S + 60.0, NOON_S + 60.0, "pir-hall", False), SETTINGS)
    assert isinstance(told, Coverage)
    assert not told.reduced


def test_several_residents_are_reduced_cover_from_the_first_sign():
    _, (told,) = step(State(), motion(HOUR_S), Settings(residents=2))
    assert isinstance(told, Coverage)
    assert told.reduced
    assert "2 people" in told.reasons[0]


def test_a_home_without_a_watched_front_door_is_reduced_cover():
    state, told = State(), []
    for number in range(9):
        for happened in day(number):
            if not (isinstance(happened, Sign) and happened.kind is SignKind.DOOR):
                state, more = step(state, happened, SETTINGS)
                told += more
    (cover,) = [one for one in told if isinstance(one, Coverage)]
    assert cover.reduced
    assert "no door to the outside" in cover.reasons[0]


def test_a_motion_that_ends_is_no_sign(noon: State):
    ended = Sign(NOON_S + 60.0, NOON_S + 60.0, "pir-kitchen", SignKind.MOTION, "kitchen", False)
    assert step(noon, ended, SETTINGS) == (noon, ())


def test_the_state_is_restored_as_it_was_and_small(noon: State):
    saved = msgspec.json.encode(noon)
    assert len(saved) < 64_000
    again = msgspec.json.decode(saved, type=State)
    assert again == noon
    assert silence(again, NOON_S, 12)[1] == silence(noon, NOON_S, 12)[1]


def test_a_step_leaves_the_state_before_it_as_it_was(month: State):
    saved = msgspec.json.encode(month)
    for happened in with_ticks(day(28), 28 * DAY_S):
        step(month, happened, SETTINGS)
    assert msgspec.json.encode(month) == saved
