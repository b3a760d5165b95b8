"""The verbs that only look: status, devices, outbox, tail."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.client import control_socket
from gateway.cli.devices_table import battery
from gateway.cli.outbox import age_s
from gateway.cli.screen import age
from gateway.config import ConfigForbidden
from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import BOOT_ID, Desk, a_device, a_status, refused

READING = [("status",), ("devices",), ("outbox",), ("falls",), ("tail",), ("test", "alarm")]


@pytest.mark.parametrize("verb", READING)
def test_a_gateway_that_does_not_run_is_told_with_its_cure_and_exit_code_2(shell: Shell, verb: tuple[str, ...]):
    result = shell(*verb, code=2)
    assert "the gateway is not running" in result.stderr
    assert "systemctl start anju" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("verb", READING)
def test_failures_are_json_for_programs_with_the_same_exit_code(shell: Shell, verb: tuple[str, ...]):
    told = shell.json(*verb, code=2)
    assert told["error"].startswith("the gateway is not running")
    assert "systemctl start anju" in told["cure"]
    assert shell.json(*verb, "--config", "/nowhere/anju.toml", code=2) == {
        "error": "/nowhere/anju.toml: cannot be read (No such file or directory)",
        "cure": "give --config FILE, or write one (docs/configuration.md has an example)"}


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every configuration may be read by root alone."""
    def read_text(path: Path, **_: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", read_text)


@pytest.mark.usefixtures("forbidden")
def test_a_technician_who_may_not_read_the_default_configuration_finds_the_gateway_at_its_usual_place():
    assert control_socket(Path("/etc/anju/anju.toml")) == Path("/run/anju/control.sock")


@pytest.mark.usefixtures("forbidden")
def test_a_configuration_that_was_named_must_be_readable():
    with pytest.raises(ConfigForbidden, match=r"Permission denied.*use sudo"):
        control_socket(Path("/home/pi/anju.toml"))


def test_a_socket_that_a_dead_gateway_left_behind_is_no_running_gateway(shell: Shell):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(shell.config.parent / "control.sock"))
    assert "the gateway is not running" in shell("status", code=2).stderr


def test_a_configuration_that_cannot_be_read_is_told(shell: Shell):
    assert "cannot be read" in shell("status", "--config", "/nowhere/anju.toml", code=2).stderr


def test_a_configuration_that_is_no_toml_does_not_hide_a_running_gateway(shell: Shell):
    shell.config.write_text("[gateway\n")
    assert "/run/anju/control.sock" in shell("status", code=2).stderr


@pytest.mark.parametrize("verb", READING)
def test_a_refusal_is_told_in_the_gateways_words_with_exit_code_1(shell: Shell, desk: Desk, verb: tuple[str, ...]):
    desk.answers[verb[-1] if verb[0] != "test" else "test_alarm"] = refused("not now [bus]", "wait a moment")
    result = shell(*verb, code=1)
    assert "not now [bus]" in result.stderr
    assert "wait a moment" in result.stderr


def test_a_status_without_faults(shell: Shell, desk: Desk):
    text = shell("status").stdout
    assert "cq-0001 0.1.0  ok  up 2 h  51 MB" in text
    assert "what to do" in text
    assert "fault" not in text
    assert "open alarm" not in text


def test_a_status_shows_each_fault_with_its_cure_and_the_open_alarms(shell: Shell, desk: Desk):
    alarm = {"id": "0f3a", "state": "sent", "repeats": 2,
             "finding": {"kind": "fall", "device": "bracelet", "words": "a blow of 4.5 g"}}
    desk.answers["status"] = [a_status(
        devices=[a_device("panel", "lost", reason="unit [1] does not answer", cure="check its power")],
        buses={"modbus": {"open": False, "reason": "no such line", "cure": "plug the adapter in"}},
        city={"state": "connected", "stalled_s": {"alarm": 0.0, "telemetry": 90.0}, "shortened": 2},
        store={"waiting": {"alarm": 1, "event": 0, "telemetry": 20}, "given_up": 7,
               "written": {"bytes": 3_000_000, "bytes_a_day": 36_000_000, "fsyncs": 200, "fsyncs_a_day": 2400}},
        alarms=[alarm])]
    text = shell("status").stdout
    assert "degraded" in text
    for words in ("unit [1] does not answer", "check its power", "plug the adapter in", "a blow of 4.5 g", "0f3a",
                  "21 waiting", "1 alarm; 20 telemetry, no answer for 90 s", "2 sent without", "36.0 MB and 2400 a day",
                  "7 events given up", "not open"):
        assert words in text


def test_a_status_shows_who_watches_over_falls_this_moment_and_who_does_not(shell: Shell, desk: Desk):
    cover = {"what": "falls", "covered": True, "by": ["bath", "hall"], "for_s": 60.0, "reasons": [
        {"device": "bracelet", "state": "not_worn", "for_s": 180.0, "words": "is not worn", "cure": "put it on"}]}
    desk.answers["status"] = [a_status(cover=[cover, cover | {"covered": False, "by": [], "wearer": "Li"}])]
    text = shell("status").stdout
    assert "by bath and hall; bracelet is not worn (3 min): put it on" in text
    for words in ("falls of Li", " watched ", "not watched"):
        assert words in text


def test_json_is_what_the_gateway_said(shell: Shell, desk: Desk):
    assert shell.json("status") == a_status()
    assert shell.json("devices") == [a_device("bracelet")]


def test_devices_are_listed_with_state_and_age(shell: Shell, desk: Desk):
    desk.answers["devices"] = [[a_device("bracelet"), a_device("door", "silent", age_s=4000, reason="battery?",
                                                              cure="change it")]]
    lines = shell("devices").stdout.splitlines()
    assert lines[1].split() == ["bracelet", "wrist", "polar", "up", "0.4", "s", "-"]
    assert lines[2].split() == ["door", "wrist", "polar", "silent", "67", "min", "-", "battery?:", "change", "it"]


def test_a_device_shows_what_it_says_about_itself(shell: Shell, desk: Desk):
    about = {"model": "Verity Sense", "maker": "Polar Electro Oy", "firmware": "2.2.6", "serial": "A1B2"}
    desk.answers["devices"] = [[a_device("bracelet", about=about), a_device("other", about={"serial": "7"})]]
    text = shell("devices").stdout
    assert "polar (Polar Electro Oy Verity Sense, firmware 2.2.6, serial A1B2)" in text
    assert "polar (serial 7)" in text


@pytest.mark.parametrize(("known", "words"), [
    (None, "-"), ({"percent": 62.0, "charging": False, "forecast": None}, "62 %"),
    ({"percent": 62.0, "charging": True, "forecast": None}, "62 %, charging"),
    ({"percent": 62.0, "charging": False, "forecast": {"flat_in_h": 9.2, "earliest_h": 5.1, "latest_h": 14.0}},
     "62 %, empty in 9 h (5 h to 14 h)"),
    ({"percent": 62.0, "charging": False, "forecast": {"flat_in_h": 9.2, "earliest_h": 5.1, "latest_h": None}},
     "62 %, empty in 9 h (5 h to ?)")])
def test_a_battery_says_how_long_it_lasts_where_that_is_known(known: dict[str, Any] | None, words: str) -> None:
    assert battery(known) == words


def test_the_outbox_shows_each_lane_and_how_old_its_oldest_is(shell: Shell, desk: Desk):
    oldest = {"boot_id": BOOT_ID, "mono_s": time.monotonic() - 300, "wall_s": None, "quality": "unset"}
    other_boot = {"boot_id": "another", "mono_s": 5.0, "wall_s": None, "quality": "unset"}
    desk.answers["outbox"] = [{"lanes": {
        "alarm": {"waiting": 2, "oldest": oldest}, "event": {"waiting": 1, "oldest": other_boot},
        "telemetry": {"waiting": 0, "oldest": None}}, "unsaved": 3, "reason": "disk full", "cure": "free space"}]
    lines = shell("outbox").stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["alarm", "2", "5", "min"], ["event", "1", "unknown"], ["telemetry", "0", "-"]]
    assert "3 more in memory only" in lines[4]
    assert lines[5] == "disk full: free space"


def test_ages_come_from_monotonic_time_of_this_boot_and_from_synced_wall_time_of_another():
    stamp = {"boot_id": "a", "mono_s": 10.0, "wall_s": 1000.0, "quality": "synced"}
    assert age_s(stamp, "a", 25.0, 9999.0) == 15.0
    assert age_s(stamp, "b", 25.0, 1060.0) == 60.0
    assert age_s(stamp | {"wall_s": None}, "b", 25.0, 1060.0) is None
    assert age_s(stamp | {"quality": "restored"}, "b", 25.0, 1060.0) is None
    assert age_s(stamp, "b", 25.0, 12.0) is None  # by a clock that nobody has set yet
    assert age_s(None, "a", 1.0, 1.0) is None


@pytest.mark.parametrize(("seconds", "words"), [
    (None, "never"), (-1, "0.0 s"), (0.44, "0.4 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200000, "2 d")])
def test_ages_are_told_in_few_words(seconds: float | None, words: str):
    assert age(seconds) == words


def test_the_tail_shows_each_fact_on_a_line_until_the_gateway_ends_it(shell: Shell, desk: Desk):
    facts = [{"at": 1.7e9, "what": "event", "subject": "door", "text": "contact open",
              "data": {"active": True, "x": {}}},
             {"at": None, "what": "finding", "subject": "bracelet", "text": "a blow [hard]", "data": {"peak_g": 4.5}}]
    desk.answers["tail"] = facts
    first, second = shell("tail").stdout.splitlines()
    assert first.split() == [time.strftime("%H:%M:%S", time.localtime(1.7e9)), "event", "door", "contact", "open",
                             "active"]
    assert second.split() == ["--:--:--", "finding", "bracelet", "a", "blow", "[hard]", "peak_g", "4.5"]
    assert [json.loads(line) for line in shell("tail", "--json").stdout.splitlines()] == facts


def test_a_long_answer_arrives_whole(shell: Shell, desk: Desk):
    desk.answers["devices"] = [[a_device(f"d{n}", reason="x" * 500) for n in range(600)]]
    assert len(shell.json("devices")) == 600
