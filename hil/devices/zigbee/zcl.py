"""ZCL frames and values as bytes (ZCL, 2.4 to 2.6). Pure."""

import struct
from typing import NamedTuple

# frame control (ZCL, 2.4.1.1)
CLUSTER_SPECIFIC, MANUFACTURER_SPECIFIC, TO_CLIENT, NO_DEFAULT_RESPONSE = 0x01, 0x04, 0x08, 0x10
FRAME_TYPE_MASK = 0x03

# general commands (ZCL, table 2-3)
READ, READ_RESPONSE, WRITE, WRITE_RESPONSE = 0x00, 0x01, 0x02, 0x04
CONFIGURE_REPORTING, CONFIGURE_REPORTING_RESPONSE, REPORT, DEFAULT_RESPONSE = 0x06, 0x07, 0x0A, 0x0B

SUCCESS, UNSUP_COMMAND, UNSUPPORTED_ATTRIBUTE = 0x00, 0x81, 0x86  # ZCL, table 2-12

BOOLEAN, BITMAP8, BITMAP16, UINT8, UINT16, UINT24, UINT48 = 0x10, 0x18, 0x19, 0x20, 0x21, 0x22, 0x25
INT16, ENUM8, ENUM16, OCTETS, STRING, EUI64 = 0x29, 0x30, 0x31, 0x41, 0x42, 0xF0

# Bytes of a value of each fixed-size type (ZCL, table 2-11)
SIZE_OF = {BOOLEAN: 1, BITMAP8: 1, BITMAP16: 2, UINT8: 1, UINT16: 2, UINT24: 3, 0x23: 4, UINT48: 6, 0x28: 1, INT16: 2,
           0x2A: 3, 0x2B: 4, ENUM8: 1, ENUM16: 2, EUI64: 8}
ANALOG = {UINT8, UINT16, UINT24, 0x23, UINT48, 0x28, INT16, 0x2A, 0x2B}  # reported by "reportable change"


class Value(NamedTuple):
    """One attribute's type and its bytes."""

    type: int
    raw: bytes

    @property
    def number(self) -> int:
        return int.from_bytes(self.raw, "little")


class Header(NamedTuple):
    """The head of a ZCL frame."""

    control: int
    manufacturer: int | None
    number: int
    command: int

    @property
    def cluster_specific(self) -> bool:
        return bool(self.control & CLUSTER_SPECIFIC)


def uint8(value: int) -> Value:
    return Value(UINT8, bytes((value,)))


def uint16(value: int) -> Value:
    return Value(UINT16, struct.pack("<H", value))


def uint24(value: int) -> Value:
    return Value(UINT24, value.to_bytes(3, "little"))


def uint48(value: int) -> Value:
    return Value(UINT48, value.to_bytes(6, "little"))


def int16(value: int) -> Value:
    return Value(INT16, struct.pack("<h", value))


def boolean(value: bool) -> Value:
    return Value(BOOLEAN, bytes((value,)))


def bitmap8(value: int) -> Value:
    return Value(BITMAP8, bytes((value,)))


def enum8(value: int) -> Value:
    return Value(ENUM8, bytes((value,)))


def enum16(value: int) -> Value:
    return Value(ENUM16, struct.pack("<H", value))


def bitmap16(value: int) -> Value:
    return Value(BITMAP16, struct.pack("<H", value))


def text(value: str) -> Value:
    raw = value.encode()
    return Value(STRING, bytes((len(raw),)) + raw)


def eui64(raw: bytes) -> Value:
    return Value(EUI64, raw)


def parse(frame: bytes) -> tuple[Header, bytes]:
    """Split a frame into head and payload. Raises IndexError or struct.error where it is too short."""
    control = frame[0]
    if control & MANUFACTURER_SPECIFIC:
        manufacturer, number, command = struct.unpack_from("<HBB", frame, 1)
        return Header(control, manufacturer, number, command), frame[5:]
    return Header(control, None, frame[1], frame[2]), frame[3:]


def build(control: int, number: int, command: int, payload: bytes) -> bytes:
    return bytes((control, number, command)) + payload


def value_size(kind: int, payload: bytes, at: int) -> int:
    """Return how many bytes a value of `kind` takes at `payload[at:]`. Raises KeyError for a type not known here."""
    if kind == STRING:
        return 1 + payload[at]
    return SIZE_OF[kind]
