"""The bus over the real bluetoothd and the kernel's Bluetooth: what breaks in homes, and what follows (`make hil`)."""

import asyncio
import statistics
import time

import pytest

from drivers.devices.bthome_sensor import SHELLY_BUTTON, BTHomeSettings
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Press
from gateway.spi import LinkLost
from hil.devices.beacon import ADDRESS, beacon
from tests.drivers.ble.guest import NEEDS_GUEST, RealRadio, l3
from tests.drivers.ble.kit import FakeLink, session, stop

pytestmark = [NEEDS_GUEST, pytest.mark.timeout(170)]


async def up(radio: RealRadio, limit_s: float = 30.0) -> tuple[FakeLink, "asyncio.Task[BaseException | None]"]:
    """A session that delivers, however often it has to be begun, and the task that runs it."""
    async with asyncio.timeout(limit_s):
        while True:
            link = FakeLink()
            task = asyncio.ensure_future(session(radio, link))
            while not task.done() and not link.is_ready.is_set():
                await asyncio.sleep(0.02)
            if link.is_ready.is_set():
                return link, task
            await asyncio.sleep(0.2)


async def test_52_samples_a_second_arrive_and_none_is_lost() -> None:
    async with l3() as radio:
        link, task = await up(radio)
        await asyncio.sleep(6)
        assert link.samples() == radio.bracelet.samples_sent >= 5 * 52
        await stop(task)


async def test_a_lost_link_is_told_and_the_bracelet_found_again() -> None:
    async with l3() as radio:
        _link, task = await up(radio)
        radio.bracelet.away()
        assert isinstance(await asyncio.wait_for(task, 10), LinkLost)
        radio.bracelet.back()
        link, task = await up(radio)
        assert link.blocks[0].first_index == 0
        await stop(task)


async def test_a_bluetoothd_that_is_killed_ends_the_session_and_its_successor_is_used() -> None:
    async with l3() as radio:
        _link, task = await up(radio)
        await radio.daemon.restart()
        assert isinstance(await asyncio.wait_for(task, 10), LinkLost)
        _link, task = await up(radio)
        await stop(task)


async def test_a_firmware_that_hangs_and_comes_round_is_used_again() -> None:
    async with l3() as radio:
        _link, task = await up(radio)
        radio.chip.hung = True
        radio.bracelet.drop()
        await asyncio.sleep(12)
        radio.chip.hung = False
        await stop(task)  # as the silence deadline of the runtime ends it
        _link, task = await up(radio, 120.0)
        await stop(task)


async def test_a_press_is_one_sos_and_how_long_it_took_is_told() -> None:
    async with l3() as radio, beacon(radio.bracelet.air) as button:
        radio.bracelet.away()  # alone in the air: Linux waits for its empty scan response, or for somebody else
        link = RecordedLink(BTHomeSettings(address=ADDRESS))
        took_ms = []
        async with radio.bus.open("button", link.settings) as port:
            task = asyncio.ensure_future(SHELLY_BUTTON.run(link, port))
            await button.say(bytes([0x44, 0x00, 0, 0x3A, 0]))
            await link.until(lambda: link.lives or link.said, 20.0)
            for number in range(1, 16):
                before, pressed_s = len(link.said), time.monotonic()
                await button.say(bytes([0x44, 0x00, number, 0x3A, 1]))
                await link.until(lambda before=before: len(link.said) > before)
                took_ms.append(1000 * (time.monotonic() - pressed_s))
                await asyncio.sleep(0.3)
            await stop(task)
        assert [value for value in link.values if isinstance(value, Press)] == [Press(link.values[0].button)] * 15
        print(f"press to driver: median {statistics.median(took_ms):.1f} ms, worst {max(took_ms):.1f} ms")
