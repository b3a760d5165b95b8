"""Seeed MR60FDA2 (falls) and MR60BHA2 (breath and heart), 60 GHz radars. 115200 baud.

A frame is 01, id (uint16), length of the data (uint16), type (uint16), head checksum, data, data checksum; numbers of
the frame big-endian, a checksum is the inverted exclusive-or of what it covers: the seven bytes of the head, the data.
A frame without data ends with its head. Values in the data are little-endian.

    type    radar  data                                             becomes
    0x0E02  FDA2   uint8, 1: somebody lies after a fall             FallFlag
    0x0F09  both   uint8 (FDA2), uint16 (BHA2), not 0: somebody     presence
    0x0A14  BHA2   float32, breaths a minute                        respiration
    0x0A15  BHA2   float32, heart beats a minute                    heart rate
    0x0E06  FDA2   parameters, on request                           sign of life

Source: the frames of ESPHome's components seeed_mr60fda2 and seeed_mr60bha2, written with Seeed, as of 2025; the
maker's own protocol paper was not to be had. Not established, hence left out: how often the fall radar reports by
itself (so it is asked for its parameters, which answers that it lives), distance (0x0A16), point clouds (0x0A04).

Neither is a medical device. No detector raises an alarm from the breath or the heart that BHA2 measures. A fall that
FDA2 alone notices is an alarm with the score of a flag that nobody has measured (gateway/detect/triggers.py).
"""

import asyncio
import functools
import math
import operator
import struct

import msgspec

from drivers.devices.framing import Shape
from drivers.devices.radar import ClearS, Watch, listen
from drivers.devices.serial_settings import Baudrate, Port
from gateway.model.finding import FallSource
from gateway.model.reading import BinaryKind, FallFlag, Measurement, Quantity, QuantityKind
from gateway.spi import Driver, Link, SerialPort, Tested

HEAD_BYTES, MAX_DATA = 8, 256
FALL, PERSON, BREATH, HEART, PARAMETERS = 0x0E02, 0x0F09, 0x0A14, 0x0A15, 0x0E06
ASK_S = 10.0
QUANTITIES = {BREATH: (QuantityKind.RESPIRATION, 4.0, 60.0), HEART: (QuantityKind.HEART_RATE, 30.0, 220.0)}
"""Type -> kind and its plausible range, which is a living adult's; the radar says 0 where it sees nobody breathe."""


class Mr60Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`clear_s`: how long nobody must be seen before the room counts as empty."""

    port: Port
    baudrate: Baudrate = 115200
    clear_s: ClearS = 10.0


def checksum(data: bytes) -> int:
    return functools.reduce(operator.xor, data, 0) ^ 0xFF


def frame(kind: int, data: bytes = b"") -> bytes:
    """A frame to the radar."""
    head = struct.pack(">BHHH", 1, 0, len(data), kind)
    return head + bytes([checksum(head)]) + (data + bytes([checksum(data)]) if data else b"")


def length(begin: bytes) -> int | None:
    if len(begin) < HEAD_BYTES:
        return None
    (data_bytes,) = struct.unpack_from(">H", begin, 3)
    if checksum(begin[:7]) != begin[7] or data_bytes > MAX_DATA:
        return 0
    return HEAD_BYTES + (data_bytes + 1 if data_bytes else 0)


def good(whole: bytes) -> bool:
    data = whole[HEAD_BYTES:-1]
    return not data or checksum(data) == whole[-1]


SHAPE = Shape(b"\x01", length, good, HEAD_BYTES + MAX_DATA + 1)


def decode(whole: bytes) -> FallFlag | Quantity | bool | None:
    """Read a whole frame: a fall, a quantity, whether somebody is there, or None for what says nothing about people."""
    (kind,) = struct.unpack_from(">H", whole, 5)
    data = whole[HEAD_BYTES:-1]
    if kind == FALL and data:
        return FallFlag(FallSource.RADAR, active=bool(data[0]))
    if kind == PERSON and data:
        return any(data[:2])
    if kind in QUANTITIES and len(data) >= 4:
        (value,) = struct.unpack_from("<f", data)
        quantity, least, most = QUANTITIES[kind]
        if not math.isfinite(value):
            return Quantity(quantity, 0.0, plausible=False)
        return Quantity(quantity, round(value, 1), plausible=least <= value <= most)
    return None


async def run(link: Link[Mr60Settings], port: SerialPort) -> None:
    """Listen for ever."""
    watch = Watch(link.settings.clear_s)
    fallen: bool | None = None

    def heard(mono_s: float, whole: bytes) -> list[Measurement]:
        nonlocal fallen
        match decode(whole):
            case bool() as somebody:
                return watch.seen(BinaryKind.PRESENCE, somebody, mono_s)
            case FallFlag() as flag:
                before, fallen = fallen, flag.active
                return [flag] if flag.active or before is not False else []
            case Quantity() as quantity:
                return [quantity]
            case None:
                return []

    await listen(link, port, SHAPE, heard)


async def run_falls(link: Link[Mr60Settings], port: SerialPort) -> None:
    """Listen for ever, and ask now and then, for the fall radar may have nothing to say."""
    async with asyncio.TaskGroup() as group:
        group.create_task(run(link, port))
        while True:
            await port.write(frame(PARAMETERS))
            await asyncio.sleep(ASK_S)


FALLS = Driver(name="mr60fda2", title="Seeed MR60FDA2 fall radar", bus="serial", settings=Mr60Settings,
               run=run_falls, gives=("fall", "presence"), falls=FallSource.RADAR, start_s=30.0, silence_s=60.0,
               tested=(Tested.VECTORS, Tested.EMULATED))
VITALS = Driver(name="mr60bha2", title="Seeed MR60BHA2 breath and heart radar (not medical)", bus="serial",
                settings=Mr60Settings, run=run, gives=("respiration", "heart_rate", "presence"), start_s=30.0,
                silence_s=60.0, tested=(Tested.VECTORS, Tested.EMULATED))
