"""What `anju status` says of cover: plain words, since when, and what to do."""

import os
import time
from collections.abc import Iterator

import pytest

from gateway.detect.cover import GRACE_S
from tests.unit.cli.desk import BOOT_ID, a_device, a_status

AT_S = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    os.environ.pop("TZ", None)
    time.tzset()


def reason(device: str = "bracelet", for_s: float = GRACE_S, words: str = "lies on the charger") -> dict[str, object]:
    return {"device": device, "state": "on_charger", "for_s": for_s, "words": words, "cure": "put it on"}


def faults(covered: bool, *reasons: dict[str, object], by: tuple[str, ...] = (), quality: str = "synced",
           wearer: str = "") -> list[dict[str, str]]:
    cover = {"what": "falls", "covered": covered, "by": list(by), "reasons": list(reasons), "for_s": 0.0}
    clock = {"wall_s": AT_S, "quality": quality, "boot_id": BOOT_ID}
    whole = a_status(cover=[cover | ({"wearer": wearer} if wearer else {})], clock=clock)
    found: list[dict[str, str]] = whole["faults"]
    return found


def test_an_uncovered_home_is_told_since_when_and_what_to_do() -> None:
    assert faults(False, reason(for_s=4600)) == [{
        "what": "cover", "cure": "put it on",
        "reason": "bracelet lies on the charger since 19:10: falls are not watched"}]


def test_who_still_watches_is_named() -> None:
    (fault,) = faults(True, reason(), by=("bath",), wearer="Li")
    assert fault["reason"] == "bracelet lies on the charger since 20:11: only bath watches over falls of Li"


def test_more_than_a_day_is_told_with_its_date_and_without_a_clock_it_is_how_long() -> None:
    assert "since 2026-05-26 20:26" in faults(False, reason(for_s=2 * 86400))[0]["reason"]
    assert "charger for 15 min:" in faults(False, reason(), quality="unset")[0]["reason"]


def test_a_wash_is_no_fault() -> None:
    assert faults(False, reason(for_s=GRACE_S - 1)) == []


def test_a_monitor_that_sleeps_is_no_fault_and_one_that_refuses_is() -> None:
    whole = a_status(devices=[a_device("cuff", "asleep"), a_device("scale", "rejected", reason="wrong", cure="mend")])
    assert [fault["what"] for fault in whole["faults"]] == ["device scale"]
