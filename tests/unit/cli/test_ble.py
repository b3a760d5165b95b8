"""`anju ble scan` and `anju ble survey`, and what a survey concludes."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.cli import ble
from gateway.cli.reception import Signal, best, signal, verdict
from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk, refused


def found(address: str, name: str = "", rssi_dbm: int | None = -60, *drivers: str) -> dict[str, Any]:
    return {"name": name, "address": address, "rssi_dbm": rssi_dbm, "driver": drivers[0] if len(drivers) == 1 else None,
            "drivers": list(drivers), "settings": {"address": address}}


WRIST, SPARE = "A0:9E:1A:00:00:01", "A0:9E:1A:00:00:02"  # the first one is configured as bracelet
TAG, PHONE = "C0:00:00:00:00:07", "11:22:33:44:55:66"
Answer = Callable[[float], list[dict[str, Any]]]
HEARD = [found(PHONE, "", -30), found(WRIST, "Polar Sense", -72, "polar"), found(SPARE, "Polar Sense 2", -50, "polar"),
         found(TAG, "", -80, "blueup-fall", "blueup-sos")]


@pytest.fixture(autouse=True)
def hears(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Give what is heard in the second that begins then; listening for a second takes none."""
    now_s = [0.0]

    def hears(answer: Answer) -> None:
        def second(_request: dict[str, Any]) -> list[Any]:
            now_s[0] += 1.0
            return [answer(now_s[0])]

        desk.answers["discover"] = second

    monkeypatch.setattr(ble, "monotonic", lambda: now_s[0])
    hears(lambda _now_s: HEARD)
    return hears


def test_a_scan_lists_known_kinds_first_with_what_to_type(shell: Shell, desk: Desk) -> None:
    lines = shell("ble", "scan").stdout.splitlines()
    places = [next(a for a in (PHONE, WRIST, SPARE, TAG) if a in line) for line in lines[1:5]]
    assert places == [SPARE, WRIST, TAG, PHONE]
    assert "polar" in lines[1]
    assert "--driver" not in lines[1]
    assert "is bracelet" in lines[2]
    assert "4 heard; add one with: sudo anju devices add --bus ble --pick ADDRESS" in lines[5]
    assert "blueup-fall or blueup-sos" in lines[3]
    assert "choose a --driver" in lines[3]
    assert "unknown" in lines[4]
    assert "know its --driver" in lines[4]
    assert "-50 dBm" in lines[1]
    assert desk.asked[0] == {"verb": "discover", "bus": "ble", "seconds": 1.0}


def test_a_scan_for_programs_tells_the_same(shell: Shell) -> None:
    devices = shell.json("ble", "scan", "--seconds", 2)
    assert [(one["address"], one["configured"], one["drivers"]) for one in devices] == [
        (SPARE, None, ["polar"]), (WRIST, "bracelet", ["polar"]), (TAG, None, ["blueup-fall", "blueup-sos"]),
        (PHONE, None, [])]


def test_a_device_that_is_heard_no_more_stays_in_the_table(shell: Shell, hears: Callable[[Answer], None]) -> None:
    hears(lambda now_s: HEARD if now_s == 1 else [])
    assert SPARE in shell("ble", "scan", "--seconds", 20).stdout


def test_a_bus_that_is_down_is_told_with_its_cure(shell: Shell, desk: Desk) -> None:
    desk.answers["discover"] = refused("bluetoothd does not run", "start it")
    told = shell("ble", "scan", code=1).stderr
    assert "bluetoothd does not run" in told
    assert "start it" in told


def test_a_survey_asks_for_rooms_and_tells_where_the_gateway_belongs(
        shell: Shell, hears: Callable[[Answer], None]) -> None:
    hears(lambda now_s: [found(WRIST, "Polar Sense", -91 if now_s <= 20 else -60, "polar"), found(PHONE, "", -20)])
    told = shell("ble", "survey", "--seconds", 20, typed="bedroom\nhall\n\n")
    assert "-91 / -91 dBm poor" in told.stdout
    assert "place the gateway in: hall; the weakest there, bracelet, has -60 dBm" in told.stdout.replace("\n", " ")
    assert PHONE not in told.stdout


def test_a_survey_for_programs_gives_rooms_and_verdict(shell: Shell) -> None:
    result = shell("ble", "survey", "--seconds", 20, "--json", typed="hall\n\n").stdout
    assert '"best": "hall"' in result
    assert '"p10_dbm": -72' in result


def test_a_survey_in_no_room_says_what_to_do(shell: Shell) -> None:
    assert "no known device was heard" in shell("ble", "survey", typed="\n").stdout


def test_bad_moments_are_the_tenth_percentile_not_the_worst() -> None:
    assert signal([-50] * 9 + [-90]) == Signal(-50, -90, 10)
    assert signal([-50] * 10 + [-90]) == Signal(-50, -50, 11)
    assert signal([]) is None


@pytest.mark.parametrize(("p10_dbm", "word"), [(-75, "good"), (-76, "fair"), (-85, "fair"), (-86, "poor")])
def test_a_signal_is_judged_by_its_bad_moments(p10_dbm: int, word: str) -> None:
    assert Signal(-40, p10_dbm, 10).word == word


def test_the_best_room_is_the_one_whose_weakest_device_is_strongest() -> None:
    rooms = {"kitchen": {"a": [-40] * 10, "b": [-90] * 10}, "hall": {"a": [-70] * 10, "b": [-72] * 10}}
    assert best(rooms) == "hall"


def test_a_room_that_hears_everybody_is_better_than_one_that_hears_one_well() -> None:
    rooms = {"kitchen": {"a": [-40] * 10}, "hall": {"a": [-80] * 10, "b": [-84] * 10}}
    assert best(rooms) == "hall"
    assert "not heard there" not in verdict(rooms)
    rooms = {"kitchen": {"a": [-40]}, "hall": {"b": [-50]}}
    assert "not heard there: b" in verdict(rooms)


def test_where_even_the_best_is_poor_another_place_is_advised() -> None:
    assert "measure a place between" in verdict({"hall": {"a": [-92] * 10}})
    assert "measure a place between" not in verdict({"hall": {"a": [-82] * 10}})
