"""Each rule of routine in a made flat: what it tells, when, and what it must not tell."""

import msgspec
import pytest

from gateway.detect.home import Sign, SignKind, Tick
from gateway.detect.routines import RULES, URGENCY, NoticeKind, Settings, State, Urgency, step
from gateway.model.finding import FindingKind
from tests.unit.detect.routines.flat import AHEAD_S, Flat


@pytest.fixture(scope="module")
def lived() -> State:
    return Flat().live(0, 28).state


def at_home(lived: State, *, human_only: bool = False, **settings: object) -> Flat:
    flat = Flat(Settings(**settings), human_only=human_only)  # type: ignore[arg-type]
    flat.state, flat.now_s = lived, (lived.scene.inside_at_s or 0.0) + AHEAD_S
    return flat


def test_an_ordinary_month_tells_nothing() -> None:
    assert Flat().live(0, 40).kinds() == []


def test_each_kind_that_a_rule_can_tell_has_its_urgency() -> None:
    assert set(NoticeKind) <= URGENCY.keys()
    assert {kind for kind, (urgency, _) in URGENCY.items() if urgency is Urgency.ALARM} <= set(FindingKind)
    assert all(URGENCY[kind][0] is Urgency.EVENT for kind in NoticeKind)


def test_a_saved_state_is_restored_as_it_was(lived: State) -> None:
    saved = msgspec.msgpack.encode(lived)
    assert msgspec.msgpack.decode(saved, type=State) == lived
    assert len(saved) < 16_000


@pytest.mark.parametrize("rule", list(RULES))
def test_a_rule_that_is_switched_off_learns_and_tells_nothing(rule: str) -> None:
    flat = Flat(Settings(off=frozenset({rule}))).live(0, 3)
    assert getattr(flat.state, rule) == getattr(State(), rule)


def test_without_a_clock_nothing_that_needs_the_hour_is_told() -> None:
    flat = Flat(clock=False).live(0, 9)
    flat.until(11, "12:0")
    assert set(flat.kinds()) <= {"bathroom_overstay", "motion_silent"}


def morning(lived: State, **settings: object) -> Flat:
    """Day 28, up as usual."""
    return at_home(lived, **settings).sign(28, "7:0", "hall")


# -- not_up ----------------------------------------------------------------------------------------------------------


def test_who_does_not_get_up_is_missed_90_minutes_after_the_latest_usual_time_and_once(lived: State) -> None:
    flat = at_home(lived).until(28, "7:30").until(30, "23:0")
    hours = [at_h for at_h, one in flat.told if one.kind is FindingKind.NOT_UP]
    assert len(hours) == 1
    assert hours[0] % 24 == pytest.approx(8.5, abs=0.1)


def test_turning_over_in_bed_is_not_getting_up(lived: State) -> None:
    flat = at_home(lived).until(28, "6:30").sign(28, "7:10", "bedroom").until(28, "12:0")
    assert "not_up" in flat.kinds()


def test_getting_up_is_not_expected_of_who_went_out(lived: State) -> None:
    flat = at_home(lived).until(27, "22:30").sign(27, "22:40", "door").until(28, "12:0")
    assert "not_up" not in flat.kinds()


def test_before_a_week_is_known_only_a_configured_time_counts() -> None:
    for up_by, told in ((None, []), (9 * 60, ["not_up"])):
        flat = Flat(Settings(up_by=up_by)).live(0, 3)
        assert flat.until(3, "12:0").kinds() == told


# -- night_exit ------------------------------------------------------------------------------------------------------


def exit_at_two(lived: State, **settings: object) -> Flat:
    flat = at_home(lived, **settings).until(28, "1:50")  # type: ignore[arg-type]
    return flat.sign(28, "2:0", "door").sign(28, "2:0", "door", on=False)


def test_who_goes_out_at_night_and_does_not_come_back_is_missed_within_a_quarter_of_an_hour(lived: State) -> None:
    flat = exit_at_two(lived).until(28, "2:14")
    assert flat.kinds() == ["night_exit"]


def test_who_takes_the_rubbish_out_at_night_is_not_missed(lived: State) -> None:
    flat = exit_at_two(lived).sign(28, "2:4", "door").sign(28, "2:5", "hall").until(28, "3:0")
    assert flat.kinds() == []


def test_motion_in_the_moment_of_leaving_is_no_return(lived: State) -> None:
    flat = exit_at_two(lived).sign(28, "2:0", "hall").until(28, "2:20")
    assert flat.kinds() == ["night_exit"]


def test_who_opens_the_door_and_stays_in_is_not_missed(lived: State) -> None:
    assert exit_at_two(lived).sign(28, "2:1", "living").until(28, "3:0").kinds() == []


def test_who_comes_home_late_is_not_missed(lived: State) -> None:
    flat = at_home(lived).until(27, "19:0").sign(27, "19:10", "door").sign(27, "23:50", "door")
    assert flat.until(28, "0:30").kinds() == []


def test_a_cat_in_the_hall_is_no_return(lived: State) -> None:
    flat = exit_at_two(lived, human_only=True).sign(28, "2:3", "hall").sign(28, "2:9", "living").until(28, "2:20")
    assert flat.kinds() == ["night_exit"]


def test_motion_beside_a_cat_that_is_certain_to_be_a_persons_is_a_return(lived: State) -> None:
    assert exit_at_two(lived, human_only=True).sign(28, "2:3", "hall", certain=True).until(28, "2:20").kinds() == []


def test_where_several_live_an_exit_at_night_is_not_told(lived: State) -> None:
    assert exit_at_two(lived, residents=2).until(28, "3:0").kinds() == []


def test_an_exit_by_day_is_not_told(lived: State) -> None:
    flat = morning(lived).until(28, "13:0").sign(28, "13:1", "door").until(28, "14:0")
    assert flat.kinds() == []


def test_whose_night_begins_late_may_go_out_at_eleven() -> None:
    flat = Flat().live(0, 30, up=9, bed=24).sign(30, "9:0", "hall")
    assert flat.sign(30, "22:30", "door").until(30, "23:30").kinds() == []
    flat = Flat().live(0, 30, up=5, bed=20).sign(30, "5:0", "hall")
    assert flat.sign(30, "22:30", "door").until(30, "23:30").kinds() == ["night_exit"]


def test_a_configured_night_stands_above_the_learned_one(lived: State) -> None:
    flat = morning(lived, night=(12 * 60, 15 * 60)).until(28, "13:0").sign(28, "13:1", "door").until(28, "13:30")
    assert flat.kinds() == ["night_exit"]
    assert exit_at_two(lived, night=(12 * 60, 15 * 60)).until(28, "2:30").kinds() == []


# -- bathroom --------------------------------------------------------------------------------------------------------


def test_who_stays_silent_in_the_bathroom_is_missed_within_an_hour_and_a_half(lived: State) -> None:
    flat = morning(lived).until(28, "9:55").sign(28, "10:0", "bath").until(28, "11:30")
    assert flat.kinds()[:1] == ["bathroom_overstay"]


def test_a_sign_from_anywhere_else_ends_the_stay(lived: State) -> None:
    flat = morning(lived).until(28, "9:55").sign(28, "10:0", "bath").sign(28, "10:2", "living").until(28, "14:0")
    assert "bathroom_overstay" not in flat.kinds()


def test_at_night_the_bathroom_is_judged_sooner(lived: State) -> None:
    flat = at_home(lived).until(28, "1:50").sign(28, "2:0", "bath").until(28, "2:58")
    assert flat.kinds() == ["bathroom_overstay"]


def test_a_stay_that_was_told_is_not_told_again_because_a_sensor_elsewhere_is_lost(lived: State) -> None:
    flat = morning(lived).until(28, "9:55").sign(28, "10:0", "bath").until(28, "11:30")
    flat.outage("living", lost=True).until(28, "12:30").outage("living", lost=False)
    assert flat.until(28, "13:0").kinds().count("bathroom_overstay") == 1


def test_a_long_bath_every_evening_is_learned() -> None:
    flat = Flat()
    for day in range(40):
        flat.live(day, day + 1)
        for minute in (20, 22, 24, 26):
            flat.sign(day, f"22:{minute}", "bath")
        flat.sign(day, "23:50", "hall").sign(day, "23:51", "bedroom")
    assert [one for _, one in flat.told[-20:] if one.kind is FindingKind.BATHROOM_OVERSTAY] == []


def with_a_cat(days: int = 25, stays: int = 2) -> Flat:
    """Days of visits to the bathroom, `stays` minutes to the last sign, and a cat that comes by now and then."""
    flat = Flat(human_only=True)
    for day in range(days):
        flat.sign(day, "7:0", "kettle")
        for hour in (8, 12, 16, 20):
            for minute, sensor in ((0, "hall"), (1, "bath"), (2, "bath"), (stays + 3, "hall"), (stays + 4, "living")):
                flat.sign(day, f"{hour + minute // 60}:{minute % 60}", sensor)
    return flat.sign(days, "7:0", "kettle").sign(days, "8:0", "hall")


def test_a_cat_that_wanders_does_not_hide_who_lies_in_the_bathroom() -> None:
    flat = with_a_cat().sign(25, "8:1", "bath").sign(25, "8:2", "bath")
    for minute in (10, 25, 50):
        flat.sign(25, f"8:{minute}", "hall").sign(25, f"8:{minute + 1}", "hall", on=False)
    assert flat.until(25, "9:30").kinds() == ["bathroom_overstay"]


def test_a_person_who_moves_on_has_left_it_and_a_cat_alone_was_never_in_it() -> None:
    assert with_a_cat().sign(25, "8:1", "bath").sign(25, "8:5", "hall").sign(25, "8:6", "living").until(
        25, "12:0").kinds() == []
    assert with_a_cat().sign(25, "8:30", "bath").until(25, "12:0").kinds() == []


@pytest.mark.parametrize("home", [{"days": 12}, {"stays": 80}])
def test_beside_an_animal_nothing_is_said_of_the_bathroom_in_the_first_weeks_nor_where_silence_is_usual(
        home: dict[str, int]) -> None:
    flat, day = with_a_cat(**home), home.get("days", 25)
    flat.sign(day, "8:1", "bath").sign(day, "8:2", "bath").until(day, "12:0")
    assert "bathroom_overstay" not in flat.kinds()


def test_motion_that_times_out_does_not_end_a_stay(lived: State) -> None:
    flat = morning(lived).until(28, "9:55").sign(28, "10:0", "bath").sign(28, "10:3", "hall", on=False)
    assert flat.until(28, "11:30").kinds()[:1] == ["bathroom_overstay"]


def test_a_gateway_that_was_down_does_not_count_the_time(lived: State) -> None:
    flat = morning(lived).until(28, "9:55").sign(28, "10:0", "bath").until(28, "10:10")
    flat.outage(lost=True).outage(lost=False)
    assert flat.until(28, "14:0").kinds() == []


# -- bed -------------------------------------------------------------------------------------------------------------


def test_who_leaves_the_bed_at_night_and_is_seen_nowhere_is_missed(lived: State) -> None:
    flat = at_home(lived).until(28, "1:50").sign(28, "2:0", "bed", on=False).until(28, "2:31")
    assert flat.kinds() == ["bed_exit_no_return"]


@pytest.mark.parametrize("sensor", ["bed", "hall", "bath"])
def test_who_is_back_or_seen_elsewhere_is_not(lived: State, sensor: str) -> None:
    flat = at_home(lived).until(28, "1:50").sign(28, "2:0", "bed", on=False).sign(28, "2:10", sensor)
    assert "bed_exit_no_return" not in flat.until(28, "3:30").kinds()


def test_a_bed_whose_sensor_is_lost_says_nothing(lived: State) -> None:
    flat = at_home(lived).until(28, "1:50").sign(28, "2:0", "bed", on=False).outage("bed", lost=True)
    assert flat.until(28, "4:0").kinds() == []


# -- appliances ------------------------------------------------------------------------------------------------------


def cooking(lived: State) -> Flat:
    return morning(lived, left_on_min={"stove": 30.0}).until(28, "11:50").sign(28, "12:0", "stove")


def test_a_stove_that_is_on_with_nobody_in_the_kitchen_is_an_alarm(lived: State) -> None:
    flat = cooking(lived).sign(28, "12:10", "kitchen").sign(28, "12:12", "living").until(28, "12:39")
    assert flat.kinds() == []
    assert flat.until(28, "12:41").kinds() == ["left_on"]


def test_it_is_told_again_only_after_somebody_was_there(lived: State) -> None:
    flat = cooking(lived).until(28, "14:0").sign(28, "14:0", "kitchen").until(28, "14:31")
    assert flat.kinds().count("left_on") == 2


def test_a_stove_that_was_switched_off_is_none(lived: State) -> None:
    assert cooking(lived).sign(28, "12:20", "stove", on=False).until(28, "13:0").kinds() == []


def test_a_kettle_that_is_used_daily_and_not_today_is_noticed_once(lived: State) -> None:
    flat = at_home(lived).until(28, "4:10").sign(28, "7:0", "hall").until(28, "23:0")
    unused = [(at_h % 24, one.sensor) for at_h, one in flat.told if one.kind is NoticeKind.UNUSED_TODAY]
    assert unused == [(pytest.approx(8.75, abs=0.1), "kettle")]


def test_nobody_uses_the_kettle_of_an_empty_flat(lived: State) -> None:
    flat = at_home(lived).until(28, "4:10").sign(28, "7:0", "door").until(28, "23:0")
    assert [one for _, one in flat.told if one.kind is NoticeKind.UNUSED_TODAY] == []


# -- programme -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sensor", "kind", "hours"), [
    ("living", NoticeKind.MOTION_SILENT, 24), ("door", NoticeKind.DOOR_UNOPENED, 24),
    ("tap", NoticeKind.WATER_UNUSED, 12)])
def test_the_programmes_defaults_are_noticed_once(sensor: str, kind: NoticeKind, hours: int) -> None:
    flat = Flat().sign(0, "8:0", sensor).sign(0, "8:1", "kettle")
    flat.until(3, "0:0")
    assert [at_h for at_h, one in flat.told if one.kind is kind] == [pytest.approx(8 + hours, abs=0.1)]


def test_an_empty_flat_is_silent_by_right() -> None:
    flat = Flat().sign(0, "8:0", "living").sign(0, "8:1", "tap").sign(0, "8:5", "door").until(3, "0:0")
    assert flat.told == []


def test_who_is_declared_away_is_not_missed_until_then(lived: State) -> None:
    flat = at_home(lived).until(27, "23:0").away(35).until(34, "23:0")
    assert flat.told == []
    assert flat.until(36, "12:0").told != []


# -- the rest --------------------------------------------------------------------------------------------------------


def drifted(shift_h: int, days: int) -> list[str]:
    flat = Flat().live(0, 50)
    flat.live(50, 50 + days, up=7 + shift_h, bed=22)
    return [one.words for _, one in flat.told if one.kind is NoticeKind.RHYTHM_DRIFT]


def test_a_change_that_holds_is_noticed_and_two_late_mornings_are_not() -> None:
    assert drifted(4, 2) == []
    words = drifted(3, 14)
    assert any(word.startswith("rising has changed for days: from 07:00") for word in words)


def test_a_tick_before_anything_is_due_changes_nothing(lived: State) -> None:
    tick = Tick(lived.due_s - 1, None)
    assert step(lived, tick, Settings())[0] is lived


def test_motion_that_ends_is_nobodys_sign(lived: State) -> None:
    at_s = (lived.scene.inside_at_s or 0) + 1000
    after, _ = step(lived, Sign(at_s, None, "hall", SignKind.MOTION, "hall", False), Settings())
    assert after.scene.inside_at_s == lived.scene.inside_at_s
