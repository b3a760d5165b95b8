"""What bracelets cost one core while they stream at 52 Hz, and whether a sample is lost.

The processor's time is this process's: bus, bleak, dbus-fast and drivers. Bracelets, radio and BlueZ are another's. A
Verity Sense packs some 40 samples into a notification; the harder case is one notification a sample.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drivers.bus.ble import BleBus
from drivers.devices.polar import DRIVER, PolarSettings
from gateway.config import Device
from gateway.model.device import DeviceStatus
from gateway.model.reading import Accel, Reading
from gateway.runtime.session import Sessions
from hil.bluez.private_bus import VARIABLE
from tests.bench.ble.wrists import address_of
from tests.bench.lab import Lab
from tests.bench.result import Limit, Row, at_most
from tests.drivers.ble.kit import environment, running
from tests.unit.runtime.kit import means

TWENTY, ONE, NONE_LOST = at_most(40.0), at_most(6.0), at_most(0)
STREAMS_S, READY_S = 20.0, 120.0
PACKED, SINGLE = 52, 1


class Count:
    """A sink that counts each device's samples."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()

    def reading(self, reading: Reading, taken: object = None) -> bool:
        del taken
        if isinstance(reading.value, Accel):
            self.samples[reading.device] += reading.value.n
        return True

    def status(self, status: DeviceStatus) -> None: ...


async def twenty(lab: Lab) -> list[Row]:
    """Twenty bracelets at once."""
    return await _both(lab, 20, TWENTY)


async def one(lab: Lab) -> list[Row]:
    """One bracelet."""
    return await _both(lab, 1, ONE)


async def _both(lab: Lab, count: int, limit: Limit) -> list[Row]:
    rows = []
    for words, frame_samples in (("as the device packs them", PACKED), ("a notification a sample", SINGLE)):
        percent, sent, lost = await _streamed(lab, count, frame_samples)
        name = f"{count} × 52 Hz, {words}"
        rows += [Row(name, percent, "% of a core", limit=limit, note=f"{sent} samples sent"),
                 Row(f"{name}, samples lost", lost, "samples", limit=NONE_LOST)]
    return rows


async def _streamed(lab: Lab, count: int, frame_samples: int) -> tuple[float, int, int]:
    """Return the processor's share in percent, the samples sent, and how many of them did not arrive."""
    async with _wrists(count, frame_samples) as (wrists, bus_address):
        with environment(VARIABLE, bus_address):
            async with running(BleBus("hci0", "bluez", time.monotonic, links=count)) as bus:
                sink = Count()
                devices = [Device(name=address_of(number), driver="polar",
                                  settings=PolarSettings(address=address_of(number))) for number in range(count)]
                tasks = [asyncio.ensure_future(Sessions(device, DRIVER, bus, means(sink)).run()) for device in devices]
                try:
                    async with asyncio.timeout(READY_S):
                        while len(sink.samples) < count:
                            await asyncio.sleep(0.1)
                    gc.collect()
                    begun_s, cost_s = time.monotonic(), time.process_time()
                    await asyncio.sleep(max(3.0, STREAMS_S * lab.scale))
                    percent = 100 * (time.process_time() - cost_s) / (time.monotonic() - begun_s)
                    assert wrists.stdin is not None
                    assert wrists.stdout is not None
                    wrists.stdin.write(b"stop\n")
                    sent = json.loads(await wrists.stdout.readline())["sent"]
                    await asyncio.sleep(1.0)
                    if lost_links := bus.health()["lost_links"]:  # what is not sent for want of a link is not counted
                        raise RuntimeError(f"{lost_links} links were lost: measure on a machine that is less busy")
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
    return percent, sum(sent.values()), sum(sent[name] - sink.samples[name] for name in sent)


@asynccontextmanager
async def _wrists(count: int, frame_samples: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.ble.wrists", str(count), str(frame_samples),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process, json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["bus"]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
