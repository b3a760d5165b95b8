"""Polar Measurement Data, on bytes laid out by hand from the specification, and against the emulated sensor."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.devices import pmd
from drivers.devices.gatt_values import DecodeError
from drivers.devices.pmd import Op, Setting
from hil.devices.bracelet import pmd as sensor

HEADER = "02 00 94 35 77 00 00 00 00"  # acceleration, last sample at 2,000,000,000 ns


def frame(text: str) -> bytes:
    return bytes.fromhex(HEADER + text)


def test_requests_are_laid_out_as_specified() -> None:
    assert pmd.request(Op.GET_SETTINGS).hex(" ") == "01 02"
    assert pmd.request(Op.STOP).hex(" ") == "03 02"
    chosen = {Setting.SAMPLE_RATE: (52,), Setting.RESOLUTION: (16,), Setting.RANGE: (8,), Setting.CHANNELS: (3,)}
    assert pmd.request(Op.START, settings=chosen).hex(" ") == "02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03"


def test_a_response_names_request_and_error() -> None:
    response = pmd.decode_response(bytes.fromhex("f0 02 02 06 00"))
    assert (response.op, response.measurement, response.status) == (Op.START, pmd.ACC, pmd.Status.ALREADY_IN_STATE)
    assert response.parameters == b""


def test_settings_are_lists_of_values() -> None:
    offered = pmd.decode_response(bytes.fromhex("f0 01 02 00 00 00 02 1a 00 34 00 01 01 10 00 02 03 02 00 04 00 08 00"))
    assert pmd.decode_settings(offered.parameters) == {
        Setting.SAMPLE_RATE: (26, 52), Setting.RESOLUTION: (16,), Setting.RANGE: (2, 4, 8)}


def test_the_factor_is_a_float() -> None:
    (factor,) = pmd.decode_settings(bytes.fromhex("05 01 00 00 80 39"))[Setting.FACTOR]
    assert factor == 1 / 4096


@pytest.mark.parametrize("data", ["00", "00 01 34", "09 01 00", "05 01 00 00 80", "00 01 34 00 01"])
def test_damaged_settings_are_a_typed_error(data: str) -> None:
    with pytest.raises(DecodeError):
        pmd.decode_settings(bytes.fromhex(data))


@pytest.mark.parametrize(("kind_and_samples", "samples"), [
    ("00 01 ff 7f", [(1, -1, 127)]),  # type 0: 8 bit
    ("01 e8 03 18 fc 00 80 01 00 02 00 03 00", [(1000, -1000, -32768), (1, 2, 3)]),  # type 1: 16 bit
    ("02 e8 03 00 18 fc ff 00 00 00", [(1000, -1000, 0)]),  # type 2: 24 bit
])
def test_uncompressed_frames_are_milli_g(kind_and_samples: str, samples: list[tuple[int, int, int]]) -> None:
    decoded = pmd.decode_acc(frame(kind_and_samples), 1.0)
    assert decoded.samples_mg == samples
    assert decoded.last_ns == 2_000_000_000


def test_deltas_are_packed_from_the_lowest_bit_up() -> None:
    # reference (100, -200, 1000); 3-bit deltas of two samples: +1 -1 +3 | -4 0 +2
    # = 001 111 011 100 000 010 read from the lowest bit: 0b010_000_100_011_111_001 = 0x108f9 -> f9 08 01
    decoded = pmd.decode_acc(frame("81 64 00 38 ff e8 03 03 02 f9 08 01"), 1.0)
    assert decoded.samples_mg == [(100, -200, 1000), (101, -201, 1003), (97, -201, 1005)]


def test_a_frame_holds_delta_frames_of_several_widths() -> None:
    # 8-bit deltas, one sample: -1 +2 -128; then 4-bit, one sample: +7 -8 0 (0x087 -> 87 00)
    decoded = pmd.decode_acc(frame("81 00 00 00 00 00 00 08 01 ff 02 80 04 01 87 00"), 1.0)
    assert decoded.samples_mg == [(0, 0, 0), (-1, 2, -128), (6, -6, -128)]


def test_compressed_type_0_is_raw_units_which_the_factor_leads_to_g() -> None:
    decoded = pmd.decode_acc(frame("80 00 10 00 f0 00 08"), 1 / 4096)  # 4096, -4096, 2048 units
    assert decoded.samples_mg == [(1000, -1000, 500)]


def test_compressed_type_1_is_milli_g_times_the_factor() -> None:
    assert pmd.decode_acc(frame("81 64 00 9c ff 00 00"), 0.5).samples_mg == [(50, -50, 0)]


@pytest.mark.parametrize(("text", "reason"), [
    ("", "frame of 9 bytes"),
    ("03 00 00", "unknown frame type"),
    ("82 00 00 00 00 00 00", "unknown frame type"),
    ("01", "without samples"),
    ("01 00 00 00", "no whole samples"),
    ("80 00 00", "reference sample"),
    ("80 00 00 00 00 00 00 08", "without a sample count"),
    ("80 00 00 00 00 00 00 08 05 00", "cut short"),
    ("80 00 00 00 00 00 00 21 00", "deltas of 33 bit"),
    ("80 00 00 00 00 00 00" + " 00 ff" * 5, "more than 1024 samples"),
    ("81 ff 7f 00 00 00 00 08 01 7f 00 00", "beyond 32 g"),
])
def test_a_damaged_frame_is_a_typed_error(text: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        pmd.decode_acc(frame(text), 1.0)


def test_a_frame_of_another_measurement_is_refused() -> None:
    with pytest.raises(DecodeError, match="was not asked for"):
        pmd.decode_acc(struct.pack("<BQB", 5, 0, 1) + bytes(6), 1.0)


sample = st.tuples(*[st.integers(-8000, 7999)] * 3)


@given(st.lists(sample, min_size=1, max_size=71))
@settings(max_examples=60)
def test_what_the_sensor_encodes_is_what_the_driver_decodes(samples: list[tuple[int, int, int]]) -> None:
    raw = sensor.raw_units(np.array(samples, np.int16))
    decoded = pmd.decode_acc(sensor.frame(raw, 123), sensor.FACTOR_G)
    assert decoded.last_ns == 123
    assert np.abs(np.array(decoded.samples_mg) - np.array(samples)).max() <= 1  # one raw unit is 0.24 milli-g


VALID = sensor.frame(sensor.raw_units(np.array([(i * 37 % 900, -i * 11, 1000 - i) for i in range(40)], np.int16)), 7)


@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6),
       st.integers(0, len(VALID)), st.floats(allow_nan=False, min_value=-1e6, max_value=1e6))
@settings(max_examples=300)
def test_a_mutated_frame_gives_a_value_or_a_typed_error(
        changes: list[tuple[int, int]], length: int, factor: float) -> None:
    mutated = bytearray(VALID)
    for place, byte in changes:
        mutated[place] = byte
    try:
        decoded = pmd.decode_acc(bytes(mutated[:length]), factor)
    except DecodeError:
        return
    assert 1 <= len(decoded.samples_mg) <= pmd.MAX_SAMPLES
    assert all(-32768 <= value <= 32767 for triple in decoded.samples_mg for value in triple)


@given(st.binary(max_size=40))
@settings(max_examples=200)
def test_no_bytes_crash_the_control_point(data: bytes) -> None:
    for decode in (pmd.decode_response, pmd.decode_settings):
        with contextlib.suppress(DecodeError):
            assert decode(data) is not None


def test_pulse_intervals_have_an_error_and_say_whether_to_trust_them() -> None:
    samples = "3c e803 0a00 06" "00 2003 1e00 01" "00 9001 0000 04"
    assert pmd.decode_ppi(bytes.fromhex("03 0000000000000000 00" + samples)) == [
        pmd.Beat(1000, 10, moved=False, contact=True), pmd.Beat(800, 30, moved=True, contact=None),
        pmd.Beat(400, 0, moved=False, contact=False)]


@pytest.mark.parametrize("text", ["", "03 0000000000000000 00", "03 0000000000000000 00 3c e803 0a00",
                                  "02 0000000000000000 00 3ce8030a0006", "03 0000000000000000 80 3ce8030a0006"])
def test_damaged_intervals_are_a_typed_error(text: str) -> None:
    with pytest.raises(DecodeError):
        pmd.decode_ppi(bytes.fromhex(text))
