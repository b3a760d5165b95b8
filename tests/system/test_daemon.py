"""The real daemon as a process: what goes wrong is told with its cure, and everything else goes on working."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alarm import life
from gateway.alarm.effects import Append
from gateway.model.command import Command, Verb
from gateway.model.finding import Finding, FindingKind
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Store
from hil.resources.certificates import Authority
from hil.strategies.gateway import Gateway
from tests.system.broker import mosquitto, tls_lines
from tests.system.daemon import BASE, LIGHT_PIN, PANEL, SOS_PIN, device, fault, flat


async def test_an_sos_goes_the_whole_way_and_the_resident_hears_each_state(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and device(s, "panel")["state"] == "up")
        await f.press_sos()
        event = await f.city_has("sos")
        assert event["subject"] == "sos"
        await f.until(lambda s: s["alarms"] and s["alarms"][0]["state"] == "received")
        await f.city("close_alarm", gateway="flat-12", alarm=event["id"])
        status = await f.until(lambda s: not s["alarms"] and s["voice"]["waiting"] == 0)
        assert status["state"] == "ok"
        await f.gateway.program.stop()
        assert (tmp_path / "voice.wav").stat().st_size > 100_000


async def test_the_light_blinks_until_the_centre_has_it(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and device(s, "light")["state"] == "up")
        await f.broker.stop()
        await f.press_sos()
        async with asyncio.timeout(10):
            while len((await f.do("gpio", "pins"))["pins"][str(LIGHT_PIN)]["history"]) < 5:
                await asyncio.sleep(0.05)


async def test_a_smoke_already_there_at_the_start_is_an_alarm(tmp_path: Path) -> None:
    async with flat(tmp_path, start=False) as f:
        await f.do("modbus", "input", address=0, active=True)
        await f.gateway.start()
        event = await f.city_has("smoke")
        assert event["data"]["room"] == "kitchen"


async def test_a_wrong_configuration_costs_only_what_it_touches(tmp_path: Path) -> None:
    bad = BASE + PANEL.replace("unit = 1", "unit = 999") + "[devices.odd]\ndriver = \"gpio-buton\"\npin = 5\n"
    async with flat(tmp_path, bad) as f:
        status = await f.until(lambda s: device(s, "sos")["state"] == "up")
        told = [(x["reason"], x["cure"]) for x in status["faults"] if x["what"] == "configuration"]
        assert ("devices.odd.driver: unknown driver 'gpio-buton'", "did you mean gpio-button?") in told
        assert any("devices.panel.unit" in reason for reason, _ in told)
        assert {d["device"] for d in status["devices"]} == {"sos", "light"}
        assert "configuration problem: devices.odd.driver" in f.log()
        await f.press_sos()
        await f.city_has("sos")
        faults = (await f.city("events", type="anju.gateway.fault"))["events"]
        assert len([e for e in faults if e["data"]["what"] == "configuration"]) == 2


async def test_an_unreadable_configuration_leaves_the_last_good_one_running(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up")
        await f.gateway.program.stop()
        f.gateway.config.write_text("[gateway\n")
        await f.gateway.start()
        status = await f.until(lambda s: device(s, "sos")["state"] == "up")
        assert any("not valid TOML" in x["reason"] for x in status["faults"])
        await f.press_sos()
        await f.city_has("sos")


async def test_no_usable_configuration_at_all_ends_with_code_78_and_every_problem(tmp_path: Path) -> None:
    async with flat(tmp_path, "[gateway]\nid = 'X Y'\n", start=False) as f:
        await f.gateway.program.start()
        async with asyncio.timeout(20):
            while f.gateway.program.running:
                await asyncio.sleep(0.05)
        assert await f.gateway.program.stop() == 78
        assert "gateway.id: " in f.log()
        assert "city.host: missing: add it under [city]" in f.log()


async def test_a_missing_serial_port_is_told_and_comes_back_by_itself(tmp_path: Path) -> None:
    async with flat(tmp_path, start=False) as f:
        await f.do("modbus", "unplug")
        await f.gateway.start()
        status = await f.until(lambda s: device(s, "panel")["reason"] and device(s, "sos")["state"] == "up")
        assert str(tmp_path / "tty-modbus") in device(status, "panel")["reason"]
        assert device(status, "panel")["cure"]
        await f.press_sos()
        await f.city_has("sos")
        await f.do("modbus", "plug")
        await f.until(lambda s: device(s, "panel")["state"] == "up")
        await f.do("modbus", "input", address=0, active=True)
        await f.city_has("smoke")


async def test_a_device_that_answers_nonsense_is_told_and_others_work(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "panel")["state"] == "up")
        await f.do("modbus", "nonsense", on=True)
        status = await f.until(lambda s: fault(s, "device panel"))
        panel = fault(status, "device panel")
        assert panel is not None
        assert panel["cure"]
        await f.press_sos()
        await f.city_has("sos")
        await f.do("modbus", "nonsense", on=False)
        await f.until(lambda s: device(s, "panel")["state"] == "up")


async def test_a_city_with_a_strange_certificate_is_refused_and_the_alarm_waits(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    config = BASE.replace("tls = false", f'ca_file = "{ours.ca_file}"') + PANEL
    strange = tls_lines(other, other.server("city", ["localhost"]))
    async with mosquitto(tmp_path, *strange) as broker, flat(tmp_path, config, broker=broker, city_there=False) as f:
        status = await f.until(lambda s: fault(s, "city") and device(s, "sos")["state"] == "up")
        city = fault(status, "city")
        assert city is not None
        assert "certificate" in city["reason"]
        assert "ca_file" in city["cure"]
        assert city["reason"] in f.log()
        await f.press_sos()
        status = await f.until(lambda s: s["alarms"])
        assert status["alarms"][0]["state"] == "raised"
        assert status["store"]["waiting"]["alarm"] == 1
        await broker.stop()
        broker.extra = tls_lines(ours, ours.server("city", ["localhost"]))
        await broker.start()
        await f.until(lambda s: s["city"]["connected"] and s["alarms"][0]["state"] == "sent")


async def test_killed_and_started_again_it_delivers_what_it_had_accepted(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and s["city"]["connected"])
        await f.broker.stop()
        await f.press_sos()
        await f.until(lambda s: s["alarms"])
        await f.gateway.program.kill()
        await f.gateway.start()
        assert [a["finding"]["kind"] for a in (await f.status())["alarms"]] == ["sos"]
        await f.broker.start()
        event = await f.city_has("sos")
        assert event["historical"] is True


async def test_a_close_accepted_in_the_moment_of_the_crash_is_obeyed_at_the_next_start(tmp_path: Path) -> None:
    async with flat(tmp_path, BASE, start=False) as f:
        at = Stamp("the boot before", 100.0, time.time() - 60.0, ClockQuality.SYNCED)
        sos = life.Raised(Finding(FindingKind.SOS, "sos", at, 1.0, "pressed"), "alarm-1")
        _, effects = life.decide({}, sos, at)
        store = await Store.open(tmp_path / "state")
        for effect in effects:
            if isinstance(effect, Append):
                await store.append(effect.events, effect.alarm)
        assert await store.accept_command(Command("c1", Verb.CLOSE_ALARM, "alarm-1", time.time() + 3600.0))
        await store.close()
        await f.gateway.start()
        events = {e["id"]: e for e in await f.city.until("c1.done", "alarm-1/1")}
        assert (events["c1.done"]["data"]["words"], events["alarm-1/1"]["type"]) == ("", "anju.alarm.closed")
        assert (await f.status())["alarms"] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_stops_no_alarm_and_heals(tmp_path: Path, small_disk: Path) -> None:
    async with flat(tmp_path, state=small_disk / "state") as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and s["city"]["connected"])
        ballast = small_disk / "ballast"
        _fill(ballast)
        for reserve in (small_disk / "state").glob("anju.reserve-*"):  # what it is used for: tests/unit/store
            reserve.unlink()
        _fill(small_disk / "more")
        await f.press_sos()
        await f.city_has("sos")
        status = await f.until(lambda s: fault(s, "store") and s["alarms"] and s["alarms"][0]["state"] == "received")
        store = fault(status, "store")
        assert store is not None
        assert "space" in store["reason"]
        assert "free space" in store["cure"]
        assert status["store"]["unsaved"] > 0
        ballast.unlink()
        (small_disk / "more").unlink()
        status = await f.until(lambda s: not fault(s, "store") and s["store"]["unsaved"] == 0)
        ids = [e["id"] for e in (await f.city("events"))["events"]]
        assert len(ids) == len(set(ids))
        await f.do("modbus", "input", address=0, active=True)
        await f.city_has("smoke")


def _fill(path: Path) -> None:
    """Fill the disk that holds `path` to its last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


async def test_a_pressed_sos_of_the_bench_pin_is_the_configured_one(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up")
        pins = (await f.do("gpio", "pins"))["pins"]
        assert pins[str(SOS_PIN)]["function"] == "input"
        assert pins[str(LIGHT_PIN)]["function"] == "output"


async def test_a_second_daemon_on_the_same_state_is_refused(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up")
        second = Gateway(f.gateway.config, tmp_path / "run", tmp_path / "second.log", f.environment)
        await second.program.start()
        async with asyncio.timeout(20):
            while second.program.running:
                await asyncio.sleep(0.05)
        assert await second.program.stop() == 75
        assert f"runs already, pid {f.gateway.program.pid}" in (tmp_path / "second.log").read_text()
        await f.press_sos()
        await f.city_has("sos")


async def test_without_a_usable_run_folder_alarms_go_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = BASE.replace('run_dir = "{folder}/run"', 'run_dir = "{folder}/file/run"') + PANEL
    async with flat(tmp_path, config) as f:
        async with asyncio.timeout(20):
            while "device up device=sos" not in f.log():
                await asyncio.sleep(0.05)
        await f.press_sos()
        await f.city_has("sos")
        assert "control socket" in str((await f.city("events", type="anju.gateway.fault"))["events"])


async def test_a_loss_is_in_the_log_with_its_cure(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "panel")["state"] == "up")
        await f.do("modbus", "unplug")
        status = await f.until(lambda s: device(s, "panel")["state"] == "lost")
        assert device(status, "panel")["cure"] in f.log()
        assert "WARNING gateway.runtime.session: device lost device=panel" in f.log()


async def test_a_new_configuration_is_taken_up_while_an_sos_is_open(tmp_path: Path) -> None:
    async with flat(tmp_path, BASE) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up")
        await f.press_sos()
        await f.city_has("sos")
        text = f.gateway.config.read_text()
        f.gateway.config.write_text(text.replace("pin = 17", "pin = 17\nroom = \"hall\"")
                                    + PANEL.format(folder=tmp_path) + "[detect]\ninactivity_h = 5\n")
        answer = await f.gateway.ask("reload")
        assert answer["devices"] == ["light", "panel", "sos"]
        assert answer["needs_restart"] == ["detect"]
        status = await f.until(lambda s: device(s, "panel")["state"] == "up")
        assert device(status, "sos")["sessions"] == 1, "another room alone restarts nothing"
        assert device(status, "sos")["room"] == "hall"
        assert status["alarms"]
        await f.do("modbus", "input", address=0, active=True)
        assert (await f.city_has("smoke"))["data"]["room"] == "kitchen"
        f.gateway.config.write_text("[gateway\n")
        with pytest.raises(RuntimeError, match="not valid TOML"):
            await f.gateway.ask("reload")
        assert device(await f.status(), "sos")["state"] == "up"


async def test_a_database_that_vanishes_in_use_is_told_to_the_city_and_costs_no_alarm(tmp_path: Path) -> None:
    async with flat(tmp_path) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and s["city"]["connected"])
        await f.broker.stop()
        await f.press_sos()
        await f.until(lambda s: s["alarms"])
        for file in (tmp_path / "state").glob("anju.db*"):
            file.unlink()
        await f.until(lambda s: fault(s, "store"))
        await f.broker.start()
        await f.city_has("sos")
        await f.until(lambda s: s["alarms"] and s["alarms"][0]["state"] == "received")
        async with asyncio.timeout(20):
            while "store" not in str((await f.city("events", type="anju.gateway.fault"))["events"]):
                await asyncio.sleep(0.05)
