"""From readings, statuses and passing time to what the detectors of routine tell, over restarts."""

from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.app.configured import types
from gateway.app.settings import places, routine, without_power, zone
from gateway.config import parse
from gateway.detect import inactivity, routines, watch
from gateway.detect.appliances import Appliance
from gateway.detect.home import SignKind
from gateway.detect.life_signs import Place
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.event import EventType
from gateway.model.finding import FindingKind
from gateway.model.reading import Binary, BinaryKind, Button, Measurement, Press, Quantity, QuantityKind, Reading
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime.outcome import Outcome
from gateway.runtime.registry import Registry
from gateway.runtime.routine import BadAway, Routine, SilenceSoFar

CONFIG = """
[gateway]
id = "flat-1"
time_zone = "Asia/Shanghai"
[city]
host = "localhost"
[detect]
budget_days = 30
residents = 2
off = ["programme"]
night = "22:30-06:00"
up_by = "09:00"
left_on_min = {{ front = 20 }}
[bus.zigbee]
port = "/dev/null"
[devices.front]
driver = "ias-contact"
ieee = "00:15:8d:00:00:00:00:01"
room = "客厅"
{more}
"""
CAP_H = 2.0
SETTINGS = watch.Settings(inactivity.Settings(cap_h=CAP_H),
                          routines.Settings(left_on_min={"stove": 30.0, "iron": 15.0}))
PLACES = {"door": Place("hall"), "stove": Place("kitchen", SignKind.APPLIANCE),
          "iron": Place("living", appliance=Appliance.IRON)}
SHUT, OPEN = Binary(BinaryKind.CONTACT, active=False), Binary(BinaryKind.CONTACT, active=True)


class Home:
    def __init__(self, settings: watch.Settings = SETTINGS, boot: str = "a") -> None:
        self.routine, self.boot, self.now_s = Routine(settings, None, lambda: PLACES), boot, 100.0

    def stamp(self) -> Stamp:
        return Stamp(self.boot, self.now_s, None, ClockQuality.UNSET)

    def says(self, device: str, value: Measurement) -> Outcome:
        outcome = Outcome()
        self.routine.reading(Reading(device, self.stamp(), value), outcome)
        return outcome

    def passes(self, minutes: float) -> Outcome:
        outcome = Outcome()
        for _ in range(round(minutes)):
            self.now_s += 60
            self.routine.tick(self.stamp(), outcome)
        return outcome

    def device(self, name: str, state: DeviceState) -> None:
        self.routine.device(DeviceStatus(name, state, self.now_s), self.stamp(), Outcome())

    def restarted(self, boot: str = "a", down_s: float = 5.0) -> "Home":
        new = Home(boot=boot)
        assert new.routine.restore(self.routine.saved()) == []
        new.now_s = self.now_s + down_s if boot == self.boot else down_s
        return new


def kinds(outcome: Outcome) -> list[str]:
    return [one.kind.value for one in outcome.findings]


def test_silence_past_the_cap_is_a_finding_of_the_home_with_the_moments_own_stamp() -> None:
    home = Home()
    home.says("sos", Press(Button.SERVICE))
    (found,) = home.passes(CAP_H * 60 + 1).findings
    assert (found.kind, found.device, found.at.boot_id) == (FindingKind.INACTIVITY, "home", "a")


def test_the_silence_goes_on_over_a_quick_restart() -> None:
    home = Home()
    home.says("sos", Press(Button.SERVICE))
    home.passes(CAP_H * 60 - 10)
    assert kinds(home.restarted().passes(11)) == ["inactivity"]


@pytest.mark.parametrize("boot", ["a", "b"])
def test_hours_in_which_the_gateway_was_down_are_no_silence_and_those_before_and_after_are(boot: str) -> None:
    home = Home()
    home.says("sos", Press(Button.SERVICE))
    home.passes(60)
    home = home.restarted(boot, down_s=3 * CAP_H * 3600)
    assert kinds(home.passes(50)) == []
    assert kinds(home.passes(15)) == ["inactivity"]


def test_who_was_seen_since_the_boot_was_not_silent_in_the_hours_that_a_time_server_adds_later() -> None:
    outcome, wall_s = Outcome(), 1_772_000_000.0
    home = Home()
    home.routine.tick(Stamp("a", 100.0, wall_s, ClockQuality.SYNCED), outcome)
    home = home.restarted("b", down_s=30.0)
    home.says("sos", Press(Button.SERVICE))
    for seconds in (130.0, 190.0):
        synced = Stamp("b", seconds, wall_s + 4 * CAP_H * 3600 + seconds, ClockQuality.SYNCED)
        home.routine.tick(synced, outcome)
    assert kinds(outcome) == []


def test_what_the_version_before_saved_is_the_silence_so_far() -> None:
    old = SilenceSoFar(3600.0, Stamp("a", 40.0, None, ClockQuality.UNSET))
    home = Home()
    assert home.routine.restore(msgspec.json.encode(old)) == []
    assert kinds(home.passes(50)) == []
    assert kinds(home.passes(15)) == ["inactivity"]


def test_a_part_that_cannot_be_read_loses_no_other() -> None:
    home = Home()
    home.says("sos", Press(Button.SERVICE))
    whole = msgspec.msgpack.decode(home.routine.saved())
    whole["parts"]["gaps"] = {"day": []}
    new = Home()
    (error,) = new.routine.restore(msgspec.msgpack.encode(whole))
    assert "day" in str(error)
    assert new.routine.state.rules == home.routine.state.rules


def test_what_was_saved_is_small() -> None:
    assert len(Home().routine.saved()) < 64_000


def test_a_stove_that_is_on_is_an_alarm_and_what_can_wait_is_an_event() -> None:
    home = Home()
    home.says("stove", OPEN)
    outcome = home.passes(31)
    assert kinds(outcome) == ["left_on"]
    home.says("door", SHUT)
    home.says("door", OPEN)
    home.passes(1)
    home.says("sos", Press(Button.SERVICE))
    told = [draft for draft in home.passes(25 * 60).drafts if draft.type == EventType.ROUTINE_NOTICED]
    assert [(draft.subject, draft.data["kind"]) for draft in told] == [("home", "door_unopened")]


def draws(watts: float) -> Quantity:
    return Quantity(QuantityKind.POWER, watts)


def test_an_iron_left_on_is_told_by_its_power_and_one_that_was_switched_off_is_not() -> None:
    home = Home()
    home.says("iron", draws(2000))
    home.passes(3)
    home.says("iron", draws(0))  # its thermostat
    home.passes(3)
    home.says("iron", draws(2000))
    assert kinds(home.passes(10)) == ["left_on"]
    home = Home()
    home.says("iron", draws(2000))
    home.passes(5)
    home.says("iron", draws(0))
    assert kinds(home.passes(60)) == []


def test_an_iron_that_was_switched_off_while_the_gateway_was_down_is_on_no_longer() -> None:
    home = Home()
    home.says("iron", draws(2000))
    home = home.restarted("b", down_s=60.0)
    home.says("iron", draws(0))
    assert kinds(home.passes(30)) == []


def test_an_appliance_in_use_is_a_sign_of_life() -> None:
    home = Home()
    home.says("door", SHUT)
    home.says("door", OPEN)
    home.passes(30)
    home.says("iron", draws(2000))
    assert home.routine.told(home.stamp())["quiet_s"] == 0.0


def test_a_sensor_that_is_lost_is_known_to_be_and_a_bracelet_out_for_a_walk_is_not() -> None:
    home = Home()
    home.says("door", SHUT)
    home.says("door", OPEN)
    home.says("pendant", Press(Button.SERVICE))
    for name in ("door", "pendant", "unknown"):
        home.device(name, DeviceState.LOST)
    assert home.routine.state.rules.scene.lost == {"door"}
    home = home.restarted()
    home.device("door", DeviceState.UP)
    assert home.routine.state.rules.scene.lost == frozenset()


def test_time_without_power_was_watched_by_nobody() -> None:
    home = Home()
    home.says("stove", OPEN)
    home = home.restarted("b", down_s=200.0)
    home.passes(1)
    assert home.routine.state.rules.scene.seen_from_s == pytest.approx(260.0)


def test_an_absence_is_kept_over_a_restart_until_it_is_over() -> None:
    home = Home()
    home.routine.away("2026-12-24", home.stamp(), Outcome())
    assert home.restarted().routine.told(home.stamp())["away_until"] == "2026-12-24 00:00"
    for words, reason in (("soon", "is no date"), ("2026-12-24T18:00+08:00", "has a zone")):
        with pytest.raises(BadAway, match=reason):
            home.routine.away(words, home.stamp(), Outcome())
    late = Stamp("a", 200.0, 1_800_000_000.0, ClockQuality.SYNCED)  # January 2027
    with pytest.raises(BadAway, match="is past already"):
        home.routine.away("2026-12-24", late, Outcome())


def test_a_rule_that_fails_does_not_stop_the_count_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home()
    home.says("sos", Press(Button.SERVICE))
    monkeypatch.setattr("gateway.detect.routines.step", lambda *given, **more: 1 / 0)
    outcome = Outcome()
    for _ in range(round(CAP_H * 60) + 1):
        home.now_s += 60
        with pytest.raises(ZeroDivisionError):
            home.routine.tick(home.stamp(), outcome)
    assert kinds(outcome) == ["inactivity"]


def test_what_is_learned_is_told() -> None:
    home = Home()
    home.says("sos", Press(Button.SERVICE))
    home.passes(30)
    told = home.routine.told(home.stamp())
    assert (told["quiet_s"], told["budget_days"], told["cover"]["reduced"]) == (1800.0, 60.0, False)
    assert told["alert_in_s"] == pytest.approx(CAP_H * 3600 - 1800, abs=120)


def test_the_configuration_says_where_devices_are_what_they_watch_and_what_is_borne() -> None:
    text = CONFIG.format(more='watches = "door"')
    config = parse(text, Path("anju.toml"), *types(Registry()))
    assert places(config) == {"front": Place("living", SignKind.DOOR)}
    settings = routine(config)
    assert (settings.gaps.budget_days, settings.gaps.residents, settings.rules.residents) == (30.0, 2, 2)
    assert (settings.rules.night, settings.rules.up_by) == ((22 * 60 + 30, 6 * 60), 9 * 60)
    assert settings.rules.off == {"programme"}
    assert settings.rules.left_on_min == {"front": 20.0}
    assert zone(config) == ZoneInfo("Asia/Shanghai")
    assert places(parse(CONFIG.format(more=""), Path("anju.toml"), *types(Registry())))["front"].watches is None


def test_what_draws_the_power_is_configured_and_a_device_that_measures_none_is_told() -> None:
    registry = Registry()
    meter = '[bus.modbus]\nport = "/dev/null"\n[devices.meter]\ndriver = "modbus-sensors"\nunit = 1\n' \
        'registers.0 = { kind = "power" }\nappliance = "stove"'
    config = parse(CONFIG.format(more='appliance = "kettle"\n' + meter), Path("anju.toml"), *types(registry))
    assert [place.appliance for place in places(config).values()] == [Appliance.KETTLE, Appliance.STOVE]
    assert without_power(config, registry) == ["devices.front.appliance: the driver ias-contact measures no power: "
                                               "leave it out, or use a plug"]
