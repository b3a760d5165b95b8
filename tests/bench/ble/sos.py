"""From the press of a button that only advertises to the pipeline, over an emulated org.bluez (L2)."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from drivers.bus.ble import BleBus
from drivers.devices.bthome_sensor import SHELLY_BUTTON, BTHomeSettings
from gateway.config import Device
from gateway.model.device import DeviceStatus
from gateway.model.reading import Press, Reading
from gateway.runtime.session import Sessions
from hil.devices.beacon import ADDRESS, Beacon, beacon
from tests.bench.lab import Lab
from tests.bench.result import Row, at_most, percentile
from tests.drivers.ble.kit import l2
from tests.unit.runtime.kit import means

MEDIAN_MS = at_most(20.0)
PRESSES = 60


class Ear:
    """Notes when a press was heard last."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.heard = asyncio.Event()

    def hear(self) -> None:
        self.at_s = time.monotonic()
        self.heard.set()


class Pipeline(Ear):
    """A sink in the pipeline's place."""

    def reading(self, reading: Reading, taken: object = None) -> bool:
        del taken
        if isinstance(reading.value, Press):
            self.hear()
        return True

    def status(self, status: DeviceStatus) -> None: ...


async def run(lab: Lab) -> list[Row]:
    """Press many times."""
    sink = Pipeline()
    async with l2() as radio, beacon(radio.bracelet.air) as button, driver(radio.bus, sink):
        await asyncio.sleep(2.0)
        pressed = await presses(button, sink, range(lab.size(PRESSES, least=5)))
    took_ms = [1000 * (heard_s - pressed_s) for pressed_s, heard_s in pressed]
    return [Row("SOS to the pipeline, median", statistics.median(took_ms), "ms", limit=MEDIAN_MS,
                note="the emulated org.bluez (L2)"),
            Row("SOS to the pipeline, p99", percentile(took_ms, 99), "ms")]


@asynccontextmanager
async def driver(bus: BleBus, sink: Pipeline) -> AsyncIterator[None]:
    """Run the sessions of the button while the context is open."""
    device = Device(name="sos", driver="shelly-button", settings=BTHomeSettings(address=ADDRESS))
    task = asyncio.ensure_future(Sessions(device, SHELLY_BUTTON, bus, means(sink)).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def press(number: int) -> bytes:
    """BTHome v2: packet id, which comes round after 256, and a button pressed once."""
    return bytes([0x44, 0x00, number % 256, 0x3A, 1])


async def presses(button: Beacon, ear: Ear, numbers: Iterable[int]) -> list[tuple[float, float]]:
    """Press with these packet ids; return when it was pressed and when heard, in s of the monotonic clock."""
    pressed, pause = [], random.Random(1)
    for number in numbers:
        ear.heard.clear()
        pressed_s = time.monotonic()
        await button.say(press(number))
        async with asyncio.timeout(10):
            await ear.heard.wait()
        pressed.append((pressed_s, ear.at_s))
        await asyncio.sleep(pause.uniform(0.1, 0.3))
    return pressed
