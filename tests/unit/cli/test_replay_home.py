"""`anju replay home`: a recording goes by as in life, and what would have been is what really would have been."""

import csv
import gzip
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.cli.homes import course
from gateway.cli.homes.cases import cases
from gateway.cli.homes.course import Case, Course
from gateway.cli.homes.recording import BadRecording, local, read
from gateway.cli.homes.replay import line
from gateway.detect.home import GATEWAY, Concern, Coverage, Input, Outage, Sign, SignKind, Tick
from gateway.model.finding import FindingKind

HEAD = "time,sensor,kind,room,value\n"
DAY_S = 86400.0
MONDAY_S = 1704672000.0  # 2024-01-08, midnight
ANJU = Path(sys.executable).with_name("anju")


def written(path: Path, *lines: str, head: str = HEAD) -> Path:
    path.write_text(head + "".join(f"{line}\n" for line in lines))
    return path


def lived(days: int, seed: int = 1) -> list[str]:
    """Lines of one person's days: up at seven, through the hall from room to room, sometimes out, to bed at eleven."""
    chance, found = random.Random(seed), []
    for day in range(days):
        at_s = MONDAY_S + day * DAY_S + 7 * 3600 + chance.uniform(0, 1800)
        while at_s < MONDAY_S + day * DAY_S + 23 * 3600:
            sensor, room = chance.choice([("m1", "kitchen"), ("m2", "living"), ("m3", "bathroom"), ("m4", "bedroom")])
            found += [f"{local(at_s)},m0,motion,hall,ON", f"{local(at_s + 20)},{sensor},motion,{room},ON",
                      f"{local(at_s + 110)},{sensor},motion,{room},ON"]
            if chance.random() < 0.01:
                for wait_s, value in ((150, "OPEN"), (162, "CLOSED"), (5400, "OPEN"), (5410, "CLOSED")):
                    found.append(f"{local(at_s + wait_s)},front,door,entrance,{value}")
                at_s += 5500
            at_s += chance.expovariate(1 / 900) + 180
    return found


def replayed(tmp_path: Path, events: Path, *more: object, code: int = 0) -> tuple[list[dict[str, str]], str]:
    out = tmp_path / "found.csv"
    done = subprocess.run([ANJU, "replay", "home", events, "--out", out, *map(str, more)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == code, done.stderr
    if code:
        assert "Traceback" not in done.stderr
        return [], done.stderr
    return list(csv.DictReader(out.read_text().splitlines())), done.stderr


# -- the command -----------------------------------------------------------------------------------------------------


def test_a_collapse_is_found_and_its_line_says_when_what_and_since(tmp_path: Path) -> None:
    events = written(tmp_path / "e.csv", *lived(10))
    at = f"{local(MONDAY_S + 9 * DAY_S + 12 * 3600)}"
    found, said = replayed(tmp_path, events, "--what-if", written(tmp_path / "c.csv", f"4,{at}", head="case,at\n"))
    mine = [row for row in found if row["case"] == "4"]
    (gap,) = [row for row in mine if row["kind"] == "inactivity"]
    assert list(gap) == ["case", "time", "kind", "urgent", "since", "score", "words"]
    assert gap["urgent"] == "1"
    assert gap["time"] > at >= gap["since"]
    assert 0 <= float(gap["score"]) <= 1
    assert said == ""  # no bar where there is no terminal


def test_what_would_have_been_is_what_a_recording_that_ends_there_tells(tmp_path: Path) -> None:
    """A case equals the replay of a file that was cut at its moment and extended by hand."""
    lines = lived(12)
    events = written(tmp_path / "e.csv", *lines)
    moments = [MONDAY_S + day * DAY_S + hour * 3600 + 7 for day, hour in ((9, 15), (2, 3), (11, 12.5), (6, 20))]
    then = [[], [f"{local(moments[1] + s)},front,door,entrance,{value}" for s, value in ((0, "OPEN"), (12, "CLOSED"))],
            [f"{local(moments[2] + 60 * n)},m2,motion,living,ON" for n in range(0, 2000, 40)], []]
    what_if = written(tmp_path / "c.csv", *(f"{n},{local(at)}" for n, at in enumerate(moments)), head="case,at\n")
    and_then = written(tmp_path / "t.csv", *(f"{n},{line}" for n, some in enumerate(then) for line in some),
                       head="case," + HEAD)
    found, _ = replayed(tmp_path, events, "--what-if", what_if, "--and-then", and_then, "--horizon-h", 48)
    assert list(dict.fromkeys(row["case"] for row in found if row["case"])) == ["0", "1", "2", "3"]
    for number, at_s in enumerate(moments):
        end = local(at_s + 48 * 3600)
        cut = [line for line in lines if line[:19] <= local(at_s)] + then[number]
        # a sensor that only says that it is there: time goes on to the end of the horizon, and nobody has moved
        alone, _ = replayed(tmp_path, written(tmp_path / f"cut{number}.csv", *cut, f"{end},m9,link,,ONLINE"))
        for rows in (found, alone):
            rows.sort(key=lambda row: (row["time"], row["kind"]))
        here = [row | {"case": ""} for row in found if row["case"] == str(number)]
        there = [row for row in alone if local(at_s) <= row["time"] < end]
        assert here == there
        assert here, "a case that finds nothing shows nothing"


def test_the_recording_itself_tells_the_same_with_cases_and_without(tmp_path: Path) -> None:
    events = written(tmp_path / "e.csv", *lived(10), f"{local(MONDAY_S + 13 * DAY_S)},m1,motion,kitchen,ON")
    what_if = written(tmp_path / "c.csv", *(local(MONDAY_S + day * DAY_S + 30000) for day in range(10)), head="at\n")
    with_cases, _ = replayed(tmp_path, events, "--what-if", what_if)
    without, _ = replayed(tmp_path, events)
    assert [row for row in with_cases if row["case"] == ""] == without
    assert without
    order = [(row["case"] != "", int(row["case"] or 0), row["time"]) for row in with_cases]
    assert order == sorted(order)


def test_a_packed_recording_is_the_same_recording(tmp_path: Path) -> None:
    plain = written(tmp_path / "e.csv", *lived(4))
    with gzip.open(tmp_path / "e.csv.gz", "wb") as file:
        file.write(plain.read_bytes())
    assert read(plain).inputs == read(tmp_path / "e.csv.gz").inputs


GOOD = "2024-01-08T08:00:00,m1,motion,kitchen,ON"


@pytest.mark.parametrize(("lines", "head", "reason", "cure"), [
    ([GOOD], "time,sensor,kind,value\n", "line 1: no column room", "begin it with time,sensor,kind,room,value"),
    ([GOOD, "2024-01-08T07:59:59,m1,motion,kitchen,ON"], HEAD, "line 3: 2024-01-08T07:59:59 is earlier", "sort"),
    ([GOOD, "yesterday,m1,motion,kitchen,ON"], HEAD, "line 3: 'yesterday' is no time", "2024-01-08T01:11:47"),
    (["2024-01-08T08:00:00+08:00,m1,motion,kitchen,ON"], HEAD, "has a zone", "without a zone"),
    (["2024-01-08T08:00:00,m1,motion,kitchen,MAYBE"], HEAD, "line 2: 'MAYBE' is no value", "ON, OPEN, OFF, CLOSED"),
    (["2024-01-08T08:00:00,m1,link,,AWAY"], HEAD, "'AWAY' is no value of a link", "OFFLINE, ONLINE, BOOT"),
    (["2024-01-08T08:00:00,,motion,kitchen,ON"], HEAD, "line 2: no sensor", "name the sensor"),
    ([], HEAD, "no event of a known kind", "record one of"),
    (["2024-01-08T08:00:00,m1,radar,kitchen,ON"], HEAD, "no event of a known kind", "record one of"),
])
def test_a_recording_that_is_no_good_is_refused_with_its_line_and_the_cure(
        tmp_path: Path, lines: Sequence[str], head: str, reason: str, cure: str) -> None:
    _, said = replayed(tmp_path, written(tmp_path / "e.csv", *lines, head=head), code=1)
    assert reason in said
    assert cure in said
    assert not (tmp_path / "found.csv").exists()


def test_files_that_are_not_there_or_cannot_be_written_are_told(tmp_path: Path) -> None:
    _, said = replayed(tmp_path, tmp_path / "none.csv.gz", code=1)
    assert "cannot be read (No such file" in said
    (tmp_path / "bad.csv.gz").write_bytes(b"no gzip at all")
    _, said = replayed(tmp_path, tmp_path / "bad.csv.gz", code=1)
    assert "cannot be read" in said
    events = written(tmp_path / "e.csv", GOOD)
    _, said = replayed(tmp_path, events, "--out", tmp_path / "nowhere" / "f.csv", code=1)
    assert "cannot be written" in said
    _, said = replayed(tmp_path, events, "--and-then", events, code=1)
    assert "give the cases with --what-if" in said


def test_kinds_that_nobody_knows_are_left_out_and_counted(tmp_path: Path) -> None:
    odd = ["2024-01-08T08:00:01,r1,radar,hall,ON", "2024-01-08T08:00:02,r1,radar,hall,OFF"]
    _, said = replayed(tmp_path, written(tmp_path / "e.csv", GOOD, *odd))
    assert "left out: 2 events of unknown kind 'radar'" in said


# -- what is read ----------------------------------------------------------------------------------------------------


def test_rows_become_what_a_home_tells(tmp_path: Path) -> None:
    at_s = MONDAY_S + 8 * 3600
    file = written(tmp_path / "e.csv", GOOD, "2024-01-08T08:00:01,f1,appliance,Kitchen,OPEN",
                   "2024-01-08T08:00:02,k1,appliance,kitchen,ON", "2024-01-08T08:00:03,d1,door,Entrance hall,CLOSED",
                   "2024-01-08T08:00:04,b1,bed,,OFF", "2024-01-08T08:00:05,b1,link,,OFFLINE",
                   "2024-01-08T08:00:06,gateway,link,,BOOT")
    assert read(file).inputs == [
        Sign(at_s, at_s, "m1", SignKind.MOTION, "kitchen", True),
        Sign(at_s + 1, at_s + 1, "f1", SignKind.INNER_DOOR, "kitchen", True),
        Sign(at_s + 2, at_s + 2, "k1", SignKind.APPLIANCE, "kitchen", True),
        Sign(at_s + 3, at_s + 3, "d1", SignKind.DOOR, "hall", False),
        Sign(at_s + 4, at_s + 4, "b1", SignKind.BED, "other", False),
        Outage(at_s + 5, at_s + 5, "b1", True),
        Outage(at_s + 6, at_s + 6, GATEWAY, True), Outage(at_s + 6, at_s + 6, GATEWAY, False)]


def test_cases_are_named_or_numbered_and_a_pet_goes_on_in_each(tmp_path: Path) -> None:
    recording = read(written(tmp_path / "e.csv", GOOD, "2024-01-08T08:00:01,front,door,entrance,OPEN"))
    what_if = written(tmp_path / "c.csv", "collapse_any,2024-01-08T12:00:00,",
                      "night_exit,2024-01-08T02:00:00,add front OPEN at t and CLOSED at t+12s; no events after",
                      head="type,time,note\n")
    pet = written(tmp_path / "p.csv", "2024-01-08T11:59:59,m1,ON", "2024-01-08T12:00:00,m1,ON",
                  "2024-01-09T01:59:59,m1,ON", "2024-01-09T12:00:00,m1,ON", head="time,sensor,value\n")
    first, second = cases(what_if, pet, recording, DAY_S)
    assert (first.name, second.name) == ("0", "1")
    assert [local(one.at_s)[8:16] for one in first.then] == ["08T12:00", "09T01:59"]
    assert [(local(one.at_s)[8:], one.sensor, one.kind, one.room, one.on) for one in second.then[:2]] == [
        ("08T02:00:00", "front", SignKind.DOOR, "hall", True), ("08T02:00:12", "front", SignKind.DOOR, "hall", False)]
    assert [local(one.at_s)[8:16] for one in second.then[2:]] == ["08T11:59", "08T12:00", "09T01:59"]


ONE = "case,at\n1,2024-01-08T12:00:00\n"


@pytest.mark.parametrize(("what_if", "then", "reason"), [
    ("case,when\n1,2024-01-08T12:00:00\n", "", "no column at"),
    ("case,at\n1,2024-01-08T12:00:00\n1,2024-01-08T13:00:00\n", "", "line 3: a second case '1'"),
    ("case,at\n1,noon\n", "", "line 2: 'noon' is no time"),
    ("type,time,note\nnight_exit,2024-01-08T12:00:00,\n", "", "line 2: a night_exit without its door"),
    (ONE, "case,time,sensor,value\n2,2024-01-08T12:00:00,m1,ON\n", "there is no case '2'"),
    (ONE, "time,sensor,value\n2024-01-08T12:00:00,m7,ON\n", "no sensor 'm7'"),
    (ONE, "time,sensor\n2024-01-08T12:00:00,m1\n", "no column value"),
])
def test_cases_that_are_no_good_are_refused(tmp_path: Path, what_if: str, then: str, reason: str) -> None:
    recording = read(written(tmp_path / "e.csv", GOOD))
    (tmp_path / "c.csv").write_text(what_if)
    (tmp_path / "t.csv").write_text(then)
    with pytest.raises(BadRecording, match=reason):
        cases(tmp_path / "c.csv", tmp_path / "t.csv" if then else None, recording, DAY_S)


# -- the course, with a detector that tells everything ---------------------------------------------------------------


def listening(known: tuple[Input, ...], happened: Input) -> tuple[tuple[Input, ...], Iterator[Concern]]:
    return (*known, happened), iter(())


def nagging(known: int, happened: Input) -> tuple[int, list[Concern | Coverage]]:
    concern = Concern(FindingKind.INACTIVITY, happened.at_s, 0.5, "still")
    return known, [concern] if isinstance(happened, Tick) else [Coverage(happened.at_s, True, ("a pet", "a guest"))]


def sign(at_s: float) -> Sign:
    return Sign(at_s, at_s, "m1", SignKind.MOTION, "hall", True)


def test_a_tick_falls_on_every_minute_after_the_events_of_that_moment() -> None:
    going = Course(listening, ())
    for _ in course.replay(going, [sign(30.0), sign(60.0), sign(185.0)]):
        pass
    assert [(type(one).__name__, one.at_s) for one in going.known] == [
        ("Sign", 30.0), ("Sign", 60.0), ("Tick", 60.0), ("Tick", 120.0), ("Tick", 180.0), ("Sign", 185.0)]


def test_an_event_of_the_very_moment_of_a_case_stands() -> None:
    going = Course(listening, ())
    for _ in course.replay(going, [sign(30.0), sign(90.0), sign(100.0)]):
        pass
    heard: list[tuple[Input, ...]] = []

    def spying(known: tuple[Input, ...], happened: Input) -> tuple[tuple[Input, ...], list[Concern]]:
        heard.append((*known, happened))
        return (*known, happened), []

    for _ in course.replay(Course(spying, ()), [sign(30.0), sign(90.0), sign(100.0)], [Case("0", 90.0)], 100.0):
        pass
    branch = next(past for past in heard if past[-1].at_s == 180.0)
    assert [one.at_s for one in branch] == [30.0, 60.0, 90.0, 120.0, 180.0]


def test_an_alert_is_told_once_until_the_next_sign_and_anew_in_a_case() -> None:
    going = Course(nagging, 0)
    for _ in course.replay(going, [sign(30.0), sign(400.0), sign(700.0)], [Case("7", 300.0)], 3600.0):
        pass
    told = [(one.case, one.at_s, one.since_s) for one in going.found if one.kind == "inactivity"]
    assert told == [("", 60.0, 30.0), ("", 420.0, 400.0), ("7", 300.0, 30.0)]


def test_a_change_of_cover_is_not_urgent_and_says_why() -> None:
    going = Course(nagging, 0)
    for _ in course.replay(going, [sign(30.0)]):
        pass
    assert line(going.found[0]) == ["", "1970-01-01T00:00:30", "cover_reduced", "0", "1970-01-01T00:00:30", "",
                                    "a pet; a guest"]
