"""The tour's limits: each one that does not hold is named with both figures."""

from typing import Any

import pytest

from hil.scenarios.limits import LIMITS, duplicates, failed, not_judged

GOOD: dict[str, Any] = {
    "alarms_caused": 24, "alarms_raised": 24, "alarms_received": 24, "events_lost": 0, "duplicates_after_dedupe": 0,
    "latency_ms": {"sos_over_floor": 1.8}, "fall_detected": True, "received_said_after_commit": True,
    "start_s": 0.7, "rss_mb": {"daemon": 65.0}, "outage": {"alarm_first": True}, "missed": [],
}


def broken(name: str, value: Any) -> dict[str, Any]:
    """The good result with one figure changed; None takes it away."""
    *path, last = name.split(".")
    result = {key: dict(held) if isinstance(held, dict) else held for key, held in GOOD.items()}
    place = result
    for key in path:
        place = place[key]
    place[last] = value
    return result


@pytest.mark.parametrize(("name", "value"), [
    ("missed", ["door: Missing"]), ("events_lost", 1), ("duplicates_after_dedupe", 1), ("outage.alarm_first", False),
    ("received_said_after_commit", False), ("fall_detected", False), ("rss_mb.daemon", 80.1),
    ("latency_ms.sos_over_floor", 3.01), ("start_s", 2.0), ("alarms_raised", 25), ("alarms_received", 23)])
def test_each_figure_beyond_its_limit_is_named_and_no_other(name: str, value: Any) -> None:
    assert [(entry["limit"], entry["is"]) for entry in failed(broken(name, value), "l2")] == [(name, value)]


@pytest.mark.parametrize("name", [limit.name for limit in LIMITS])
def test_a_figure_that_was_never_taken_does_not_hold(name: str) -> None:
    assert [entry["limit"] for entry in failed(broken(name, None), "l2")] == [name]


def test_a_result_within_every_limit_fails_nothing() -> None:
    assert failed(GOOD, "l2") == []


def test_only_speed_is_a_matter_of_timing() -> None:
    assert {limit.name for limit in LIMITS if limit.timing} == {"latency_ms.sos_over_floor", "start_s"}


def test_memory_is_not_judged_where_the_daemon_carries_the_emulated_controller_and_that_is_said() -> None:
    heavy = broken("rss_mb.daemon", 120.0)
    assert failed(heavy, "l1") == []
    assert len(not_judged("l1")) == 1
    assert not_judged("l2") == []


def event(id_: str, type_: str = "anju.sensor.changed", monotonicms: str = "5", **data: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "subject": "sos", "boot": "b", "monotonicms": monotonicms, "data": data}


def test_two_alarms_of_one_cause_are_a_duplicate() -> None:
    alarms = [event("a", "anju.alarm.raised", "5", kind="sos", alarm="a"),
              event("b", "anju.alarm.raised", "9", kind="sos", alarm="b")]
    assert duplicates(alarms, {("sos", "sos"): 1}) == 1
    assert duplicates(alarms, {("sos", "sos"): 2}) == 0


def test_an_alarm_without_any_cause_is_one_too_many() -> None:
    assert duplicates([event("a", "anju.alarm.raised", kind="fall")], {("sos", "sos"): 1}) == 1


def test_one_event_under_two_ids_is_a_duplicate() -> None:
    assert duplicates([event("a", active=True), event("b", active=True)], {}) == 1


def test_what_differs_in_instant_or_content_is_no_duplicate() -> None:
    told = [event("a", active=True), event("b", active=False), event("c", monotonicms="6", active=True)]
    assert duplicates(told, {}) == 0
