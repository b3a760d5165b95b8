"""From the press of a button that only advertises to the pipeline, over an emulated org.bluez (L2)."""

import asyncio
import random
import statistics
import time

from drivers.devices.bthome_sensor import SHELLY_BUTTON, BTHomeSettings
from gateway.config import Device
from gateway.model.device import DeviceStatus
from gateway.model.reading import Press, Reading
from gateway.runtime.session import Sessions
from hil.devices.beacon import ADDRESS, beacon
from tests.bench.lab import Lab
from tests.bench.result import Row, at_most, percentile
from tests.drivers.ble.kit import l2
from tests.unit.runtime.kit import means

MEDIAN_MS = at_most(20.0)
PRESSES = 60


class Pressed:
    """A sink that notes when a press reaches the pipeline."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    def reading(self, reading: Reading, taken: object = None) -> bool:
        del taken
        if isinstance(reading.value, Press):
            self.at_s.append(time.monotonic())
        return True

    def status(self, status: DeviceStatus) -> None: ...


async def run(lab: Lab) -> list[Row]:
    """Press many times."""
    sink, took_ms, pause = Pressed(), [], random.Random(1)
    async with l2() as radio, beacon(radio.bracelet.air) as button:
        device = Device(name="sos", driver="shelly-button", settings=BTHomeSettings(address=ADDRESS))
        task = asyncio.ensure_future(Sessions(device, SHELLY_BUTTON, radio.bus, means(sink)).run())
        try:
            await asyncio.sleep(2.0)
            for number in range(lab.size(PRESSES, least=5)):
                pressed_s = time.monotonic()
                await button.say(bytes([0x44, 0x00, number % 256, 0x3A, 1]))
                async with asyncio.timeout(10):
                    while len(sink.at_s) <= number:
                        await asyncio.sleep(0.001)
                took_ms.append(1000 * (sink.at_s[number] - pressed_s))
                await asyncio.sleep(pause.uniform(0.1, 0.3))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return [Row("SOS to the pipeline, median", statistics.median(took_ms), "ms", limit=MEDIAN_MS,
                note="L2: the emulated org.bluez; the real bluetoothd is measured by `make hil`"),
            Row("SOS to the pipeline, p99", percentile(took_ms, 99), "ms")]
