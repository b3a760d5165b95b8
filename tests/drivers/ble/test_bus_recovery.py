"""A radio that does not work, over bleak's own BlueZ backend, on a private D-Bus with a systemd of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from drivers.bus.ble import BleBus, systemd
from drivers.bus.ble import bus as bus_module
from drivers.bus.ble.bluez import BlueZ
from drivers.bus.ble.ladder import LADDER, Rung
from drivers.bus.ble.recovery import NotPermitted
from drivers.devices.bthome_sensor import SHELLY_BUTTON
from gateway.spi import Addressed, BusUnavailable
from hil.bluez.private_bus import VARIABLE
from hil.devices.bracelet.bonded import NOTHING, bonded
from hil.devices.bracelet.verity import ADDRESS
from tests.drivers.ble.kit import (
    NEEDS_DBUS,
    Radio,
    awaited,
    environment,
    l2,
    quick_ladder,
    recovery,
    running,
    until,
)

pytestmark = NEEDS_DBUS

NAME = "org.freedesktop.systemd1"
RESTART = ("RestartUnit", "bluetooth.service", "replace")
REBIND = ("RestartUnit", "anju-bluetooth-rebind@hci0.service", "replace")
REBOOT = ("StartUnit", "reboot.target", "replace-irreversibly")


class Systemd:
    """org.freedesktop.systemd1, as far as it is asked. `refuses`: the error it answers with, if any."""

    def __init__(self, radio: Radio) -> None:
        self._radio, self.asked, self.refuses = radio, [], ""
        self._restart: asyncio.Task[None] | None = None

    def answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self.asked.append((message.member, *message.body))
        if self.refuses:
            return Message.new_error(message, self.refuses, "no")
        if self.asked[-1] == REBIND:
            self._radio.bluez.plug_adapter()
        if self.asked[-1] == RESTART:
            self._restart = asyncio.get_running_loop().create_task(self._radio.bluez.restart(down_s=0.1))
        return Message.new_method_return(message, "o", ["/org/freedesktop/systemd1/job/1"])


@asynccontextmanager
async def systemd_of(radio: Radio) -> AsyncIterator[Systemd]:
    bus = await MessageBus(bus_address=radio.bus_address).connect()
    made = Systemd(radio)
    bus.add_message_handler(made.answer)
    await bus.request_name(NAME)
    try:
        yield made
    finally:
        if made._restart is not None:
            await made._restart
        bus.disconnect()
        with suppress(OSError, EOFError):
            await bus.wait_for_disconnect()


@pytest.fixture
def quick(monkeypatch) -> None:
    quick_ladder(monkeypatch)
    monkeypatch.setattr(bus_module, "TICK_S", 0.1)
    monkeypatch.setattr(bus_module, "SILENT_S", 0.5)


async def test_a_bluetoothd_that_died_and_stays_dead_is_restarted(quick) -> None:
    async with l2() as radio, systemd_of(radio) as system, awaited(radio) as link:
        await asyncio.wait_for(link.is_ready.wait(), 20)
        link.is_ready.clear()
        await radio.bluez.die()
        await asyncio.wait_for(link.is_ready.wait(), 20)
        assert system.asked == [RESTART]
        assert recovery(radio)["restart_bluetoothd"] == 1


async def test_a_bluetoothd_that_comes_back_by_itself_is_not_restarted() -> None:
    async with l2() as radio, systemd_of(radio) as system, awaited(radio) as link:
        await asyncio.wait_for(link.is_ready.wait(), 20)
        link.is_ready.clear()
        await radio.bluez.restart(down_s=1.0)
        await asyncio.wait_for(link.is_ready.wait(), 20)
        assert system.asked == []


async def test_a_bluetoothd_that_answers_nothing_is_restarted(quick, monkeypatch) -> None:
    monkeypatch.setattr(BlueZ.call, "__defaults__", ("", None, 0.3))
    async with l2() as radio, systemd_of(radio) as system, awaited(radio) as link:
        await asyncio.wait_for(link.is_ready.wait(), 20)
        link.is_ready.clear()
        radio.bluez.faults.always["Properties.Get"] = "HANG"
        await until(lambda: RESTART in system.asked)
        radio.bluez.faults.always.clear()
        await asyncio.wait_for(link.is_ready.wait(), 20)


async def test_a_controller_whose_firmware_hangs_is_power_cycled_restarted_rebound_and_at_last_rebooted(
        quick, monkeypatch) -> None:
    monkeypatch.setattr("drivers.bus.ble.scan.CALL_S", 0.3)
    async with l2(run=False) as radio, systemd_of(radio) as system:
        radio.bluez.faults.always["Adapter1.StartDiscovery"] = "HANG"
        async with running(radio.bus), awaited(radio) as link:
            await until(lambda: REBOOT in system.asked)
            assert system.asked[:3] == [RESTART, REBIND, REBOOT]
            assert recovery(radio)["power_cycle"] == 1
            radio.bluez.faults.always.clear()
            await asyncio.wait_for(link.is_ready.wait(), 20)


async def test_an_adapter_that_vanished_is_rebound_and_one_that_never_was_there_is_not(quick) -> None:
    async with l2(run=False) as radio, systemd_of(radio) as system:
        await radio.bluez.pull_adapter()
        async with running(radio.bus):
            await until(lambda: recovery(radio)["rescan"] >= 5)
            assert set(system.asked) <= {RESTART}
            radio.bluez.plug_adapter()
            await until(lambda: radio.bus.health()["state"] == "up")
            await radio.bluez.pull_adapter()
            await until(lambda: REBIND in system.asked)
            await until(lambda: radio.bus.health()["state"] == "up")


async def test_a_rung_that_is_not_permitted_is_told_once_and_skipped(quick, caplog) -> None:
    async with l2() as radio, systemd_of(radio) as system:
        await until(lambda: radio.bus.health()["state"] == "up")
        system.refuses = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
        await radio.bluez.die()
        await until(lambda: recovery(radio)["rescan"] >= 5)
        assert system.asked.count(RESTART) == 1
        told = [record.getMessage() for record in caplog.records if "skipped rung=restart" in record.getMessage()]
        assert len(told) == 1
        assert "systemd/polkit" in radio.bus.health()["not_permitted"]["restart_bluetoothd"]
        await radio.bluez.start()
        await until(lambda: "not_permitted" not in radio.bus.health())


async def test_a_stuck_discovery_that_only_buttons_wait_for_is_noticed_too(quick) -> None:
    button = SHELLY_BUTTON.settings(address="A0:00:00:00:00:01")
    async with l2() as radio:
        await until(lambda: radio.bus.health()["state"] == "up")
        radio.bluez.faults.deaf = True
        async with radio.bus.open("button", button):
            await until(lambda: recovery(radio)["rescan"] >= 1)


async def test_the_link_of_a_belt_does_not_keep_a_stuck_discovery_from_being_mended_for_a_bracelet(quick) -> None:
    other = "C0:00:00:00:00:B1"

    async def wear(radio: Radio) -> None:
        async with radio.bus.open("belt", Addressed(address=other)):
            await asyncio.Event().wait()

    async with l2() as radio, bonded(radio.bracelet.air, NOTHING, other):
        await until(lambda: radio.bus.health()["state"] == "up")
        worn = asyncio.ensure_future(wear(radio))
        await until(lambda: radio.bus.health()["links"] == 1)
        radio.bluez.faults.deaf = True
        await asyncio.sleep(0.3)  # what was on its way has come
        radio.bus._sightings.forget(ADDRESS)
        async with awaited(radio):
            await until(lambda: recovery(radio)["power_cycle"] >= 1)
        worn.cancel()
        await asyncio.gather(worn, return_exceptions=True)


async def test_silence_while_a_device_is_being_connected_is_no_symptom(quick) -> None:
    async with l2() as radio:
        await until(lambda: radio.bus.health()["state"] == "up")
        radio.bluez.faults.always["Device1.Connect"] = "HANG"
        async with awaited(radio):
            await until(lambda: radio.bluez.faults.met)
            radio.bluez.faults.deaf = True  # a controller that cannot scan while it connects
            other = SHELLY_BUTTON.settings(address="A0:00:00:00:00:01")
            async with radio.bus.open("button", other):
                await asyncio.sleep(1.5)
                assert not any(recovery(radio).values())


def test_silence_is_noticed_within_fifteen_seconds() -> None:
    assert bus_module.SILENT_S >= 10
    assert bus_module.SILENT_S + bus_module.TICK_S <= 15
    assert LADDER[Rung.RESCAN].settle_s <= 15


@pytest.mark.parametrize(("error", "kind", "cure"), [
    ("org.freedesktop.DBus.Error.AccessDenied", NotPermitted, "systemd/polkit"),
    ("org.freedesktop.systemd1.NoSuchUnit", NotPermitted, "systemd/anju-bluetooth-rebind"),
    ("org.freedesktop.systemd1.UnitMasked", BusUnavailable, "systemctl status"),
])
async def test_what_systemd_answers_is_told_with_its_cure(error: str, kind: type[BusUnavailable], cure: str) -> None:
    async with l2(run=False) as radio, systemd_of(radio) as system:
        system.refuses = error
        with pytest.raises(kind, match=cure) as told:
            await systemd.actions("hci0")[Rung.REBIND]()
        assert type(told.value) is kind


async def test_without_systemd_or_d_bus_the_rung_says_so() -> None:
    async with l2(run=False):
        with pytest.raises(NotPermitted, match="no systemd"):
            await systemd.actions("hci0")[Rung.RESTART]()
    with environment(VARIABLE, "unix:path=/nowhere/at/all"), pytest.raises(BusUnavailable, match="was not asked"):
        await systemd.actions("hci0")[Rung.RESTART]()


async def test_a_stand_in_for_bluez_never_touches_the_system() -> None:
    bus = BleBus("hci0", "bumble", time.monotonic)
    assert not bus._recovery._system
