"""SFLOAT and FLOAT, on numbers worked out by hand from IEEE 11073-20601: mantissa x 10^exponent."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.gatt_values import DecodeError
from drivers.devices.medfloat import Number, Special, decode_float, decode_sfloat


@pytest.mark.parametrize(("raw", "value"), [
    (0x0062, 98.0),  # exponent 0, mantissa 0x062 = 98
    (0xF16E, 36.6),  # exponent 0xF = -1, mantissa 0x16E = 366
    (0xE7D0, 20.0),  # exponent 0xE = -2, mantissa 0x7D0 = 2000
    (0x1064, 1000.0),  # exponent 1, mantissa 100
    (0xB03C, 0.0006),  # exponent 0xB = -5, mantissa 60: 60 x 10^-5
    (0x0F9C, -100.0),  # mantissa 0xF9C = 0xF9C - 0x1000 = -100
    (0xF7FF, 204.7),  # 0x7FF is no number with exponent 0 alone
    (0x7001, 1e7),
    (0x8001, 1e-8),  # exponent 0x8 = -8
    (0x0000, 0.0),
])
def test_an_sfloat_is_a_mantissa_of_12_and_an_exponent_of_4_bits(raw: int, value: float) -> None:
    assert decode_sfloat(raw.to_bytes(2, "little")) == value


@pytest.mark.parametrize(("raw", "value"), [
    (0xFF00016E, 36.6),  # exponent 0xFF = -1, mantissa 366
    (0xFE000E4C, 36.6),  # exponent -2, mantissa 0xE4C = 3660
    (0x000003E8, 1000.0),
    (0x00FFFFFF, -1.0),  # mantissa 0xFFFFFF - 0x1000000
    (0xFF7FFFFF, 838860.7),  # 0x7FFFFF = 8388607, a number where the exponent is not 0
    (0x7F000001, 1e127),
    (0x80000001, 1e-128),
])
def test_a_float_is_a_mantissa_of_24_and_an_exponent_of_8_bits(raw: int, value: float) -> None:
    assert decode_float(raw.to_bytes(4, "little")) == value


@pytest.mark.parametrize(("sfloat", "float_", "special"), [
    (0x07FF, 0x007FFFFF, Special.NAN), (0x0800, 0x00800000, Special.NRES), (0x07FE, 0x007FFFFE, Special.POS_INF),
    (0x0802, 0x00800002, Special.NEG_INF), (0x0801, 0x00800001, Special.RESERVED),
])
def test_what_is_no_number_is_told_as_such(sfloat: int, float_: int, special: Special) -> None:
    assert decode_sfloat(sfloat.to_bytes(2, "little")) is special
    assert decode_float(float_.to_bytes(4, "little")) is special


@given(st.integers(-8, 7), st.integers(-2047, 2045))
def test_what_a_device_encodes_is_what_is_decoded(exponent: int, mantissa: int) -> None:
    raw = (exponent & 0xF) << 12 | mantissa & 0xFFF
    value = decode_sfloat(raw.to_bytes(2, "little"))
    if exponent == 0 and mantissa in (-2046, -2047):  # -INF, and the reserved one
        assert isinstance(value, Special)
    else:
        assert value == float(f"{mantissa}e{exponent}")


@given(st.binary(max_size=6))
def test_any_bytes_are_a_finite_number_or_a_special_or_a_typed_error(data: bytes) -> None:
    for decode in (decode_sfloat, decode_float):
        with contextlib.suppress(DecodeError):
            value: Number = decode(data)
            assert isinstance(value, Special) or math.isfinite(value)
