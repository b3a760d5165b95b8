"""The bus over bleak's own BlueZ backend, unmodified, on a private D-Bus: what breaks in homes, and what follows."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time

import pytest
from dbus_fast import Variant

from drivers.bus.ble import BUS, BleBus, BleSettings
from drivers.bus.ble import bus as bus_module
from drivers.devices.polar import DRIVER
from gateway.model.reading import Quantity, QuantityKind
from gateway.spi import BusContext, BusUnavailable, DeviceRejected, LinkError, LinkLost
from hil.bluez.private_bus import VARIABLE
from hil.devices.bracelet.verity import ADDRESS
from tests.drivers.ble.kit import (
    BATTERY,
    NEEDS_DBUS,
    SETTINGS,
    FakeLink,
    Radio,
    environment,
    keep,
    l2,
    quick_ladder,
    recovery,
    running,
    session,
    until,
)

pytestmark = NEEDS_DBUS

ABSENT = "0000ffff-0000-1000-8000-00805f9b34fb"

EARLIER_DAEMON = """
import asyncio, sys, time
from drivers.bus.ble import BleBus
from drivers.devices.polar import DRIVER
from tests.drivers.ble.kit import SETTINGS, FakeLink

async def main():
    bus = BleBus("hci0", "bluez", time.monotonic)
    task = asyncio.ensure_future(bus.run())
    link = FakeLink()
    async with bus.open("wrist", SETTINGS) as peer:
        asyncio.get_running_loop().create_task(DRIVER.run(link, peer))
        await link.is_ready.wait()
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def streaming(radio: Radio):
    """A session that delivers; the task that runs it."""
    link = FakeLink()
    await until(lambda: radio.bus.health()["state"] == "up")
    task = asyncio.ensure_future(session(radio, link))
    try:
        await until(lambda: link.is_ready.is_set() or task.done())
        assert link.is_ready.is_set(), task.result()
        yield link, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_kind_makes_a_bus_of_its_settings(tmp_path) -> None:
    made = BUS.make(BleSettings(adapter="hci3"), BusContext(tmp_path, time.monotonic))
    assert made.health()["adapter"] == "hci3"
    assert BUS.own_process is False


def test_the_bus_reboots_nothing_while_the_gateway_says_that_an_alarm_is_under_way(tmp_path) -> None:
    made = BUS.make(BleSettings(), BusContext(tmp_path, time.monotonic, calm=lambda: False))
    assert made._recovery._calm() is False


async def test_52_samples_a_second_arrive_and_none_is_lost() -> None:
    async with l2() as radio, streaming(radio) as (link, _task):
        await until(lambda: radio.bracelet.samples_sent >= 4 * 52)
        await until(lambda: link.samples() == radio.bracelet.samples_sent)  # never true again once one is lost
        indices = [block.first_index for block in link.blocks]
        lengths = [len(block.samples_mg) // 6 for block in link.blocks]
        assert indices == [sum(lengths[:place]) for place in range(len(lengths))]
        kinds = {value.kind for value, _at in link.emitted if isinstance(value, Quantity)}
        assert kinds == {QuantityKind.HEART_RATE, QuantityKind.BATTERY}


async def test_the_session_leaves_the_bracelet_stopped_and_disconnected() -> None:
    async with l2() as radio:
        async with streaming(radio):
            assert radio.bracelet.measurement.running
        await until(lambda: not radio.bracelet.connected)
        assert not radio.bracelet.measurement.running
        assert radio.bus.health()["links"] == 0


async def test_a_lost_link_ends_the_session_and_the_next_one_starts_from_zero() -> None:
    async with l2() as radio:
        async with streaming(radio) as (_link, task):
            radio.bracelet.drop()
            assert isinstance(await asyncio.wait_for(task, 2), LinkLost)
        async with streaming(radio) as (link, _task):
            await until(lambda: len(link.blocks) >= 1)
            assert link.blocks[0].first_index == 0
        assert radio.bus.health()["lost_links"] == 1
        assert radio.bus.health()["connects"] == 2


async def test_a_bracelet_out_of_range_is_waited_for_and_found_when_it_returns() -> None:
    async with l2() as radio:
        async with streaming(radio) as (_link, task):
            radio.bracelet.away()
            assert isinstance(await asyncio.wait_for(task, 2), LinkLost)
        waiting = asyncio.ensure_future(session(radio, link := FakeLink()))
        await asyncio.sleep(1)
        assert not link.is_ready.is_set()
        assert radio.bus.health()["awaited"] == 1
        radio.bracelet.back()
        await asyncio.wait_for(link.is_ready.wait(), 10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_dead_bluetoothd_ends_every_session_and_its_return_starts_them_anew() -> None:
    async with l2() as radio:
        async with streaming(radio) as (_link, task):
            assert radio.bluez is not None
            restart = asyncio.ensure_future(radio.bluez.restart(down_s=1.0))
            assert isinstance(await asyncio.wait_for(task, 2), LinkLost)
            with pytest.raises(BusUnavailable, match="bluetooth"):
                async with radio.bus.open("wrist", SETTINGS):
                    pass
            assert radio.bus.health()["state"] == "down"
            await restart
        await until(lambda: radio.bus.health()["state"] == "up")
        async with streaming(radio) as (link, _task):
            await until(lambda: len(link.blocks) >= 2)


async def test_a_waiting_open_is_told_when_bluetoothd_dies() -> None:
    async with l2() as radio:
        radio.bracelet.away()
        waiting = asyncio.ensure_future(session(radio, FakeLink()))
        await until(lambda: radio.bus.health()["awaited"] == 1)
        await radio.bluez.die()
        assert isinstance(await asyncio.wait_for(waiting, 2), BusUnavailable)


async def test_the_link_of_a_killed_daemon_is_taken_over() -> None:
    async with l2(run=False) as radio:
        earlier = await asyncio.create_subprocess_exec(sys.executable, "-c", EARLIER_DAEMON, stdout=subprocess.PIPE)
        assert await asyncio.wait_for(earlier.stdout.readline(), 20) == b"up\n"
        earlier.send_signal(signal.SIGKILL)
        await earlier.communicate()
        await asyncio.sleep(0.2)
        assert radio.bracelet.connected, "BlueZ keeps the link, so the bracelet does not advertise"
        assert radio.bracelet.measurement.running
        started_s = time.monotonic()
        async with running(radio.bus), streaming(radio) as (link, _task):
            assert time.monotonic() - started_s < bus_module.TICK_S, "at the start, not at some later look"
            await until(lambda: len(link.blocks) >= 2)
            assert radio.bus.health()["taken_over"] == 1
            assert link.samples() > 0


async def test_a_failing_connect_is_an_error_that_may_pass() -> None:
    async with l2() as radio:
        radio.bluez.faults.expect("Device1.Connect", ["org.bluez.Error.Failed:Software caused connection abort"] * 2)
        assert isinstance(await session(radio, FakeLink()), LinkError)
        assert radio.bus.health()["failed_connects"] == 1
        async with streaming(radio):
            assert radio.bus.health()["connects"] == 1


async def test_one_failing_attempt_is_not_even_noticed() -> None:
    async with l2() as radio:
        radio.bluez.faults.expect("Device1.Connect", ["org.bluez.Error.InProgress:Operation already in progress"])
        async with streaming(radio):
            assert radio.bus.health()["failed_connects"] == 0
        assert radio.bluez.faults.met


async def test_a_call_that_hangs_ends_within_its_time(monkeypatch) -> None:
    monkeypatch.setattr("drivers.bus.ble.peer.CALL_S", 0.3)
    async with l2() as radio, radio.bus.open("wrist", SETTINGS) as peer:
        radio.bluez.faults.expect("GattCharacteristic1.ReadValue", ["HANG"])
        with pytest.raises(LinkError, match="took too long"):
            await peer.read(BATTERY)


async def test_a_call_under_way_ends_when_the_link_is_lost() -> None:
    async with l2() as radio, radio.bus.open("wrist", SETTINGS) as peer:
        radio.bluez.faults.expect("GattCharacteristic1.ReadValue", ["HANG"])
        reading = asyncio.ensure_future(peer.read(BATTERY))
        await asyncio.sleep(0.1)
        radio.bracelet.drop()
        with pytest.raises(LinkLost):
            await asyncio.wait_for(reading, 1)


async def test_a_scan_that_hears_nobody_while_somebody_is_awaited_is_restarted(monkeypatch) -> None:
    quick_ladder(monkeypatch)
    monkeypatch.setattr(bus_module, "TICK_S", 0.1)
    monkeypatch.setattr(bus_module, "SILENT_S", 0.5)
    async with l2() as radio:
        await until(lambda: radio.bus.health()["state"] == "up")
        radio.bluez.faults.deaf = True
        await asyncio.sleep(0.1)
        radio.bus._sightings.forget(ADDRESS)
        waiting = asyncio.ensure_future(session(radio, link := FakeLink()))
        await until(lambda: recovery(radio)["power_cycle"] >= 1)
        assert recovery(radio)["rescan"] == 2
        radio.bluez.faults.deaf = False
        await asyncio.wait_for(link.is_ready.wait(), 10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_quiet_flat_with_nobody_awaited_is_left_in_peace(monkeypatch) -> None:
    monkeypatch.setattr(bus_module, "TICK_S", 0.05)
    monkeypatch.setattr(bus_module, "SILENT_S", 0.1)
    async with l2() as radio:
        radio.bracelet.away()
        await asyncio.sleep(0.8)
        assert not any(recovery(radio).values())


async def test_an_adapter_that_was_switched_off_is_switched_on_and_scans_again(monkeypatch) -> None:
    monkeypatch.setattr(bus_module, "TICK_S", 0.1)
    async with l2() as radio:
        async with streaming(radio) as (_link, task):
            await radio.bluez.switch(on=False)
            assert isinstance(await asyncio.wait_for(task, 2), LinkLost)
        async with streaming(radio):
            assert not any(recovery(radio).values())


async def test_a_pulled_adapter_is_told_with_its_cure_and_works_when_back(monkeypatch) -> None:
    monkeypatch.setattr(bus_module, "TICK_S", 0.1)
    async with l2() as radio:
        await until(lambda: radio.bus.health()["state"] == "up")
        await radio.bluez.pull_adapter()
        await until(lambda: radio.bus.health()["state"] == "down")
        with pytest.raises(BusUnavailable, match=r"no Bluetooth adapter hci0.*plug it in"):
            async with radio.bus.open("wrist", SETTINGS):
                pass
        radio.bluez.plug_adapter()
        async with streaming(radio):
            pass


async def test_a_discovery_that_somebody_left_running_is_ended_by_power() -> None:
    async with l2(run=False) as radio:
        radio.bluez.faults.expect("Adapter1.StartDiscovery", ["org.bluez.Error.InProgress:Operation in progress"])
        with pytest.raises(BusUnavailable, match="scan does not start"):
            await radio.bus.run()
        assert recovery(radio)["power_cycle"] == 1
        async with running(radio.bus), streaming(radio):
            pass


async def test_a_missing_characteristic_is_looked_for_once_more_before_the_device_is_rejected() -> None:
    async with l2() as radio:
        with pytest.raises(LinkLost, match="may be an old one"):
            async with radio.bus.open("wrist", SETTINGS) as peer:
                await peer.subscribe(ABSENT)
        with pytest.raises(DeviceRejected, match="another model"):
            async with radio.bus.open("wrist", SETTINGS) as peer:
                await peer.subscribe(ABSENT)


async def test_a_device_that_bluez_is_still_forgetting_is_not_taken_for_one_that_was_heard_anew() -> None:
    async with l2() as radio:
        radio.bluez.faults.slow_s["Adapter1.RemoveDevice"] = 0.5  # it advertises meanwhile
        with pytest.raises(LinkLost, match="may be an old one"):
            async with radio.bus.open("wrist", SETTINGS) as peer:
                await peer.subscribe(ABSENT)
        async with radio.bus.open("wrist", SETTINGS) as peer:
            assert await peer.read(BATTERY)
            await asyncio.sleep(0.6)
            assert await peer.read(BATTERY)


async def lacking(radio: Radio, error: type[Exception]) -> None:
    """A session that ends because the list of services lacks something."""
    with pytest.raises(error):
        async with radio.bus.open("wrist", SETTINGS) as peer:
            await peer.subscribe(ABSENT)


async def test_a_list_of_services_that_grew_old_again_after_a_good_session_is_read_anew_again() -> None:
    async with l2() as radio:
        await lacking(radio, LinkLost)
        async with radio.bus.open("wrist", SETTINGS) as peer:
            assert await peer.read(BATTERY)
        await lacking(radio, LinkLost)
        await lacking(radio, DeviceRejected)


async def test_a_bonded_device_keeps_its_bond_while_its_services_are_read_anew() -> None:
    async with l2() as radio:
        path = f"{radio.bluez._adapter.path}/dev_{ADDRESS.replace(':', '_')}"
        async with radio.bus.open("wrist", SETTINGS):
            radio.bluez._tree.set(path, "org.bluez.Device1", {"Paired": Variant("b", True)})
        await lacking(radio, LinkLost)
        assert radio.bluez._tree.get(path, "org.bluez.Device1", "Paired")
        await lacking(radio, DeviceRejected)


async def test_discovery_names_the_bracelet_and_its_driver() -> None:
    async with l2() as radio:
        radio.bracelet.air.rssi_dbm[ADDRESS] = -71
        (found,) = await radio.bus.discover(1.0)
        assert found["name"] == "Polar Sense 1AC0FFEE"
        assert found["driver"] == "polar"
        assert found["settings"] == {"address": ADDRESS}
        assert -81 <= found["rssi_dbm"] <= -61
        json.dumps(found)


async def test_two_devices_waiting_on_one_bus_do_not_disturb_each_other() -> None:
    other = DRIVER.settings(address="C0:00:00:00:00:09")
    async with l2() as radio:
        absent = asyncio.ensure_future(session(radio, FakeLink(other, "other")))
        async with streaming(radio) as (link, _task):
            await until(lambda: len(link.blocks) >= 2)
            assert not absent.done()
        absent.cancel()
        await asyncio.gather(absent, return_exceptions=True)


@pytest.mark.parametrize("address", ["unix:path=/nowhere/at/all", "unix:dir=nonsense"])
async def test_without_d_bus_the_bus_is_unavailable_and_says_the_cure(address: str) -> None:
    bus = BleBus("hci0", "bluez", time.monotonic)
    with environment(VARIABLE, address):
        with pytest.raises(BusUnavailable, match="systemctl enable --now dbus"):
            await bus.run()
        with pytest.raises(BusUnavailable):
            async with bus.open("wrist", SETTINGS):
                pass
        with pytest.raises(BusUnavailable):
            await bus.discover(0.1)


async def test_without_bluetoothd_the_bus_is_unavailable_and_says_the_cure() -> None:
    async with l2(run=False) as radio:
        await radio.bluez.die()
        with pytest.raises(BusUnavailable, match="systemctl enable --now bluetooth"):
            await radio.bus.run()


async def test_open_waits_while_the_bus_is_still_starting() -> None:
    async with l2(run=False) as radio:
        link = FakeLink()
        waiting = asyncio.ensure_future(session(radio, link))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert radio.bus.health()["state"] == "starting"
        bus = asyncio.ensure_future(keep(radio.bus))
        await asyncio.wait_for(link.is_ready.wait(), 20)
        waiting.cancel()
        bus.cancel()
        await asyncio.gather(waiting, bus, return_exceptions=True)


async def test_an_unknown_backend_is_named_with_those_that_exist() -> None:
    bus = BleBus("hci0", "carrier-pigeon", time.monotonic)
    with pytest.raises(BusUnavailable, match=r"carrier-pigeon.*bluez"):
        await bus.run()
