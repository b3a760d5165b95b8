"""Packets of an RFXtrx receiver. Pure: bytes in, packets out.

A packet is its length (of what follows), type, subtype, sequence number, and what its type says. There is no checksum
and no start mark: a packet counts if its type is known and has the length that this type has.

    type  protocol    after the sequence number
    0x11  lighting2   id (4 bytes), unit, command, level, signal         (AC, HomeEasy EU, ANSLUT, Kambrook)
    0x14  lighting5   id (3 bytes), unit, command, level, signal         (LightwaveRF and others)
    0x20  security1   id (3 bytes), status, battery | signal << 4        (X10, KD101, Visonic, Meiantech, SA30, RM174)
    0x01  the receiver's own answers

Source: RFXCOM, RFXtrx User Guide, and the vectors in the tests of pyRFXtrx 0.32 (LGPL-3.0, read, not used): field
layouts, types, statuses. All other types have lengths from 4 to 40 and are passed over.
"""

from typing import Literal

import msgspec

from drivers.devices.framing import Shape

Protocol = Literal["lighting2", "lighting5", "security1"]

INTERFACE, LIGHTING2, LIGHTING5, SECURITY1 = 0x01, 0x11, 0x14, 0x20
_LENGTHS = {INTERFACE: frozenset({0x0D, 0x14}), LIGHTING2: frozenset({0x0B}), LIGHTING5: frozenset({0x0A}),
            SECURITY1: frozenset({0x08})}
_OTHERS = range(4, 41)
_HIGHEST_TYPE = 0x80  # 0x72 (FS20) and 0x7F (raw) are the highest in use

# Subtypes of security1
X10_DOOR, X10_MOTION, X10_REMOTE, KD101, VISONIC_DOOR, VISONIC_MOTION, VISONIC_CODE, VISONIC_AUX = range(8)
MEIANTECH, SA30, RM174 = range(8, 11)
SUPERVISED = frozenset({X10_DOOR, X10_MOTION, VISONIC_DOOR, VISONIC_MOTION, VISONIC_AUX})
"""Sensors that tell their battery; the others' field means nothing."""

# Statuses of security1
NORMAL, NORMAL_DELAYED, ALARM, ALARM_DELAYED, MOTION, NO_MOTION, PANIC, PANIC_END = range(8)
TAMPER = 0x80
_ON = {"lighting2": {1: True, 4: True, 0: False, 3: False}, "lighting5": {1: True, 0: False, 2: False},
       "security1": {ALARM: True, ALARM_DELAYED: True, PANIC: True, NORMAL: False, NORMAL_DELAYED: False,
                     PANIC_END: False}}
"""Protocol -> command or status -> whether it says on (open, alarm, pressed); any other says neither."""


class Packet(msgspec.Struct, frozen=True):
    """What a device sent. `id`: hex digits, lower case. `on`, `tamper`, `battery_low`: None where it does not say."""

    protocol: Protocol
    subtype: int
    id: str
    unit: int
    on: bool | None
    tamper: bool | None = None
    battery_low: bool | None = None


def length(begin: bytes) -> int | None:
    """Bytes of the whole packet that begins so, 0 where none can, None where its begin is too short to tell."""
    if len(begin) < 2:
        return None
    size, kind = begin[0], begin[1]
    known = _LENGTHS.get(kind)
    fits = size in known if known is not None else size in _OTHERS and 0 < kind <= _HIGHEST_TYPE
    return size + 1 if fits else 0


SHAPE = Shape(b"", length, lambda frame: True, _OTHERS.stop)


def decode(frame: bytes) -> Packet | None:
    """Read a whole packet, None for one of no device that the gateway reads."""
    kind, subtype = frame[1], frame[2]
    if kind == LIGHTING2:
        return Packet("lighting2", subtype, frame[4:8].hex(), frame[8], _ON["lighting2"].get(frame[9]))
    if kind == LIGHTING5:
        return Packet("lighting5", subtype, frame[4:7].hex(), frame[7], _ON["lighting5"].get(frame[8]))
    if kind == SECURITY1:
        status = frame[7] & ~TAMPER
        tamper = bool(frame[7] & TAMPER) if status <= NO_MOTION and subtype in SUPERVISED else None
        low = frame[8] & 0x0F == 0 if subtype in SUPERVISED else None
        return Packet("security1", subtype, frame[4:7].hex(), 0, _ON["security1"].get(status), tamper, low)
    return None
