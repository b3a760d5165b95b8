"""What only a living person does."""

import struct

import pytest

from gateway.detect import life_signs
from gateway.detect.appliances import Appliance
from gateway.detect.home import SignKind
from gateway.detect.life_signs import Given, Place
from gateway.model.reading import Accel, Binary, BinaryKind, Button, Measurement, Press, Quantity, QuantityKind, Reading
from tests.unit.detect.stamps import at


def given(*values: Measurement, place: Place = Place(), every_s: float = 0.0) -> list[Given | None]:  # noqa: B008
    """The sign of each value; none of them gives two."""
    state, told = life_signs.State(), []
    for number, value in enumerate(values):
        state, given_ = life_signs.step(state, Reading("d", at(number * every_s), value), place)
        told.append(given_[0] if given_ else None)
    return told


def signs(*values: Measurement) -> list[bool]:
    return [bool(one) for one in given(*values)]


def block(*samples_mg: tuple[int, int, int]) -> Accel:
    return Accel(20, 16, 0, b"".join(struct.pack("<3h", *sample) for sample in samples_mg))


@pytest.mark.parametrize("button", Button)
def test_every_press_is_a_sign(button: Button):
    assert signs(Press(button)) == [True]


@pytest.mark.parametrize("kind", [BinaryKind.CONTACT, BinaryKind.BED])
def test_a_door_or_bed_that_changes_is_a_sign_either_way(kind: BinaryKind):
    assert signs(Binary(kind, active=False), Binary(kind, active=True), Binary(kind, active=False)) == [
        False, True, True]


@pytest.mark.parametrize("kind", [BinaryKind.MOTION, BinaryKind.PRESENCE])
def test_motion_that_begins_is_a_sign_and_its_time_out_is_none(kind: BinaryKind):
    off, on = Binary(kind, active=False), Binary(kind, active=True)
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


OPEN, SHUT = Binary(BinaryKind.CONTACT, active=True), Binary(BinaryKind.CONTACT, active=False)


@pytest.mark.parametrize(("place", "kind"), [
    (Place("hall"), SignKind.DOOR), (Place("kitchen"), SignKind.INNER_DOOR),
    (Place("kitchen", SignKind.DOOR), SignKind.DOOR), (Place("hall", SignKind.INNER_DOOR), SignKind.INNER_DOOR)])
def test_a_contact_in_the_hall_is_the_outside_door_unless_the_configuration_says_otherwise(
        place: Place, kind: SignKind):
    assert given(SHUT, OPEN, SHUT, place=place) == [None, Given(kind, True), Given(kind, False)]


def test_an_appliance_that_is_on_when_first_heard_may_have_been_left_on():
    place = Place("kitchen", SignKind.APPLIANCE)
    assert given(OPEN, OPEN, SHUT, place=place) == [Given(SignKind.APPLIANCE, True), None,
                                                    Given(SignKind.APPLIANCE, False)]


def test_an_appliance_that_is_off_when_first_heard_is_on_no_longer_whatever_was_known_before_a_restart():
    assert given(SHUT, SHUT, place=Place("kitchen", SignKind.APPLIANCE)) == [Given(SignKind.APPLIANCE, False), None]


def power(*watts: float, appliance: Appliance | None = Appliance.KETTLE, plausible: bool = True) -> list[Given | None]:
    values = [Quantity(QuantityKind.POWER, one, plausible=plausible) for one in watts]
    return given(*values, place=Place("kitchen", appliance=appliance), every_s=20.0)


def test_the_power_of_a_named_appliance_becomes_its_use_and_that_of_any_other_plug_none():
    on, off = Given(SignKind.APPLIANCE, True), Given(SignKind.APPLIANCE, False)
    assert power(0, 1800, 1800, 1800, 0, 0) == [off, None, None, on, None, off]
    assert power(0, 1800, 1800, 1800, 0, 0, appliance=None) == [None] * 6
    assert power(0, 1800, 1800, 1800, 0, 0, plausible=False) == [None] * 6


def test_an_appliance_out_of_use_is_told_by_passing_time_alone():
    place, state = Place("kitchen", appliance=Appliance.STOVE), life_signs.State()
    for at_s, watts in ((0.0, 1500.0), (60.0, 0.0)):
        state, _ = life_signs.step(state, Reading("d", at(at_s), Quantity(QuantityKind.POWER, watts)), place)
    state, early = life_signs.tick(state, 239.0, {"d": place})
    state, due = life_signs.tick(state, 240.0, {"d": place})
    assert (early, due) == ((), (("d", Given(SignKind.APPLIANCE, False)),))
    assert life_signs.tick(state, 999.0, {"d": place})[1] == ()


def test_a_worn_bracelet_is_heard_once_a_minute():
    moving = block((-1000, 0, 0), (-600, 400, 200), (-900, -100, 0))
    assert [sign is not None for sign in given(*[moving] * 5, every_s=20.0)] == [True, False, False, True, False]
