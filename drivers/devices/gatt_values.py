"""Values of the Bluetooth SIG's standard characteristics that bracelets share. Pure: bytes in, values out.

Sources: GATT Specification Supplement, 3.113 Heart Rate Measurement and 3.26 Battery Level; Assigned Numbers, 3.8.
"""

import msgspec

HEART_RATE_MEASUREMENT = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"

_IS_16_BIT, _CONTACT, _CONTACT_KNOWN, _HAS_ENERGY, _HAS_RR = 0x01, 0x02, 0x04, 0x08, 0x10
_RR_PER_S = 1024


class DecodeError(Exception):
    """The bytes are no such value; the message says what is wrong with them."""


class HeartRate(msgspec.Struct, frozen=True):
    """One heart rate measurement. `contact`: None where the sensor cannot tell whether it touches skin."""

    bpm: int
    contact: bool | None
    energy_kj: int | None
    rr_s: tuple[float, ...]


def decode_heart_rate(data: bytes) -> HeartRate:
    """Decode characteristic 2A37. Raises DecodeError."""
    if len(data) < 2:
        raise DecodeError(f"heart rate of {len(data)} bytes")
    flags, rest = data[0], data[1:]
    bpm, rest = _take(rest, 2 if flags & _IS_16_BIT else 1, "heart rate")
    energy_kj = None
    if flags & _HAS_ENERGY:
        energy_kj, rest = _take(rest, 2, "energy expended")
    intervals = []
    while flags & _HAS_RR and rest:
        interval, rest = _take(rest, 2, "RR interval")
        intervals.append(interval / _RR_PER_S)
    if rest:
        raise DecodeError(f"heart rate has {len(rest)} bytes too many")
    contact = bool(flags & _CONTACT) if flags & _CONTACT_KNOWN else None
    return HeartRate(bpm, contact, energy_kj, tuple(intervals))


def decode_battery_percent(data: bytes) -> int:
    """Decode characteristic 2A19. Raises DecodeError."""
    if len(data) != 1 or data[0] > 100:
        raise DecodeError(f"battery level {data.hex()}")
    return data[0]


def _take(data: bytes, size: int, what: str) -> tuple[int, bytes]:
    """Split an unsigned little-endian number of `size` bytes off the front."""
    if len(data) < size:
        raise DecodeError(f"{what} is cut short")
    return int.from_bytes(data[:size], "little"), data[size:]
