"""What months bring, over bleak's own BlueZ backend: strangers by the thousand, repeats, and link after link."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak.backends.bluezdbus.manager import get_global_bluez_manager
from bumble.core import AdvertisingData
from bumble.device import Advertisement as Report
from bumble.hci import Address

from drivers.bus.ble.sightings import MAX_KEPT
from drivers.devices.bthome_sensor import SHELLY_BUTTON
from gateway.model.reading import Button, Press
from hil.bluez.adapter import Adapter
from hil.devices.bracelet.verity import ADDRESS
from tests.drivers.ble.kit import NEEDS_DBUS, FakeLink, Radio, awaited, l2, until

pytestmark = NEEDS_DBUS


@asynccontextmanager
async def living(radio: Radio) -> AsyncIterator[FakeLink]:
    """Sessions of the bracelet, one after another; the first one is up."""
    async with awaited(radio) as link:
        await asyncio.wait_for(link.is_ready.wait(), 20)
        yield link


def stranger(number: int) -> Report:
    """A phone under a random address."""
    address = Address(f"{0x40 | number >> 24 & 0x3f:02X}:00:{number >> 16 & 0xff:02X}:{number >> 8 & 0xff:02X}:"
                      f"{number & 0xff:02X}:01", Address.RANDOM_DEVICE_ADDRESS)
    data = AdvertisingData.from_bytes(b"\x02\x01\x1a\x05\xff\x4c\x00\x10\x05")
    return Report(address=address, rssi=-80, is_legacy=True, is_connectable=True, data_bytes=bytes(data))


async def test_ten_thousand_strangers_leave_no_trace_and_cost_the_bracelet_no_sample() -> None:
    async with l2() as radio, living(radio) as link:
        adapter: Adapter = radio.bluez._adapter
        scanner = radio.bus._scan._scanner._backend
        for batch in range(200):  # each is heard before the next: dbus-fast 5.2 gives up a socket that is full
            before = radio.bus.health()["advertisements"]
            for number in range(50):
                adapter.heard(stranger(50 * batch + number))
            await until(lambda before=before: radio.bus.health()["advertisements"] >= before + 50)
            for path in [path for path in adapter._heard_s if path not in adapter.kept]:  # expired, as after 30 s
                del adapter._heard_s[path]
                radio.bluez._tree.remove(path)
            await until(lambda: len(scanner.seen_devices) < 10)
        assert len(radio.bus._sightings.since(0.0)) <= MAX_KEPT
        assert len((await get_global_bluez_manager())._properties) < 100
        assert radio.bus.health()["lost_links"] == 0
        received, sent = link.samples(), radio.bracelet.samples_sent
        assert sent - received <= 52, "no more than is on its way"
        indices = [block.first_index for block in link.blocks]
        lengths = [len(block.samples_mg) // 6 for block in link.blocks]
        assert indices == [sum(lengths[:place]) for place in range(len(lengths))]


async def test_no_notification_comes_twice_however_often_link_or_bluetoothd_were_lost() -> None:
    async with l2() as radio:
        async with living(radio) as link:
            for number in range(5):
                link.is_ready.clear()
                if number % 2:
                    radio.bracelet.drop()
                else:
                    await radio.bluez.restart(down_s=0.1)
                await asyncio.wait_for(link.is_ready.wait(), 20)
            link.said.clear()
            await until(lambda: len(link.blocks) >= 2)
            manager = await get_global_bluez_manager()
            assert [len(watchers) for watchers in manager._device_watchers.values()] == [1]
            starts = [block.first_index for block in link.blocks]
            assert len(starts) == len(set(starts))
            assert radio.bus.health()["connects"] == 6
        assert not manager._device_watchers


async def test_the_scan_is_active_so_that_an_advertiser_that_never_changes_is_heard_all_the_time() -> None:
    async with l2() as radio:
        await until(lambda: radio.bus.health()["state"] == "up")
        radio.bracelet.air.rssi_dbm[ADDRESS] = -60
        for _ in range(3):
            before = radio.bus.health()["advertisements"]
            await until(lambda before=before: radio.bus.health()["advertisements"] > before, 2.0)
        assert radio.bus._scan._scanner._backend._scanning_mode == "active"


async def test_a_press_that_is_advertised_again_and_again_is_told_once() -> None:
    press = bytes.fromhex("44 00 07 3a 01".replace(" ", ""))  # packet id 7, button press
    button = SHELLY_BUTTON.settings(address="A0:00:00:00:00:01")
    async with l2() as radio:
        await until(lambda: radio.bus.health()["state"] == "up")
        link = FakeLink(button, "button")
        async with radio.bus.open("button", button) as port:
            task = asyncio.ensure_future(SHELLY_BUTTON.run(link, port))
            await asyncio.sleep(0.1)
            data = b"\x02\x01\x06" + bytes([len(press) + 3]) + b"\x16\xd2\xfc" + press
            report = Report(address=Address(button.address, Address.PUBLIC_DEVICE_ADDRESS), rssi=-60, data_bytes=data)
            for _ in range(20):
                radio.bluez._adapter.heard(report)
                await asyncio.sleep(0.01)
            await until(lambda: link.values)
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert [value for value in link.values if isinstance(value, Press)] == [Press(Button.SOS)]
