"""InfiniTime (PineTime watch): heart rate, steps, battery, motion. Its clock is set.

Sources: InfiniTime doc/ble.md and doc/MotionService.md. The scale of motion is in neither: src/drivers/Bma421.cpp sets
+-2 g, which the 12 bits of the Bosch BMA421 and BMA425 make 1024 counts a g.

Motion does not watch over falls. The watch looks at its sensor ten times a second and tells its axes where they have
changed: too slow for an impact, and below what the detector takes (gateway/detect/falls/grid.py, MIN_RATE_HZ). While
somebody listens the watch measures with its display off too, which costs it battery.
"""

import math
import struct
from collections.abc import Iterator

from drivers.devices.gatt_values import HEART_RATE_MEASUREMENT, DecodeError, decode_heart_rate
from drivers.devices.measured import Measured, quantity
from drivers.devices.monitor import MonitorSettings, Session
from gateway.model.reading import Accel, QuantityKind
from gateway.spi import BlePeer, Driver, Link, Mark, Tested

STEP_COUNT = "00030001-78fc-48fe-8e23-433b3a1942d0"
MOTION = "00030002-78fc-48fe-8e23-433b3a1942d0"
RATE_HZ, FULL_SCALE_G = 10.0, 2.0
COUNTS_PER_G = 1024
BLOCK = 10
"""Samples of a block: a second of movement can be told from rest, one sample cannot."""
_LATE = 2
"""So many missing samples are a radio's delay; more were lost, or the watch lay still and had nothing to tell."""


def decode_steps(data: bytes) -> int:
    """Decode the steps so far, u32. Raises DecodeError."""
    if len(data) != 4:
        raise DecodeError(f"step count of {len(data)} bytes")
    return int.from_bytes(data, "little")


def measure_steps(data: bytes) -> Measured:
    """Raises DecodeError."""
    return Measured((quantity(QuantityKind.STEPS, decode_steps(data)),))


def measure_heart_rate(data: bytes) -> Measured:
    """Decode 2A37; the watch says 0 while it measures nothing, which is marked. Raises DecodeError."""
    return Measured((quantity(QuantityKind.HEART_RATE, decode_heart_rate(data).bpm),))


def decode_motion(data: bytes) -> tuple[int, int, int]:
    """Decode x, y, z, 3 x i16, into milli-g. Raises DecodeError."""
    if len(data) != 6:
        raise DecodeError(f"motion of {len(data)} bytes")
    x, y, z = (round(counts * 1000 / COUNTS_PER_G) for counts in struct.unpack("<3h", data))
    return x, y, z


class Motion:
    """One session's samples on their way to blocks."""

    def __init__(self) -> None:
        self._gathered: list[tuple[int, int, int]] = []
        self._first, self._last_mono_s = 0, math.nan

    def take(self, sample_mg: tuple[int, int, int], mono_s: float) -> Iterator[tuple[Accel, float]]:
        """Take one sample; give each block that is complete, and when its last sample came."""
        elapsed_s = mono_s - self._last_mono_s
        if elapsed_s > (_LATE + 1.5) / RATE_HZ:
            lost = round(elapsed_s * RATE_HZ) - 1
            yield from self._block()
            self._first += lost
        self._gathered.append(sample_mg)
        self._last_mono_s = mono_s
        if len(self._gathered) == BLOCK:
            yield from self._block()

    def _block(self) -> Iterator[tuple[Accel, float]]:
        if self._gathered:
            samples = b"".join(struct.pack("<3h", *sample) for sample in self._gathered)
            yield Accel(RATE_HZ, FULL_SCALE_G, self._first, samples), self._last_mono_s
            self._first += len(self._gathered)
            self._gathered.clear()


async def run(link: Link[MonitorSettings], peer: BlePeer) -> None:
    """Run one session until the link ends; a firmware without motion gives the rest."""
    session = Session(link, peer, {HEART_RATE_MEASUREMENT: measure_heart_rate, STEP_COUNT: measure_steps})
    motion = Motion()
    await session.open()
    if peer.has(MOTION):
        await peer.subscribe(MOTION)
    async for arrival in peer.notifications():
        if arrival.uuid != MOTION:
            session.take(arrival)
            continue
        with session.counted():
            for block, last_mono_s in motion.take(decode_motion(arrival.data), arrival.mono_s):
                link.emit(block, last_mono_s)


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "infinitime", "InfiniTime watch (PineTime); its motion of 10 Hz is unfit for falls", "ble", MonitorSettings, run,
    gives=("accel", "heart_rate", "steps", "battery"),
    marks=(Mark(name="InfiniTime"),),
    start_s=30.0, tested=(Tested.VECTORS,))
