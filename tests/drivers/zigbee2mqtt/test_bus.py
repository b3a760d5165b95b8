"""A home that has Zigbee2MQTT keeps it: the whole way from a real broker to readings and states of devices."""

import asyncio
from pathlib import Path

import pytest

from drivers.bus.zigbee2mqtt import bus as bus_module
from gateway.model.device import DeviceState
from gateway.model.reading import Binary, BinaryKind, Button, Press, Quantity, QuantityKind
from tests.drivers.zigbee2mqtt.kit import IEEE, home

SMOKE, NO_SMOKE = Binary(BinaryKind.SMOKE, active=True), Binary(BinaryKind.SMOKE, active=False)
SOS = Press(Button.SOS)


@pytest.mark.parametrize(("profile", "values", "expected"), [
    ("contact", {"contact": False}, Binary(BinaryKind.CONTACT, active=True)),
    ("contact", {"contact": True}, Binary(BinaryKind.CONTACT, active=False)),
    ("contact", {"tamper": True}, Binary(BinaryKind.TAMPER, active=True)),
    ("smoke", {"smoke": True}, SMOKE), ("smoke", {"battery": 87}, Quantity(QuantityKind.BATTERY, 87.0)),
    ("sos", {"action": "emergency"}, SOS), ("sos-level", {"sos": True}, SOS),
    ("plug", {"power": 1850.5}, Quantity(QuantityKind.POWER, 1850.5)),
    ("plug", {"energy": 12.25}, Quantity(QuantityKind.ENERGY, 12.25))])
async def test_what_a_device_says_becomes_a_reading(
        tmp_path: Path, profile: str, values: dict[str, object], expected: object) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("thing", profile)
        flat.watch("d")
        await flat.until_up()
        await flat.do("says", name="thing", values=values)
        await flat.until(lambda: expected in flat.values())


async def test_a_retained_alarm_still_stands_and_a_retained_press_is_none(tmp_path: Path) -> None:
    async with home(tmp_path, started=False) as flat:
        await flat.pair("smoke", "smoke", retain=True)
        await flat.pair("button", "sos", IEEE[:-1] + "5", retain=True)
        await flat.pair("cord", "sos-level", IEEE[:-1] + "6", retain=True)
        await flat.do("says", name="smoke", values={"smoke": True, "battery": 90})
        await flat.do("says", name="button", values={"action": "emergency", "battery": 80})
        await flat.do("says", name="cord", values={"sos": True, "battery": 70})
        await flat.do("settle")
        flat.start(flat.bus.run())
        for name, ieee in (("smoke", IEEE), ("button", IEEE[:-1] + "5"), ("cord", IEEE[:-1] + "6")):
            flat.watch(name, ieee)
        await flat.until(lambda: SMOKE in flat.values("smoke"))
        await flat.until(lambda: flat.values("button") and flat.values("cord"))
        assert not [one for one in flat.readings if isinstance(one.value, Press)]
        await flat.do("says", name="button", values={"action": "emergency"})
        await flat.do("says", name="cord", values={"sos": False})
        await flat.do("says", name="cord", values={"sos": True})
        await flat.until(lambda: SOS in flat.values("button") and SOS in flat.values("cord"))
        assert [one.value for one in flat.readings].count(SOS) == 2


async def test_the_broker_goes_and_comes_and_devices_are_heard_again(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "PAUSES_S", (0.1,))
    async with home(tmp_path) as flat:
        await flat.pair("smoke", "smoke")
        flat.watch("d")
        await flat.until_up()
        await flat.broker.stop()
        await flat.until(lambda: flat.state() is DeviceState.LOST)
        await flat.until(lambda: flat.bus.health()["reason"])
        assert f"127.0.0.1:{flat.broker.port}" in flat.bus.health()["reason"]
        assert "mosquitto" in flat.bus.health()["cure"]
        assert "mosquitto" in flat.sessions["d"].status.cure
        await flat.broker.start()
        await flat.until_up()
        await flat.do("says", name="smoke", values={"smoke": True})
        await flat.until(lambda: SMOKE in flat.values())


@pytest.mark.parametrize(("op", "plain"), [("stop", False), ("stop", True), ("die", False)])
async def test_while_zigbee2mqtt_is_offline_its_devices_are_lost_and_say_why(
        tmp_path: Path, op: str, plain: bool) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("smoke", "smoke")
        flat.watch("d")
        await flat.until_up()
        await flat.do(op, plain=plain)
        await flat.until(lambda: flat.state() is DeviceState.LOST)
        assert flat.sessions["d"].status.reason == "Zigbee2MQTT is offline"
        assert flat.sessions["d"].status.cure == flat.bus.health()["cure"] != ""
        await flat.do("start")
        await flat.until_up()
        assert flat.bus.health()["reason"] == ""


@pytest.mark.parametrize("plain", [False, True])
async def test_a_device_that_zigbee2mqtt_does_not_reach_is_lost_until_it_is_or_speaks(
        tmp_path: Path, plain: bool) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("hall/door", "contact")
        flat.watch("d")
        await flat.until_up()
        for back in (lambda: flat.do("available", name="hall/door", online=True, plain=plain),
                     lambda: flat.do("says", name="hall/door", values={"contact": False})):
            await flat.do("available", name="hall/door", online=False, plain=plain)
            await flat.until(lambda: flat.state() is DeviceState.LOST)
            assert flat.sessions["d"].status.reason == "Zigbee2MQTT does not reach it"
            assert flat.bus.health()["unreachable"] == 1
            await back()
            await flat.until_up()
        await flat.until(lambda: Binary(BinaryKind.CONTACT, active=True) in flat.values())


async def test_a_device_that_is_renamed_is_followed_and_one_that_leaves_is_rejected(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("smoke", "smoke", retain=True)
        flat.watch("d")
        await flat.until_up()
        await flat.do("rename", name="smoke", to="kitchen/smoke")
        await flat.do("says", name="kitchen/smoke", values={"smoke": True})
        await flat.until(lambda: SMOKE in flat.values())
        await flat.until_up()
        await flat.do("leave", name="kitchen/smoke")
        await flat.until(lambda: flat.state() is DeviceState.REJECTED)
        assert flat.sessions["d"].status.reason == f"Zigbee2MQTT has no device {IEEE}"


async def test_a_device_without_meaning_is_rejected_with_what_it_gives(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("lamp", "lamp")
        flat.watch("d")
        await flat.until(lambda: flat.state() is DeviceState.REJECTED)
        assert flat.sessions["d"].status.reason == "IKEA LED1545G12 gives nothing that the gateway reads, only: state"


async def test_a_state_older_than_a_day_is_none_and_the_device_is_lost(tmp_path: Path) -> None:
    async with home(tmp_path, started=False) as flat:
        await flat.pair("smoke", "smoke", retain=True)
        await flat.do("says", name="smoke", values={"smoke": True, "last_seen": "2026-01-05T08:00:00.000Z"})
        await flat.do("settle")
        flat.start(flat.bus.run())
        flat.watch("d")
        await flat.until(lambda: flat.state() is DeviceState.LOST)
        assert "last heard" in flat.sessions["d"].status.reason
        assert flat.values() == []
        await flat.do("says", name="smoke", values={"smoke": True, "last_seen": None})
        await flat.until_up()
        await flat.until(lambda: SMOKE in flat.values())


async def test_what_a_device_says_before_its_first_session_is_heard_in_it(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.until(lambda: flat.bus.health()["state"] == "up")
        await flat.pair("button", "sos")
        await flat.do("says", name="button", values={"action": "emergency"})
        await flat.until(lambda: flat.bus.health()["messages"] >= 4)
        flat.watch("d")
        await flat.until(lambda: SOS in flat.values())


async def test_a_restart_of_zigbee2mqtt_repeats_no_old_press(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("cord", "sos-level")
        flat.watch("d")
        await flat.until_up()
        await flat.do("says", name="cord", values={"sos": True, "battery": 70})
        await flat.until(lambda: SOS in flat.values())
        await flat.do("stop")
        await flat.until(lambda: flat.state() is DeviceState.LOST)
        await flat.do("start")
        await flat.until_up()
        await flat.do("says", name="cord", values={"battery": 69})
        await flat.until(lambda: Quantity(QuantityKind.BATTERY, 69.0) in flat.values())
        assert flat.values().count(SOS) == 1


async def test_a_broker_without_zigbee2mqtt_is_told_with_the_cure(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "ABSENT_S", 0.2)
    async with home(tmp_path, base_topic="z2m") as flat:
        flat.watch("d")
        await flat.until(lambda: flat.state() is DeviceState.LOST)
        assert flat.sessions["d"].status.reason == "the broker has no Zigbee2MQTT below the topic z2m"


async def test_a_broker_that_wants_a_password_gets_it_and_refusing_it_is_told(tmp_path: Path) -> None:
    async with home(tmp_path, "allow_anonymous false") as flat:
        flat.watch("d")
        await flat.until(lambda: flat.state() is DeviceState.LOST)
        assert flat.sessions["d"].status.reason == f"the broker at 127.0.0.1:{flat.broker.port} refuses the gateway"
        assert "password_file" in flat.sessions["d"].status.cure


async def test_devices_nobody_listens_to_are_found(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("door", "contact")
        await flat.until(lambda: flat.bus.health()["devices"] == 1)
        assert await flat.bus.discover(0.0) == [{
            "name": "door", "driver": "zigbee2mqtt", "manufacturer": "SONOFF", "model": "SNZB-04P",
            "settings": {"ieee": IEEE}}]
        flat.watch("d")
        await flat.until_up()
        assert await flat.bus.discover(0.0) == []


async def test_noise_on_every_topic_ends_nothing(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.pair("smoke", "smoke")
        flat.watch("d")
        await flat.until_up()
        for topic in ("smoke", "smoke/availability", "bridge/state", "bridge/devices", "bridge/info", "unknown"):
            for noise in (b"", b"\xff\xfe", b"{", b"null", b"[" * 5000, b'{"state": []}', b'[{"type": 1}]'[:0] or b"7"):
                await flat.do("raw", topic=topic, hex=noise.hex())
        await flat.do("says", name="smoke", values={"smoke": True})
        await flat.until(lambda: SMOKE in flat.values())
        assert flat.bus.health()["malformed"] > 10
        assert flat.state() is DeviceState.UP


async def test_the_bus_ends_at_once_when_it_is_cancelled(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        await flat.until(lambda: flat.bus.health()["state"] == "up")
        async with asyncio.timeout(5):
            flat.tasks[1].cancel()
            await asyncio.wait([flat.tasks[1]])
        assert flat.tasks[1].cancelled()
