"""HLK-LD2410, LD2410B and LD2410C: presence of one room by 24 GHz radar. 256000 baud as delivered.

A report is F4 F3 F2 F1, length (uint16, little-endian), payload, F8 F7 F6 F5. Payload: type (0x02 basic, 0x01
engineering), 0xAA, target state, moving distance in cm (uint16) and energy 0..100, still distance in cm (uint16) and
energy, detection distance in cm (uint16), in engineering mode the energies of the gates, 0x55, 0x00.
Source: Hi-Link's serial communication protocol of the HLK-LD2410, as the README of mgiesen/LD2410 and ESPHome's
component ld2410 tell it; the paper itself was not to be had.

Target states above 3, which newer firmware reports while it measures the background, are no word on anybody.
"""

import struct

import msgspec

from drivers.devices.framing import Shape
from drivers.devices.radar import ClearS, Watch, listen
from drivers.devices.serial_settings import Baudrate, Port
from gateway.model.reading import BinaryKind, Measurement
from gateway.spi import Driver, Link, SerialPort, Tested

HEAD, END = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")
BASIC, ENGINEERING = 0x02, 0x01
MAX_PAYLOAD = 64
MOVING, STILL = 1, 2


class Ld2410Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`clear_s`: how long nobody must be seen before the room counts as empty, beyond the radar's own delay."""

    port: Port
    baudrate: Baudrate = 256000
    clear_s: ClearS = 10.0


class Report(msgspec.Struct, frozen=True):
    """What the radar sees. Distances in cm, energies 0..100; a distance means something only where its kind is seen."""

    moving: bool
    still: bool
    moving_cm: int
    moving_energy: int
    still_cm: int
    still_energy: int
    detection_cm: int


def length(begin: bytes) -> int | None:
    if len(begin) < 6:
        return None
    (payload,) = struct.unpack_from("<H", begin, 4)
    return payload + 10 if payload <= MAX_PAYLOAD else 0


SHAPE = Shape(HEAD, length, lambda frame: frame.endswith(END), MAX_PAYLOAD + 10)


def decode(frame: bytes) -> Report | None:
    """Read a whole frame; None where it is no report on people."""
    payload = frame[6:-4]
    if len(payload) < 13 or payload[0] not in (BASIC, ENGINEERING) or payload[1] != 0xAA or payload[-2:] != b"\x55\x00":
        return None
    state, moving_cm, moving_energy, still_cm, still_energy, detection_cm = struct.unpack_from("<BHBHBH", payload, 2)
    if state > MOVING | STILL:
        return None
    return Report(bool(state & MOVING), bool(state & STILL), moving_cm, moving_energy, still_cm, still_energy,
                  detection_cm)


async def run(link: Link[Ld2410Settings], port: SerialPort) -> None:
    """Listen for ever."""
    watch = Watch(link.settings.clear_s)

    def heard(mono_s: float, frame: bytes) -> list[Measurement]:
        if (report := decode(frame)) is None:
            return []
        return (watch.seen(BinaryKind.PRESENCE, report.moving or report.still, mono_s)
                + watch.seen(BinaryKind.MOTION, report.moving, mono_s))

    await listen(link, port, SHAPE, heard)


DRIVER = Driver(name="ld2410", title="HLK-LD2410 presence radar", bus="serial", settings=Ld2410Settings, run=run,
                gives=("presence", "motion"), start_s=10.0, silence_s=15.0,
                tested=(Tested.VECTORS, Tested.EMULATED))
