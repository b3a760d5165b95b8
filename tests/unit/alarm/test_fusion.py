"""One fall is one alarm, whatever noticed it and in whatever order; two people's falls are two."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alarm import Append, Rules, Say, life
from gateway.alarm.fusion import FALL_S
from gateway.alarm.repeats import THIN_S
from gateway.model.alarm import Alarm, AlarmState
from gateway.model.event import EventType
from gateway.model.finding import FallSource, FindingKind
from gateway.model.prompt import Prompt
from tests.unit.alarm.world import World, at, said, shown, told, types

FALL = FindingKind.FALL
WRIST = ("bracelet", FallSource.WRIST, 0.8)
FLAG = ("bracelet", FallSource.WEARABLE, 0.5)
RADAR = ("bath", FallSource.RADAR, 0.5)


@pytest.fixture
def world() -> World:
    return World(Rules(rooms={"bath": "bathroom"}))


def test_a_radar_that_agrees_is_told_under_the_same_alarm_at_once_and_not_spoken(world: World) -> None:
    world.find(FALL, *WRIST)
    world.wait(1)
    effects = world.find(FALL, *RADAR)
    (event,) = told(effects)
    assert (event.id, event.type, event.subject) == ("id-1/1", "anju.alarm.repeated", "bath")
    assert (said(effects), shown(effects), list(world.alarms)) == ([], [], ["id-1"])
    assert (event.data["alarm"], event.data["repeats"], event.data["room"]) == ("id-1", 0, "bathroom")


def test_the_event_says_who_agreed_and_how_sure_they_are_together(world: World) -> None:
    world.find(FALL, *WRIST)
    world.find(FALL, *FLAG)
    (event,) = told(world.find(FALL, *RADAR))
    assert event.data["sources"] == [
        {"device": "bracelet", "kind": "wrist", "score": 0.8}, {"device": "bracelet", "kind": "wearable", "score": 0.5},
        {"device": "bath", "kind": "radar", "score": 0.5}]
    assert event.data["words"] == "the movement of bracelet, the flag of bracelet and the radar bath agree: words"
    assert event.data["score"] == 0.9, "1 - (1 - 0.8)(1 - 0.5): one device's two judgements count as its surest"
    assert msgspec.json.decode(msgspec.json.encode(event.data)) == event.data


def test_a_fall_that_one_source_noticed_is_told_in_its_own_words_with_its_own_score(world: World) -> None:
    (event,) = told(world.find(FALL, *RADAR))
    assert (event.data["words"], event.data["score"]) == ("words", 0.5)
    assert event.data["sources"] == [{"device": "bath", "kind": "radar", "score": 0.5}]


def test_only_a_fall_tells_sources(world: World) -> None:
    (event,) = told(world.find(FindingKind.SOS))
    assert "sources" not in event.data


def test_what_the_centre_has_it_still_has_when_another_source_agrees(world: World) -> None:
    world.find(FALL, *WRIST)
    world.received()
    world.wait(20)
    assert said(world.find(FALL, *RADAR)) == []
    assert world.alarms["id-1"].state is AlarmState.RECEIVED
    assert said(world.sent("id-1/1") + world.received("id-1/1")) == []
    assert types(world.close()) == ["alarm.closed"], "the centre may close what it has seen"


def test_an_answer_to_the_alarm_counts_though_another_source_agreed_meanwhile(world: World) -> None:
    world.find(FALL, *WRIST)
    world.find(FALL, *RADAR)
    assert said(world.received("id-1")) == [("received", "fall")]


def test_an_agreement_puts_off_no_reminder_that_nobody_can_be_reached(world: World) -> None:
    world.find(FALL, *WRIST)
    world.wait(29)
    world.find(FALL, *RADAR)
    assert said(world.wait(1)) == [("unreachable", "fall")]


def test_a_source_that_finds_the_fall_again_repeats_the_alarm_as_ever(world: World) -> None:
    world.find(FALL, *WRIST)
    world.received()
    world.find(FALL, *RADAR)
    world.wait(THIN_S)
    for again in (WRIST, RADAR):
        effects = world.find(FALL, *again)
        assert said(effects) == [("raised", "fall")]
        assert told(effects)[0].data["repeats"] == world.alarms["id-1"].repeats
        world.wait(THIN_S)
    assert world.alarms["id-1"].repeats == 2
    assert world.close() == [], "somebody fell again, and the centre has not seen that"


def test_later_than_the_window_it_is_another_fall(world: World) -> None:
    world.find(FALL, *WRIST)
    world.wait(FALL_S)
    assert types(world.find(FALL, *RADAR)) == ["alarm.repeated"]
    world.wait(FALL_S + 1)
    assert types(world.find(FALL, *RADAR)) == ["alarm.raised"]


def test_after_i_am_fine_a_late_radar_raises_a_new_alarm(world: World) -> None:
    world.find(FALL, *WRIST)
    assert types(world.cancel()) == ["alarm.cancelled"]
    world.wait(20)
    assert types(world.find(FALL, *RADAR)) == ["alarm.raised"]


def test_i_am_fine_ends_the_one_alarm_within_the_window_of_the_newest_finding(world: World) -> None:
    world.find(FALL, *WRIST)
    world.wait(19)
    world.find(FALL, *RADAR)
    world.wait(19)
    (event,) = told(world.cancel())
    assert (event.type, len(event.data["sources"]), world.alarms) == ("anju.alarm.cancelled", 2, {})


def test_another_kind_agrees_with_no_fall(world: World) -> None:
    world.find(FALL, *WRIST)
    assert types(world.find(FindingKind.SOS, "bath")) == ["alarm.raised"]


def test_the_falls_of_two_residents_are_two_alarms_and_the_radar_joins_the_newest() -> None:
    world = World(Rules(wearers={"wang": "Wang", "li": "Li"}))
    (wang,) = told(world.find(FALL, "wang", FallSource.WRIST))
    world.wait(1)
    (li,) = told(world.find(FALL, "li", FallSource.WRIST))
    assert [(event.type, event.data["wearer"]) for event in (wang, li)] == [
        ("anju.alarm.raised", "Wang"), ("anju.alarm.raised", "Li")]
    world.wait(1)
    (event,) = told(world.find(FALL, *RADAR))
    assert event.data["alarm"] == li.id


def test_a_device_of_nobody_in_particular_agrees_with_anybody_but_joins_no_two_residents() -> None:
    world = World(Rules(wearers={"wang": "Wang", "li": "Li"}))
    world.find(FALL, *RADAR)
    (event,) = told(world.find(FALL, "wang", FallSource.WRIST))
    assert (event.data["alarm"], event.data["wearer"]) == ("id-1", "Wang")
    assert types(world.find(FALL, "li", FallSource.WRIST)) == ["alarm.raised"]


def test_of_two_open_falls_a_source_that_tells_again_repeats_the_one_that_it_noticed() -> None:
    world = World(Rules(wearers={"wang": "Wang", "li": "Li"}))
    for device, source in (("wang", FallSource.WRIST), ("bath", FallSource.RADAR), ("li", FallSource.WRIST)):
        world.find(FALL, device, source)
        world.wait(THIN_S)
    world.find(FALL, *RADAR)
    assert [alarm.repeats for alarm in world.alarms.values()] == [1, 0]


def test_two_bracelets_that_nobody_declared_are_of_one_resident(world: World) -> None:
    world.find(FALL, "left", FallSource.WRIST)
    world.find(FALL, "right", FallSource.WRIST)
    assert list(world.alarms) == ["id-1"]


def test_who_agreed_survives_a_restart_and_no_fall_goes_on_over_a_reboot(world: World) -> None:
    world.find(FALL, *WRIST)
    world.find(FALL, *RADAR)
    disk = {id_: msgspec.json.decode(msgspec.json.encode(alarm), type=Alarm) for id_, alarm in world.alarms.items()}
    assert disk == world.alarms
    assert types(World(world.rules, disk, world.now, raised=9).find(FALL, *FLAG)) == ["alarm.repeated"]
    assert types(World(world.rules, disk, at(5, "boot-2"), raised=9).find(FALL, *FLAG)) == ["alarm.raised"]


def test_an_alarm_that_an_older_version_saved_is_taken_up(world: World) -> None:
    world.find(FALL, "bracelet")
    old = msgspec.to_builtins(world.alarms["id-1"])
    del old["agreed"], old["finding"]["source"]
    again = World(world.rules, {"id-1": msgspec.convert(old, Alarm)}, world.now, raised=9)
    assert types(again.find(FALL, *RADAR)) == ["alarm.repeated"]


SOURCES = st.sampled_from([WRIST, FLAG, RADAR, ("hall", FallSource.RADAR, 0.5)])
MEANWHILE = st.lists(st.sampled_from(["sent id-1", "received id-1", "received id-1/1", "received id-1/2"]), max_size=3)


@given(st.lists(st.tuples(SOURCES, st.floats(0, FALL_S - 1e-6), MEANWHILE), min_size=1, max_size=8))  # sums round
@settings(max_examples=300, deadline=None)
def test_any_interleaving_of_sources_is_one_alarm_that_names_them_all_and_is_heard_once(story) -> None:
    world, noticed = World(), []
    for source, wait_s, meanwhile in story:
        world.now = at(world.now.mono_s + (wait_s if noticed else 0))
        effects = world.find(FALL, *source)
        spoken = [effect for effect in effects if isinstance(effect, Say) and effect.prompt is Prompt.RAISED]
        if source not in noticed:
            assert len(told(effects)) == 1, "each new source is told at once"
            assert len(spoken) == (0 if noticed else 1), "the first is heard, those that agree are not"
            noticed.append(source)
        for verb, id_ in (one.split() for one in meanwhile):
            world.do({"sent": life.Sent, "received": life.Received}[verb](id_))
        world.do(life.Tick())
    world.wait(THIN_S * 4)
    assert list(world.alarms) == ["id-1"]
    events = [event for effect in world.effects if isinstance(effect, Append) for event in effect.events]
    assert [event.id for event in events if event.type == EventType.ALARM_RAISED] == ["id-1"]
    assert {event.data["alarm"] for event in events} == {"id-1"}
    last = max(events, key=lambda event: int(event.id.partition("/")[2] or 0)).data
    assert [(one["device"], one["kind"], one["score"]) for one in last["sources"]] == noticed
    assert last["repeats"] == len(story) - len(noticed), "and what a source finds again is counted"
    misses = 1.0
    for device in {device for device, _, _ in noticed}:
        misses *= 1 - max(score for name, _, score in noticed if name == device)
    assert last["score"] == pytest.approx(1 - misses)
