"""The bus over a Bumble host in place of BlueZ, found by entry point; DBUS_SYSTEM_BUS_ADDRESS leads nowhere."""

import asyncio
import time

import pytest

from drivers.bus.ble import BleBus
from gateway.spi import BusUnavailable, LinkLost
from hil.bluez import backend
from hil.bluez.air import Air
from hil.bluez.hci_server import hci_server
from hil.devices.bracelet.verity import ADDRESS, verity
from hil.devices.bracelet.wearer import Wearer
from tests.drivers.ble.kit import SETTINGS, FakeLink, Radio, ended, environment, l1, running, session, stop


async def ready(radio: Radio) -> tuple[FakeLink, "asyncio.Task[BaseException | None]"]:
    link = FakeLink()
    task = asyncio.ensure_future(session(radio, link))
    async with asyncio.timeout(15):
        while not link.is_ready.is_set():
            assert not task.done(), task.result()
            await asyncio.sleep(0.02)
    return link, task


async def test_the_whole_stream_arrives() -> None:
    async with l1() as radio:
        link, task = await ready(radio)
        await asyncio.sleep(2)
        assert link.samples() == radio.bracelet.samples_sent > 0
        await stop(task)
        assert not radio.bracelet.measurement.running


async def test_a_lost_link_is_told_and_the_bracelet_found_again() -> None:
    async with l1() as radio:
        _link, task = await ready(radio)
        radio.bracelet.away()
        assert isinstance(await asyncio.wait_for(task, 2), LinkLost)
        radio.bracelet.back()
        link, task = await ready(radio)
        assert link.blocks[0].first_index == 0
        await stop(task)


async def test_discovery_names_the_bracelet() -> None:
    async with l1() as radio:
        (found,) = await radio.bus.discover(0.5)
        assert (found["address"], found["driver"]) == (ADDRESS, "polar")


async def test_without_a_controller_the_bus_is_unavailable() -> None:
    with environment(backend.VARIABLE, "tcp-client:127.0.0.1:9"):
        with pytest.raises(BusUnavailable, match="no controller at"):
            await BleBus("hci0", "bumble", time.monotonic).run()
        await backend.close()


async def test_a_controller_that_goes_and_comes_back_is_used_again() -> None:
    before = asyncio.all_tasks()
    air = Air()
    async with verity(air, Wearer()) as bracelet:
        async with hci_server(air) as port:
            with environment(backend.VARIABLE, f"tcp-client:127.0.0.1:{port}"):
                bus = BleBus("hci0", "bumble", time.monotonic)
                holding = asyncio.ensure_future(bus.run())
                _link, task = await ready(Radio(bus, bracelet, None))
        assert isinstance(await asyncio.wait_for(task, 5), LinkLost)
        await stop(holding)
        async with hci_server(air) as port:
            with environment(backend.VARIABLE, f"tcp-client:127.0.0.1:{port}"):
                async with running(bus):
                    while bus.health()["state"] != "up":
                        await asyncio.sleep(0.02)
                    async with bus.open("wrist", SETTINGS) as peer:
                        assert peer.address == ADDRESS
                await backend.close()
    await ended(before)
