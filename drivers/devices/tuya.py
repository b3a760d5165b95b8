"""Tuya's datapoints: cluster 0xEF00, in which a device's own controller talks past ZCL.

A report (command 0x01 or 0x02) and a setting (0x00) carry a number of two bytes, then records: datapoint (1 byte), type
(1 byte), length (2 bytes, big-endian), value (big-endian). Source: Tuya, "Zigbee generic interfaces".
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drivers.devices.measured import quantity
from drivers.devices.zigbee_rules import TUYA
from drivers.devices.zigbee_session import BATTERY_SILENCE_S, IeeeSettings, check_model, listen
from gateway.model.reading import Binary, BinaryKind, Measurement, QuantityKind
from gateway.spi import Driver, Link, Tested, ZclCommand, ZclMessage, ZigbeePort

SET, RESPONSE, REPORT, STATUS = 0x00, 0x01, 0x02, 0x06
BOOL, VALUE, ENUM = 0x01, 0x02, 0x04
_NUMERIC = {0x01: 1, 0x02: 4, 0x04: 1}  # type -> bytes
_RECORD = struct.Struct(">BBH")


class Point(NamedTuple):
    """One datapoint; `value` of a number, None of what is none (raw bytes, text, bits)."""

    number: int
    value: int | None


def points(payload: bytes) -> Iterator[Point]:
    """Yield the datapoints of a report's payload; what is cut off at its end is left out."""
    at = 2
    while at + _RECORD.size <= len(payload):
        number, kind, size = _RECORD.unpack_from(payload, at)
        at += _RECORD.size
        if at + size > len(payload):
            return
        numeric = _NUMERIC.get(kind) == size
        yield Point(number, int.from_bytes(payload[at:at + size], "big") if numeric else None)
        at += size


def setting(sequence: int, number: int, kind: int, value: int) -> bytes:
    """Return the payload that sets a datapoint of type BOOL, VALUE or ENUM."""
    size = _NUMERIC[kind]
    return struct.pack(">H", sequence & 0xFFFF) + _RECORD.pack(number, kind, size) + value.to_bytes(size, "big")


def _told(message: ZclMessage, number: int) -> list[int]:
    """The values that a message tells of a datapoint."""
    if not isinstance(message, ZclCommand) or message.cluster != TUYA or message.command not in (
            RESPONSE, REPORT, STATUS):
        return []
    return [point.value for point in points(message.payload) if point.number == number and point.value is not None]


@dataclass(frozen=True, slots=True)
class PointLevel:
    """A datapoint as a level: active at the values of `equals`."""

    number: int
    kind: BinaryKind
    equals: frozenset[int]

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        return [Binary(self.kind, value in self.equals) for value in _told(message, self.number)]


@dataclass(frozen=True, slots=True)
class PointNumber:
    """A datapoint as a quantity, `per` of its steps to one unit."""

    number: int
    kind: QuantityKind
    per: float = 1.0

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        return [quantity(self.kind, value / self.per) for value in _told(message, self.number)]


# _TZE200_ntcy3xu1: 1 smoke (0 is ALARM, 1 is none), 4 tamper, 14 battery (0 low, 1 medium, 2 high), 15 battery in %.
# It has no datapoint for its test button: a test of this alarm is told as smoke.
SMOKE_RULES = (PointLevel(1, BinaryKind.SMOKE, frozenset({0})), PointLevel(4, BinaryKind.TAMPER, frozenset({1})),
               PointLevel(14, BinaryKind.BATTERY_LOW, frozenset({0})), PointNumber(15, QuantityKind.BATTERY))


async def _smoke(link: Link[IeeeSettings], port: ZigbeePort) -> None:
    check_model("tuya-smoke", port, only_known=True)
    await listen(link, port, SMOKE_RULES)


SMOKE: Driver[IeeeSettings, ZigbeePort] = Driver(
    "tuya-smoke", "Tuya smoke alarm (TS0601 _TZE200_ntcy3xu1; its test is told as smoke)", "zigbee", IeeeSettings,
    _smoke, gives=("smoke", "tamper", "battery_low", "battery"), silence_s=BATTERY_SILENCE_S,
    tested=(Tested.VECTORS, Tested.EMULATED))
