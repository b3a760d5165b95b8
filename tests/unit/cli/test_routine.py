"""`anju routine` and `anju routine notice`: what is learned, and how soon anyone would notice."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from gateway.cli import waits
from gateway.cli.homes.course import Course, replay
from gateway.cli.homes.recording import read
from gateway.detect import inactivity, noticing
from gateway.detect.home import Sign, SignKind, Tick
from gateway.detect.noticing import Hour
from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk, refused
from tests.unit.cli.test_replay_home import GOOD, lived, written

HOUR_S, DAY_S = 3600.0, 86400.0
HOURS = [Hour(hour, 28, (2.0 if 7 <= hour < 22 else 6.0) * HOUR_S, (3.5 if hour != 9 else 5.0) * HOUR_S + 3 * HOUR_S)
         for hour in range(24)]


def told(**more: Any) -> dict[str, Any]:
    return {"days": 41.2, "cover": {"reduced": False, "reasons": []}, "away_until": None, "budget_days": 60.0,
            "quiet_s": 1500.0, "alert_in_s": 7500.0,
            "notice": [{"hour": one.hour, "days": one.days, "median_s": one.median_s, "worst_s": one.worst_s}
                       for one in HOURS]} | more


# -- asked of the gateway --------------------------------------------------------------------------------------------


def test_what_is_learned_is_told_in_words(shell: Shell, desk: Desk) -> None:
    desk.answers["routine"] = [told()]
    said = shell("routine").stdout
    for words in ("41 days", "cover           full", "away            not declared", "one in 60 days",
                  "25 min ago", "in 2 h, if nothing more happens"):
        assert words in said
    assert desk.asked[-1] == {"verb": "routine"}
    assert shell.json("routine") == told()


def test_reduced_cover_absence_and_a_silence_that_nobody_would_be_told_of_are_said(shell: Shell, desk: Desk) -> None:
    desk.answers["routine"] = [told(cover={"reduced": True, "reasons": ["a pet moves", "the bed sensor is lost"]},
                                    away_until="2024-02-01T10:00", quiet_s=None, alert_in_s=None)]
    said = shell("routine").stdout
    for words in ("reduced: a pet moves; the bed sensor is lost", "declared until 2024-02-01T10:00", "none yet",
                  "none to come"):
        assert words in said


def test_a_gateway_that_cannot_answer_is_told_with_its_cure(shell: Shell, desk: Desk) -> None:
    desk.answers["routine"] = refused("nothing is learned yet", "wait a day")
    assert "wait a day" in shell("routine", code=1).stderr
    assert shell.json("routine", "notice", code=1)["error"] == "nothing is learned yet"


def test_the_hours_are_drawn_in_80_columns_and_summed_up(shell: Shell, desk: Desk) -> None:
    desk.answers["routine"] = [told()]
    lines = shell("routine", "notice").stdout.splitlines()
    assert lines[0] == "How soon would anyone notice?"
    assert max(map(len, lines[2:])) <= 80
    (nine,) = [line for line in lines if line.startswith("09-10")]
    assert nine.split()[1:5] == ["2.0", "h", "8.0", "h"]
    assert lines[-2] == "By day (07-22 h): 2.0 h on a middling day, at worst 8.0 h (between 09-10 h)."
    assert lines[-1].startswith("At night: 6.0 h on a middling day, at worst 6.5 h")
    assert shell.json("routine", "notice") == {"days": 28, "hours": told()["notice"]}


# -- of a recording --------------------------------------------------------------------------------------------------


def test_of_a_recording_it_says_what_stepping_through_it_would(shell: Shell, tmp_path: Path) -> None:
    """Each hour of four weeks: what the detector says at the hour's first input, unless the door was the last sign."""
    events = written(tmp_path / "e.csv", *lived(30))
    inputs, settings = read(events).inputs, inactivity.Settings()
    asked: dict[int, float | None] = {}
    out = [False]

    def step(known: inactivity.State, happened: Any) -> tuple[inactivity.State, list[Any]]:
        known, _ = inactivity.step(known, happened, settings)
        if isinstance(happened, Sign):
            out[0] = happened.kind is SignKind.DOOR
        hour = int(happened.at_s // HOUR_S)
        if happened.at_s >= inputs[-1].at_s - 28 * DAY_S and hour not in asked:
            wait_s = inactivity.notice(known, happened.at_s, happened.local_s, noticing.HORIZON_S, settings)
            asked[hour] = None if out[0] else wait_s
        return known, []

    for _ in replay(Course(step, inactivity.State()), inputs):
        pass
    assert len(asked) > 600
    expected = noticing.State()
    for hour, wait_s in sorted(asked.items()):
        expected = noticing.note(expected, hour * HOUR_S, wait_s)
    hours = shell.json("routine", "notice", "--replay", events)["hours"]
    assert hours == [{"hour": one.hour, "days": one.days, "median_s": one.median_s, "worst_s": one.worst_s}
                     for one in noticing.by_hour(expected)]
    assert len(hours) == 24
    assert 600 < sum(one["days"] for one in hours) < 28 * 24  # and sometimes out


def test_a_recording_that_is_no_good_is_refused(shell: Shell, tmp_path: Path) -> None:
    events = written(tmp_path / "e.csv", GOOD, "soon,m1,motion,kitchen,ON")
    assert "'soon' is no time" in shell("routine", "notice", "--replay", events, code=1).stderr
    assert "'soon' is no time" in shell.json("routine", "notice", "--replay", events, code=1)["error"]


# -- drawn -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 200])
def test_bars_are_as_long_as_their_waits_whatever_the_width(width: int) -> None:
    lines = waits.lines(HOURS, width)
    (nine,) = [line for line in lines if line.startswith("09-10")]
    (three,) = [line for line in lines if line.startswith("03-04")]
    columns = width - 32
    assert nine.count("█") == round(columns / 4)
    assert nine.count("█") + nine.count("░") == columns
    assert three.count("█") == round(columns * 6 / 8)
    assert max(map(len, lines[3:28])) <= width


def test_what_is_not_known_yet_is_said() -> None:
    assert "Nothing is known yet" in "\n".join(waits.lines([], 80))
    assert waits.lines([Hour(3, 2, HOUR_S, HOUR_S)], 80)[-1] == "Only 2 of 28 days are known so far."


def test_the_drawing_has_two_columns_an_hour_to_scale(shell: Shell, desk: Desk, tmp_path: Path) -> None:
    desk.answers["routine"] = [told()]
    shell("routine", "notice", "--svg", tmp_path / "w.svg")
    root = fromstring((tmp_path / "w.svg").read_text())  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    bars = root.findall(f"{space}rect")
    assert len(bars) == 48
    heights = {bar.find(f"{space}title").text: float(bar.attrib["height"]) for bar in bars}
    assert heights["09-10 h: 8.0 h"] == pytest.approx(4 * heights["09-10 h: 2.0 h"])
    (foot,) = {float(bar.attrib["y"]) + float(bar.attrib["height"]) for bar in bars}
    assert foot == 96 + 420
    words = {node.text for node in root.iter(f"{space}text")}
    assert {"How soon would anyone notice?", "hour of the day", "0", "24", "8"} <= words


def test_a_drawing_that_cannot_be_written_is_told(shell: Shell, desk: Desk, tmp_path: Path) -> None:
    desk.answers["routine"] = [told()]
    result = shell("routine", "notice", "--svg", tmp_path / "nowhere" / "w.svg", code=1)
    assert "cannot be written" in result.stderr


def test_the_json_says_over_how_many_days(shell: Shell, desk: Desk) -> None:
    desk.answers["routine"] = [told(notice=[])]
    assert json.loads(shell("routine", "notice", "--json").stdout) == {"days": 28, "hours": []}


def test_a_tick_without_a_wall_clock_is_no_hour() -> None:
    assert noticing.step(noticing.State(), Tick(5.0, None), inactivity.State(), inactivity.Settings()).hour is None
