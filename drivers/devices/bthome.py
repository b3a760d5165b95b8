"""BTHome v2: sensors and buttons that advertise, plain or encrypted (AES-CCM). Shelly BLU devices among them.

Sources: https://bthome.io/format and https://bthome.io/encryption. Service data of UUID 0xFCD2:

    device information u8: bit 0 encrypted, bits 5-7 version (2) | objects
    encrypted: device information | ciphertext of the objects | counter u32 | MIC, 4 bytes
    AES-CCM with the 16-byte bind key; nonce: MAC address | D2 FC | device information | counter. No associated data.

An object is its id and a value of the id's own length, little-endian. At an id that is not known decoding stops, for
nobody knows how long its value is; ids rise, so what is older than the receiver comes first.
"""

from enum import StrEnum

import msgspec

from drivers.devices.gatt_values import DecodeError
from drivers.devices.measured import quantity
from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind

SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"

_ENCRYPTED, _VERSION_SHIFT, _VERSION = 0x01, 5, 2
_UUID_ON_AIR = bytes.fromhex("d2fc")
_COUNTER_BYTES, MIC_BYTES = 4, 4

PACKET_ID, BUTTON, TEXT, RAW = 0x00, 0x3A, 0x53, 0x54

_LENGTH = {0x00: 1, 0x01: 1, 0x02: 2, 0x03: 2, 0x04: 3, 0x05: 3, 0x06: 2, 0x07: 2, 0x08: 2, 0x09: 1, 0x0A: 3, 0x0B: 3,
           0x0C: 2, 0x0D: 2, 0x0E: 2, **dict.fromkeys(range(0x0F, 0x12), 1), 0x12: 2, 0x13: 2, 0x14: 2,
           **dict.fromkeys(range(0x15, 0x30), 1), 0x3A: 1, 0x3C: 2, 0x3D: 2, 0x3E: 4, 0x3F: 2, 0x40: 2, 0x41: 2,
           0x42: 3, 0x43: 2, 0x44: 2, 0x45: 2, 0x46: 1, 0x47: 2, 0x48: 2, 0x49: 2, 0x4A: 2, 0x4B: 3, 0x4C: 4, 0x4D: 4,
           0x4E: 4, 0x4F: 4, 0x50: 4, 0x51: 2, 0x52: 2, 0x55: 4, 0x56: 2, 0x57: 1, 0x58: 1, 0x59: 1, 0x5A: 2, 0x5B: 4,
           0x5C: 4, 0x5D: 2, 0x5E: 2, 0x5F: 2, 0x60: 1, 0xF0: 2, 0xF1: 4, 0xF2: 3}
"""Bytes of each object's value; text and raw (0x53, 0x54) carry their own length."""

_LEVELS = {0x11: BinaryKind.CONTACT, 0x15: BinaryKind.BATTERY_LOW, 0x16: BinaryKind.CHARGING, 0x17: BinaryKind.CO,
           0x1A: BinaryKind.CONTACT, 0x1B: BinaryKind.CONTACT, 0x1C: BinaryKind.GAS, 0x20: BinaryKind.WATER,
           0x21: BinaryKind.MOTION, 0x23: BinaryKind.PRESENCE, 0x26: BinaryKind.FAULT, 0x29: BinaryKind.SMOKE,
           0x2B: BinaryKind.TAMPER, 0x2D: BinaryKind.CONTACT}
"""Opening, door, garage door and window are contacts. Vibration (0x2C), heat, cold, lock and others have no word."""

_NUMBERS = {0x01: (QuantityKind.BATTERY, False, 1, 1), 0x02: (QuantityKind.TEMPERATURE, True, 1, 100),
            0x03: (QuantityKind.HUMIDITY, False, 1, 100), 0x2E: (QuantityKind.HUMIDITY, False, 1, 1),
            0x45: (QuantityKind.TEMPERATURE, True, 1, 10), 0x57: (QuantityKind.TEMPERATURE, True, 1, 1),
            0x58: (QuantityKind.TEMPERATURE, True, 35, 100)}
"""Object id -> kind, signed, factor as a fraction."""


class PressKind(StrEnum):
    """How a button was pressed. The end of a hold (0x81) is none."""

    PRESS = "press"
    DOUBLE = "double_press"
    TRIPLE = "triple_press"
    LONG = "long_press"
    LONG_DOUBLE = "long_double_press"
    LONG_TRIPLE = "long_triple_press"
    HOLD = "hold_press"


_NO_PRESS = frozenset({0x00, 0x81})
_PRESSES = {0x01: PressKind.PRESS, 0x02: PressKind.DOUBLE, 0x03: PressKind.TRIPLE, 0x04: PressKind.LONG,
            0x05: PressKind.LONG_DOUBLE, 0x06: PressKind.LONG_TRIPLE, 0x80: PressKind.HOLD}


class Packet(msgspec.Struct, frozen=True):
    """The objects of one advertisement. `presses`: one for each button that was pressed."""

    packet_id: int | None = None
    values: tuple[Binary | Quantity, ...] = ()
    presses: tuple[PressKind, ...] = ()


class Sealed(msgspec.Struct, frozen=True):
    """An encrypted advertisement, still closed."""

    information: int
    ciphertext: bytes
    counter: int
    mic: bytes

    def nonce(self, address: str) -> bytes:
        """The nonce of AES-CCM; `address` as people write it."""
        mac = bytes.fromhex(address.replace(":", ""))
        return mac + _UUID_ON_AIR + bytes([self.information]) + self.counter.to_bytes(_COUNTER_BYTES, "little")


def decode(service_data: bytes) -> Packet | Sealed:
    """Decode the service data of 0xFCD2. Raises DecodeError."""
    if not service_data:
        raise DecodeError("BTHome data is empty")
    information, body = service_data[0], service_data[1:]
    if information >> _VERSION_SHIFT != _VERSION:
        raise DecodeError(f"BTHome version {information >> _VERSION_SHIFT}, not {_VERSION}")
    if not information & _ENCRYPTED:
        return decode_objects(body)
    tail = _COUNTER_BYTES + MIC_BYTES
    if len(body) < tail:
        raise DecodeError("encrypted BTHome data is cut short")
    counter = int.from_bytes(body[-tail:-MIC_BYTES], "little")
    return Sealed(information, body[:-tail], counter, body[-MIC_BYTES:])


def decode_objects(data: bytes) -> Packet:
    """Decode objects up to the first unknown id. Raises DecodeError where a known one is cut short."""
    packet_id: int | None = None
    values: list[Binary | Quantity] = []
    presses: list[PressKind] = []
    while data and (length := _length(data)) is not None:
        object_id, value, data = data[0], data[1:1 + length], data[1 + length:]
        if len(value) < length:
            raise DecodeError(f"BTHome object 0x{object_id:02x} is cut short")
        number = int.from_bytes(value, "little")
        if object_id == PACKET_ID:
            packet_id = number
        elif kind := _LEVELS.get(object_id):
            values.append(Binary(kind, active=number != 0))
        elif object_id in _NUMBERS:
            values.append(_quantity(object_id, value))
        elif object_id == BUTTON and number not in _NO_PRESS:
            presses.append(_PRESSES.get(number, PressKind.PRESS))  # a kind yet unknown is a press all the same
    return Packet(packet_id, tuple(values), tuple(presses))


def _length(data: bytes) -> int | None:
    """Bytes of the first object's value, None for an unknown id."""
    if data[0] in (TEXT, RAW):
        return 1 + data[1] if len(data) > 1 else 1
    return _LENGTH.get(data[0])


def _quantity(object_id: int, value: bytes) -> Quantity:
    kind, signed, numerator, denominator = _NUMBERS[object_id]
    return quantity(kind, int.from_bytes(value, "little", signed=signed) * numerator / denominator)
