"""The conformance suite on the fake port and on the emulated stick."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.testkit.zigbee import CONFORMANCE, FakeZigbeePort, ZigbeeRig
from gateway.spi import ZoneStatus
from tests.drivers.zigbee.bench import DOOR, opened, running, stick

Check = Callable[[ZigbeeRig], Awaitable[None]]


@asynccontextmanager
async def fake() -> AsyncIterator[ZigbeeRig]:
    port = FakeZigbeePort()

    async def zone(bits: int) -> None:
        port.say(ZoneStatus(time.monotonic(), bits))

    async def lose() -> None:
        port.lose()

    yield ZigbeeRig(port, zone, lose, time.monotonic)


@asynccontextmanager
async def emulated(home: Path) -> AsyncIterator[ZigbeeRig]:
    async with stick(home) as one, running(home) as bus, opened(bus, DOOR) as port:

        async def zone(bits: int) -> None:
            assert (await one("zone", ieee=DOOR, bits=bits))["on_air"]

        async def lose() -> None:
            await asyncio.sleep(0.05)  # the alarm is on its way over a serial line
            await one("unplug")

        yield ZigbeeRig(port, zone, lose, time.monotonic)


@pytest.mark.parametrize("check", CONFORMANCE, ids=lambda check: check.__name__)
async def test_the_fake_port_conforms(check: Check) -> None:
    async with fake() as rig:
        await check(rig)


@pytest.mark.parametrize("check", CONFORMANCE, ids=lambda check: check.__name__)
async def test_a_port_of_the_bus_conforms(check: Check, home: Path) -> None:
    async with emulated(home) as rig:
        await check(rig)
