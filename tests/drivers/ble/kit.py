"""Worlds of these tests: an emulated bracelet behind BlueZ's D-Bus (L2) or behind HCI over TCP (L1), or a fake port."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drivers.bus.ble import BleBus, ladder
from drivers.devices.pmd import CONTROL_POINT
from drivers.devices.polar import DRIVER, PolarSettings
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Accel, Measurement
from gateway.spi import BlePeer, SpiError
from hil.bluez import backend
from hil.bluez.air import Air
from hil.bluez.controller import central
from hil.bluez.hci_server import hci_server
from hil.bluez.private_bus import VARIABLE, missing, private_bus
from hil.bluez.service import FakeBlueZ, fake_bluez
from hil.devices.bracelet.verity import ADDRESS, Verity, verity
from hil.devices.bracelet.wearer import Wearer

HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
SETTINGS = PolarSettings(address=ADDRESS)
NEEDS_DBUS = pytest.mark.skipif(missing() is not None, reason=missing() or "")


class FakeLink(RecordedLink[PolarSettings]):
    """Keeps what the bracelet's driver says."""

    def __init__(self, settings: PolarSettings = SETTINGS, device: str = "wrist") -> None:
        super().__init__(settings, device)

    @property
    def emitted(self) -> list[tuple[Measurement, float]]:
        return [(value, mono_s) for mono_s, value in self.said]

    @property
    def blocks(self) -> list[Accel]:
        return [value for value in self.values if isinstance(value, Accel)]

    def samples(self) -> int:
        return sum(len(block.samples_mg) // 6 for block in self.blocks)


async def played(session: Awaitable[None], act: Awaitable[None]) -> BaseException | None:
    """Run a session over a fake port, in virtual time, while `act` plays the device.

    Returns what ended the session, None if it had to be cancelled.
    """
    task = asyncio.ensure_future(session)
    await asyncio.sleep(0.1)
    await act
    await asyncio.sleep(0.1)
    if task.done():
        return task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


@dataclass
class Radio:
    """A bus that runs, the bracelet in its air, and the BlueZ between, if there is one."""

    bus: BleBus
    bracelet: Verity
    bluez: FakeBlueZ | None
    bus_address: str = ""


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def quick_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no rung of the recovery ladder wait or rest longer than a moment."""
    monkeypatch.setattr(ladder, "ROUND_S", 0.2)
    monkeypatch.setattr(ladder, "LADDER", {rung: replace(rule, settle_s=0.2, rest_s=0.0)
                                           for rung, rule in ladder.LADDER.items()})


async def keep(bus: BleBus) -> None:
    """Run a bus as the supervisor does, with a short pause."""
    while True:
        try:
            await bus.run()
        except SpiError:
            await asyncio.sleep(0.1)


@asynccontextmanager
async def running(bus: BleBus) -> AsyncIterator[BleBus]:
    task = asyncio.ensure_future(keep(bus))
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def l2(run: bool = True) -> AsyncIterator[Radio]:
    """bleak's own BlueZ backend over a private D-Bus."""
    before = asyncio.all_tasks()
    async with private_bus() as bus_address:
        with environment(VARIABLE, bus_address):
            air = Air()
            async with verity(air, Wearer()) as bracelet, fake_bluez(await central(air), bus_address) as bluez:
                bus = BleBus("hci0", "bluez", time.monotonic, drivers=lambda: [DRIVER])
                if run:
                    async with running(bus):
                        yield Radio(bus, bracelet, bluez, bus_address)
                else:
                    yield Radio(bus, bracelet, bluez, bus_address)
    await ended(before)


@asynccontextmanager
async def l1() -> AsyncIterator[Radio]:
    """A Bumble host under bleak, in place of BlueZ, through the entry point; no D-Bus at all."""
    before = asyncio.all_tasks()
    air = Air()
    async with verity(air, Wearer()) as bracelet, hci_server(air) as port:
        with environment(backend.VARIABLE, f"tcp-client:127.0.0.1:{port}"), environment(VARIABLE, "unix:path=/nowhere"):
            async with running(BleBus("hci0", "bumble", time.monotonic, drivers=lambda: [DRIVER])) as bus:
                yield Radio(bus, bracelet, None)
            await backend.close()
    await ended(before)


async def ended(before: set[asyncio.Task[object]]) -> None:
    """Wait until what bleak and Bumble run in the background has seen the end of its transport."""
    for _ in range(100):
        if not [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]:
            return
        await asyncio.sleep(0.01)


async def until(condition: Callable[[], object], limit_s: float = 15.0) -> None:
    """Wait until something holds. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)


async def stop(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and see their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def recovery(radio: Radio) -> dict[str, int]:
    """How often each rung was climbed."""
    counts: dict[str, int] = radio.bus.health()["recovery"]
    return counts


class BraceletWorld:
    """BleWorld of the conformance checks, over a real bus."""

    readable = (BATTERY, bytes([83]))
    writable = CONTROL_POINT
    notifying = HEART_RATE
    absent = "0000ffff-0000-1000-8000-00805f9b34fb"

    def __init__(self, peer: BlePeer, bracelet: Verity) -> None:
        self.peer, self._bracelet = peer, bracelet

    async def accept(self) -> bytes:
        return bytes([0x01, 0x02])

    async def send(self, number: int) -> None:
        for _ in range(number):
            await self._bracelet.beat()

    async def lose(self) -> None:
        self._bracelet.drop()


async def session(radio: Radio, link: FakeLink) -> BaseException | None:
    """One session as the runtime runs it; what ended it."""
    try:
        async with radio.bus.open(link.device, link.settings) as peer:
            await DRIVER.run(link, peer)
    except SpiError as error:
        return error
    return None


@asynccontextmanager
async def awaited(radio: Radio) -> AsyncIterator[FakeLink]:
    """Somebody waits for the bracelet, session after session."""
    link = FakeLink()

    async def live() -> None:
        while True:
            await session(radio, link)
            await asyncio.sleep(0.1)

    task = asyncio.ensure_future(live())
    try:
        yield link
    finally:
        await stop(task)
