"""A daemon in a home that has Zigbee2MQTT: its alarms reach the city, its plugs tell of the resident's day."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hil.resources.process import Program
from tests.system.daemon import BASE, Flat, device, flat

HOME = BASE + """
[detect]
left_on_min = {{ stove = 0.02 }}
[bus.zigbee2mqtt]
host = "localhost"
port = {port}
[devices.smoke]
driver = "zigbee2mqtt"
room = "kitchen"
ieee = "0x00158d0000000001"
[devices.cord]
driver = "zigbee2mqtt"
room = "bathroom"
ieee = "0x00158d0000000002"
[devices.stove]
driver = "zigbee2mqtt"
room = "kitchen"
appliance = "stove"
ieee = "0x00158d0000000003"
"""
PROFILES = {"smoke": "smoke", "cord": "sos", "stove": "plug"}


@asynccontextmanager
async def home(folder: Path) -> AsyncIterator[Flat]:
    """Zigbee2MQTT shares the city's broker here: the daemon cannot tell."""
    async with flat(folder, HOME, start=False) as f:
        bridge = Program.module("hil.devices.zigbee2mqtt", "--port", f.broker.port, "--control",
                                folder / "zigbee2mqtt.sock", log=folder / "zigbee2mqtt.log")
        await bridge.start_ready()
        try:
            for number, (name, profile) in enumerate(PROFILES.items(), 1):
                await f.do("zigbee2mqtt", "pair", ieee=f"0x00158d000000000{number}", name=name, profile=profile)
            await f.gateway.start()
            await f.until(lambda s: all(device(s, name)["state"] == "up" for name in PROFILES))
            yield f
        finally:
            await bridge.stop()


async def told(f: Flat, name: str, *, covered: bool) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            for event in (await f.city("events", type="anju.device.state"))["events"]:
                if event["subject"] == name and event["data"]["covered"] is covered:
                    return dict(event["data"])
            await asyncio.sleep(0.05)


async def test_smoke_and_an_sos_behind_zigbee2mqtt_reach_the_city(tmp_path: Path) -> None:
    async with home(tmp_path) as f:
        await f.do("zigbee2mqtt", "says", name="smoke", values={"smoke": True})
        await f.do("zigbee2mqtt", "says", name="cord", values={"action": "emergency"})
        for kind, name in (("smoke", "smoke"), ("sos", "cord")):
            assert (await f.city_has(kind))["data"]["device"] == name


async def test_a_stove_behind_a_plug_is_a_sign_of_life_and_an_alarm_once_it_is_left_on(tmp_path: Path) -> None:
    async with home(tmp_path) as f:
        assert (await f.gateway.ask("routine"))["quiet_s"] is None
        await f.do("zigbee2mqtt", "says", name="stove", values={"power": 1500})
        alarm = (await f.city_has("left_on"))["data"]
        assert "stove is on" in alarm["words"]
        assert (await f.gateway.ask("routine"))["quiet_s"] is not None


async def test_the_city_is_told_that_devices_do_not_watch_while_zigbee2mqtt_is_offline(tmp_path: Path) -> None:
    async with home(tmp_path) as f:
        await f.do("zigbee2mqtt", "stop")
        data = await told(f, "smoke", covered=False)
        assert (data["reason"], bool(data["cure"])) == ("Zigbee2MQTT is offline", True)
        assert (await f.status())["buses"]["zigbee2mqtt"]["reason"] == "Zigbee2MQTT is offline"
        await f.do("zigbee2mqtt", "start")
        await f.until(lambda s: device(s, "smoke")["state"] == "up")
