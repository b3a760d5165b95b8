"""Standard characteristics, on bytes laid out by hand from the GATT Specification Supplement."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.gatt_values import DecodeError, HeartRate, decode_battery_percent, decode_heart_rate


@pytest.mark.parametrize(("data", "value"), [
    ("00 48", HeartRate(72, None, None, ())),
    ("01 2c 01", HeartRate(300, None, None, ())),  # 16 bit
    ("06 48", HeartRate(72, True, None, ())),  # contact known and given
    ("04 00", HeartRate(0, False, None, ())),  # contact known and not given: not worn
    ("02 48", HeartRate(72, None, None, ())),  # the contact bit means nothing where contact is not supported
    ("08 48 10 27", HeartRate(72, None, 10000, ())),
    ("10 48 00 04 00 02", HeartRate(72, None, None, (1.0, 0.5))),  # 1024 units are one second
    ("1f 48 00 e8 03 00 03", HeartRate(72, True, 1000, (0.75,))),
])
def test_a_heart_rate_is_decoded(data: str, value: HeartRate) -> None:
    assert decode_heart_rate(bytes.fromhex(data)) == value


@pytest.mark.parametrize("data", ["", "06", "01 48", "08 48 10", "10 48 00", "00 48 00"])
def test_a_damaged_heart_rate_is_a_typed_error(data: str) -> None:
    with pytest.raises(DecodeError):
        decode_heart_rate(bytes.fromhex(data))


def test_a_battery_level_is_percent() -> None:
    assert decode_battery_percent(b"\x00") == 0
    assert decode_battery_percent(b"\x64") == 100


@pytest.mark.parametrize("data", [b"", b"\x65", b"\xff", b"\x10\x10"])
def test_a_battery_level_beyond_100_percent_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_battery_percent(data)


@given(st.binary(max_size=24))
def test_no_bytes_crash_the_decoders(data: bytes) -> None:
    for decode in (decode_heart_rate, decode_battery_percent):
        with contextlib.suppress(DecodeError):
            assert decode(data) is not None
