"""Eight hours of a bracelet's life in virtual time, with losses and returns: does anything grow, or come twice?

Bus, driver and sessions are the real ones over Bumble (L1); bracelet and gateway share a process and a clock. Growth is
counted from the first hour on, when every cache is filled. It runs in a process of its own.
"""

import asyncio
import gc
import json
import logging
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from drivers.bus.ble import BleBus
from drivers.devices.polar import DRIVER, PolarSettings
from drivers.testkit import virtual_time
from gateway.config import Device
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.reading import Accel, Reading
from gateway.runtime.session import Sessions
from hil.bluez import backend
from hil.bluez.air import Air
from hil.bluez.controller import central
from hil.devices.bracelet import verity as bracelet_module
from hil.devices.bracelet.verity import ADDRESS, verity
from hil.devices.bracelet.wearer import Wearer
from tests.bench.lab import Lab
from tests.bench.result import Row, at_most, percentile
from tests.drivers.ble.kit import running
from tests.unit.runtime.kit import means

HOURS, LOSSES = 8.0, 30
TOOK_S, GROWN_MB, NONE, RETURN_S = at_most(60.0), at_most(1.0), at_most(0), at_most(5.0)


class Ear:
    """A sink that remembers the last block only: whether one comes twice, and that one came at all."""

    def __init__(self) -> None:
        self.blocks = self.doubled = 0
        self.heard = asyncio.Event()
        self._last = b""

    def reading(self, reading: Reading, taken: object = None) -> bool:
        del taken
        if isinstance(reading.value, Accel):
            self.blocks += 1
            self.doubled += reading.value.samples_mg == self._last
            self._last = reading.value.samples_mg
            self.heard.set()
        return True

    def status(self, status: DeviceStatus) -> None:
        if status.state is not DeviceState.UP:
            self.heard.clear()


async def run(lab: Lab) -> list[Row]:
    """Live in another process, which has its own memory."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(HOURS * lab.scale), str(lab.size(LOSSES, least=4)), stdout=subprocess.PIPE)
    said, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError("the bracelet's life ended in an error: see above")
    of = json.loads(said)
    note = f"{of['hours']:g} h, {of['losses']} losses, {of['blocks']} blocks"
    return [Row("8 h of a bracelet, processor time", of["took_s"], "s", limit=TOOK_S, note=note),
            Row("its tasks, growth", of["tasks"], "", limit=NONE),
            Row("its descriptors, growth", of["fds"], "", limit=NONE),
            Row("its memory, growth", of["rss_mb"], "MB", limit=GROWN_MB, note="resident, from the first hour on"),
            Row("notifications that came twice", of["doubled"], "", limit=NONE),
            Row("from its return to its data, p95", of["return_p95_s"], "s", limit=RETURN_S)]


async def life(hours: float, losses: int) -> dict[str, float]:
    """Live; return what was seen."""
    loop, chance, air, ear = asyncio.get_running_loop(), random.Random(1), Air(), Ear()
    begun_s, returns_s = time.process_time(), []
    before: tuple[int, int, float] | None = None
    async with verity(air, Wearer()) as bracelet:
        backend.use(await central(air))
        device = Device(name="wrist", driver="polar", settings=PolarSettings(address=ADDRESS))
        async with running(BleBus("hci0", "bumble", loop.time)) as bus:
            task = asyncio.ensure_future(Sessions(device, DRIVER, bus, means(ear)).run())
            for number in range(losses):
                await ear.heard.wait()
                await asyncio.sleep(hours * 3600 / losses - 60)
                bracelet.away()
                await asyncio.sleep(chance.uniform(1, 119))
                bracelet.back()
                back_s = loop.time()
                ear.heard.clear()
                await ear.heard.wait()
                returns_s.append(loop.time() - back_s)
                if number == losses // 8:
                    before = _held()
            await asyncio.sleep(10)
            after = _held()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert before is not None
    tasks, fds, rss_mb = (now - then for now, then in zip(after, before, strict=True))
    return {"hours": hours, "losses": losses, "blocks": ear.blocks, "took_s": time.process_time() - begun_s,
            "tasks": tasks, "fds": fds, "rss_mb": rss_mb, "doubled": ear.doubled,
            "return_p95_s": percentile(returns_s, 95)}


def _held() -> tuple[int, int, float]:
    """Tasks, descriptors, resident memory in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # that links are lost is meant
    for name, module in list(sys.modules.items()):  # Bumble colours every line of its log, even where nobody reads it
        if name.startswith("bumble.") and hasattr(module, "color"):
            module.color = lambda text, *_colours: text
    bracelet_module._TICK_S = 1.0  # the bracelet looks at its sensor that often; what it sends stays the same
    print(json.dumps(virtual_time.run(life(float(sys.argv[1]), int(sys.argv[2])))))
