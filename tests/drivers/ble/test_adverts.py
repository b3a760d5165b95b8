"""Advertisements as a port: one suite of checks, on the fake, on the bus over BlueZ's seam and over HCI."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drivers.bus.ble.adverts import Adverts
from drivers.bus.ble.bus import BleBus
from drivers.bus.ble.notebook import MAX_BYTES, NAME, Notebook
from drivers.devices.bthome import SERVICE
from drivers.devices.bthome_sensor import SHELLY_BUTTON, BTHomeSettings
from drivers.testkit.advert import CHECKS, AdvertWorld, FakeAdverts
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Button, Press
from gateway.spi import Advertisement, AdvertPort, LinkLost
from hil.devices.beacon import ADDRESS, Beacon, beacon
from tests.drivers.ble.guest import NEEDS_GUEST, l3
from tests.drivers.ble.kit import NEEDS_DBUS, Radio, l1, l2

Check = Callable[[AdvertWorld], Awaitable[None]]
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
SETTINGS = BTHomeSettings(address=ADDRESS)


class FakeWorld:
    uuid = SERVICE

    def __init__(self) -> None:
        self.port = FakeAdverts()

    async def say(self, data: bytes) -> None:
        self.port.say({SERVICE: data})

    async def lose(self) -> None:
        self.port.lose()


class BeaconWorld:
    """A port of a real bus and an emulated beacon in its air."""

    uuid = SERVICE

    def __init__(self, port: AdvertPort, bus: BleBus, device: Beacon) -> None:
        self.port, self._bus, self._device = port, bus, device

    async def say(self, data: bytes) -> None:
        await self._device.say(data)

    async def lose(self) -> None:
        for adverts in self._bus._adverts:
            adverts.lose("the bus went down", "wait")


async def over(radio: Radio, check: Check) -> None:
    async with beacon(radio.bracelet.air) as device, radio.bus.open("button", SETTINGS) as port:
        assert not hasattr(port, "subscribe"), "an Advertiser's port is no peer"
        await check(BeaconWorld(port, radio.bus, device))  # type: ignore[arg-type]


@every_check
async def test_the_fake_obeys_the_port(check: Check) -> None:
    await check(FakeWorld())


@every_check
async def test_the_bus_over_hci_obeys_the_port(check: Check) -> None:
    async with l1() as radio:
        await over(radio, check)


@NEEDS_DBUS
@every_check
async def test_the_bus_over_bluez_obeys_the_port(check: Check) -> None:
    async with l2() as radio:
        await over(radio, check)


@NEEDS_GUEST
@every_check
async def test_the_bus_over_the_real_bluetoothd_obeys_the_port(check: Check) -> None:
    async with l3() as radio:
        await over(radio, check)


async def test_a_press_of_a_button_that_only_advertises_is_one_sos() -> None:
    link = RecordedLink(SETTINGS)
    async with l1() as radio, beacon(radio.bracelet.air) as device, radio.bus.open("button", SETTINGS) as port:
        task = asyncio.ensure_future(SHELLY_BUTTON.run(link, port))  # type: ignore[arg-type]
        for packet in ("40 0001 3a01", "40 0002 3a04"):
            before = len(link.values)
            await device.say(bytes.fromhex(packet))
            await link.until(lambda before=before: len(link.values) > before)  # type: ignore[misc]
            lives = link.lives
            await link.until(lambda lives=lives: link.lives >= lives + 3)  # type: ignore[misc]  # more of the same
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert link.values == [Press(Button.SOS), Press(Button.SOS)]


@NEEDS_DBUS
async def test_a_bus_that_goes_down_ends_the_port() -> None:
    async with l2() as radio, radio.bus.open("button", SETTINGS) as port:
        assert radio.bluez is not None
        waiting = asyncio.ensure_future(anext(port.advertisements()))  # type: ignore[union-attr]
        await radio.bluez.restart()
        with pytest.raises(LinkLost, match="bluetoothd"):
            await asyncio.wait_for(waiting, 20)


@NEEDS_DBUS
async def test_a_press_between_two_sessions_is_told_to_the_next_one_and_once() -> None:
    press = bytes.fromhex("40 0001 3a01")
    async with l2() as radio:
        await pressed_unheard(radio, press)
        async with radio.bus.open("button", SETTINGS) as port:
            assert await said(port) is None, "a button that is added now was tried on the technician's table"
        await pressed_unheard(radio, press)
        async with radio.bus.open("button", SETTINGS) as port:
            opened_mono_s = time.monotonic()
            heard = await said(port)
            assert heard is not None
            assert heard.service_data[SERVICE] == press
            assert heard.mono_s < opened_mono_s, "stamped when it was heard"
        async with radio.bus.open("button", SETTINGS) as port:
            assert await said(port) is None


async def pressed_unheard(radio: Radio, data: bytes) -> None:
    """A beacon says it while no session is open, and nobody is heard after that."""
    assert radio.bluez is not None
    radio.bus._sightings.forget(ADDRESS)
    radio.bluez.faults.deaf = False
    async with beacon(radio.bracelet.air) as device, asyncio.timeout(10):
        await device.say(data)
        while radio.bus._sightings.fresh(ADDRESS, time.monotonic()) is None:
            await asyncio.sleep(0.02)
        radio.bluez.faults.deaf = True
        await asyncio.sleep(0.3)  # what was on its way has come


async def said(port: AdvertPort) -> Advertisement | None:
    """What the port has to say at once, if anything."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            return await anext(port.advertisements())
    return None


def test_repeats_that_wait_count_as_one_and_changes_are_all_kept() -> None:
    adverts = Adverts(ADDRESS, Notebook(None).page("button"))
    for number, data in enumerate((b"\1", b"\1", b"\2", b"\2", b"\1")):
        adverts.heard(Advertisement(float(number), -60 - number, None, {SERVICE: data}))
    assert [(heard.mono_s, heard.service_data[SERVICE]) for heard in adverts._waiting] == [
        (0.0, b"\1"), (2.0, b"\2"), (4.0, b"\1")]


async def test_a_note_outlives_the_process(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    await notebook.load()
    notebook.page("meter").keep(b"\x05\x00")
    assert Notebook(tmp_path).page("meter").recall() == b""
    await notebook.save()
    again = Notebook(tmp_path)
    await again.load()
    assert again.page("meter").recall() == b"\x05\x00"
    assert again.page("scale").recall() == b""


async def test_a_note_kept_before_the_file_was_read_is_the_newer_one(tmp_path: Path) -> None:
    old = Notebook(tmp_path)
    await old.load()
    old.page("meter").keep(b"old")
    await old.save()
    notebook = Notebook(tmp_path)
    notebook.page("meter").keep(b"new")
    await notebook.load()
    assert notebook.page("meter").recall() == b"new"


async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b'{"meter"')
    notebook = Notebook(tmp_path)
    await notebook.load()
    notebook.page("meter").keep(b"\1")
    await notebook.save()
    assert (tmp_path / "notes.damaged").read_bytes() == b'{"meter"'
    assert (tmp_path / NAME).exists()


async def test_a_disk_that_does_not_write_is_told_once_and_costs_no_device(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notebook = Notebook(tmp_path / "nowhere")
    await notebook.load()
    notebook.page("meter").keep(b"\1")
    for _ in range(3):
        await notebook.save()
    assert caplog.text.count("not saved") == 1
    assert notebook.page("meter").recall() == b"\1"


def test_a_note_is_small() -> None:
    with pytest.raises(ValueError, match="at most"):
        Notebook(None).page("meter").keep(bytes(MAX_BYTES + 1))
