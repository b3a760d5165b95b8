"""What only a living person does."""

import struct

import pytest

from gateway.detect import life_signs
from gateway.model.reading import Accel, Binary, BinaryKind, Button, Measurement, Press, Quantity, QuantityKind, Reading
from tests.unit.detect.stamps import at


def signs(*values: Measurement) -> list[bool]:
    state, told = life_signs.State(), []
    for value in values:
        state, sign = life_signs.step(state, Reading("d", at(0), value))
        told.append(sign)
    return told


def block(*samples_mg: tuple[int, int, int]) -> Accel:
    return Accel(20, 16, 0, b"".join(struct.pack("<3h", *sample) for sample in samples_mg))


@pytest.mark.parametrize("button", Button)
def test_every_press_is_a_sign(button: Button):
    assert signs(Press(button)) == [True]


@pytest.mark.parametrize("kind", [BinaryKind.CONTACT, BinaryKind.BED, BinaryKind.PRESENCE])
def test_a_door_bed_or_presence_that_changes_is_a_sign_either_way(kind: BinaryKind):
    assert signs(Binary(kind, active=False), Binary(kind, active=True), Binary(kind, active=False)) == [
        False, True, True]


def test_motion_that_begins_is_a_sign_and_its_time_out_is_none():
    off, on = Binary(BinaryKind.MOTION, active=False), Binary(BinaryKind.MOTION, active=True)
    assert signs(off, on, off, on) == [False, True, False, True]


def test_a_level_that_is_repeated_or_heard_for_the_first_time_is_no_sign():
    open_ = Binary(BinaryKind.CONTACT, active=True)
    assert signs(open_, open_, open_) == [False, False, False]


def test_a_moved_bracelet_is_a_sign_and_one_on_the_table_is_none():
    assert signs(block((-1000, 0, 0), (-600, 400, 200), (-900, -100, 0))) == [True]
    assert signs(block((3, 5, 1000), (1, 4, 1010), (-8, 0, 990))) == [False]
    assert signs(block()) == [False]


@pytest.mark.parametrize("value", [
    Quantity(QuantityKind.HEART_RATE, 60), Quantity(QuantityKind.BATTERY, 80),
    Binary(BinaryKind.BATTERY_LOW, active=True), Binary(BinaryKind.SMOKE, active=True),
    Binary(BinaryKind.WATER, active=True), Binary(BinaryKind.TAMPER, active=True)])
def test_what_comes_by_itself_is_no_sign(value: Measurement):
    opposite = Binary(value.kind, active=False) if isinstance(value, Binary) else value
    assert signs(opposite, value) == [False, False]
