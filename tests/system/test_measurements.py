"""A cuff in a real daemon: over Bluetooth, outbox and a real broker its measurement reaches the city as an event."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hil.bluez.air import Air
from hil.bluez.hci_server import hci_server
from hil.devices.cuff import ADDRESS, Cuff
from hil.strategies.gateway import Gateway
from tests.system.broker import CityHandle, city, mosquitto

pytestmark = pytest.mark.timeout(120)
MEASURED = "anju.vitals.measured"
CONFIG = """
[gateway]
id = "flat-12"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
[city]
host = "localhost"
port = {port}
tls = false
[store]
telemetry_delay_s = 3600
[voice]
language = "en"
output = "wav:{folder}/voice.wav"
[vitals.resident]
defaults = true
speak = true
[bus.ble]
backend = "bumble"
[devices.cuff]
driver = "blood-pressure"
address = "{address}"
position = "arm"
"""


async def has(town: CityHandle, type_: str, count: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while len(found := (await town("events", type=type_))["events"]) < count:
            await asyncio.sleep(0.05)
    return list(found)


async def test_a_cuffs_measurement_reaches_the_city_at_once_with_its_codes_and_its_own_time(tmp_path: Path) -> None:
    """At once: telemetry of this home may wait an hour. The cuff's clock is a year wrong, and it measured 2 h ago."""
    air, wrong = Air(1), datetime.now() - timedelta(days=365)  # noqa: DTZ005 - devices keep local time
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as town, hci_server(air, 0) as port:
        (tmp_path / "run").mkdir()
        path = tmp_path / "anju.toml"
        path.write_text(CONFIG.format(folder=tmp_path, port=broker.port, address=ADDRESS))
        environment = {"ANJU_BENCH_HCI": f"tcp-client:127.0.0.1:{port}", "STATE_DIRECTORY": str(tmp_path / "state")}
        gateway = Gateway(path, tmp_path / "run", tmp_path / "gateway.log", environment)
        try:
            await gateway.start()
            assert (await gateway.ask("status"))["devices"][0]["state"] == "asleep"
            cuff = Cuff(air, wrong)
            await cuff.power_on()
            async with asyncio.timeout(60):
                await cuff.measure(128, 76, 71, wrong - timedelta(hours=2))
            (event,) = await has(town, MEASURED)
            data = event["data"]
            assert [(v["kind"], v["value"], v["unit"], v["loinc"]) for v in data["values"]] == [
                ("systolic_pressure", 128, "mm[Hg]", "8480-6"), ("diastolic_pressure", 76, "mm[Hg]", "8462-4"),
                ("mean_arterial_pressure", 93, "mm[Hg]", "8478-0"), ("heart_rate", 71, "/min", "8867-4")]
            assert data["loinc"] == "85354-9"
            assert data["age_s"] == pytest.approx(7200, abs=60)
            taken = datetime.fromisoformat(event["time"])
            arrived = datetime.now().astimezone()
            assert timedelta(hours=1, minutes=55) < arrived - taken < timedelta(hours=2, minutes=5)
            assert cuff.set_to is not None

            async with asyncio.timeout(60):
                await cuff.measure(131, 79, 70, datetime.now())  # noqa: DTZ005
                await cuff.measure(235, 100, 90, datetime.now())  # noqa: DTZ005
            await has(town, MEASURED, 3)
            (noticed,) = await has(town, "anju.vitals.noticed")
            assert "measured again" in noticed["data"]["words"]
            async with asyncio.timeout(60):
                await cuff.measure(238, 101, 91, datetime.now())  # noqa: DTZ005
            (raised,) = await has(town, "anju.alarm.raised")
            assert raised["data"]["kind"] == "vital_sign"

            async with asyncio.timeout(30):
                while (await gateway.ask("status"))["devices"][0]["state"] != "asleep":
                    await asyncio.sleep(0.1)
            status = await gateway.ask("status")
            assert [fault for fault in status["faults"] if fault["what"].startswith("device")] == []
            assert status["devices"][0]["battery"]["percent"] == 80
            states = {event["data"]["state"] for event in await has(town, "anju.device.state")}
            assert states <= {"asleep", "up"}
            said = [json.loads(line)["said"] for line in (tmp_path / "voice.wav.jsonl").read_text().splitlines()]
            spoken = [line for line in said if line.startswith("gateway measured")]
            assert "systolic_pressure number-1 number-hundred number-30 number-1 word-diastolic_pressure" in spoken[0]
            assert not any("number-20 number-8 " in line for line in spoken)  # two hours old: nobody is there now
            await cuff.power_off()
        finally:
            await gateway.program.stop()
