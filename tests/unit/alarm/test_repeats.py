"""A chattering contact floods nobody: not the alarm lane, not the voice, not the disk; and no press is forgotten."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alarm import Append, Effect, Say, life
from gateway.alarm.repeats import PAUSE_MAX_S, THIN_S
from gateway.model.alarm import OPEN, Alarm
from gateway.model.event import EventType
from gateway.model.finding import FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt
from tests.unit.alarm.world import World, at, said, shown, snapshots, told, types

SOS, SMOKE = FindingKind.SOS, FindingKind.SMOKE
TICK_S = 1.0
FINDING = (EventType.ALARM_RAISED, EventType.ALARM_REPEATED)


@pytest.fixture
def world() -> World:
    return World()


def chatter(world: World, seconds: float, *devices: str, kind: FindingKind = SOS, answers: bool = False
            ) -> list[Effect]:
    """Ten findings a second of each device, and a tick each second, at which the centre may answer to what was told."""
    effects: list[Effect] = []
    for tenth in range(1, round(seconds * 10) + 1):
        world.now = at(world.now.mono_s + 0.1, world.now.boot_id)
        for device in devices or ("d",):
            effects += world.find(kind, device)
        if tenth % 10 == 0:
            effects += world.do(life.Tick())
            for event in told(effects) if answers else ():
                effects += world.sent(event.id) + world.received(event.id)
    return effects


def test_a_second_press_at_once_is_counted_and_told_when_the_pause_is_over(world: World) -> None:
    world.find(SOS)
    effects = world.find(SOS)
    assert (told(effects), said(effects), snapshots(effects)[0].repeats) == ([], [], 1)
    pressed = world.now
    assert told(world.wait(THIN_S - 1)) == []
    (event,) = told(world.wait(1))
    assert (event.id, event.type, event.data["repeats"], event.at) == ("id-1/1", "anju.alarm.repeated", 1, pressed)
    assert told(world.wait(60)) == [], "once"


def test_what_is_told_late_is_the_newest_finding_with_the_number_of_all(world: World) -> None:
    world.find(SOS)
    for score in (0.2, 0.3, 0.4):
        finding = msgspec.structs.replace(world.alarms["id-1"].finding, score=score, words=f"score {score}")
        world.do(life.Raised(finding, f"again-{score}"))
    (event,) = told(world.wait(THIN_S))
    assert (event.data["words"], event.data["score"], event.data["repeats"]) == ("score 0.4", 0.4, 3)


def test_received_is_not_said_of_a_press_that_is_not_told_yet(world: World) -> None:
    world.find(SOS)
    world.received()
    world.wait(4)
    assert (said(effects := world.find(SOS)), shown(effects)) == ([("raised", "sos")], ["fast"]), "it takes that back"
    assert world.sent("id-1") + world.received("id-1") == [], "that was the first press"
    world.wait(1)
    assert said(world.sent("id-1/1") + world.received("id-1/1")) == [("sent", "sos"), ("received", "sos")]


def test_a_crash_forgets_no_press_that_is_not_told_yet(world: World) -> None:
    world.find(SOS)
    world.received()
    (saved,) = snapshots(world.find(SOS))
    disk = {"id-1": msgspec.json.decode(msgspec.json.encode(saved), type=Alarm)}
    again = World(world.rules, disk, world.now)
    assert life.light(again.alarms) is LightPattern.FAST
    assert [event.data["repeats"] for event in told(again.wait(THIN_S))] == [1]
    rebooted = World(world.rules, disk, at(2.0, "boot-2"))
    assert [event.data["repeats"] for event in told(rebooted.wait(1))] == [1]


def test_an_alarm_saved_by_an_older_version_is_repeated_at_once(world: World) -> None:
    world.find(SOS)
    saved = msgspec.to_builtins(world.alarms["id-1"])
    for new in ("untold", "well", "told_mono_s", "well_mono_s"):
        saved.pop(new)
    world.alarms = {"id-1": msgspec.convert(saved, Alarm)}
    assert types(world.find(SOS)) == ["alarm.repeated"]


def test_a_stuck_button_makes_one_event_in_five_seconds_and_the_last_tells_the_number(world: World) -> None:
    world.find(SOS)
    events = told(chatter(world, 60, answers=True) + world.wait(THIN_S))
    assert len(events) <= 60 / THIN_S + 1
    assert events[-1].data["repeats"] == 600


def test_a_stuck_button_wears_the_disk_little(world: World) -> None:
    world.find(SOS)
    commits = [effect for effect in chatter(world, 60) if isinstance(effect, Append)]
    assert len(commits) <= 2 * 60 / THIN_S + 1


def test_twenty_chattering_detectors_stay_bounded_each(world: World) -> None:
    devices = [f"smoke-{n}" for n in range(20)]
    effects = chatter(world, 20, *devices, kind=SMOKE)
    assert len(told(effects)) <= len(devices) * (20 / THIN_S + 1)
    assert len(said(effects)) <= len(devices) * (20 / THIN_S + 1)
    assert len([effect for effect in effects if isinstance(effect, Append)]) <= 2 * len(devices) * (20 / THIN_S + 1)
    assert {event.data["repeats"] for event in told(world.wait(THIN_S))} == {199}


def test_while_the_centre_is_silent_the_pause_grows_and_its_answer_ends_it(world: World) -> None:
    world.find(SOS)
    events = told(chatter(world, 900))
    assert len(events) <= 6 * 4 + 12, "such events only pile up before the next alarm's"
    assert said(world.received(events[0].id)) == [], "an old press"
    (event,) = told(chatter(world, 1))
    assert event.data["repeats"] == 9001


def test_nobody_is_told_that_the_centre_is_silent_while_it_answers_to_what_was_told(world: World) -> None:
    world.find(SOS)
    assert ("unreachable", "sos") not in said(chatter(world, 60, answers=True))


def test_a_person_who_presses_now_and_then_is_answered_each_time_though_the_centre_is_silent(world: World) -> None:
    world.find(SOS)
    for _ in range(60):
        world.wait(20)
        assert said(world.find(SOS)) == [("raised", "sos")]


def test_a_chattering_fine_button_is_told_at_once_then_counted_then_told_once_more(world: World) -> None:
    world.find(SMOKE)
    assert types(effects := world.cancel()) == ["resident.well"]
    assert said(effects) == [("well_noted", "smoke")]
    effects = []
    for _ in range(30):
        world.now = at(world.now.mono_s + 0.1)
        effects += world.cancel()
    assert (told(effects), said(effects)) == ([], [])
    (event,) = told(world.wait(THIN_S))
    assert (event.type, event.data["by"], round(event.at.mono_s)) == ("anju.resident.well", "fine", 1003)
    assert told(world.wait(20)) == []


def test_a_fine_that_is_not_told_yet_is_told_before_the_end(world: World) -> None:
    world.find(SMOKE)
    world.cancel()
    world.cancel()
    (effect,) = (effect for effect in world.close() if isinstance(effect, Append))
    assert [event.type.removeprefix("anju.") for event in effect.events] == ["resident.well", "alarm.closed"]
    assert [event.id for event in effect.events] == ["id-1/2", "id-1/3"]


def test_the_end_tells_the_number_of_what_was_not_told(world: World) -> None:
    world.find(SOS)
    world.find(SOS)
    world.find(SOS)
    (event,) = told(world.cancel())
    assert (event.type, event.data["repeats"]) == ("anju.alarm.cancelled", 2)


# -- any sequence of presses, answers and ticks -----------------------------------------------------------------------

WAITS_S = st.sampled_from([0.0, 0.1, 0.7, 3.0, 4.9, 5.0, 12.0, 29.0, 45.0])
ACTS = st.one_of(
    st.tuples(st.just("press"), st.sampled_from("ab")), st.tuples(st.just("press"), st.just("a")),
    st.tuples(st.sampled_from(["sent", "received"]), st.integers(-3, -1)),
    st.tuples(st.sampled_from(["closed", "fine", "crash", "reboot"]), st.just(0)))
STORY = st.lists(st.tuples(ACTS, WAITS_S), max_size=40)


@dataclass
class Watched:
    """A story, told with a tick each second, and what an onlooker who knows only the effects holds against it."""

    world: World = field(default_factory=World)
    disk: dict[str, Alarm] = field(default_factory=dict)
    clock_s: float = 0.0  # goes on over reboots
    open: dict[str, list[float]] = field(default_factory=dict)  # alarm -> when what no event has told was pressed
    answerer: dict[str, str] = field(default_factory=dict)  # alarm -> the event that tells its newest press
    silent: dict[str, int] = field(default_factory=dict)  # alarm -> UNREACHABLEs since the centre's last answer
    ids: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    told_s: dict[tuple[str, str], float] = field(default_factory=dict)
    raised_s: dict[str, list[float]] = field(default_factory=dict)

    def live(self, story: list[tuple[tuple[str, int], float]]) -> None:
        for (verb, which), wait_s in story:
            self.act(verb, which)
            for step_s in [TICK_S] * int(wait_s) + [wait_s % 1]:
                self.world.now = at(self.world.now.mono_s + step_s, self.world.now.boot_id)
                self.clock_s += step_s
                self.hear(self.world.do(life.Tick()))
                self.look()

    def act(self, verb: str, which: int) -> None:
        match verb:
            case "press":
                self.press(str(which))
            case "sent" | "received" if len(self.ids) >= -which:
                id_ = self.ids[which]
                if verb == "received":
                    self.acknowledged.add(id_)
                    self.silent[life.of(id_)] = 0
                self.hear(getattr(self.world, verb)(id_))
            case "closed":
                for id_ in list(self.world.alarms):
                    self.hear(self.world.close(id_))
            case "fine":
                self.hear(self.world.cancel())
            case "crash" | "reboot":
                self.world.alarms = {id_: alarm for id_, alarm in self.disk.items() if alarm.state in OPEN}
                if verb == "reboot":
                    self.world.now = at(3.0, self.world.now.boot_id + "+")
                    self.raised_s.clear()
                    self.silent.clear()
                self.silent = {id_: self.disk[id_].unreachable for id_ in self.silent}

    def press(self, device: str) -> None:
        before = {id_: alarm.repeats for id_, alarm in self.world.alarms.items()}
        effects = self.world.find(SOS, device)
        (id_,) = (id_ for id_, alarm in self.world.alarms.items() if alarm.repeats != before.get(id_))
        self.open.setdefault(id_, []).append(self.clock_s)
        self.answerer[id_] = ""
        self.hear(effects)
        assert life.light(self.world.alarms) is LightPattern.FAST, "nobody else has this press yet"

    def hear(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Append(events, alarm):
                    self.disk[alarm.id] = alarm
                    for event in events:
                        self.told(alarm.id, event.id, event.type)
                    if alarm.state not in OPEN:
                        self.open.pop(alarm.id, None)
                        self.answerer.pop(alarm.id, None)
                case Say(Prompt.RAISED, _, id_):
                    times = self.raised_s.setdefault(id_, [])
                    times.append(self.clock_s)
                    assert len([s for s in times if s > self.clock_s - THIN_S]) <= 3, "a stutter"
                case Say(Prompt.UNREACHABLE, _, id_):
                    self.silent[id_] = self.silent.get(id_, 0) + 1
                case Say(Prompt.RECEIVED):
                    assert set(self.answerer.values()) <= self.acknowledged, "said of a press that the centre lacks"

    def told(self, id_: str, event_id: str, type_: str) -> None:
        self.ids.append(event_id)
        if type_ in (EventType.ALARM_CANCELLED, EventType.ALARM_CLOSED):
            return
        slot = "finding" if type_ in FINDING else "well"
        last_s = self.told_s.get((id_, slot))
        boot = self.world.now.boot_id
        assert last_s is None or self.clock_s - last_s >= THIN_S - 1e-6 or self.disk[id_].finding.at.boot_id != boot
        self.told_s[id_, slot] = self.clock_s
        if slot == "finding":
            self.open[id_] = []
            self.answerer[id_] = event_id

    def look(self) -> None:
        """Every press is told in time, a tick later at the latest, after a crash too."""
        for id_, pressed_s in self.open.items():
            limit_s = min(THIN_S * 2 ** self.silent.get(id_, 0), PAUSE_MAX_S) + TICK_S
            assert all(self.clock_s - s < limit_s for s in pressed_s), f"{id_} of {pressed_s} is not told"


@given(STORY)
@settings(max_examples=300, deadline=None)
def test_every_press_is_told_in_time_and_seldom_and_received_is_said_of_no_press_that_the_centre_lacks(
        story: list[tuple[tuple[str, int], float]]) -> None:
    Watched().live([*story, (("tick", 0), 60.0)])
