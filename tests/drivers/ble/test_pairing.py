"""Pairing over BlueZ's D-Bus: who gets in through the enrolment window, and that nobody else does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from drivers.bus.ble import BleBus, pairing
from gateway.spi import Addressed, BusUnavailable, LinkError
from hil.bluez.air import Air
from hil.bluez.controller import central
from hil.bluez.private_bus import VARIABLE, private_bus
from hil.bluez.service import FakeBlueZ, fake_bluez
from hil.devices.bracelet.bonded import ADDRESS, BATTERY_PERCENT, COMPARES, DISPLAY, NOTHING, Bonded, bonded
from tests.drivers.ble.kit import BATTERY, NEEDS_DBUS, ended, environment, running

pytestmark = NEEDS_DBUS

SETTINGS = Addressed(address=ADDRESS)
OTHER = "C0:00:00:00:00:B1"
DEVICE = f"/org/bluez/hci0/dev_{ADDRESS.replace(':', '_')}"


@dataclass
class World:
    bus: BleBus
    band: Bonded
    bluez: FakeBlueZ
    bus_address: str

    def property(self, name: str) -> bool:
        return self.bluez._tree.get(DEVICE, "org.bluez.Device1", name, False)


@asynccontextmanager
async def world(io=DISPLAY) -> AsyncIterator[World]:
    """A bus that runs over BlueZ's D-Bus, and a bracelet that wants a bond."""
    before = asyncio.all_tasks()
    async with private_bus() as bus_address:
        with environment(VARIABLE, bus_address):
            air = Air()
            async with bonded(air, io) as band, fake_bluez(await central(air), bus_address) as bluez:
                async with running(BleBus("hci0", "bluez", time.monotonic)) as bus:
                    yield World(bus, band, bluez, bus_address)
    await ended(before)


async def pair(world: World, answers=(), address=ADDRESS, seconds=20.0, meanwhile=None):
    """The states that a pairing goes through; each question is answered by the next of `answers`, called."""
    states, answers = [], list(answers)
    async with contextlib.aclosing(world.bus.pair(address, seconds)) as steps:
        async for step in steps:
            if step["state"] != "open":
                states.append(step["state"])
            if step["state"] in ("passkey", "number") and answers:
                world.bus.answer_pairing(answers.pop(0)(step))
            if step["state"] in ("passkey", "number", "open") and meanwhile:
                await meanwhile(step["state"])
            if step["state"] == "paired":
                states.append(step["check"])
    return states


async def battery(world: World) -> int:
    async with world.bus.open("band", SETTINGS) as peer:
        return (await peer.read(BATTERY))[0]


async def test_a_passkey_typed_by_the_technician_bonds_the_device() -> None:
    async with world() as w:
        assert await pair(w, [lambda _step: w.band.display.shown]) == ["pairing", "passkey", "paired", "passkey"]
        assert w.property("Bonded")
        assert not w.property("Trusted")
        assert await battery(w) == BATTERY_PERCENT
        assert w.bus.health()["pairings"] == 1
