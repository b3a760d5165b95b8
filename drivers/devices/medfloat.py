"""Numbers of medical devices: SFLOAT (16 bit) and FLOAT (32 bit). Pure: bytes in, number out.

A signed decimal exponent in the high bits and a signed mantissa below it: value = mantissa x 10^exponent. Five
mantissas with exponent 0 are no numbers (IEEE 11073-20601, annex F.7 and F.8, and the GATT Specification Supplement,
"medfloat16" and "medfloat32"):

              NaN          +INF         reserved     -INF         NRes
    SFLOAT    0x07FF       0x07FE       0x0801       0x0802       0x0800
    FLOAT     0x007FFFFF   0x007FFFFE   0x00800001   0x00800002   0x00800000
"""

from enum import Enum

from drivers.devices.gatt_values import DecodeError


class Special(Enum):
    """What stands where there is no number."""

    NAN = "not a number: the measurement failed"
    NRES = "not at this resolution"
    POS_INF = "above the device's range"
    NEG_INF = "below the device's range"
    RESERVED = "reserved"


Number = float | Special

_SPECIAL_FROM_MIDDLE = {-2: Special.POS_INF, -1: Special.NAN, 0: Special.NRES, 1: Special.RESERVED, 2: Special.NEG_INF}
"""Keyed by the distance of the unsigned mantissa from its sign bit: 0x7FE, 0x7FF, 0x800, 0x801, 0x802."""


def decode_sfloat(data: bytes) -> Number:
    """Decode the 2 bytes of an SFLOAT, little-endian. Raises DecodeError."""
    return _decode(data, exponent_bits=4, mantissa_bits=12)


def decode_float(data: bytes) -> Number:
    """Decode the 4 bytes of a FLOAT, little-endian. Raises DecodeError."""
    return _decode(data, exponent_bits=8, mantissa_bits=24)


def _decode(data: bytes, exponent_bits: int, mantissa_bits: int) -> Number:
    if len(data) * 8 != exponent_bits + mantissa_bits:
        raise DecodeError(f"medical float of {len(data)} bytes")
    raw = int.from_bytes(data, "little")
    exponent = _signed(raw >> mantissa_bits, exponent_bits)
    unsigned = raw & ((1 << mantissa_bits) - 1)
    special = _SPECIAL_FROM_MIDDLE.get(unsigned - (1 << (mantissa_bits - 1)))
    if exponent == 0 and special is not None:
        return special
    mantissa = _signed(unsigned, mantissa_bits)
    # Integers up to here, so that 367 x 10^-1 is the float nearest to 36.7.
    return float(mantissa * 10**exponent) if exponent >= 0 else mantissa / 10**-exponent


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
