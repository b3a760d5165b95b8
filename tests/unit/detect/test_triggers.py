"""Which readings are findings by themselves."""

import msgspec
import pytest

from gateway.detect import triggers
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Accel, Binary, BinaryKind, Button, Measurement, Press, Quantity, QuantityKind, Reading
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


@pytest.mark.parametrize("value", [
    Press(Button.CANCEL), Press(Button.SERVICE), Binary(BinaryKind.CONTACT, active=True),
    Binary(BinaryKind.MOTION, active=True), Binary(BinaryKind.BATTERY_LOW, active=True),
    Binary(BinaryKind.TAMPER, active=True), Binary(BinaryKind.FAULT, active=True),
    Quantity(QuantityKind.HEART_RATE, 30), Accel(20, 2, 0, b"")])
def test_anything_else_is_no_finding(value: Measurement):
    assert kinds(said(value)) == []


def test_every_danger_and_the_sos_button_stand_in_the_table():
    assert {kind for kind, _ in triggers.TRIGGERS.values()} == set(FindingKind) - {
        FindingKind.FALL, FindingKind.INACTIVITY}


def test_the_state_survives_being_saved():
    state, _ = triggers.step(triggers.State(), said(Binary(BinaryKind.SMOKE, active=True)))
    state, _ = triggers.step(state, said(Press(Button.SOS, 3)))
    assert msgspec.json.decode(msgspec.json.encode(state), type=triggers.State) == state
