"""More devices than the controller holds links, over bleak's own BlueZ backend: who is connected, and what hangs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from bumble.gatt import Characteristic, Service

from drivers.bus.ble import BleBus
from drivers.bus.ble.peer import NoAnswer
from gateway.spi import Addressed, LinkError, LinkLost, SpiError
from hil.bluez.air import Air
from hil.bluez.controller import central, peripheral
from hil.bluez.private_bus import VARIABLE, private_bus
from hil.bluez.service import FakeBlueZ, fake_bluez
from tests.drivers.ble.kit import BATTERY, NEEDS_DBUS, ended, environment, running, until

pytestmark = NEEDS_DBUS


class Pendant(Addressed, frozen=True, kw_only=True):
    """A device whose alarms must come through."""

    urgent: ClassVar[bool] = True


@dataclass
class Home:
    """A bus and devices that stay connected as long as they are let."""

    bus: BleBus
    bluez: FakeBlueZ
    up: set[str] = field(default_factory=set)
    ends: list[tuple[str, str]] = field(default_factory=list)

    async def live(self, name: str, settings: Addressed) -> None:
        """Sessions of one device, one after another, as the runtime runs them."""
        while True:
            try:
                async with self.bus.open(name, settings) as peer:
                    self.up.add(name)
                    await peer.read(BATTERY)
                    async for _ in peer.notifications():
                        pass
            except SpiError as error:
                self.ends.append((name, error.reason))
            finally:
                self.up.discard(name)
            await asyncio.sleep(0.1)


def address(number: int) -> str:
    return f"C0:00:00:00:00:{number:02X}"


@asynccontextmanager
async def home(devices: int, slots: int, links: int = 7) -> AsyncIterator[Home]:
    """So many battery-powered things in the air of a controller with so many slots, of which `links` are believed."""
    before = asyncio.all_tasks()
    async with private_bus() as bus_address:
        with environment(VARIABLE, bus_address):
            air = Air()
            things = []
            for number in range(1, devices + 1):
                level = Characteristic("2A19", Characteristic.Properties.READ, Characteristic.READABLE, bytes([50]))
                things.append(await peripheral(air, f"thing {number}", address(number), 100,
                                               [Service("180F", [level])], b"\x02\x01\x06"))
            bus = BleBus("hci0", "bluez", time.monotonic, links=links)
            async with fake_bluez(await central(air, slots), bus_address) as bluez, running(bus):
                yield Home(bus, bluez)
            for device, _radio in things:
                await device.power_off()
    await ended(before)


@asynccontextmanager
async def living(world: Home, **devices: Addressed) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(world.live(name, settings)) for name, settings in devices.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_urgent_device_gets_the_link_of_one_that_is_not_and_that_one_waits() -> None:
    async with home(devices=3, slots=7, links=2) as world:
        async with living(world, scale=Addressed(address=address(1))):
            await until(lambda: world.up == {"scale"})
            async with living(world, belt=Addressed(address=address(2))):
                await until(lambda: world.up == {"scale", "belt"})
                async with living(world, pendant=Pendant(address=address(3))):
                    await until(lambda: world.up == {"belt", "pendant"})
                    name, reason = world.ends[0]
                    assert (name, "raises alarms" in reason) == ("scale", True)
                    await until(lambda: world.bus.health()["waiting_for_room"] == ["scale"])
                    assert world.bus.health()["slots_taken_over"] == 1
                await until(lambda: world.up == {"belt", "scale"})
        assert len(world.ends) == 1


async def test_a_controller_that_is_full_sooner_than_believed_teaches_how_much_it_holds() -> None:
    scale, belt = Addressed(address=address(1)), Addressed(address=address(2))
    async with home(devices=3, slots=2, links=7) as world, living(world, scale=scale, belt=belt):
        await until(lambda: world.up == {"scale", "belt"})
        async with living(world, pendant=Pendant(address=address(3))):
            await until(lambda: "pendant" in world.up)
            assert world.bus.health()["room"] == 2
            refusals = [reason for name, reason in world.ends if name == "pendant"]
            assert refusals == ["the radio holds as many links as it can"]


async def test_a_connection_that_fails_with_room_left_teaches_nothing() -> None:
    async with home(devices=1, slots=7) as world:
        world.bluez.faults.expect("Device1.Connect", ["org.bluez.Error.Failed:le-connection-unknown"] * 2)
        with pytest.raises(LinkError):
            async with world.bus.open("scale", Addressed(address=address(1))):
                pass
        assert world.bus.health()["room"] == 7


async def test_a_bluetoothd_that_hangs_in_connect_and_in_its_breaking_off_holds_nobody_up(monkeypatch) -> None:
    monkeypatch.setattr("drivers.bus.ble.peer.CONNECT_S", 0.5)
    monkeypatch.setattr("drivers.bus.ble.peer.CLOSE_S", 0.5)
    async with home(devices=2, slots=7) as world:
        world.bluez.faults.expect("Device1.Connect", ["HANG"])
        world.bluez.faults.expect("Device1.Disconnect", ["HANG"] * 2)
        with pytest.raises(NoAnswer):
            async with asyncio.timeout(10), world.bus.open("scale", Addressed(address=address(1))):
                pass
        async with asyncio.timeout(10), world.bus.open("belt", Addressed(address=address(2))) as peer:
            assert await peer.read(BATTERY) == bytes([50])


async def test_an_attempt_that_bleak_waits_for_in_vain_ends_in_its_time_and_holds_nobody_up(monkeypatch) -> None:
    monkeypatch.setattr("drivers.bus.ble.peer.CONNECT_S", 0.5)
    async with home(devices=2, slots=7) as world:
        world.bluez.faults.expect("Device1.Connect", ["org.bluez.Error.Failed:le-connection-abort-by-local"])
        with pytest.raises(NoAnswer):
            async with asyncio.timeout(10), world.bus.open("scale", Addressed(address=address(1))):
                pass
        async with asyncio.timeout(10), world.bus.open("belt", Addressed(address=address(2))) as peer:
            assert await peer.read(BATTERY) == bytes([50])


async def test_an_urgent_device_does_not_wait_for_the_attempt_of_another_to_fail(monkeypatch) -> None:
    monkeypatch.setattr("drivers.bus.ble.peer.CLOSE_S", 0.5)
    async with home(devices=2, slots=7) as world:
        world.bluez.faults.expect("Device1.Connect", ["HANG"])

        async def weigh() -> None:
            async with world.bus.open("scale", Addressed(address=address(1))):
                pass

        scale = asyncio.ensure_future(weigh())
        await until(lambda: world.bluez.faults.met)
        async with asyncio.timeout(10), world.bus.open("pendant", Pendant(address=address(2))) as peer:
            assert await peer.read(BATTERY) == bytes([50])
        with pytest.raises(LinkLost, match="raises alarms"):
            await scale


async def test_subscribing_twice_gives_each_notification_once() -> None:
    async with home(devices=1, slots=7) as world, world.bus.open("scale", Addressed(address=address(1))) as peer:
        calls = []
        monkey = peer._client.start_notify

        async def counted(*args) -> None:
            calls.append(args)

        peer._client.start_notify = counted
        await peer.subscribe(BATTERY)
        await peer.subscribe(BATTERY)
        peer._client.start_notify = monkey
        assert len(calls) == 1
