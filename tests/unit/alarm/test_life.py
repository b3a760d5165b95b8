"""The alarm's life, rule by rule."""

import msgspec
import pytest

from gateway.alarm import Append, Rules, Say, Show, life
from gateway.alarm.repeats import THIN_S
from gateway.model.alarm import Alarm, AlarmState
from gateway.model.event import Lane
from gateway.model.finding import CODES_OF, FindingKind
from tests.unit.alarm.world import World, at, said, shown, snapshots, told, types

UNCANCELLABLE = [FindingKind.SMOKE, FindingKind.CO, FindingKind.GAS, FindingKind.WATER]
WINDOWS_S = {FindingKind.SOS: 10, FindingKind.FALL: 20, FindingKind.INACTIVITY: 120, FindingKind.TEST: 10}


@pytest.fixture
def world() -> World:
    return World(Rules(rooms={"d": "kitchen"}))


def test_a_finding_is_shown_and_said_at_once_and_told_to_the_city(world: World):
    show, say, append = world.find(FindingKind.SMOKE)
    assert isinstance(show, Show)
    assert isinstance(say, Say)
    assert isinstance(append, Append)
    assert said([say]) == [("raised", "smoke")]
    (event,) = append.events
    assert (event.id, event.type, event.lane, event.subject) == ("id-1", "anju.alarm.raised", Lane.ALARM, "d")
    assert event.at == at(1000)
    assert append.alarm == world.alarms["id-1"]
    assert append.alarm.state is AlarmState.RAISED


def test_the_event_carries_all_that_a_centre_needs_to_act(world: World):
    (event,) = told(world.find(FindingKind.FALL))
    assert event.data == {
        "alarm": "id-1", "kind": "fall", "device": "d", "room": "kitchen", "score": 1.0, "words": "words",
        "evidence": {"peak_g": 3.0}, "codes": {"ieee_11073_10471": 1, "now_ip": "021", "scaip": "0005"}, "repeats": 0,
        "state": "raised", "test": False, "sources": [{"device": "d", "kind": None, "score": 1.0}]}
    assert msgspec.json.decode(msgspec.json.encode(event.data)) == event.data


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_its_codes_and_only_a_test_is_marked_as_one(world: World, kind: FindingKind):
    (event,) = told(world.find(kind, "roomless"))
    assert event.data["codes"]["now_ip"] == CODES_OF[kind].now_ip
    assert event.data["test"] is (kind is FindingKind.TEST)
    assert "room" not in event.data


def test_the_whole_way_of_an_alarm(world: World):
    assert shown(world.find(FindingKind.SOS)) == ["fast"]
    effects = world.sent()
    assert (said(effects), types(effects), snapshots(effects)[0].state) == ([("sent", "sos")], [], AlarmState.SENT)
    effects = world.received()
    assert (said(effects), shown(effects), types(effects)) == ([("received", "sos")], ["slow"], [])
    effects = world.close()
    assert (said(effects), shown(effects), types(effects)) == ([("closed", "sos")], ["steady"], ["alarm.closed"])
    (event,) = told(effects)
    assert (event.id, event.data["by"], event.data["state"]) == ("id-1/1", "command-7", "closed")
    assert world.alarms == {}


def test_sent_and_received_are_said_once_each_however_often_they_come(world: World):
    world.find(FindingKind.SOS)
    assert [said(world.sent()), said(world.sent())] == [[("sent", "sos")], []]
    assert [said(world.received()), said(world.received()), said(world.sent())] == [[("received", "sos")], [], []]


def test_an_acknowledgement_may_overtake_the_puback(world: World):
    world.find(FindingKind.SOS)
    assert said(world.received()) == [("received", "sos")]
    assert world.sent() == []
    assert world.alarms["id-1"].state is AlarmState.RECEIVED


def test_the_centre_may_close_before_anything_else_was_heard(world: World):
    world.find(FindingKind.SOS)
    assert types(world.close()) == ["alarm.closed"]
    assert world.sent() + world.received() + world.close() == []


def test_inputs_about_unknown_alarms_change_nothing(world: World):
    world.find(FindingKind.SOS)
    assert world.sent("x") + world.received("x") + world.close("x") + world.received("id-1/1") == []


def test_a_second_finding_within_half_a_minute_repeats_the_alarm(world: World):
    world.find(FindingKind.SOS)
    world.wait(30)
    effects = world.find(FindingKind.SOS)
    (event,) = told(effects)
    assert (event.id, event.type, event.data["repeats"], event.at) == ("id-1/1", "anju.alarm.repeated", 1, world.now)
    assert said(effects) == [("raised", "sos")]
    assert list(world.alarms) == ["id-1"]
    world.wait(30)
    assert [event.id for event in told(world.find(FindingKind.SOS))] == ["id-1/2"], "the last finding counts"


def test_a_repeat_of_a_received_alarm_is_received_only_when_the_centre_has_the_repeat(world: World):
    world.find(FindingKind.SOS)
    world.received()
    world.wait(THIN_S)
    assert said(world.find(FindingKind.SOS)) == [("raised", "sos")]
    assert said(world.received("id-1") + world.sent("id-1")) == [], "that was the first press"
    assert said(world.sent("id-1/1")) == [("sent", "sos")]
    assert said(world.received("id-1/1")) == [("received", "sos")]


def test_a_close_does_not_end_a_repeat_that_the_centre_has_not_seen(world: World):
    world.find(FindingKind.SOS)
    world.received()
    world.find(FindingKind.SOS)
    assert world.close() == [], "it is not even told yet"
    world.wait(THIN_S)
    assert world.close() == []
    world.received("id-1/1")
    assert types(world.close()) == ["alarm.closed"]


def test_an_unanswered_repeat_is_told_as_unreachable(world: World):
    world.find(FindingKind.SOS)
    world.received()
    world.find(FindingKind.SOS)
    assert said(world.wait(31)) == [("unreachable", "sos")]


def test_repeats_do_not_put_off_that_nobody_can_be_reached(world: World):
    world.find(FindingKind.SMOKE)
    heard = []
    for _ in range(4):
        heard += said(world.wait(20))
        world.find(FindingKind.SMOKE)
    assert ("unreachable", "smoke") in heard


def test_received_is_said_once_the_centre_has_every_open_alarm_of_the_kind(world: World):
    world.find(FindingKind.SMOKE, "kitchen")
    world.find(FindingKind.SMOKE, "hall")
    world.find(FindingKind.SOS)
    effects = world.received("id-2")
    assert (said(effects), [alarm.state for alarm in snapshots(effects)]) == ([], [AlarmState.RECEIVED])
    assert said(world.received("id-3")) == [("received", "sos")], "another kind does not matter"
    assert said(world.sent("id-1")) == [("sent", "smoke")]
    (say,) = (effect for effect in world.received("id-1") if isinstance(effect, Say))
    assert (say.prompt, say.kind, say.alarm) == ("received", "smoke", "id-1")


def test_a_repeat_of_one_alarm_keeps_received_back_for_the_other_of_its_kind(world: World):
    world.find(FindingKind.SMOKE, "kitchen")
    world.find(FindingKind.SMOKE, "hall")
    world.received("id-1")
    world.wait(THIN_S)
    world.find(FindingKind.SMOKE, "kitchen")
    assert said(world.received("id-2")) == []
    assert said(world.received("id-1/1")) == [("received", "smoke")]


def test_an_alarm_that_was_closed_keeps_received_back_for_no_other(world: World):
    world.find(FindingKind.SMOKE, "kitchen")
    world.find(FindingKind.SMOKE, "hall")
    world.close("id-1")
    assert said(world.received("id-2")) == [("received", "smoke")]


def test_every_prompt_names_its_alarm(world: World):
    world.find(FindingKind.SOS, "a")
    world.find(FindingKind.SOS, "b")
    effects = world.sent("id-2") + world.wait(31) + world.cancel() + world.close("id-2")
    named = [(say.prompt.value, say.alarm) for say in effects if isinstance(say, Say)]
    assert named == [("sent", "id-2"), ("unreachable", "id-1"), ("unreachable", "id-2"), ("well_noted", "id-2"),
                     ("closed", "id-2")]


def test_later_or_of_another_kind_or_device_it_is_another_alarm(world: World):
    world.find(FindingKind.SOS)
    world.find(FindingKind.FALL)
    world.find(FindingKind.SOS, "other")
    world.wait(31)
    world.find(FindingKind.SOS)
    assert list(world.alarms) == ["id-1", "id-2", "id-3", "id-4"]


def test_a_finding_after_the_alarm_was_closed_is_another_alarm(world: World):
    world.find(FindingKind.SOS)
    world.close()
    assert types(world.find(FindingKind.SOS)) == ["alarm.raised"]


@pytest.mark.parametrize(("kind", "window_s"), WINDOWS_S.items())
def test_i_am_fine_within_the_window_cancels(world: World, kind: FindingKind, window_s: int):
    world.find(kind)
    world.wait(window_s)
    effects = world.cancel()
    assert said(effects) == [("cancelled", kind.value)]
    (event,) = told(effects)
    assert (event.id, event.type, event.data["by"]) == ("id-1/1", "anju.alarm.cancelled", "fine")
    assert snapshots(effects)[0].state is AlarmState.CANCELLED
    assert shown(effects) == ["steady"]
    assert world.alarms == {}


@pytest.mark.parametrize(("kind", "window_s"), WINDOWS_S.items())
def test_i_am_fine_after_the_window_is_told_and_the_alarm_stays(world: World, kind: FindingKind, window_s: int):
    world.find(kind)
    world.wait(window_s + 1)
    effects = world.cancel()
    assert said(effects) == [("well_noted", kind.value)]
    assert types(effects) == ["resident.well"]
    assert world.alarms["id-1"].state is AlarmState.RAISED
    world.wait(30)
    assert [event.id for event in told(world.cancel())] == ["id-1/2"], "a later press too, under an id of its own"


@pytest.mark.parametrize("kind", UNCANCELLABLE)
def test_fire_gas_and_water_cannot_be_cancelled_by_a_button(world: World, kind: FindingKind):
    world.find(kind)
    assert said(world.cancel()) == [("well_noted", kind.value)]
    assert list(world.alarms) == ["id-1"]


def test_the_windows_follow_the_configuration():
    world = World(Rules(cancel_s={FindingKind.FALL: 60.0}))
    world.find(FindingKind.FALL)
    world.find(FindingKind.SOS)
    world.wait(60)
    assert types(world.cancel()) == ["alarm.cancelled", "resident.well"]


def test_the_window_runs_from_the_newest_finding(world: World):
    world.find(FindingKind.SOS)
    world.wait(8)
    world.find(FindingKind.SOS)
    world.wait(8)
    assert types(world.cancel()) == ["alarm.cancelled"]


def test_one_press_ends_what_it_may_and_says_that_the_rest_stays(world: World):
    world.find(FindingKind.SMOKE)
    world.find(FindingKind.SOS)
    world.find(FindingKind.WATER)
    effects = world.cancel()
    assert said(effects) == [("cancelled", "sos"), ("well_noted", "water")]
    assert types(effects) == ["alarm.cancelled", "resident.well", "resident.well"]
    assert list(world.alarms) == ["id-1", "id-3"]
    assert shown(effects) == []


def test_i_am_fine_without_an_alarm_does_nothing(world: World):
    assert world.cancel() == []


def test_an_alarm_that_was_received_may_still_be_cancelled_in_time(world: World):
    world.find(FindingKind.FALL)
    world.received()
    assert types(world.cancel()) == ["alarm.cancelled"]


def test_a_centre_that_does_not_answer_is_told_at_growing_pauses(world: World):
    world.find(FindingKind.SOS)
    world.sent()
    began_s, times = world.now.mono_s, []
    while world.now.mono_s < began_s + 3000:
        for words in said(world.wait(1)):
            assert words == ("unreachable", "sos")
            times.append(world.now.mono_s - began_s)
    assert times == [30, 90, 210, 450, 930, 1530, 2130, 2730]


def test_a_received_alarm_needs_no_reminder(world: World):
    world.find(FindingKind.SOS)
    world.wait(29)
    world.received()
    assert world.wait(600) == []


def test_the_light_is_fast_while_any_alarm_has_no_answer_and_slow_while_the_centre_deals_with_it(world: World):
    world.find(FindingKind.SOS)
    assert shown(world.find(FindingKind.SMOKE)) == []
    assert shown(world.received("id-1")) == []
    assert shown(world.received("id-2")) == ["slow"]
    assert shown(world.find(FindingKind.FALL)) == ["fast"]


def test_a_test_goes_the_whole_way_and_the_gateway_closes_it_where_the_centre_does_not(world: World):
    assert said(world.find(FindingKind.TEST)) == [("raised", "test")]
    assert said(world.sent() + world.received()) == [("sent", "test"), ("received", "test")]
    assert world.wait(59) == []
    (event,) = told(world.wait(1))
    assert (event.type, event.data["by"], event.data["test"]) == ("anju.alarm.closed", "gateway", True)
    assert world.alarms == {}


def test_no_real_alarm_closes_by_itself(world: World):
    for kind in set(FindingKind) - {FindingKind.TEST}:
        world.find(kind)
    for id_ in list(world.alarms):
        world.received(id_)
    world.wait(4000)
    assert len(world.alarms) == len(FindingKind) - 1


def saved(alarm: Alarm) -> Alarm:
    return msgspec.json.decode(msgspec.json.encode(alarm), type=Alarm)


def test_after_a_restart_the_open_alarms_go_on_and_nothing_is_said_twice(world: World):
    world.find(FindingKind.SOS)
    world.sent()
    again = World(world.rules, {id_: saved(alarm) for id_, alarm in world.alarms.items()}, world.now)
    assert again.sent() == []
    assert again.wait(5) == []
    assert life.light(again.alarms) == "fast"
    assert types(again.cancel()) == ["alarm.cancelled"]


def test_after_a_reboot_no_window_is_open_no_finding_repeats_and_reminders_start_again(world: World):
    world.find(FindingKind.SOS)
    world.wait(100)
    again = World(world.rules, {id_: saved(alarm) for id_, alarm in world.alarms.items()}, at(3, "boot-2"), raised=1)
    assert again.do(life.Tick()) + again.wait(29) == []
    assert said(again.wait(1)) == [("unreachable", "sos")]
    assert types(again.cancel()) == ["resident.well"]
    assert types(again.find(FindingKind.SOS)) == ["alarm.raised"]
    assert said(again.received("id-2") + again.received("id-1")) == [("received", "sos")]


def test_the_finding_of_a_repeat_is_told_with_its_own_evidence(world: World):
    world.find(FindingKind.FALL)
    world.wait(THIN_S)
    finding = msgspec.structs.replace(world.alarms["id-1"].finding, words="again", evidence={"peak_g": 9.0})
    (event,) = told(world.do(life.Raised(finding, "id-2")))
    assert (event.data["words"], event.data["evidence"]) == ("again", {"peak_g": 9.0})


def test_an_id_that_is_already_open_is_never_overwritten(world: World):
    world.find(FindingKind.SOS)
    world.raised = 0
    world.wait(THIN_S)
    (event,) = told(world.find(FindingKind.FALL))
    assert (event.id, event.data["kind"]) == ("id-1/1", "fall")
    assert world.alarms["id-1"].finding.kind is FindingKind.SOS
