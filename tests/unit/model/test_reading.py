"""Readings at the door: whatever a driver stamps or measures, an alarm input stays one and all can be told."""

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.finding import CODES_OF, FallSource, FindingKind
from gateway.model.reading import (
    FUTURE_S,
    UNIT_OF,
    Accel,
    Binary,
    BinaryKind,
    Button,
    FallFlag,
    Press,
    Quantity,
    QuantityKind,
    Reading,
    SpotCheck,
    may_drop,
    sound,
)
from gateway.model.time import ClockQuality, Stamp

NOW = Stamp("boot", 1000.0, 1_800_000_000.0, ClockQuality.SYNCED)
Value = Press | Binary | Quantity | FallFlag
values = st.one_of(
    st.builds(Press, st.sampled_from(Button)),
    st.builds(Binary, st.sampled_from(BinaryKind), st.booleans()),
    st.builds(FallFlag, st.sampled_from(FallSource), st.booleans(), st.none() | st.integers(0, 255)),
    st.builds(Quantity, st.sampled_from(QuantityKind), st.floats()),
)


@given(values, st.floats())
def test_what_passes_the_door_can_be_told_and_keeps_its_meaning(value: Value, mono_s: float) -> None:
    before = Reading("d", msgspec.structs.replace(NOW, mono_s=mono_s), value)
    after = sound(before, NOW)
    assert msgspec.json.decode(msgspec.json.encode(after), type=Reading) == after
    assert math.isfinite(after.at.mono_s)
    assert after.at.mono_s <= NOW.mono_s + FUTURE_S
    if isinstance(value, Quantity):
        assert isinstance(after.value, Quantity)
        assert after.value.plausible == math.isfinite(value.value)
    else:
        assert after.value == value


@given(values, st.floats(max_value=NOW.mono_s, allow_nan=False, allow_infinity=False))
def test_a_sound_reading_passes_as_it_is(value: Value, mono_s: float) -> None:
    if isinstance(value, Quantity) and not math.isfinite(value.value):
        return
    reading = Reading("d", msgspec.structs.replace(NOW, mono_s=mono_s), value)
    assert sound(reading, NOW) is reading


def test_only_samples_may_drop() -> None:
    assert may_drop(Accel(52.0, 8.0, 0, b""))
    assert may_drop(Quantity(QuantityKind.BATTERY, 80.0))
    assert may_drop(Quantity(QuantityKind.OXYGEN_SATURATION, 97.0))
    assert not may_drop(Press(Button.CANCEL))
    assert not may_drop(Binary(BinaryKind.SMOKE, active=False))
    assert not may_drop(FallFlag(FallSource.RADAR))


def test_what_somebody_measured_on_purpose_may_not_drop() -> None:
    for kind in (QuantityKind.SYSTOLIC, QuantityKind.GLUCOSE, QuantityKind.WEIGHT, QuantityKind.BODY_TEMPERATURE):
        assert not may_drop(Quantity(kind, 80.0))


@given(st.floats())
def test_an_age_that_is_none_becomes_nought_and_any_other_stays(age_s: float) -> None:
    after = sound(Reading("d", NOW, Quantity(QuantityKind.GLUCOSE, 5.4, age_s=age_s)), NOW).value
    assert isinstance(after, Quantity)
    assert after.age_s == (age_s if 0 <= age_s < math.inf else 0.0)


def test_every_quantity_has_its_unit_and_every_finding_its_codes() -> None:
    assert set(UNIT_OF) == set(QuantityKind)
    assert set(CODES_OF) == set(FindingKind)


def test_each_value_of_a_spot_check_is_mended_by_itself_and_an_unknown_age_stays() -> None:
    check = SpotCheck((Quantity(QuantityKind.SYSTOLIC, math.nan), Quantity(QuantityKind.DIASTOLIC, 76.0, age_s=None),
                       Quantity(QuantityKind.HEART_RATE, 71.0, age_s=-1.0)))
    assert sound(Reading("d", NOW, check), NOW).value == SpotCheck((
        Quantity(QuantityKind.SYSTOLIC, 0.0, plausible=False), Quantity(QuantityKind.DIASTOLIC, 76.0, age_s=None),
        Quantity(QuantityKind.HEART_RATE, 71.0)))
    assert not may_drop(check)
