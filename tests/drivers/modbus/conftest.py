"""A line with emulated modules in this process, and the bus on it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.bus.modbus import Line, ModbusSettings
from gateway.spi import BusContext, BusUnavailable
from hil.devices.modbus.line import Modules


@pytest.fixture
async def modules(tmp_path: Path) -> AsyncIterator[Modules]:
    """Units 1 and 2 on one line."""
    modules = Modules(tmp_path / "usb-adapter", [1, 2])
    modules.line.plug()
    yield modules
    modules.line.unplug()


@pytest.fixture
def line(modules: Modules, tmp_path: Path) -> Line:
    settings = ModbusSettings(port=str(modules.line.link), answer_s=0.1)
    return Line(settings, BusContext(tmp_path, time.monotonic))


@asynccontextmanager
async def running(line: Line) -> AsyncIterator[asyncio.Task[None]]:
    """Run the bus as the supervisor does: again after each BusUnavailable, with a short pause."""

    async def keep() -> None:
        while True:
            try:
                await line.run()
            except BusUnavailable:
                await asyncio.sleep(0.02)

    task = asyncio.create_task(keep())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
