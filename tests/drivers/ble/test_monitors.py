"""Health monitors: values laid out by hand from the GATT Specification Supplement, field by field."""

import contextlib
import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import blood_pressure, glucose, heart_rate, infinitime, oximeter, scale, thermometer
from drivers.devices.device_information import decode_text
from drivers.devices.gatt_clock import CURRENT_TIME, DATE_TIME, decode_time, encode_time
from drivers.devices.gatt_values import DecodeError
from drivers.devices.measured import Measured
from drivers.devices.medfloat import Special
from drivers.devices.monitor import Measure
from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind

# 2024-05-17 08:30:15: year 2024 = 0x07E8, month 5, day 17 = 0x11, 8, 30 = 0x1E, 15 = 0x0F
TIME, TAKEN = "e8 07 05 11 08 1e 0f", datetime(2024, 5, 17, 8, 30, 15)  # noqa: DTZ001
MEASURES: list[Measure] = [
    heart_rate.measure, oximeter.measure_spot_check, oximeter.measure_continuous, blood_pressure.measure,
    thermometer.measure, scale.measure, infinitime.measure_steps, infinitime.measure_heart_rate,
    lambda data: glucose.measured(glucose.decode(data))]


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def numbers(measured: Measured) -> dict[QuantityKind, tuple[float, bool]]:
    return {value.kind: (round(value.value, 3), value.plausible) for value in measured.values
            if isinstance(value, Quantity)}


SPO2, PULSE = QuantityKind.OXYGEN_SATURATION, QuantityKind.HEART_RATE
SYSTOLIC, DIASTOLIC, MEAN = QuantityKind.SYSTOLIC, QuantityKind.DIASTOLIC, QuantityKind.MEAN_ARTERIAL


# -- pulse oximeter -------------------------------------------------------------------------------------------------

def test_a_spot_check_is_saturation_pulse_and_whatever_its_flags_announce() -> None:
    # flags 0x0F: time, status, sensor status, amplitude | SpO2 98 | pulse 72 | time | 0x0100 fully qualified |
    # 0x000020 low perfusion | amplitude exponent -1, mantissa 25
    data = raw(f"0f 62 00 48 00 {TIME} 00 01 20 00 00 19 f0")
    assert oximeter.decode_spot_check(data) == oximeter.Oximetry(98.0, 72.0, 0x0100, 0x20, 2.5, TAKEN)
    measured = oximeter.measure_spot_check(data)
    assert numbers(measured) == {SPO2: (98.0, True), PULSE: (72.0, True)}
    assert measured.taken == TAKEN


def test_a_time_by_a_clock_that_nobody_set_is_no_time() -> None:
    assert oximeter.decode_spot_check(raw(f"11 62 00 48 00 {TIME}")).taken is None


def test_a_continuous_measurement_is_its_normal_value_whatever_averages_come_along() -> None:
    # flags 0x1F: fast (96, 70), slow (97, 71), status, sensor status, amplitude
    data = raw("1f 5f 00 45 00  60 00 46 00  61 00 47 00  80 00  00 00 00  19 f0")
    assert oximeter.decode_continuous(data) == oximeter.Oximetry(95.0, 69.0, 0x0080, 0, 2.5)


@pytest.mark.parametrize("data", [
    "02 62 00 48 00 00 80",  # bit 15: invalid
    "02 62 00 48 00 00 40",  # bit 14: questionable
    "02 62 00 48 00 00 04",  # bit 10: a demonstration
    "04 62 00 48 00 00 08 00",  # sensor bit 11: not on a person
    "04 62 00 48 00 02 00 00",  # sensor bit 1: malfunction
])
def test_what_the_oximeter_itself_doubts_is_marked(data: str) -> None:
    assert numbers(oximeter.measure_spot_check(raw(data))) == {SPO2: (98.0, False), PULSE: (72.0, False)}


@pytest.mark.parametrize(("spo2", "value"), [
    ("ff 07", (0.0, False)), ("00 08", (0.0, False)), ("fe 07", (0.0, False)),  # NaN, NRes, +INF
    ("65 00", (101.0, False)), ("1e 00", (30.0, False)), ("64 00", (100.0, True))])
def test_a_saturation_that_cannot_be_is_marked_and_not_dropped(spo2: str, value: tuple[float, bool]) -> None:
    assert numbers(oximeter.measure_spot_check(raw(f"00 {spo2} 48 00")))[SPO2] == value


# -- blood pressure -------------------------------------------------------------------------------------------------

def test_a_blood_pressure_in_mmhg_with_every_field() -> None:
    # flags 0x1E: time, pulse, user, status | 128 = 0x80 | 76 = 0x4C | 93 = 0x5D | pulse 64 | user 2 | irregular pulse
    data = raw(f"1e 80 00 4c 00 5d 00 {TIME} 40 00 02 04 00")
    assert blood_pressure.decode(data) == blood_pressure.BloodPressure(128.0, 76.0, 93.0, 64.0, 2, 4, TAKEN)
    measured = blood_pressure.measure(data)
    assert numbers(measured) == {SYSTOLIC: (128.0, True), DIASTOLIC: (76.0, True), MEAN: (93.0, True),
                                 PULSE: (64.0, True)}
    assert (measured.taken, measured.user) == (TAKEN, 2)


def test_a_blood_pressure_in_kpa_is_told_in_mmhg() -> None:
    # 17.1 kPa = 171 x 10^-1 = 0xF0AB; 10.1 kPa = 0xF065; 12.4 kPa = 0xF07C. 17.1 / 0.133322387415 = 128.26053
    assert numbers(blood_pressure.measure(raw("01 ab f0 65 f0 7c f0"))) == {
        SYSTOLIC: (128.261, True), DIASTOLIC: (75.756, True), MEAN: (93.008, True)}


@pytest.mark.parametrize("status", ["01", "02", "20"])
def test_a_measurement_with_a_moving_arm_a_loose_cuff_or_a_wrong_position_is_marked(status: str) -> None:
    measured = blood_pressure.measure(raw(f"10 80 00 4c 00 5d 00 {status} 00"))
    assert [value.plausible for value in measured.values if isinstance(value, Quantity)] == [False] * 3


def test_a_mean_that_the_cuff_does_not_give_is_left_out_and_a_failed_systolic_is_marked() -> None:
    assert numbers(blood_pressure.measure(raw("00 ff 07 4c 00 ff 07"))) == {
        SYSTOLIC: (0.0, False), DIASTOLIC: (76.0, True)}


def test_a_systolic_below_the_diastolic_is_marked() -> None:
    measured = numbers(blood_pressure.measure(raw("00 4c 00 80 00 5d 00")))
    assert (measured[SYSTOLIC], measured[DIASTOLIC]) == ((76.0, False), (128.0, False))


def test_an_unknown_user_is_nobody() -> None:
    assert blood_pressure.decode(raw("08 80 00 4c 00 5d 00 ff")).user is None


# -- thermometer ----------------------------------------------------------------------------------------------------

def test_a_temperature_in_celsius_with_time_and_site() -> None:
    # flags 0x06 | 366 x 10^-1: mantissa 0x00016E, exponent 0xFF | time | 3: ear
    data = raw(f"06 6e 01 00 ff {TIME} 03")
    assert thermometer.decode(data) == thermometer.Temperature(36.6, 3, TAKEN)
    assert numbers(thermometer.measure(data)) == {QuantityKind.BODY_TEMPERATURE: (36.6, True)}


def test_a_temperature_in_fahrenheit_is_told_in_celsius() -> None:
    # 100.4 °F = 1004 x 10^-1 (0x0003EC): (100.4 - 32) / 1.8 = 38.0
    assert numbers(thermometer.measure(raw("01 ec 03 00 ff"))) == {QuantityKind.BODY_TEMPERATURE: (38.0, True)}


@pytest.mark.parametrize(("data", "value"), [
    ("00 ff ff 7f 00", (0.0, False)),  # NaN
    ("00 c8 00 00 ff", (20.0, False)),  # a room
    ("04 6e 01 00 ff 04", (36.6, False)),  # of a finger
])
def test_a_temperature_of_no_body_is_marked(data: str, value: tuple[float, bool]) -> None:
    assert numbers(thermometer.measure(raw(data))) == {QuantityKind.BODY_TEMPERATURE: value}


# -- scale ----------------------------------------------------------------------------------------------------------

def test_a_weight_in_si_units_with_every_field() -> None:
    # flags 0x0E | 68.35 kg / 0.005 = 13670 = 0x3566 | time | user 1 | BMI 23.7 = 237 = 0xED | 1.7 m = 1700 = 0x6A4
    data = raw(f"0e 66 35 {TIME} 01 ed 00 a4 06")
    assert scale.decode(data) == scale.Weight(68.35, TAKEN, 1, 23.7, 1.7)
    assert numbers(scale.measure(data)) == {QuantityKind.WEIGHT: (68.35, True)}


def test_a_weight_in_pounds_is_told_in_kilograms() -> None:
    # 150.00 lb = 15000 = 0x3A98: 150 x 0.45359237 = 68.0388555 kg; 67.0 in = 670 = 0x29E: 67 x 0.0254 = 1.7018 m
    weight = scale.decode(raw("09 98 3a 00 00 9e 02"))
    assert weight.kg == pytest.approx(68.0388555)
    assert weight.height_m == pytest.approx(1.7018)


def test_a_weighing_that_failed_is_marked() -> None:
    assert scale.decode(raw("00 ff ff")).kg is Special.NAN
    assert numbers(scale.measure(raw("00 ff ff"))) == {QuantityKind.WEIGHT: (0.0, False)}


# -- glucose --------------------------------------------------------------------------------------------------------

def test_a_record_in_mol_per_litre_with_a_time_offset() -> None:
    # flags 0x07: offset, concentration, mol/L | number 5 | time | +90 min = 0x5A | 54 x 10^-4 = 0xC036 | capillary
    # whole blood (1), finger (1). 0.0054 mol/L = 5.4 mmol/L; 08:30:15 + 1:30 = 10:00:15
    record = glucose.decode(raw(f"07 05 00 {TIME} 5a 00 36 c0 11"))
    assert (record.number, record.taken, record.sample, record.site) == (5, TAKEN.replace(hour=10, minute=0), 1, 1)
    assert numbers(glucose.measured(record)) == {QuantityKind.GLUCOSE: (5.4, True)}


def test_a_record_in_kilograms_per_litre_is_told_in_millimoles() -> None:
    # 97 mg/dL = 0.00097 kg/L = 97 x 10^-5: 0xB061. 0.97 g/L / 180.156 g/mol = 5.384 mmol/L
    record = glucose.decode(raw(f"02 05 00 {TIME} 61 b0 11"))
    assert numbers(glucose.measured(record)) == {QuantityKind.GLUCOSE: (5.384, True)}


def test_a_test_with_control_solution_is_nobodys_glucose() -> None:
    record = glucose.decode(raw(f"06 05 00 {TIME} 36 c0 1a"))
    assert record.sample == 0xA
    assert glucose.measured(record) == Measured(())


@pytest.mark.parametrize(("record", "mmol_per_l"), [  # "HI" and "LO" on the meter's display
    (f"06 05 00 {TIME} fe 07 11", 33.3),  # +INF
    (f"06 05 00 {TIME} 02 08 11", 1.1),  # -INF
    (f"0e 05 00 {TIME} ff 07 11 20 00", 33.3),  # NaN; annunciation bit 5: higher than the device can process
    (f"08 05 00 {TIME} 40 00", 1.1),  # no concentration; annunciation bit 6: lower
])
def test_a_glucose_beyond_the_meters_range_is_told_as_the_end_of_that_range(record: str, mmol_per_l: float) -> None:
    measured = glucose.measured(glucose.decode(raw(record)))
    assert numbers(measured) == {QuantityKind.GLUCOSE: (mmol_per_l, True)}
    assert measured.spot


def test_a_meter_that_doubts_what_is_beyond_its_range_marks_it() -> None:
    strip_error_too = glucose.measured(glucose.decode(raw(f"08 05 00 {TIME} 28 00")))
    assert numbers(strip_error_too) == {QuantityKind.GLUCOSE: (33.3, False)}


def test_a_strip_error_marks_and_a_low_battery_is_told() -> None:
    # flags 0x0E: concentration, mol/L, annunciation 0x0009: battery low and strip error
    values = glucose.measured(glucose.decode(raw(f"0e 05 00 {TIME} 36 c0 11 09 00"))).values
    assert values[0] == Binary(BinaryKind.BATTERY_LOW, active=True)
    assert isinstance(values[1], Quantity)
    assert not values[1].plausible


@pytest.mark.parametrize(("number", "request_"), [(0, "01 01"), (6, "01 03 01 06 00"), (0x1234, "01 03 01 34 12")])
def test_records_are_asked_for_from_a_number_on(number: int, request_: str) -> None:
    assert glucose.report_from(number) == raw(request_)


@pytest.mark.parametrize(("data", "code"), [("06 00 01 01", 1), ("06 00 01 06", 6), ("05 00 03 00", None)])
def test_the_answer_to_a_report_is_its_code(data: str, code: int | None) -> None:
    assert glucose.decode_answer(raw(data)) == code


# -- the rest -------------------------------------------------------------------------------------------------------

def test_a_heart_rate_tells_the_contact_and_is_marked_without_skin() -> None:
    assert heart_rate.measure(raw("06 48")).values == (
        Binary(BinaryKind.WORN, active=True), Quantity(QuantityKind.HEART_RATE, 72))
    assert heart_rate.measure(raw("04 48")).values == (
        Binary(BinaryKind.WORN, active=False), Quantity(QuantityKind.HEART_RATE, 72, plausible=False))


def test_the_watch_counts_steps_and_marks_a_heart_rate_of_nought() -> None:
    assert infinitime.measure_steps(raw("39 30 00 00")).values == (Quantity(QuantityKind.STEPS, 12345),)
    assert numbers(infinitime.measure_heart_rate(raw("00 00"))) == {QuantityKind.HEART_RATE: (0, False)}


def test_the_watchs_motion_is_three_axes_little_endian_of_1024_counts_a_g() -> None:
    assert infinitime.decode_motion(raw("00 04 00 fc 00 02")) == (1000, -1000, 500)
    assert infinitime.decode_motion(raw("ff 07 00 f8 01 00")) == (1999, -2000, 1)


@pytest.mark.parametrize("data", ["", "00 04 00 fc 00", "00 04 00 fc 00 02 00"])
def test_motion_of_another_length_is_no_motion(data: str) -> None:
    with pytest.raises(DecodeError):
        infinitime.decode_motion(raw(data))


def test_the_time_is_written_as_the_device_reads_it() -> None:
    half_past = TAKEN.replace(microsecond=500_000)  # 0.5 s = 128/256; 17 May 2024 was a Friday: 5
    assert encode_time(CURRENT_TIME, half_past) == raw(f"{TIME} 05 80 01")
    assert encode_time(DATE_TIME, half_past) == raw(TIME)
    assert decode_time(encode_time(CURRENT_TIME, half_past)) == TAKEN


@pytest.mark.parametrize("data", ["00 00 05 11 08 1e 0f", "e8 07 00 11 08 1e 0f", "e8 07 02 1e 08 1e 0f"])
def test_an_unknown_or_impossible_date_is_no_time(data: str) -> None:
    assert decode_time(raw(data)) is None


def test_device_information_is_text_whatever_the_bytes() -> None:
    assert decode_text(b"Polar\x00 ") == "Polar"
    assert decode_text(b"\xff\x07A") == "\ufffdA"


@pytest.mark.parametrize("measure", MEASURES)
@given(data=st.binary(max_size=32))
def test_any_bytes_are_marked_or_finite_or_a_typed_error(measure: Measure, data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        for value in measure(data).values:
            if isinstance(value, Quantity):
                assert math.isfinite(value.value)
                assert value.plausible in (True, False)


@given(st.binary(max_size=24))
def test_any_bytes_are_a_time_or_an_answer_or_a_typed_error(data: bytes) -> None:
    for decode in (decode_time, glucose.decode_answer, decode_text):
        with contextlib.suppress(DecodeError):
            decode(data)
