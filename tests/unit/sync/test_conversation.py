"""One conversation after another: what travels together, what is sent again, and when a connection is not believed."""

from pathlib import Path
from typing import Any

from gateway.model.event import Lane
from gateway.sync.conversation import ROUNDS, STUCK
from gateway.sync.errors import LinkDropped
from gateway.sync.pause import HURRY_S
from gateway.sync.uplink import ANSWER_S, FRUITLESS
from tests.unit.sync.kit import event
from tests.unit.sync.line import Line, acknowledging, home, told


def many(count: int, lane: Lane = Lane.EVENT, prefix: str = "e") -> list[Any]:
    return [event(f"{prefix}{number}", lane) for number in range(count)]


async def test_what_waits_together_travels_together_and_alarms_alone_and_first(tmp_path: Path) -> None:
    line = Line(reachable=False)
    async with home(tmp_path, line) as flat:
        await flat.store.append(many(70, Lane.TELEMETRY, "t") + many(40) + many(3, Lane.ALARM, "a"))
        line.reachable = True
        await flat.hours.go_on(1.0)
        await flat.until(lambda: len(flat.received) == 113)
    carried = [[found["id"] for found in told(payload)] for payload in line.payloads()]
    assert carried[:3] == [["a0"], ["a1"], ["a2"]]
    assert [len(ids) for ids in carried if ids[0][0] == "e"] == [29, 11]
    assert [id_ for ids in carried for id_ in ids if id_[0] == "t"] == [f"t{number}" for number in range(70)]
    assert len([ids for ids in carried if ids[0][0] == "t"]) <= 4
    assert flat.sent == carried


async def test_an_event_by_itself_is_plain_json(tmp_path: Path) -> None:
    line = Line()
    async with home(tmp_path, line) as flat:
        for number in range(3):
            await flat.store.append([event(f"e{number}")])
            await flat.until(lambda: len(flat.received) == number + 1)  # noqa: B023 - awaited at once
    assert [payload[:1] for payload in line.payloads()] == [b"{"] * 3


async def test_what_goes_again_may_be_packed_otherwise_under_the_same_ids_and_numbers(tmp_path: Path) -> None:
    def midway(payload: bytes) -> list[dict[str, Any]]:
        fifth = told(payload)[4] if len(told(payload)) > 5 and line.answer is midway else None
        return acknowledging(payload, upto=int(fifth["sequence"]), id=fifth["id"]) if fifth else []

    line = Line(answer=midway)
    async with home(tmp_path, line) as flat:
        await flat.store.append(many(20))
        await flat.until(lambda: len(flat.received) == 5)
        line.answer = acknowledging
        await flat.hours.go_on(ANSWER_S * 1.5)
        await flat.until(lambda: len(flat.received) == 20)
    first, again = (told(payload) for payload in line.payloads())
    assert [found["id"] for found in again] == [f"e{number}" for number in range(5, 20)]
    assert [found["sequence"] for found in again] == [found["sequence"] for found in first[5:]]


async def test_a_lane_that_stands_still_though_others_move_ends_the_session(tmp_path: Path) -> None:
    line = Line(answer=lambda payload: [] if told(payload)[0]["lane"] == "telemetry" else acknowledging(payload))
    async with home(tmp_path, line) as flat:
        await flat.store.append([event("t", Lane.TELEMETRY)])
        for number in range(STUCK - 1):
            await flat.store.append([event(f"e{number}")])
            await flat.until(lambda: f"e{number}" in flat.received)  # noqa: B023 - awaited at once
            await flat.hours.go_on(ANSWER_S)
        health = flat.uplink.health()
        assert (health["reconnects"], health["state"], health["connected"]) == (1, "no_answer", True)
        assert "lane telemetry" in health["reason"]
        assert health["stalled_s"]["telemetry"] >= ANSWER_S * (STUCK - 1.2)
        assert health["stalled_s"]["event"] == 0.0
        await flat.hours.go_on(ANSWER_S * 1.2)
        assert len(line.carried) == 2
        line.answer = acknowledging
        await flat.hours.go_on(ANSWER_S * 1.5)
        await flat.until(lambda: "t" in flat.received)
        assert flat.uplink.health()["state"] == "connected"


async def test_acknowledgements_of_another_epoch_are_no_answer(tmp_path: Path) -> None:
    line = Line(answer=lambda payload: acknowledging(payload, epoch="somebody-elses"))
    async with home(tmp_path, line) as flat:
        await flat.store.append([event("e")])
        await flat.hours.go_on(ANSWER_S * (ROUNDS - 0.5))
        assert (len(line.carried), flat.uplink.health()["state"]) == (1, "no_answer")
        await flat.hours.go_on(ANSWER_S)
        assert len(line.carried) == 2
        assert flat.received == []
        line.answer = acknowledging
        await flat.hours.go_on(ANSWER_S * 2)
        await flat.until(lambda: flat.received == ["e"])


async def test_a_city_that_never_answers_batches_gets_single_events(tmp_path: Path) -> None:
    line = Line(answer=lambda payload: acknowledging(payload) if payload[:1] == b"{" else [])
    async with home(tmp_path, line) as flat:
        await flat.store.append(many(40))
        await flat.hours.go_on(ANSWER_S * (ROUNDS + 1) * (FRUITLESS + 1))
        await flat.until(lambda: len(flat.received) == 40)
    assert len(line.carried) == FRUITLESS + 1
    assert {payload[:1] for payload in line.carried[0]} == {b"\x78"}
    assert {payload[:1] for payload in line.carried[-1]} == {b"{"}


async def test_a_broker_that_hangs_up_at_batches_gets_single_events(tmp_path: Path) -> None:
    def hang_up(payload: bytes) -> list[dict[str, Any]]:
        if payload[:1] != b"{":
            raise LinkDropped("the connection ended", "find out why")
        return acknowledging(payload)

    line = Line(answer=hang_up)
    async with home(tmp_path, line) as flat:
        await flat.store.append(many(40))
        await flat.hours.go_on(10.0)
        await flat.until(lambda: len(flat.received) == 40)
        assert flat.uplink.health()["reconnects"] == FRUITLESS + 1


async def test_a_broker_that_takes_one_at_a_time_gets_everything_one_at_a_time(tmp_path: Path) -> None:
    line = Line(in_flight=1)
    async with home(tmp_path, line) as flat:
        await flat.store.append([*many(40), *many(3, Lane.ALARM, "a"), *many(40, Lane.TELEMETRY, "t")])
        await flat.until(lambda: len(flat.received) == 83)


async def test_what_waits_in_memory_alone_travels_in_batches_too(tmp_path: Path) -> None:
    line = Line()
    async with home(tmp_path, line) as flat:
        flat.uplink.offer([*many(40), *many(2, Lane.ALARM, "a")])
        await flat.until(lambda: len(flat.received) == 42)
        assert flat.uplink.health()["in_memory_only"] == 0
    assert [len(told(payload)) for payload in line.payloads()] == [1, 1, 30, 10]


async def test_no_packet_is_larger_than_the_broker_takes_and_a_large_event_holds_up_nobody(tmp_path: Path) -> None:
    line = Line(packet_bytes=1500)
    async with home(tmp_path, line) as flat:
        large = event("large")
        large.data["noise"] = "".join(f"{number * 2_654_435_761 % 2**32:08x}" for number in range(500))
        await flat.store.append([*many(10), large, *many(30, prefix="f")])
        await flat.until(lambda: len(flat.received) == 41)
        assert flat.uplink.health()["shortened"] == 1
    assert max(map(len, line.payloads())) < 1500
    assert flat.sent == [[found["id"] for found in told(payload)] for payload in line.payloads()]
    (shortened,) = [found for payload in line.payloads() for found in told(payload) if found["id"] == "large"]
    assert shortened["data"] == {"kind": "contact", "active": True}


async def test_a_broker_that_takes_no_event_at_all_is_told_and_tried_again(tmp_path: Path) -> None:
    line = Line(packet_bytes=300)
    async with home(tmp_path, line) as flat:
        await flat.store.append([event("e")])
        await flat.until(lambda: flat.uplink.health()["state"] == "packets_too_small")
        assert "Maximum Packet Size" in flat.uplink.health()["cure"]
        await flat.hours.go_on(ANSWER_S * STUCK * 2)
        assert line.payloads() == []
        assert len(line.carried) == 1


async def test_an_alarm_ends_a_pause_at_once_and_that_pause_only(tmp_path: Path) -> None:
    line = Line(reachable=False)
    async with home(tmp_path, line, rng=1.0) as flat:
        await flat.hours.go_on(300.0)
        calm = line.attempts
        assert 8 <= calm <= 13
        await flat.store.append([event("a", Lane.ALARM)])
        await flat.hours.go_on(HURRY_S)
        assert line.attempts == calm + 1
        await flat.hours.go_on(8.0)
        assert line.attempts <= calm + 4
        line.reachable = True
        await flat.hours.go_on(4.0)
        await flat.until(lambda: flat.received == ["a"])
