"""The second path in virtual time: when a text is due, that it goes once, and what a crash may cost."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alarm import Effect, Rules, Tick, second_path
from gateway.alarm.effects import SendText, Tell
from gateway.alarm.rules import Texting
from gateway.alarm.second_path import NO_MODEM, RETRY_S, WORD_S, Reported
from gateway.alarm.text import SAID, short, words
from gateway.model.alarm import Alarm, SecondPath, Text, TextState
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import SmsReport, SmsState
from tests.unit.alarm.world import World, at

SOS = FindingKind.SOS
DAUGHTER, SON = "+8613800138000", "10086"
RULES = Rules(rooms={"d": "bedroom"}, texting=Texting((DAUGHTER,), 30.0, "en", "flat-12"))
ORDER = "id-1/sms/0"


@dataclass
class Home(World):
    """A world whose second path ticks along, with a modem that is up or not."""

    rules: Rules = field(default_factory=lambda: RULES)
    modem: bool = True

    def wait(self, seconds: float) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(round(seconds)):
            self.now = at(self.now.mono_s + 1, self.now.boot_id)
            effects += self.do(Tick())
            effects += self.second(second_path.Tick(self.modem))
        return effects

    def second(self, happened: second_path.Input) -> list[Effect]:
        self.alarms, effects = second_path.decide(self.alarms, happened, self.now, self.rules)
        self.effects += effects
        return effects

    def report(self, state: SmsState, order: str = ORDER, reason: str = "") -> list[Effect]:
        return self.second(Reported("modem", SmsReport(order, DAUGHTER, state, reason, "cure" if reason else "")))

    def restart(self, boot_id: str = "boot-1", on_disk: bool = True) -> None:
        """A crash: what is on disk is what was told last; `on_disk` False: before the last of it got there."""
        kept: dict[str, Alarm] = {}
        told = [effect.alarm for effect in self.effects if getattr(effect, "alarm", None) and not isinstance(
            effect.alarm, str)]
        for alarm in told if on_disk else told[:-1]:
            kept[alarm.id] = alarm
        again = {id_: msgspec.json.decode(msgspec.json.encode(kept[id_]), type=Alarm) for id_ in self.alarms}
        self.alarms = second_path.taken_up(again)
        self.now = at(self.now.mono_s if boot_id == "boot-1" else 5.0, boot_id)


def orders(effects: list[Effect]) -> list[str]:
    return [effect.id for effect in effects if isinstance(effect, SendText)]


def told(effects: list[Effect]) -> list[Event]:
    return [event for effect in effects if isinstance(effect, Tell) for event in effect.events]


def types(effects: list[Effect]) -> list[str]:
    return [event.type for event in told(effects)]


def state(home: Home, index: int = 0) -> TextState:
    second = home.alarms["id-1"].second
    assert second is not None
    return second.texts[index].state


# -- when -------------------------------------------------------------------------------------------------------------

def test_an_alarm_without_the_citys_word_is_texted_after_30_s_once() -> None:
    home = Home()
    home.find(SOS)
    home.sent()  # the broker's word promises nothing
    assert orders(home.wait(29)) == []
    assert orders(home.wait(1)) == [ORDER]
    home.report(SmsState.SENT)
    home.report(SmsState.DELIVERED)
    assert orders(home.wait(3600)) == []
    assert [event.type for event in told(home.effects)] == [EventType.SMS_SENT, EventType.SMS_DELIVERED]
    assert {event.lane for event in told(home.effects)} == {Lane.EVENT}


def test_an_alarm_that_the_city_has_is_not_texted() -> None:
    home = Home()
    home.find(SOS)
    home.wait(29)
    home.received()
    assert orders(home.wait(3600)) == []


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_an_alarm_that_has_ended_is_not_texted(end: str) -> None:
    home = Home()
    home.find(SOS)
    home.wait(5)
    getattr(home, end)()
    assert orders(home.wait(100)) == []


def test_a_repeat_that_the_city_does_not_acknowledge_is_due_after_a_time_of_its_own() -> None:
    home = Home()
    home.find(SOS)
    home.received()
    home.wait(20)
    home.find(SOS)
    assert orders(home.wait(30)) == []
    assert orders(home.wait(1)) == [ORDER]


def test_a_contact_that_chatters_puts_no_text_off() -> None:
    home, effects = Home(), []
    for _ in range(31):
        home.find(SOS)
        effects += home.wait(1)
    assert orders(effects) == [ORDER]


def test_every_number_gets_one_text_and_nobody_where_none_is_configured() -> None:
    home = Home(rules=Rules(texting=Texting((DAUGHTER, SON))))
    home.find(SOS)
    assert [(effect.id, effect.number) for effect in home.wait(40) if isinstance(effect, SendText)] == [
        ("id-1/sms/0", DAUGHTER), ("id-1/sms/1", SON)]
    home = Home(rules=Rules())
    home.find(SOS)
    assert orders(home.wait(100)) == []
    assert home.alarms["id-1"].second is None


def test_the_alarm_tells_afterwards_that_it_was_texted() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.report(SmsState.SENT)
    home.received()
    (closed,) = [event for effect in home.close() for event in getattr(effect, "events", ())]
    assert closed.data["sms"] == ["sent"]


# -- when it does not go ----------------------------------------------------------------------------------------------

def test_a_failure_is_told_once_for_each_cause_and_tried_again_ever_more_rarely() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    tried = []
    for reason in ("busy", "busy", "no network", "no network"):
        home.report(SmsState.FAILED, reason=reason)
        waited = 0
        while not orders(home.wait(1)):
            waited += 1
        tried.append(waited + 1)
    assert tried == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S, 8 * RETRY_S]
    assert [event.data["reason"] for event in told(home.effects)] == ["busy", "no network"]


def test_a_failed_text_is_not_tried_again_once_the_city_has_the_alarm() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.report(SmsState.FAILED, reason="busy")
    home.received()
    assert orders(home.wait(3600)) == []


def test_without_a_modem_that_is_told_once_and_the_text_goes_as_soon_as_one_is_up() -> None:
    home = Home(modem=False)
    home.find(SOS)
    effects = home.wait(300)
    (event,) = told(effects)
    assert (event.type, event.subject, event.data["reason"]) == (EventType.SMS_FAILED, "gateway", NO_MODEM)
    assert "modem" in event.data["cure"]
    home.modem = True
    assert orders(home.wait(1)) == [ORDER]


def test_a_modem_that_goes_amid_a_text_is_told_and_the_text_waits_no_longer_than_after_a_failure() -> None:
    home = Home()
    home.find(SOS)
    assert orders(home.wait(30)) == [ORDER]
    home.modem = False
    assert types(home.wait(3)) == [EventType.SMS_FAILED]
    home.modem = True
    assert orders(home.wait(RETRY_S)) == [ORDER]


def test_an_order_without_any_word_is_given_again() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    assert orders(home.wait(WORD_S - 1)) == []
    assert orders(home.wait(1)) == [ORDER]


def test_a_report_that_comes_twice_or_about_nothing_changes_nothing() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.report(SmsState.SENT)
    for order in (ORDER, "id-1/sms/7", "id-1/sms/", "id-1/sms/-1", "id-1/sms/99999", "id-1"):
        assert home.report(SmsState.SENT, order) == []


def test_what_became_of_a_text_is_told_though_its_alarm_has_ended() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.close()
    (event,) = told(home.report(SmsState.DELIVERED))
    assert (event.type, event.data) == (EventType.SMS_DELIVERED, {"alarm": "id-1", "short": "id-1", "number": "…8000"})


# -- restarts ---------------------------------------------------------------------------------------------------------

def test_a_text_that_is_noted_as_sent_is_never_sent_again_over_any_restart() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.report(SmsState.SENT)
    for boot_id in ("boot-1", "boot-2"):
        home.restart(boot_id)
        assert orders(home.wait(600)) == []


def test_a_crash_between_sending_and_noting_costs_one_text_more_and_never_one_less() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.report(SmsState.SENT)
    home.restart(on_disk=False)
    assert state(home) is TextState.ORDERED
    assert orders(home.wait(1)) == [ORDER]
    home.report(SmsState.SENT)
    assert orders(home.wait(600)) == []


def test_a_crash_before_the_text_was_due_takes_no_time_from_it_within_a_boot() -> None:
    home = Home()
    home.find(SOS)
    home.wait(20)
    home.restart()
    assert orders(home.wait(9)) == []
    assert orders(home.wait(1)) == [ORDER]


def test_after_a_reboot_the_city_has_its_time_again() -> None:
    home = Home()
    home.find(SOS)
    home.wait(20)
    home.restart("boot-2")
    assert orders(home.wait(30)) == []
    assert orders(home.wait(1)) == [ORDER]


def test_after_a_reboot_a_failed_text_waits_for_the_citys_time_too() -> None:
    home = Home()
    home.find(SOS)
    home.wait(30)
    home.report(SmsState.FAILED, reason="busy")
    home.restart("boot-2")
    home.now = at(5000.0, "boot-2")
    assert orders(home.wait(30)) == []
    assert orders(home.wait(1)) == [ORDER]


STEP = st.sampled_from(["wait 1", "wait 40", "wait 700", "sent", "received", "report sent", "report failed",
                        "report delivered", "modem", "restart", "reboot", "find"])


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_in_every_story_no_text_follows_one_that_is_known_to_be_sent(story: list[str]) -> None:
    home, boot, sent = Home(), 1, False
    home.find(SOS)
    for step in story:
        before = len(home.effects)
        verb, _, what = step.partition(" ")
        match verb:
            case "wait":
                home.wait(float(what))
            case "sent" | "received":
                getattr(home, verb)()
            case "report" if orders(home.effects):
                home.report(SmsState(what), reason="busy" if what == "failed" else "")
            case "modem":
                home.modem = not home.modem
            case "restart" | "reboot":
                boot += verb == "reboot"
                home.restart("boot-1" if boot == 1 else f"boot-{boot}")
            case "find" if not sent:
                home.find(SOS)
        assert not (sent and "id-1/sms/0" in orders(home.effects[before:]))
        second = home.alarms["id-1"].second
        sent = bool(second and second.texts and second.texts[0].state in (TextState.SENT, TextState.DELIVERED))
    ids = [event.id for event in told(home.effects)]
    assert len(ids) == len(set(ids))


# -- what it says -----------------------------------------------------------------------------------------------------

def alarm(kind: FindingKind) -> Alarm:
    home = Home()
    home.find(kind)
    return msgspec.structs.replace(home.alarms["id-1"], id="0190b7c2-1a2b-7c3d-8e4f-001122334455")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_its_words_and_each_text_names_home_room_and_the_short_id(language: str,
                                                                               kind: FindingKind) -> None:
    rules = msgspec.structs.replace(RULES, texting=Texting((DAUGHTER,), 30.0, language, "flat-12"))
    text = words(alarm(kind), rules)
    assert SAID[language][kind] in text
    for part in ("flat-12", "bedroom", "0190b7c2-1a2b"):
        assert part in text
    assert "001122334455" not in text


def test_a_chinese_text_fits_into_one_message_and_reads_well() -> None:
    rules = Rules(rooms={"d": "卧室"}, texting=Texting((DAUGHTER,), 30.0, "zh", "cq-0001"))
    text = words(alarm(SOS), rules)
    assert text == "安居 cq-0001：有人按了求助按钮（卧室）。服务中心没有应答，请打电话或上门查看。编号 0190b7c2-1a2b"
    assert all(len(words(alarm(kind), rules)) <= 70 for kind in FindingKind)


def test_a_test_asks_nobody_to_come() -> None:
    assert "Nothing to do" in words(alarm(FindingKind.TEST), RULES)
    assert "call" not in words(alarm(FindingKind.TEST), RULES)


def test_the_short_id_begins_the_long_one() -> None:
    assert "0190b7c2-1a2b-7c3d".startswith(short("0190b7c2-1a2b-7c3d"))
    assert Finding(SOS, "d", at(0), 1.0, "w").kind is SOS
    assert SecondPath(None, (Text(DAUGHTER),)).texts[0].state is TextState.WANTED
