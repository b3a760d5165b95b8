"""Which readings are findings by themselves."""

import msgspec
import pytest

from gateway.detect import triggers
from gateway.detect.routines import URGENCY
from gateway.model.finding import FallSource, Finding, FindingKind
from gateway.model.reading import (
    Accel,
    Binary,
    BinaryKind,
    Button,
    FallFlag,
    Measurement,
    Press,
    Quantity,
    QuantityKind,
    Reading,
)
from tests.unit.detect.stamps import at

DANGERS = {BinaryKind.SMOKE: FindingKind.SMOKE, BinaryKind.CO: FindingKind.CO, BinaryKind.GAS: FindingKind.GAS,
           BinaryKind.WATER: FindingKind.WATER, BinaryKind.TEST: FindingKind.TEST}


def kinds(*readings: Reading) -> list[FindingKind]:
    return [finding.kind for finding in findings(*readings)]


def findings(*readings: Reading) -> list[Finding]:
    state, found = triggers.State(), []
    for reading in readings:
        state, more = triggers.step(state, reading)
        found += more
    return found


def said(value: Measurement, mono_s: float = 1.0, device: str = "d", boot_id: str = "boot-1") -> Reading:
    return Reading(device, at(mono_s, boot_id), value)


@pytest.mark.parametrize(("sensor", "kind"), DANGERS.items())
def test_a_danger_that_begins_is_a_finding_of_its_kind(sensor: BinaryKind, kind: FindingKind):
    (finding,) = findings(said(Binary(sensor, active=False), 1), said(Binary(sensor, active=True), 2))
    assert (finding.kind, finding.device, finding.at, finding.score) == (kind, "d", at(2), 1.0)
    assert finding.words


@pytest.mark.parametrize(("sensor", "kind"), DANGERS.items())
def test_a_danger_that_was_there_before_the_daemon_is_a_finding(sensor: BinaryKind, kind: FindingKind):
    assert kinds(said(Binary(sensor, active=True))) == [kind]


def test_a_repeated_level_is_no_new_finding():
    smoke = said(Binary(BinaryKind.SMOKE, active=True))
    assert kinds(smoke, smoke, smoke) == [FindingKind.SMOKE]


def test_smoke_that_ends_and_comes_back_is_another_finding():
    on, off = said(Binary(BinaryKind.SMOKE, active=True)), said(Binary(BinaryKind.SMOKE, active=False))
    assert kinds(on, off, off, on) == [FindingKind.SMOKE, FindingKind.SMOKE]


def test_two_alarms_in_two_rooms_are_two_findings():
    smoke = Binary(BinaryKind.SMOKE, active=True)
    found = findings(said(smoke, device="kitchen"), said(smoke, device="hall"))
    assert [finding.device for finding in found] == ["kitchen", "hall"]


def test_a_test_button_is_never_the_alarm_that_it_tests():
    assert kinds(said(Binary(BinaryKind.TEST, active=True)), said(Binary(BinaryKind.TEST, active=False))) == [
        FindingKind.TEST]


def test_every_unnumbered_press_of_sos_is_a_finding():
    press = said(Press(Button.SOS))
    assert kinds(press, press) == [FindingKind.SOS, FindingKind.SOS]


def test_a_numbered_press_that_the_radio_repeats_is_one_finding():
    assert kinds(said(Press(Button.SOS, 4), 1), said(Press(Button.SOS, 4), 3)) == [FindingKind.SOS]
    assert kinds(said(Press(Button.SOS, 4), 1), said(Press(Button.SOS, 5), 1.1)) == [FindingKind.SOS] * 2


def test_the_same_number_long_after_or_after_a_reboot_is_a_new_press():
    assert len(kinds(said(Press(Button.SOS, 1), 1), said(Press(Button.SOS, 1), 100))) == 2
    assert len(kinds(said(Press(Button.SOS, 1), 50), said(Press(Button.SOS, 1), 51, boot_id="boot-2"))) == 2


def test_the_same_number_of_another_button_is_another_press():
    assert len(kinds(said(Press(Button.SOS, 1), device="bed"), said(Press(Button.SOS, 1), device="bath"))) == 2


def flag(mono_s: float, *, active: bool = True, number: int | None = None, source: FallSource = FallSource.RADAR,
         boot_id: str = "boot-1") -> Reading:
    return said(FallFlag(source, active, number), mono_s, boot_id=boot_id)


def fallen(*readings: Reading) -> list[float]:
    """When a fall was found."""
    found = findings(*readings)
    assert {finding.kind for finding in found} <= {FindingKind.FALL}
    return [finding.at.mono_s for finding in found]


@pytest.mark.parametrize("source", FallSource)
def test_a_fall_flag_is_a_fall_whose_finding_names_its_source(source: FallSource):
    (finding,) = findings(flag(1, source=source))
    assert (finding.kind, finding.source, finding.score) == (FindingKind.FALL, source, triggers.FLAG_SCORE)


def test_no_other_finding_has_a_source():
    assert [finding.source for finding in findings(said(Press(Button.SOS)))] == [None]


def test_a_flag_that_stays_up_is_one_fall_for_as_long_as_it_is_heard():
    assert fallen(*(flag(mono_s) for mono_s in range(0, 3600, 30))) == [0]
    assert fallen(*(flag(mono_s, number=7) for mono_s in range(0, 3600, 30))) == [0]


def test_a_flag_that_was_down_in_between_is_another_fall():
    assert fallen(flag(0), flag(1, active=False), flag(2, active=False), flag(3), flag(4)) == [0, 3]
    assert fallen(flag(0, number=7), flag(1, active=False, number=7), flag(2, number=7)) == [0, 2]


def test_another_number_is_another_fall_though_the_flag_was_never_down():
    assert fallen(flag(0, number=7), flag(1, number=7), flag(2, number=8), flag(3, number=8)) == [0, 2]


def test_a_flag_that_is_down_is_no_fall():
    assert fallen(flag(0, active=False), flag(1, active=False, number=3)) == []


def test_a_flag_heard_again_after_a_silence_or_a_reboot_is_told_again_rather_than_never():
    assert fallen(flag(0), flag(triggers.REPEAT_S), flag(2 * triggers.REPEAT_S + 1)) == [0, 2 * triggers.REPEAT_S + 1]
    assert fallen(flag(0, number=1), flag(1, number=1, boot_id="boot-2")) == [0, 1]


def test_each_source_of_each_device_has_a_flag_of_its_own():
    found = findings(flag(0), flag(1, source=FallSource.WEARABLE), said(FallFlag(FallSource.RADAR), 2, "other"))
    assert [(finding.device, finding.source) for finding in found] == [
        ("d", FallSource.RADAR), ("d", FallSource.WEARABLE), ("other", FallSource.RADAR)]


@pytest.mark.parametrize("value", [
    Press(Button.CANCEL), Press(Button.SERVICE), Binary(BinaryKind.CONTACT, active=True),
    Binary(BinaryKind.MOTION, active=True), Binary(BinaryKind.BATTERY_LOW, active=True),
    Binary(BinaryKind.TAMPER, active=True), Binary(BinaryKind.FAULT, active=True),
    Quantity(QuantityKind.HEART_RATE, 30), Accel(20, 2, 0, b"")])
def test_anything_else_is_no_finding(value: Measurement):
    assert kinds(said(value)) == []


def test_every_danger_the_sos_button_and_every_fall_flag_stand_in_the_table():
    elsewhere = URGENCY.keys() | {FindingKind.VITAL_SIGN}
    assert {kind for kind, _ in triggers.TRIGGERS.values()} == set(FindingKind) - elsewhere
    assert set(FallSource) <= set(triggers.TRIGGERS)


def test_the_state_survives_being_saved():
    state, _ = triggers.step(triggers.State(), said(Binary(BinaryKind.SMOKE, active=True)))
    state, _ = triggers.step(state, said(Press(Button.SOS, 3)))
    state, _ = triggers.step(state, flag(2, number=3))
    assert msgspec.json.decode(msgspec.json.encode(state), type=triggers.State) == state
