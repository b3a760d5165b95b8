"""HLK-LD2450: up to three moving people and where they are, by 24 GHz radar. 256000 baud as delivered.

A report is AA FF 03 00, three targets of 8 bytes, 55 CC; ten a second. A target: x in mm, y in mm, speed in cm/s,
distance resolution in mm, each uint16 little-endian. The top bit of the first three is a sign of its own kind: set is
positive. A target that is not there is all zero.
Source: Hi-Link's serial communication protocol of the HLK-LD2450, as RBEGamer/HLK-LD2450 and ESPHome's component ld2450
tell it; the paper itself was not to be had.

It sees movement: whoever sits quite still is lost to it after a while, hence a long `clear_s`. Where people are is not
passed on: the model has no word for it, and presence and motion are what is needed.
"""

import struct

import msgspec

from drivers.devices.framing import Shape
from drivers.devices.radar import ClearS, Watch, listen
from drivers.devices.serial_settings import Baudrate, Port
from gateway.model.reading import BinaryKind, Measurement
from gateway.spi import Driver, Link, SerialPort, Tested

HEAD, END = bytes.fromhex("aaff0300"), bytes.fromhex("55cc")
LENGTH = 30


class Ld2450Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`clear_s`: how long nobody must be seen before the room counts as empty."""

    port: Port
    baudrate: Baudrate = 256000
    clear_s: ClearS = 60.0


class Target(msgspec.Struct, frozen=True):
    """One person. `x_mm`: to the side; `y_mm`: away from the radar; `speed_cm_s`: towards it or away."""

    x_mm: int
    y_mm: int
    speed_cm_s: int
    resolution_mm: int


SHAPE = Shape(HEAD, lambda begin: LENGTH, lambda frame: frame.endswith(END), LENGTH)


def decode(frame: bytes) -> list[Target]:
    """The targets in a whole frame, those that are there."""
    return [Target(_signed(x), _signed(y), _signed(speed), resolution)
            for x, y, speed, resolution in struct.iter_unpack("<HHHH", frame[4:-2]) if x or y or speed or resolution]


def _signed(raw: int) -> int:
    return raw & 0x7FFF if raw & 0x8000 else -raw


async def run(link: Link[Ld2450Settings], port: SerialPort) -> None:
    """Listen for ever."""
    watch = Watch(link.settings.clear_s)

    def heard(mono_s: float, frame: bytes) -> list[Measurement]:
        targets = decode(frame)
        return (watch.seen(BinaryKind.PRESENCE, bool(targets), mono_s)
                + watch.seen(BinaryKind.MOTION, any(target.speed_cm_s for target in targets), mono_s))

    await listen(link, port, SHAPE, heard)


DRIVER = Driver(name="ld2450", title="HLK-LD2450 target radar", bus="serial", settings=Ld2450Settings, run=run,
                gives=("presence", "motion"), start_s=10.0, silence_s=15.0,
                tested=(Tested.VECTORS, Tested.EMULATED))
