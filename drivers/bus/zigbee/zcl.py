# SPDX-License-Identifier: GPL-3.0-or-later
"""ZCL frames -> messages (Zigbee Cluster Library 8, 07-5123-08, below "ZCL"). Pure.

Decoded here and not by zigpy, because zigpy drops at DEBUG what it cannot parse, drops equal frames for ten seconds,
and knows nothing of a device before its interview is over; an alarm may be in any of these.
"""

import struct
from typing import NamedTuple

from gateway.spi import Attribute, ZclCommand, ZclMessage, ZoneStatus

IAS_ZONE = 0x0500
ZONE_STATUS = 0x0002  # attribute, ZCL 8.2.2.2.1.3
STATUS_CHANGE, ENROLL_REQUEST = 0x00, 0x01  # commands from the zone, ZCL 8.2.2.4

# Frame control, ZCL 2.4.1.1
_FRAME_TYPE, _CLUSTER_SPECIFIC, _MANUFACTURER, _FROM_SERVER = 0x03, 0x01, 0x04, 0x08
# General commands, ZCL table 2-3
_READ_RESPONSE, _REPORT = 0x01, 0x0A
_SUCCESS = 0x00

# Data types, ZCL table 2-11: those of fixed size, by what they become
_UNSIGNED = {kind: kind - base + 1 for base in (0x08, 0x18, 0x20) for kind in range(base, base + 8)} | {
    0x30: 1, 0x31: 2, 0xE0: 4, 0xE1: 4, 0xE2: 4, 0xE8: 2, 0xE9: 2, 0xEA: 4}
_SIGNED = {kind: kind - 0x28 + 1 for kind in range(0x28, 0x30)}
_FLOAT = {0x38: "<e", 0x39: "<f", 0x3A: "<d"}
_RAW = {0xF0: 8, 0xF1: 16}
_BOOLEAN, _OCTETS, _TEXT, _LONG_OCTETS, _LONG_TEXT = 0x10, 0x41, 0x42, 0x43, 0x44

# LUMI sends a structure under the type of a text (Basic, 0xFF01): as text it would end at its first zero.
_NO_TEXT = {(0x0000, 0xFF01)}

Value = int | float | bytes | str | bool


class MalformedFrame(ValueError):
    """The bytes are no ZCL frame, or end too early."""


class Frame(NamedTuple):
    """A ZCL frame's head, as far as it matters here, and its payload."""

    cluster_specific: bool
    standard: bool  # no manufacturer's own
    from_server: bool
    number: int
    command: int
    payload: bytes


def parse(raw: bytes) -> Frame:
    """Split a frame. Raises MalformedFrame."""
    head = 5 if raw and raw[0] & _MANUFACTURER else 3
    if len(raw) < head:
        raise MalformedFrame(f"{len(raw)} bytes are no ZCL frame")
    control = raw[0]
    return Frame(control & _FRAME_TYPE == _CLUSTER_SPECIFIC, head == 3, bool(control & _FROM_SERVER),
                 raw[head - 2], raw[head - 1], raw[head:])


def asks_enrolment(cluster: int, raw: bytes) -> bool:
    """Tell whether a frame is a Zone Enroll Request."""
    frame = parse(raw)
    return (cluster == IAS_ZONE and frame.cluster_specific and frame.from_server
            and frame.command == ENROLL_REQUEST)


def decode(mono_s: float, endpoint: int, cluster: int, raw: bytes) -> list[ZclMessage]:
    """Return what a frame tells, in its order; empty for answers that carry no value. Raises MalformedFrame."""
    frame = parse(raw)
    if not frame.cluster_specific:
        if frame.command in (_REPORT, _READ_RESPONSE):
            return _attributes(mono_s, endpoint, cluster, frame)
        return []
    if (cluster, frame.command) == (IAS_ZONE, STATUS_CHANGE) and frame.from_server and frame.standard:
        if len(frame.payload) < 2:
            raise MalformedFrame("a zone status of less than two bytes")
        return [ZoneStatus(mono_s, int.from_bytes(frame.payload[:2], "little"))]
    return [ZclCommand(mono_s, endpoint, cluster, frame.command, frame.payload)]


def _attributes(mono_s: float, endpoint: int, cluster: int, frame: Frame) -> list[ZclMessage]:
    """Records of a report (id, type, value) or of a read response (id, status, and if SUCCESS type, value)."""
    found: list[ZclMessage] = []
    payload, at = frame.payload, 0
    while at < len(payload):
        try:
            attribute = int.from_bytes(payload[at:at + 2], "little")
            at += 2
            if frame.command == _READ_RESPONSE:
                at += 1
                if payload[at - 1] != _SUCCESS:
                    continue
            kind = payload[at]
            if (cluster, attribute) in _NO_TEXT and kind == _TEXT:
                kind = _OCTETS
            value, at = _value(kind, payload, at + 1)
        except (IndexError, struct.error, KeyError) as error:
            if found:
                return found  # a type not known here hides where the next record begins; the first ones are good
            raise MalformedFrame(f"an attribute record that cannot be read: {error!r}") from error
        if cluster == IAS_ZONE and attribute == ZONE_STATUS and frame.standard and isinstance(value, int):
            found.append(ZoneStatus(mono_s, value, news=False))
        else:
            found.append(Attribute(mono_s, endpoint, cluster, attribute, value))
    return found


def _value(kind: int, payload: bytes, at: int) -> tuple[Value, int]:
    """Return the value of a type at a place, and the place behind it."""
    if kind == _BOOLEAN:
        return payload[at] == 1, at + 1
    if kind in (_OCTETS, _TEXT, _LONG_OCTETS, _LONG_TEXT):
        prefix = 1 if kind in (_OCTETS, _TEXT) else 2
        size = int.from_bytes(_take(payload, at, prefix), "little")
        size = 0 if size == (1 << 8 * prefix) - 1 else size  # all ones: an invalid string, which has no bytes
        raw = _take(payload, at + prefix, size)
        text = kind in (_TEXT, _LONG_TEXT)
        return (raw.split(b"\x00")[0].decode("utf-8", "replace") if text else raw), at + prefix + size
    if kind in _FLOAT:
        size = struct.calcsize(_FLOAT[kind])
        return float(struct.unpack(_FLOAT[kind], _take(payload, at, size))[0]), at + size
    if kind in _RAW:
        return _take(payload, at, _RAW[kind]), at + _RAW[kind]
    signed = kind in _SIGNED
    size = _SIGNED[kind] if signed else _UNSIGNED[kind]
    return int.from_bytes(_take(payload, at, size), "little", signed=signed), at + size


def _take(payload: bytes, at: int, size: int) -> bytes:
    raw = payload[at:at + size]
    if len(raw) < size:
        raise IndexError("the frame ends within a value")
    return raw
