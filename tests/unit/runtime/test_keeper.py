"""The keeper over days without a disk: nothing piles up without end, no alarm goes, and what went is told once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest

from drivers.testkit import virtual_time
from gateway.model.alarm import Alarm, AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.evidence import Evidence
from gateway.model.finding import Finding, FindingKind
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime import keeper as keeper_module
from gateway.runtime.keeper import HANG_S, RETRY_S, Commit, Keeper
from gateway.store import Store, StoreFull

SYNCED = Stamp("boot", 100.0, 1_770_000_000.0, ClockQuality.SYNCED)


@dataclass
class Disk:
    """The store's append(): takes, refuses, or says nothing until it does again."""

    full: bool = False
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    events: list[str] = field(default_factory=list)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    under_way: int = 0
    most_under_way: int = 0

    def __post_init__(self) -> None:
        self.answers.set()

    async def append(self, events: Sequence[Event], alarm: Alarm | None = None, *, evidence: Evidence | None = None,
                     detectors: Mapping[str, bytes] | None = None) -> None:
        del evidence, detectors
        bodies = [msgspec.json.encode(event) for event in events]  # as the store does: before anything else
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.answers.wait()
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if self.full:
            raise StoreFull("no space left", "free some")
        self.events += [msgspec.json.decode(body, type=Event).id for body in bodies]
        if alarm is not None:
            self.alarms[alarm.id] = alarm


@dataclass
class Bench:
    """A keeper on such a disk."""

    disk: Disk = field(default_factory=Disk)
    offered: list[str] = field(default_factory=list)
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        def offer(events: Sequence[Event]) -> None:
            self.offered += [event.id for event in events]

        self.keeper = Keeper(cast(Store, self.disk), offer, lambda *fault: self.faults.append(fault))

    def losses(self) -> list[str]:
        return [reason for what, reason, _ in self.faults if "given up" in reason]


@asynccontextmanager
async def kept() -> AsyncIterator[Bench]:
    bench = Bench()
    task = asyncio.create_task(bench.keeper.run())
    await asyncio.sleep(0)
    try:
        yield bench
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended


def run(story: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with kept() as bench:
            await story(bench)

    virtual_time.run(main())


def event(id_: str, lane: Lane = Lane.EVENT, at: Stamp = SYNCED) -> Event:
    return Event(id_, EventType.SENSOR_CHANGED, lane, "door", at, {"active": True})


def alarm(id_: str, repeats: int = 0, state: AlarmState = AlarmState.RAISED) -> Alarm:
    finding = Finding(FindingKind.SOS, "pendant", SYNCED, 1.0, "pressed")
    return Alarm(id_, state, finding, SYNCED, repeats=repeats)


def repeated(id_: str, number: int) -> Commit:
    event_id = f"{id_}/{number}" if number else id_
    return Commit((event(event_id, Lane.ALARM),), alarm(id_, number))


def test_of_an_alarm_whose_state_changes_for_hours_only_the_newest_is_kept() -> None:
    async def story(bench: Bench) -> None:
        bench.disk.full = True
        taken: list[int] = []
        for number in range(2000):
            for id_ in ("a", "b"):
                bench.keeper.submit([Commit((), alarm(id_, number))], lambda: taken.append(1))
            await asyncio.sleep(5)
        assert bench.keeper.waiting() == 2
        assert taken == []
        bench.disk.full = False
        await asyncio.sleep(2 * RETRY_S)
        assert {id_: saved.repeats for id_, saved in bench.disk.alarms.items()} == {"a": 1999, "b": 1999}
        assert len(taken) == 4000
        assert bench.keeper.waiting() == 0

    run(story)


def test_events_of_alarms_are_kept_all_until_the_city_has_them_from_memory() -> None:
    async def story(bench: Bench) -> None:
        bench.disk.full = True
        for number in range(50):
            bench.keeper.submit([repeated("a", number)])
            await asyncio.sleep(5)
        bench.keeper.submit([Commit((), alarm("a", 50, AlarmState.RECEIVED))])
        await asyncio.sleep(1)
        assert bench.offered == ["a", *(f"a/{n}" for n in range(1, 50))]
        bench.keeper.received(bench.offered[:40])
        bench.disk.full = False
        await asyncio.sleep(2 * RETRY_S)
        assert bench.disk.events == [f"a/{n}" for n in range(40, 50)]
        assert bench.disk.alarms["a"].state is AlarmState.RECEIVED

    run(story)


def test_an_event_that_the_city_has_from_memory_makes_room_and_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT", 10)

    async def story(bench: Bench) -> None:
        bench.disk.full = True
        taken: list[str] = []
        for number in range(100):
            bench.keeper.submit([Commit((event(f"e{number}"),))], lambda: taken.append("yes"))
            await asyncio.sleep(1)
            bench.keeper.received([f"e{number}"])
        assert (bench.keeper.waiting(), bench.keeper.dropped, len(taken)) == (0, 0, 100)

    run(story)


def test_what_was_given_up_is_told_once_with_its_number_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT", 10)

    async def story(bench: Bench) -> None:
        for outage in range(2):
            bench.disk.full = True
            taken: list[str] = []
            for number in range(37):
                at = msgspec.structs.replace(SYNCED, wall_s=1_770_000_000.0 + number)
                commits = [Commit((event(f"{outage}-{number}", at=at),))]
                bench.keeper.submit(commits, lambda taken=taken: taken.append("yes"))  # type: ignore[misc]
                bench.keeper.submit([repeated(f"alarm-{outage}", number)])
                await asyncio.sleep(0.1)
            await asyncio.sleep(3600)
            assert len(bench.losses()) == outage, "not before it is over"
            assert len(taken) == 27, "nobody keeps for us what was given up"
            bench.disk.full = False
            await asyncio.sleep(3600)
            assert len(bench.losses()) == outage + 1
            assert bench.losses()[-1].startswith("27 events were given up from 2026-02-02 02:40:10 UTC on")
            assert len([id_ for id_ in bench.disk.events if id_.startswith(f"alarm-{outage}")]) == 37
        assert bench.keeper.dropped == 54
        assert all(cure.startswith("check the disk") for _, reason, cure in bench.faults if reason in bench.losses())

    run(story)


def test_what_the_city_got_from_memory_all_the_same_is_not_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT", 10)

    async def story(bench: Bench) -> None:
        bench.disk.full = True
        for number in range(16):
            bench.keeper.submit([Commit((event(f"e{number}"),))])
            await asyncio.sleep(0.1)
        bench.keeper.received(["e10", "e11", "e11"])
        bench.disk.full = False
        await asyncio.sleep(2 * RETRY_S)
        assert [reason.partition(" ")[0] for reason in bench.losses()] == ["4"]
        assert bench.keeper.dropped == 4

    run(story)


def test_a_time_that_nobody_knew_is_not_pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT", 1)

    async def story(bench: Bench) -> None:
        for wall_s, quality, words in ((None, ClockQuality.UNSET, "from 77 s after the start of boot early on"),
                                       (1e9, ClockQuality.RESTORED, "by a clock that was not set then")):
            bench.disk.full = True
            at = Stamp("early", 77.0, wall_s, quality)
            bench.keeper.submit([Commit((event(f"{quality}-{n}", at=at),)) for n in range(3)])
            await asyncio.sleep(1)
            bench.disk.full = False
            await asyncio.sleep(2 * RETRY_S)
            assert words in bench.losses()[-1]

    run(story)


def test_on_a_disk_that_says_nothing_for_hours_nothing_piles_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT", 100)

    async def story(bench: Bench) -> None:
        bench.disk.answers.clear()
        taken: list[str] = []
        for number in range(1000):
            bench.keeper.submit([repeated("a", number), Commit((event(f"e{number}"),))], lambda: taken.append("yes"))
            await asyncio.sleep(HANG_S)
        assert bench.disk.most_under_way <= 6, "what came before it was known, and one trial"
        assert bench.offered[:1] == ["a"]
        assert {f"a/{n}" for n in range(1, 1000)} <= set(bench.offered)
        assert len([reason for _, reason, _ in bench.faults if "said nothing" in reason]) == 1
        assert bench.keeper.waiting() <= 101
        bench.disk.answers.set()
        await asyncio.sleep(2 * RETRY_S)
        assert {"a", *(f"a/{n}" for n in range(1, 1000))} <= set(bench.disk.events)
        assert bench.disk.alarms["a"].repeats == 999
        assert len(taken) == 1000
        assert bench.keeper.waiting() == 0
        assert len(bench.losses()) == 1

    run(story)


def test_telemetry_that_waits_for_a_late_commit_is_no_hanging_disk_and_still_bounded(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT", 20)

    async def story(bench: Bench) -> None:
        bench.disk.answers.clear()
        for number in range(100):
            bench.keeper.submit([Commit((event(f"t{number}", Lane.TELEMETRY),))])
            await asyncio.sleep(0.2)
        assert bench.faults == []
        assert bench.disk.most_under_way <= 21, "and one trial"
        bench.disk.answers.set()
        await asyncio.sleep(3 * RETRY_S)
        assert len(bench.disk.events) + bench.keeper.dropped == 100
        assert bench.keeper.dropped == 60

    run(story)


def test_what_comes_while_the_disk_is_tried_again_is_not_forgotten() -> None:
    async def story(bench: Bench) -> None:
        bench.disk.full = True
        bench.keeper.submit([repeated("a", 0), Commit((event("e0"),))])
        await asyncio.sleep(1)
        bench.disk.answers.clear()
        await asyncio.sleep(RETRY_S)  # it is trying now
        bench.keeper.submit([repeated("a", 1), Commit((event("e1"),))])
        await asyncio.sleep(1)
        bench.disk.answers.set()  # and is refused
        await asyncio.sleep(1)
        bench.disk.full = False
        await asyncio.sleep(2 * RETRY_S)
        assert sorted(bench.disk.events) == ["a", "a/1", "e0", "e1"]
        assert bench.disk.events.index("a") < bench.disk.events.index("a/1")
        assert bench.disk.alarms["a"].repeats == 1

    run(story)


def test_a_newer_state_that_comes_while_an_older_one_is_being_saved_is_saved_too() -> None:
    async def story(bench: Bench) -> None:
        bench.disk.answers.clear()
        bench.keeper.submit([repeated("a", 0)])
        await asyncio.sleep(2 * HANG_S)
        for number in (1, 2):  # the second one while the disk is being tried with the first
            bench.keeper.submit([Commit((), alarm("a", number))])
            await asyncio.sleep(RETRY_S)
        bench.disk.answers.set()
        await asyncio.sleep(2 * RETRY_S)
        assert bench.disk.alarms["a"].repeats == 2

    run(story)


def test_what_cannot_travel_ends_nothing_while_the_disk_says_nothing() -> None:
    async def story(bench: Bench) -> None:
        def offer(events: Sequence[Event]) -> None:
            bench.offered.extend(msgspec.json.decode(msgspec.json.encode(event), type=Event).id for event in events)

        bench.keeper._offer = offer
        bench.disk.answers.clear()
        bench.keeper.submit([repeated("a", 0)])
        await asyncio.sleep(2 * HANG_S)
        bad = Event("a/1", EventType.ALARM_REPEATED, Lane.ALARM, "d", SYNCED, {"bad": object(), "ok": 1})
        bench.keeper.submit([Commit((bad,), alarm("a", 1))])
        await asyncio.sleep(1)
        bench.disk.answers.set()
        await asyncio.sleep(2 * RETRY_S)
        assert bench.offered == ["a", "a/1"]
        assert bench.disk.events == ["a", "a/1"]

    run(story)


def test_an_alarm_that_ended_while_the_disk_said_nothing_ends_on_disk_too() -> None:
    async def story(bench: Bench) -> None:
        bench.keeper.submit([repeated("a", 0)])
        await asyncio.sleep(1)
        bench.disk.answers.clear()
        over = Commit((event("a/1", Lane.ALARM),), alarm("a", 0, AlarmState.CANCELLED))
        bench.keeper.submit([over])
        await asyncio.sleep(3 * RETRY_S)  # the disk is tried again meanwhile, with nothing kept
        bench.disk.full = True
        bench.disk.answers.set()
        await asyncio.sleep(1)
        assert bench.keeper.waiting() == 1
        bench.disk.full = False
        await asyncio.sleep(2 * RETRY_S)
        assert bench.disk.alarms["a"].state is AlarmState.CANCELLED
        assert bench.disk.events == ["a", "a/1"]

    run(story)


def test_an_older_state_that_the_disk_refuses_late_does_not_open_an_alarm_again() -> None:
    async def story(bench: Bench) -> None:
        append, late = bench.disk.append, asyncio.Event()

        async def first_late(events: Sequence[Event], alarm: Alarm | None = None, **_: object) -> None:
            if alarm is not None and alarm.state is AlarmState.RECEIVED:
                await late.wait()
                raise StoreFull("no space left", "free some")
            await append(events, alarm)

        bench.disk.append = first_late  # type: ignore[method-assign]
        bench.keeper.submit([Commit((), alarm("a", 0, AlarmState.RECEIVED))])
        bench.keeper.submit([Commit((event("a/1", Lane.ALARM),), alarm("a", 0, AlarmState.CLOSED))])
        await asyncio.sleep(2 * RETRY_S)
        late.set()
        await asyncio.sleep(3 * RETRY_S)
        assert bench.disk.alarms["a"].state is AlarmState.CLOSED
        assert bench.keeper.waiting() == 0

    run(story)


def test_of_alarms_that_are_on_disk_no_snapshot_stays_in_memory() -> None:
    async def story(bench: Bench) -> None:
        bench.disk.full = True
        for number in range(3):
            bench.keeper.submit([repeated(f"a{number}", 0), Commit((event(f"e{number}"),))])
        await asyncio.sleep(1)
        bench.disk.full = False
        bench.keeper.submit([repeated("b", 0)])
        await asyncio.sleep(2 * RETRY_S)
        assert len(bench.disk.alarms) == 4
        assert (bench.keeper._newest, bench.keeper._under_way) == ({}, {})

    run(story)
