"""How findings in labelled homes are scored, by homes that were worked out by hand; and how the rivals judge."""

import gzip
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.routine import accuracy, rivals, robustness
from tests.bench.routine.homes import Case, Home, homes, missing, seconds
from tests.bench.routine.product import going_on
from tests.bench.routine.score import DAY_S, HOUR_S, Told, interval, judge, percentile, pooled, share

MONDAY_S = seconds("2024-01-08T00:00:00")


def at(days: float, hours: float = 0.0) -> float:
    return MONDAY_S + days * DAY_S + hours * HOUR_S


def a_home(*cases: Case, excused: tuple[tuple[float, float], ...] = ()) -> Home:
    """A year and four weeks that begin in the morning of a Monday."""
    return Home("h", False, Path("h.csv.gz"), at(0, 9), at(28 + 365), cases, excused)


def real(at_s: float, kind: str = "inactivity", urgent: bool = True) -> Told:
    return Told(None, at_s, kind, urgent)


def collapse(at_s: float, kind: str = "collapse_any", due_s: float | None = None) -> Case:
    return Case(kind, at_s, at_s if due_s is None else due_s, "")


# -- false alerts ----------------------------------------------------------------------------------------------------


def test_false_alerts_count_from_the_29th_day_on_by_kind() -> None:
    told = [real(at(27, 23.9)), real(at(28)), real(at(30)), real(at(31), "not_up"), real(at(32), "left_on")]
    of = judge(a_home(), told)
    assert of.false == {"inactivity": 2, "not_up": 1, "left_on": 1}
    assert of.years == pytest.approx(1.0)
    assert of.count(lambda kind: kind == "left_on") == 1


def test_the_first_two_weeks_are_told_apart() -> None:
    assert judge(a_home(), [real(at(0, 10)), real(at(13, 23)), real(at(14))]).first == 2


def test_what_is_not_urgent_is_no_false_alert() -> None:
    of = judge(a_home(), [real(at(40), "rhythm_drift", urgent=False), real(at(2), "cover_reduced", urgent=False)])
    assert (of.false, of.first) == ({}, 0)


@pytest.mark.parametrize(("hours", "false"), [(-0.1, 1), (0.0, 0), (5.0, 0), (12.0, 0), (12.1, 1)])
def test_an_alert_in_illness_or_within_two_hours_after_it_is_not_false(hours: float, false: int) -> None:
    ill = a_home(excused=((at(40), at(40, 10)),))
    assert judge(ill, [real(at(40, hours))]).count(lambda kind: True) == false


# -- delays ----------------------------------------------------------------------------------------------------------


def test_a_case_is_noticed_by_its_own_first_urgent_finding_of_any_kind() -> None:
    of = judge(a_home(collapse(at(50, 10)), collapse(at(60, 10))), [
        Told(0, at(50, 13), "inactivity", True), Told(0, at(50, 12), "not_up", True),
        Told(0, at(50, 11), "rhythm_drift", False), Told(0, at(50, 9), "inactivity", True), real(at(60, 11))])
    assert of.delays_h["collapse_any"] == [2.0, 24.0]


def test_later_than_a_day_is_as_bad_as_never() -> None:
    of = judge(a_home(collapse(at(50))), [Told(0, at(51, 6), "inactivity", True)])
    assert of.delays_h["collapse_any"] == [24.0]


def test_asleep_and_away_the_delay_counts_from_when_the_resident_would_have_been_seen() -> None:
    home = a_home(collapse(at(50, 2), "collapse_asleep", at(50, 7)), collapse(at(51, 2), "collapse_asleep", at(51, 7)))
    of = judge(home, [Told(0, at(50, 9.5), "not_up", True), Told(1, at(51, 4), "inactivity", True)])
    assert of.delays_h["collapse_asleep"] == [2.5, 0.0]


@pytest.mark.parametrize(("hour", "by_day"), [(8.99, 0), (9.0, 1), (20.99, 1), (21.0, 0)])
def test_the_daytime_is_from_nine_to_nine(hour: float, by_day: int) -> None:
    assert len(judge(a_home(collapse(at(50, hour))), []).day_h) == by_day


def test_reduced_cover_is_dated_by_its_first_declaration() -> None:
    told = [real(at(6, 12), "cover_reduced", urgent=False), real(at(9), "cover_reduced", urgent=False)]
    assert judge(a_home(), told).reduced_d == 6.5
    assert judge(a_home(), []).reduced_d is None


def test_homes_are_pooled_case_by_case() -> None:
    one, other = judge(a_home(collapse(at(50))), []), judge(a_home(collapse(at(50)), collapse(at(51))), [])
    assert len(pooled([one, other], "collapse_any")) == 3
    assert pooled([one, other], "night_exit") == []


# -- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (50, 2.5), (90, 3.7), (100, 4.0)])
def test_a_percentile_lies_between_the_values(percent: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == pytest.approx(value)


def test_the_interval_of_a_median_is_the_one_of_the_textbooks() -> None:
    """Ranks 6 and 15 of 20 values: the two-sided sign test's critical value for n = 20 is 5 (Conover, table A3)."""
    assert interval([float(rank) for rank in range(1, 21)], 50) == (6.0, 15.0)


def test_the_interval_of_a_percentile_holds_it_as_often_as_it_says() -> None:
    chance = random.Random(7)
    held = 0
    for _ in range(400):
        low, high = interval([chance.random() for _ in range(60)], 90)
        held += low <= 0.9 <= high
    assert held / 400 > 0.93
    assert interval([float(value) for value in range(2000)], 50)[0] < 1000


def test_a_share_counts_what_holds() -> None:
    assert share([0.1, 0.3, 0.5], lambda hours: hours <= 0.3) == (2, 3)


# -- rows ------------------------------------------------------------------------------------------------------------


def rows_of(group: str, *told: Told) -> dict[str, tuple[float, bool | None]]:
    home = a_home(collapse(at(50, 10)), collapse(at(51, 2), "night_exit"),
                  collapse(at(52, 10), "no_return", at(52, 12)))
    found = accuracy.rows(group, accuracy.ANJU, [judge(home, told)])
    return {row.name.split(", ", 2)[2]: (row.value, row.holds) for row in found}


def test_the_limits_are_held_to_each_group_of_homes() -> None:
    told = [Told(0, at(50, 13), "inactivity", True), Told(1, at(51, 2.3), "night_exit", True),
            Told(2, at(52, 16.1), "not_returned", True), *(real(at(100 + day)) for day in range(6))]
    without, every = rows_of(accuracy.WITHOUT, *told), rows_of(accuracy.ALL, *told)
    assert without["false gap alerts"] == (pytest.approx(6.0), False)
    assert without["collapse, median"] == (3.0, True)
    assert every["night exit told in 20 min"] == (100.0, True)
    assert every["not returned, told in 4 h"] == (0.0, False)
    assert every["false gap alerts"] == (pytest.approx(6.0), None)


def test_a_budget_is_held_to_half_and_to_twice_what_it_promises() -> None:
    def holds(count: int) -> list[bool | None]:
        told = [real(at(100 + 5 * number)) for number in range(count)]
        rows = accuracy.budget_rows(60.0, [judge(a_home(collapse(at(50))), told)])
        return [row.holds for row in rows if row.limit]

    assert (holds(3), holds(4), holds(12), holds(13)) == ([True, False], [True, True], [True, True], [False, True])


# -- homes in files --------------------------------------------------------------------------------------------------

EVENTS = """time,sensor,kind,room,value
2024-01-08T08:00:00,m1,motion,kitchen,ON
2024-01-08T12:00:00,m1,motion,kitchen,ON
2024-01-08T13:00:00,front,door,entrance,OPEN
2024-01-08T23:00:00,front,door,entrance,CLOSED
2024-01-08T23:00:10,m1,motion,kitchen,ON
"""
INJECTIONS = """type,time,note
collapse_any,2024-01-08T12:30:00,
night_exit,2024-01-08T10:00:00,add front OPEN at t and CLOSED at t+12s; no events after
no_return,2024-01-08T13:30:00,would_return=2024-01-08T15:00:00
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def packed(name: str, text: str) -> None:
        with gzip.open(tmp_path / name, "wt") as file:
            file.write(text)

    (tmp_path / "homes.csv").write_text("home,tier,pet\nh1,dense,False\nh2,dense,True\n")
    for home in ("h1", "h2"):
        packed(f"{home}.csv.gz", EVENTS)
        packed(f"{home}.labels.csv.gz", "start,end,label\n2024-01-08T01:00:00,2024-01-08T02:00:00,illness\n"
                                        "2024-01-08T01:00:00,2024-01-08T02:00:00,sleep\n")
        (tmp_path / f"{home}.injections.csv").write_text(INJECTIONS)
    packed("h2.pet_events.csv.gz", "time,sensor,value\n2024-01-08T12:20:00,m1,ON\n2024-01-08T12:40:00,m1,ON\n"
                                   "2024-01-11T12:40:00,m1,ON\n")
    return tmp_path


def test_a_folder_of_homes_is_read_with_its_cases_and_what_excuses(folder: Path) -> None:
    assert missing(folder) is None
    plain, pet = homes(folder)
    assert (plain.name, plain.pet, pet.pet, plain.pet_events) == ("h1", False, True, None)
    assert (plain.first_s, plain.last_s) == (at(0, 8), at(0, 23) + 10)
    assert plain.excused_s == ((at(0, 1), at(0, 2)),)
    assert [(case.kind, case.at_s, case.due_s) for case in plain.cases] == [
        ("collapse_any", at(0, 12.5), at(0, 12.5)), ("night_exit", at(0, 10), at(0, 10)),
        ("no_return", at(0, 13.5), at(0, 15))]


def test_what_goes_on_in_a_case_is_its_door_and_the_pet(folder: Path) -> None:
    plain, pet = homes(folder)
    assert [(row["case"], row["time"], row["sensor"], row["room"], row["value"]) for row in going_on(plain)] == [
        ("1", "2024-01-08T10:00:00", "front", "entrance", "OPEN"),
        ("1", "2024-01-08T10:00:12", "front", "entrance", "CLOSED")]
    assert [(row["case"], row["time"]) for row in going_on(pet) if row["sensor"] == "m1"] == [
        ("0", "2024-01-08T12:40:00"), ("1", "2024-01-08T12:20:00"), ("1", "2024-01-08T12:40:00")]


def test_where_there_are_no_homes_it_is_said_how_to_get_them(tmp_path: Path) -> None:
    assert "ANJU_SHARED" in (missing(tmp_path) or "")


# -- rivals ----------------------------------------------------------------------------------------------------------


def test_a_fixed_limit_is_told_once_a_silence_but_not_while_out(folder: Path) -> None:
    plain, _ = homes(folder)
    told = rivals.told(plain, rivals.Fixed(3))
    assert [one.at_s for one in told if one.case is None] == [at(0, 11)]
    assert [(one.case, one.at_s) for one in told if one.case is not None] == [(0, at(0, 15))]


def test_with_a_pet_a_rival_waits_for_the_pet(folder: Path) -> None:
    _, pet = homes(folder)
    told = rivals.told(pet, rivals.Fixed(3))
    assert [one.at_s for one in told if one.case == 0] == [at(0, 12) + 40 * 60 + 3 * HOUR_S]


def test_a_learned_line_is_twice_the_longest_silence_of_that_hour() -> None:
    line = rivals.Line()
    for day in range(9):
        line.learn(at(day, 6), at(day, 8.5))  # by 7 h it lasts 1 h, by 8 h 2 h, by 8:30 2.5 h
    assert line.told_s(at(9, 6), at(9, 8.9)) is None
    assert line.told_s(at(9, 3.5), at(9, 7)) == at(9, 3.5)  # nobody was ever still before six: twice nothing
    assert line.told_s(at(9, 7), at(9, 9.2)) == at(9, 9)
    assert line.told_s(at(9, 7), at(9, 8.99)) is None


def test_in_its_first_week_a_line_is_twelve_hours() -> None:
    line = rivals.Line()
    for day in range(6):
        line.learn(at(day, 7), at(day, 8))
    assert line.told_s(at(6, 7), at(6, 20)) == at(6, 19)


def test_a_span_is_cut_at_full_hours() -> None:
    assert list(rivals.hours(at(0, 1.5), at(0, 3.25))) == [
        (at(0, 1.5), at(0, 2)), (at(0, 2), at(0, 3)), (at(0, 3), at(0, 3.25))]
    assert list(rivals.hours(math.inf, 5.0)) == []


# -- changed recordings ----------------------------------------------------------------------------------------------


def lines(*times: str) -> list[dict[str, str]]:
    line = {"sensor": "m1", "kind": "motion", "room": "hall", "value": "ON"}
    return [line | {"time": f"2024-01-08T{time}"} for time in times]


def test_a_thinned_sensor_is_blind_for_five_minutes_after_what_it_told() -> None:
    some = lines("08:00:00", "08:04:59", "08:05:00", "08:09:00", "08:11:00")
    assert [line["time"][11:] for line in robustness.thinned(iter(some))] == ["08:00:00", "08:05:00", "08:11:00"]


def test_opaque_names_say_nothing_and_stay_apart() -> None:
    some = [line | {"sensor": name} for line, name in zip(lines("08:00:00", "09:00:00", "10:00:00"),
                                                         ("bath", "bed", "bath"), strict=True)]
    names = [line["sensor"] for line in robustness.opaque(iter(some))]
    assert names[0] == names[2] != names[1]
    assert not any("b" in name[:1] or "bath" in name for name in names)


def test_a_changed_home_keeps_its_cases_under_the_new_name_of_the_door(folder: Path, tmp_path: Path) -> None:
    plain, _ = homes(folder)
    changed = robustness._changed(plain, tmp_path / "new", robustness.opaque, robustness._code)
    assert changed.cases[0] == plain.cases[0]
    doors = {row["sensor"] for row in going_on(changed)}
    assert doors == {robustness._code("front")}
    assert replace(changed, events=plain.events, cases=plain.cases) == plain
