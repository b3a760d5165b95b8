"""What nobody takes stands in no other row's way; a city that lost its numbers gets everything all the same."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.model.event import Event, Lane
from gateway.sync.conversation import ROUNDS, STUCK
from gateway.sync.refused import TRIES
from gateway.sync.remedies import RENEW_S
from gateway.sync.uplink import ANSWER_S
from gateway.sync.window import PER_LANE
from tests.unit.sync.kit import event
from tests.unit.sync.line import Counting, Home, Line, acknowledging, home, told


def many(count: int, lane: Lane, prefix: str) -> list[Event]:
    return [event(f"{prefix}{number}", lane) for number in range(count)]


def received(flat: Home, prefix: str) -> list[str]:
    return sorted(id_ for id_ in set(flat.received) if id_.startswith(prefix))


async def test_a_batch_that_the_broker_refuses_goes_singly_and_its_one_bad_event_is_set_aside(tmp_path: Path) -> None:
    line = Line(Counting(), refuses={"e3"})
    async with home(tmp_path, line) as flat:
        await flat.store.append([*many(10, Lane.EVENT, "e"), *many(10, Lane.TELEMETRY, "t")])
        await flat.until(lambda: len(received(flat, "t")) == 10)
        assert flat.uplink.health()["state"] == "not_authorised"
        await flat.hours.go_on(ANSWER_S * (TRIES + 2))
        await flat.until(lambda: len(received(flat, "e")) == 9 and bool(received(flat, "setback")))
        assert received(flat, "e") == [f"e{number}" for number in range(10) if number != 3]
        assert flat.store.counts()[Lane.EVENT].waiting == 0
        assert flat.uplink.health()["state"] == "connected"
        (fault,) = flat.store.faults()
        assert "event e3 " in fault.reason
        assert ("broker refuses" in fault.reason, fault.cure) == (True, "ask the city why")
    assert len(line.carried) == 1


async def test_no_refusal_of_one_event_is_blamed_on_the_citys_application(tmp_path: Path) -> None:
    async with home(tmp_path, Line(Counting(), refuses={"a0"})) as flat:
        await flat.store.append(many(3, Lane.ALARM, "a"))
        states = set()
        for _ in range(10):
            await flat.hours.go_on(ANSWER_S / 20)
            states.add(flat.uplink.health()["state"])
        assert states == {"not_authorised"}


@pytest.mark.parametrize("in_flight", [1, 16])
async def test_an_alarm_that_the_broker_refuses_lets_the_others_pass_and_is_tried_for_ever(
        tmp_path: Path, in_flight: int) -> None:
    line = Line(Counting(), refuses={"a1"}, in_flight=in_flight)
    async with home(tmp_path, line) as flat:
        await flat.store.append(many(4, Lane.ALARM, "a"))
        await flat.hours.go_on(ANSWER_S * (TRIES + 3))
        await flat.until(lambda: received(flat, "a") == ["a0", "a2", "a3"] and bool(received(flat, "setback")))
        assert flat.store.counts()[Lane.ALARM].waiting == 1
        await flat.hours.go_on(ANSWER_S * 50)
        assert len(flat.store.faults()) == 1  # alone it holds up nobody
        line.refuses.clear()
        await flat.hours.go_on(ANSWER_S)
        await flat.until(lambda: "a1" in flat.received)


async def test_a_topic_that_the_broker_refuses_sets_nothing_back(tmp_path: Path) -> None:
    line = Line(Counting(), refuses={f"e{number}" for number in range(40)})
    async with home(tmp_path, line) as flat:
        await flat.store.append([*many(40, Lane.EVENT, "e"), *many(2, Lane.ALARM, "a")])
        await flat.hours.go_on(ANSWER_S * 20)
        assert (flat.store.faults(), received(flat, "a")) == ((), ["a0", "a1"])
        line.refuses.clear()
        await flat.hours.go_on(ANSWER_S * 4)
        await flat.until(lambda: len(received(flat, "e")) == 40)


async def test_an_alarm_too_large_for_the_broker_stops_no_other(tmp_path: Path) -> None:
    line = Line(Counting(), packet_bytes=700)
    async with home(tmp_path, line) as flat:
        await flat.store.append([event("a0", Lane.ALARM), replace(event("long", Lane.ALARM), subject="x" * 500),
                                 event("a2", Lane.ALARM)])
        await flat.until(lambda: {"a0", "a2"} <= set(line.answer.has))  # type: ignore[attr-defined]
        health = flat.uplink.health()
        assert health["state"] == "packets_too_small"
        needed = int(health["cure"].split(" bytes")[0].split()[-1])
        await flat.hours.go_on(ANSWER_S * (TRIES + 1))
        await flat.until(lambda: received(flat, "a") == ["a0", "a2"])
        assert "long" in flat.store.faults()[0].reason
        line.packet_bytes, line.answer = needed, acknowledging
    async with home(tmp_path, line) as flat:
        await flat.until(lambda: "long" in flat.received)


async def test_an_event_that_the_city_never_acknowledges_is_set_aside_and_an_alarm_set_back(tmp_path: Path) -> None:
    city = Counting(never={"e0", "a0"})
    async with home(tmp_path, Line(city)) as flat:
        await flat.store.append([*many(3, Lane.EVENT, "e"), *many(3, Lane.ALARM, "a")])
        for number in range(4 * STUCK):
            await flat.store.append([event(f"t{number}", Lane.TELEMETRY)])
            await flat.hours.go_on(ANSWER_S)
        await flat.until(lambda: received(flat, "a") == ["a1", "a2"])
        await flat.until(lambda: received(flat, "e") == ["e1", "e2"])
        assert len(received(flat, "setback")) == 2
        assert {lane: count.waiting for lane, count in flat.store.counts().items()}[Lane.ALARM] == 1
        city.never.clear()
        await flat.hours.go_on(ANSWER_S)
        await flat.until(lambda: "a0" in flat.received)


async def test_a_city_that_answers_nobody_makes_no_event_go_aside(tmp_path: Path) -> None:
    async with home(tmp_path, Line(lambda payload: [])) as flat:
        await flat.store.append([*many(3, Lane.EVENT, "e"), *many(3, Lane.ALARM, "a")])
        epoch = flat.store.epoch
        await flat.hours.go_on(ANSWER_S * STUCK * 6)
        assert (flat.store.faults(), flat.store.epoch) == ((), epoch)


async def test_a_city_set_back_in_time_that_follows_nothing_gets_a_new_epoch_once_an_hour(tmp_path: Path) -> None:
    city = Counting()
    async with home(tmp_path, Line(city)) as flat:
        await flat.store.append(many(10, Lane.ALARM, "a"))
        await flat.until(lambda: len(received(flat, "a")) == 10)
        before = flat.store.epoch
        city.back(5)
        await flat.store.append(many(3, Lane.ALARM, "b"))
        await flat.hours.go_on(ANSWER_S * ROUNDS * 3)
        await flat.until(lambda: received(flat, "b") == ["b0", "b1", "b2"])
        assert flat.store.epoch != before
        again = flat.store.epoch
        city.back(1)
        await flat.store.append(many(3, Lane.ALARM, "c"))
        await flat.hours.go_on(RENEW_S / 2)
        assert (flat.store.epoch, received(flat, "c")) == (again, [])
        await flat.hours.go_on(RENEW_S / 2)
        await flat.until(lambda: received(flat, "c") == ["c0", "c1", "c2"])


async def test_no_backlog_without_an_answer_shuts_out_a_new_alarm(tmp_path: Path) -> None:
    line = Line(lambda payload: [])
    async with home(tmp_path, line) as flat:
        await flat.store.append(many(3 * PER_LANE, Lane.ALARM, "a"))
        await flat.hours.go_on(ANSWER_S / 4 + ANSWER_S / 10)
        flat_out = {found["id"] for payload in line.payloads() for found in told(payload)}
        assert f"a{3 * PER_LANE - 1}" in flat_out
        await flat.store.append([event("sos", Lane.ALARM)])
        await flat.until(lambda: "sos" in {found["id"] for payload in line.payloads() for found in told(payload)})
        line.answer = Counting()
        await flat.hours.go_on(ANSWER_S * ROUNDS)
        await flat.until(lambda: len(set(flat.received)) == 3 * PER_LANE + 1)
