"""The emulated stick as a process of its own, and a bus that runs on it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.bus.zigbee import BUS, ZigbeeSettings
from drivers.bus.zigbee.bus import ZigbeeBus
from drivers.devices.zigbee_session import IeeeSettings
from gateway.spi import Attribute, BusContext, LinkLost, ZigbeePort, ZoneStatus
from hil.devices.zigbee.__main__ import address_of
from hil.resources.control import call

DOOR, SMOKE = address_of("door", 0), address_of("smoke", 1)
PATIENCE_S = 20.0  # an upper bound for a loaded machine; every wait below ends with its event


@dataclass
class Stick:
    """The bench process of a folder: its tty, its control socket, its memory."""

    folder: Path
    process: asyncio.subprocess.Process

    @property
    def tty(self) -> Path:
        return self.folder / "tty"

    async def __call__(self, op: str, **given: Any) -> dict[str, Any]:
        return await call(self.folder / "control", op, **given)

    async def kill(self) -> None:
        """End the process as a power cut would."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def stick(folder: Path, *more: str) -> AsyncIterator[Stick]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hil.devices.zigbee", "--link", folder / "tty", "--control", folder / "control",
        "--nvram", folder / "nvram.json", *more, stdout=asyncio.subprocess.PIPE)
    one = Stick(folder, process)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            assert json.loads(await process.stdout.readline())["ready"]
        yield one
    finally:
        await one.kill()
        process._transport.close()  # type: ignore[attr-defined]  # its pipe outlives it otherwise


def make(folder: Path, settings: ZigbeeSettings | None = None) -> ZigbeeBus:
    bus = BUS.make(settings or ZigbeeSettings(port=str(folder / "tty")), BusContext(folder, time.monotonic))
    assert isinstance(bus, ZigbeeBus)
    return bus


@asynccontextmanager
async def running(folder: Path, settings: ZigbeeSettings | None = None) -> AsyncIterator[ZigbeeBus]:
    """A bus that runs on the stick of a folder."""
    bus = make(folder, settings)
    task = asyncio.create_task(bus.run())
    try:
        yield bus
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(state: str, bus: ZigbeeBus) -> float:
    """Wait until the bus is in a state; return how long that took."""
    begin_s = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while bus.health()["state"] != state:
            await asyncio.sleep(0.01)
    return time.monotonic() - begin_s


def opened(bus: ZigbeeBus, ieee: str, device: str = "device") -> AbstractAsyncContextManager[ZigbeePort]:
    return bus.open(device, IeeeSettings(ieee))


async def status(port: ZigbeePort, bits: int, since_mono_s: float = 0.0) -> ZoneStatus:
    """The next zone status with these bits since then; the answer to a question of the bus may come before it."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in port.messages():
            if isinstance(message, ZoneStatus) and message.bits == bits and message.mono_s >= since_mono_s:
                return message
    raise AssertionError("unreachable")


async def battery(port: ZigbeePort, since_mono_s: float) -> int | float | bytes | str:
    """The next battery level that arrived since then, in half percent."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in port.messages():
            if isinstance(message, Attribute) and message.cluster == 1 and message.mono_s >= since_mono_s:
                return message.value
    raise AssertionError("unreachable")


async def end_of(port: ZigbeePort) -> LinkLost:
    """Read a port to its end."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for _ in port.messages():
                pass
    except LinkLost as lost:
        return lost
    raise AssertionError("unreachable")
