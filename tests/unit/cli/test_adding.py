"""`anju devices add`: what is found, what is written, and what is never written."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import addition
from tests.unit.cli.conftest import BUSES, DRIVERS, Shell
from tests.unit.cli.desk import Desk, a_status, refused

BAND = {"name": "Polar Sense A1", "driver": "polar", "rssi_dbm": -50, "settings": {"address": "A0:9E:1A:00:00:02"}}
OLD_BAND = {"name": "Polar Sense", "driver": "polar", "rssi_dbm": -40, "settings": {"address": "a0:9e:1a:00:00:01"}}
STRANGER = {"name": "", "driver": None, "rssi_dbm": -90, "settings": {"address": "11:22:33:44:55:66"}}
SMOKE = {"name": "TS0205", "driver": "ias-smoke", "new": True, "settings": {"ieee": "00:15:8d:00:00:00:00:09"}}
ADD = ("devices", "add", "--seconds", 1)


@pytest.fixture(autouse=True)
def air(desk: Desk) -> dict[str, Any]:
    """What each bus hears."""
    heard: dict[str, Any] = {"ble": [[STRANGER, OLD_BAND, BAND]], "zigbee": [[SMOKE]],
                             "modbus": refused("the line is not open yet", "try again")}
    desk.answers["status"] = [a_status(buses={"ble": {}, "zigbee": {}, "modbus": {}})]
    desk.answers["discover"] = lambda request: heard[request["bus"]]
    return heard


def test_a_picked_device_is_written_at_the_end_and_every_comment_stays(shell: Shell, desk: Desk):
    before = shell.config.read_text()
    shell(*ADD, "--pick", "A0:9E:1A:00:00:02", "--name", "spare", "--room", "wrist", "--yes")
    after = shell.config.read_text()
    assert after.startswith(before)
    assert tomllib.loads(after)["devices"]["spare"] == {
        "driver": "polar", "room": "wrist", "address": "A0:9E:1A:00:00:02"}
    assert [request["verb"] for request in desk.asked][-1] == "reload"


def test_all_buses_are_asked_and_one_that_cannot_look_hides_no_other(shell: Shell, desk: Desk):
    text = shell(*ADD, "--pick", "TS0205", "--yes").stdout
    assert [request for request in desk.asked if request["verb"] == "discover"] == [
        {"verb": "discover", "bus": bus, "seconds": 1.0} for bus in ("ble", "modbus", "zigbee")]
    assert "modbus: the line is not open yet: try again" in text
    assert "[devices.ts0205]" in shell.config.read_text()


def test_the_likeliest_device_is_first_and_what_is_configured_is_marked(shell: Shell):
    lines = shell(*ADD, "--bus", "ble", "--pick", "2", "--yes").stdout.splitlines()
    rows = [line.split() for line in lines if line[:1].isdigit()]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert "already configured as bracelet" in lines[2]
    assert "unknown" in rows[2]


def test_the_only_new_device_of_a_known_kind_needs_no_pick(shell: Shell):
    shell(*ADD, "--bus", "ble", "--yes")
    assert "[devices.polar-sense-a1]" in shell.config.read_text()


def test_of_two_new_devices_one_must_be_named(shell: Shell):
    before = shell.config.read_text()
    assert "2 new devices were found" in shell(*ADD, "--yes", code=1).stderr
    assert shell.config.read_text() == before


def test_a_technician_is_asked_and_may_say_no(shell: Shell):
    before = shell.config.read_text()
    shell(*ADD, "--bus", "zigbee", typed="1\nkitchen-smoke\nkitchen\nn\n", code=1)
    assert shell.config.read_text() == before
    shell(*ADD, "--bus", "zigbee", typed="1\nkitchen-smoke\nkitchen\ny\n")
    assert tomllib.loads(shell.config.read_text())["devices"]["kitchen-smoke"] == {
        "driver": "ias-smoke", "room": "kitchen", "ieee": "00:15:8d:00:00:00:00:09"}


def test_a_device_that_the_bus_does_not_know_needs_a_driver(shell: Shell):
    stranger = (*ADD, "--bus", "ble", "--pick", "11:22:33:44:55:66", "--yes")
    assert "--driver, one of polar" in shell(*stranger, code=1).stderr
    shell(*stranger, "--driver", "polar", "--name", "x")
    assert tomllib.loads(shell.config.read_text())["devices"]["x"]["driver"] == "polar"


def test_a_device_of_two_kinds_is_shown_as_either_and_the_technician_chooses(shell: Shell, air: dict[str, Any]):
    tag = {"name": "", "driver": None, "drivers": ["blueup-fall", "blueup-sos"], "rssi_dbm": -95,
           "settings": {"address": "C0:00:00:00:00:07"}}
    air["ble"] = [[STRANGER, OLD_BAND, tag]]
    told = shell(*ADD, "--bus", "ble", "--yes", code=1)
    assert "blueup-fall or blueup-sos" in told.stdout
    assert "give --driver, one of blueup-fall, blueup-sos" in told.stderr


@pytest.mark.parametrize(("name", "words"), [("bracelet", "there is a device 'bracelet' already"),
                                             ("Kitchen Smoke", "devices.Kitchen Smoke")])
def test_a_name_that_is_taken_or_not_allowed_writes_nothing(shell: Shell, name: str, words: str):
    before = shell.config.read_text()
    assert words in shell(*ADD, "--bus", "zigbee", "--name", name, "--yes", code=1).stderr
    assert shell.config.read_text() == before


def test_settings_that_the_driver_refuses_write_nothing(shell: Shell, air: dict[str, Any]):
    before = shell.config.read_text()
    air["zigbee"] = [[SMOKE | {"settings": {"ieee": 5}}]]
    assert "devices.ts0205.ieee" in shell(*ADD, "--bus", "zigbee", "--yes", code=1).stderr
    assert shell.config.read_text() == before


def test_a_device_of_a_bus_that_is_not_configured_writes_nothing(shell: Shell, air: dict[str, Any]):
    before = shell.config.read_text()
    air["modbus"] = [[{"name": "m", "driver": "modbus-inputs", "settings": {"unit": 1}}]]
    assert "bus.modbus.port: missing" in shell(*ADD, "--bus", "modbus", "--yes", code=1).stderr
    assert shell.config.read_text() == before


def test_settings_that_no_search_can_know_are_given_by_the_technician(shell: Shell, air: dict[str, Any]):
    shell.config.write_text(shell.config.read_text() + '\n[bus.modbus]\nport = "/dev/ttyS1"\n')
    air["modbus"] = [[{"name": "modbus-1", "driver": "modbus-inputs", "settings": {"unit": 1}}]]
    shell(*ADD, "--bus", "modbus", "--yes", "--set", 'inputs = { 0 = "smoke" }')
    assert tomllib.loads(shell.config.read_text())["devices"]["modbus-1"] == {
        "driver": "modbus-inputs", "unit": 1, "inputs": {"0": "smoke"}}


def test_a_setting_that_is_no_toml_is_told_before_anything_is_searched(shell: Shell, desk: Desk):
    assert "write KEY=VALUE as in the file" in shell(*ADD, "--set", "inputs", "--yes", code=1).stderr
    assert desk.asked == []


def test_an_old_mistake_elsewhere_does_not_stop_the_technician(shell: Shell):
    shell.config.write_text(shell.config.read_text() + '\n[devices.broken]\ndriver = "polr"\n')
    shell(*ADD, "--bus", "zigbee", "--yes")
    assert "ts0205" in tomllib.loads(shell.config.read_text())["devices"]


def test_a_file_that_is_no_toml_is_left_alone(shell: Shell, desk: Desk, tmp_path: Path):
    broken = shell.config.read_text() + "\n[devices\n"
    shell.config.write_text(broken.replace(str(tmp_path), "/run/anju"))
    assert "systemctl start anju" in shell(*ADD, "--yes", code=2).stderr
    assert addition.mistakes(broken, addition.added(broken, "[devices.x]\n"), "x", shell.config, DRIVERS, BUSES)


def test_nothing_found_is_told_with_what_to_do(shell: Shell, air: dict[str, Any]):
    air["zigbee"] = [[]]
    assert "pairing mode" in shell(*ADD, "--bus", "zigbee", "--yes", code=1).stderr


def test_a_bus_that_cannot_look_is_told_with_its_own_cure_alone(shell: Shell):
    result = shell(*ADD, "--bus", "modbus", "--yes", code=1)
    assert result.stderr.split("\n")[:2] == ["modbus: the line is not open yet", "  try again"]
    assert "pairing mode" not in result.output


def test_where_one_bus_found_nothing_the_one_that_could_not_look_is_to_be_mended_first(
    shell: Shell, air: dict[str, Any]
):
    air["ble"], air["zigbee"] = [[]], refused("the stick is gone", "plug it in")
    text = shell(*ADD, "--yes", code=1).stderr
    assert "modbus: the line is not open yet: try again" in text
    assert "zigbee: the stick is gone: plug it in" in text
    assert "pairing mode" not in text


def test_a_gateway_without_a_bus_is_told_to_get_one(shell: Shell, desk: Desk):
    desk.answers["status"] = [a_status(buses={})]
    assert "configure one, for example [bus.ble]" in shell(*ADD, "--yes", code=1).stderr


def test_who_may_not_change_the_configuration_is_told_before_anything_is_searched(
    shell: Shell, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    result = shell(*ADD, "--yes", code=1)
    assert "needs root" in result.stderr
    assert "use sudo anju devices add" in result.stderr
    assert desk.asked == []


def test_failures_are_json_for_programs(shell: Shell, air: dict[str, Any]):
    assert shell.json(*ADD, "--bus", "modbus", "--pick", "1", code=1) == {
        "error": "modbus: the line is not open yet", "cure": "try again"}
    assert shell.json(*ADD, "--bus", "zigbee", "--pick", "1", code=1) == {
        "error": "nothing was written", "cure": "confirm with --yes"}
    assert "write KEY=VALUE" in shell.json(*ADD, "--set", "inputs", code=1)["cure"]


def test_a_gateway_that_refuses_to_reload_is_told_and_the_file_stays(shell: Shell, desk: Desk):
    desk.answers["reload"] = refused("the disk is full", "free space")
    result = shell(*ADD, "--bus", "zigbee", "--yes", code=1)
    assert "is written, but the gateway does not use it yet: the disk is full" in result.stderr
    assert "ts0205" in shell.config.read_text()


def test_json_shows_what_was_found_and_writes_only_what_is_picked(shell: Shell):
    before = shell.config.read_text()
    found = shell.json(*ADD)
    assert [device["name"] for device in found["found"]] == ["Polar Sense", "Polar Sense A1", "TS0205", ""]
    assert found["unavailable"] == [{"bus": "modbus", "reason": "the line is not open yet", "cure": "try again"}]
    assert shell.config.read_text() == before
    assert shell.json(*ADD, "--pick", "TS0205", "--yes")["added"] == "ts0205"


def test_the_configuration_may_be_named_before_or_after_add(shell: Shell, tmp_path: Path):
    other = tmp_path / "other.toml"
    for arguments in (("devices", "--config", other, "add"), ("devices", "add", "--config", other)):
        other.write_text(shell.config.read_text())
        shell(*arguments, "--bus", "zigbee", "--seconds", 1, "--yes")
        assert "ts0205" in other.read_text()
    assert "ts0205" not in shell.config.read_text()
