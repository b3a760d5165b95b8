"""Whatever happens, in whatever order, what was accepted is in the outbox or at the city, and in the end at the city.

A machine of hypothesis plays a gateway (real store, real files, real uplink), a link and a city against the reference
model in tests/model/ledger.py. Every packet moves only when the machine moves it; any process may be killed between any
two turns of the loop. ANJU_MODEL=nightly plays much longer.
"""

import asyncio
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.model.alarm import Alarm, AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Limits, Store
from gateway.sync.window import PER_LANE, RESERVED
from tests.model.flat import Flat, copy, turn
from tests.model.ledger import Reference
from tests.model.link import MemoryBroker
from tests.model.loop import ModelLoop
from tests.model.sessions import Sessions
from tests.model.town import Town

NIGHTLY = os.environ.get("ANJU_MODEL") == "nightly"
GATEWAY = "flat-12"
TYPES = {Lane.ALARM: EventType.ALARM_RAISED, Lane.EVENT: EventType.SENSOR_CHANGED,
         Lane.TELEMETRY: EventType.VITALS_SUMMARY}
ALL = 1_000_000
TURNS = 12  # of the loop, from a wake to the departure of what it read
DRAINED_S = 45  # a pause before the next connection, half of CALM_CAP_S here, or a round of ANSWER_S; and some
STEP_S = 3
MEMORY = next((place for place in (Path("/dev/shm"),) if place.is_dir()), None)  # a kill loses nothing written anyway

lanes = st.sampled_from(Lane)
some = st.integers(1, 12)


class Accident(Enum):
    LINK_CUT = auto()  # and back at once
    LINK_GONE = auto()
    ACKS_LOST = auto()
    TOPIC_REFUSED = auto()
    BROKER_FORGETS = auto()
    CITY_KILLED = auto()
    CITY_FORGETS = auto()
    DISK_SILENT = auto()
    DISK_SMALL = auto()
    FILE_DAMAGED = auto()
    RESTART = auto()


class Machine(RuleBasedStateMachine):
    empty: Path  # the files of a store that nobody has used

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="anju-model-", dir=MEMORY))
        self.loop = ModelLoop()
        self.reference = Reference()
        self.wall_s, self.quality = 1_770_000_000.0, ClockQuality.SYNCED
        self.count = 0
        self.pending: list[tuple[asyncio.Task[None], list[Event]]] = []
        self.received: set[str] = set()
        self.sessions = Sessions(self.alarms_waiting)
        self.held = False
        self.began = False

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(in_flight=st.sampled_from([16, 4, 4, 1]), late_s=st.sampled_from([0.0, 3600.0]))
    def begin(self, in_flight: int, late_s: float) -> None:
        self.limits = Limits(telemetry_delay_s=late_s)
        self.broker = MemoryBroker(in_flight, self.sessions)
        self.town = Town(self.folder, self.broker, GATEWAY)
        self.flat = Flat(self.folder, self.broker, GATEWAY, self.now, self.received.update)
        shutil.copytree(self.empty, self.flat.place)
        self.do(self.flat.start(self.limits))
        self.began = True

    # What people and sensors do

    @rule(chosen=st.lists(lanes, min_size=1, max_size=6))
    def append(self, chosen: list[Lane]) -> None:
        self.accept([self.event(lane) for lane in chosen])

    @rule(chosen=st.sets(lanes, min_size=1))
    def append_more_than_a_window(self, chosen: set[Lane]) -> None:
        self.accept([self.event(lane) for lane in sorted(chosen) for _ in range(PER_LANE + 6)])

    @rule(backlog=st.sampled_from([False, False, False, True]))
    def raise_an_alarm(self, backlog: bool) -> None:
        if backlog:
            self.append_more_than_a_window({Lane.EVENT, Lane.TELEMETRY})
            self.do(turn(TURNS))
        event = self.event(Lane.ALARM)
        finding = Finding(FindingKind.SOS, "pendant", event.at, 1.0, "pressed")
        departs_at_once = self.nothing_keeps_an_alarm()
        self.accept([event], Alarm(event.id, AlarmState.RAISED, finding, event.at))
        if departs_at_once:
            self.do(turn(TURNS))
            assert event.id in self.sessions.departed_ids, "an alarm waits though nothing keeps it"

    @rule(chosen=st.lists(lanes, min_size=1, max_size=3), saved=st.booleans())
    def the_disk_refuses_and_the_uplink_sends_from_memory(self, chosen: list[Lane], saved: bool) -> None:
        events = [self.event(lane) for lane in chosen]
        self.reference.handed_in(events)
        self.reference.in_memory |= {event.id for event in events}
        self.do(self.offer(events))
        if saved:
            self.accept_handed_in(events)

    # What moves by itself

    @rule(count=some)
    def the_loop_turns(self, count: int) -> None:
        self.do(turn(count))

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 30.0, 120.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(times=st.integers(1, 4), loses=st.none() | lanes)
    def all_flows(self, times: int, loses: Lane | None) -> None:
        """But for one message that the broker loses though it had acknowledged it."""
        for _ in range(times):
            self.flow(loses)
            loses = None

    @rule(taken=some, answered=some)
    def the_broker_takes(self, taken: int, answered: int) -> None:
        self.broker.take(taken)
        self.broker.answer(answered)
        self.do(turn(3))

    @rule(lane=lanes, count=some, again=st.booleans(), committed=some)
    def the_city_takes(self, lane: Lane, count: int, again: bool, committed: int) -> None:
        topic = self.topic(lane)
        self.town.inbox += [(topic, payload) for payload in self.broker.deliver(topic, count, again)]
        self.town.commit(committed)

    @rule(sent=some, handed_over=some)
    def the_city_acknowledges(self, sent: int, handed_over: int) -> None:
        self.town.send(sent)
        self.broker.hand_over(handed_over)
        self.do(turn(3))

    @rule(which=st.integers(0, 1000))
    def an_old_acknowledgement_comes(self, which: int) -> None:
        self.town.repeat(which)
        self.broker.hand_over(ALL)
        self.do(turn(3))

    @rule(loses=st.none() | lanes)
    def all_heals_and_drains(self, loses: Lane | None = None) -> None:
        """In time, though the broker loses one more message."""
        self.all_is_well_again()
        self.do(self.flat.store.save_detector("model", b""))
        self.harvest()
        assert not self.pending
        self.flow(loses)
        for _ in range(DRAINED_S // STEP_S):
            if not self.do(self.flat.rows()) and not self.flat.uplink.health()["in_memory_only"]:
                break
            while self.flow():
                pass
            self.do(asyncio.sleep(STEP_S))
        self.nothing_is_lost()
        assert self.flat.uplink.health()["waiting"] == {"alarm": 0, "event": 0, "telemetry": 0}, "it does not drain"
        assert self.reference.in_memory - self.reference.committed == set(), "lost from memory"
        assert not any("back in time" in fault.reason for fault in self.flat.store.faults())

    # What goes wrong

    @rule(in_time=st.booleans(), chosen=st.lists(lanes, max_size=4))
    def the_gateway_is_killed(self, in_time: bool, chosen: list[Lane]) -> None:
        """While it appends, or not; nobody is told whether that was in time."""
        self.leave()
        events = [self.event(lane) for lane in chosen]
        self.reference.handed_in(events)
        if not in_time:
            self.flat.disk.hold()
        self.do(self.append_and_kill(events))

    @rule(lane=lanes, accident=st.sampled_from(Accident))
    def an_accident_happens(self, accident: Accident, lane: Lane) -> None:
        match accident:
            case Accident.LINK_CUT:
                self.broker.cut()
            case Accident.LINK_GONE:
                self.broker.reachable = False
                self.broker.cut()
            case Accident.ACKS_LOST:
                self.broker.down.clear()
            case Accident.TOPIC_REFUSED:
                self.broker.refused.add(self.topic(lane))
            case Accident.BROKER_FORGETS:
                self.broker.forget()
            case Accident.CITY_KILLED:
                self.town.kill()
            case Accident.CITY_FORGETS:
                self.the_city_forgets()
            case Accident.DISK_SILENT:
                self.held = True
                self.flat.disk.hold()
            case Accident.DISK_SMALL:
                self.restart(max_bytes=1)
            case Accident.FILE_DAMAGED:
                self.the_file_is_damaged()
            case Accident.RESTART:
                self.restart(self.limits.max_bytes)

    @rule(step_s=st.sampled_from([-1e9, -3600.0, -1.0, 1.0, 86400.0, 1e9]), quality=st.sampled_from(ClockQuality))
    def the_clock_is_set(self, step_s: float, quality: ClockQuality) -> None:
        self.wall_s, self.quality = max(0.0, self.wall_s + step_s), quality

    @rule()
    def all_is_well_again(self) -> None:
        self.broker.reachable, self.broker.refused = True, set()
        if self.held:
            self.held = False
            self.flat.disk.release()
        if self.limits.max_bytes == 1:
            self.restart(max_bytes=1e9)

    @precondition(lambda self: not self.held)
    @rule(before=st.lists(lanes, min_size=1, max_size=4), after=st.lists(lanes, max_size=4), times=st.integers(0, 2),
          again=st.booleans())
    def the_file_goes_back_in_time(self, before: list[Lane], after: list[Lane], times: int, again: bool) -> None:
        """A copy is put back: what came in between is lost with the file, and its numbers are given a second time."""
        backup, held = self.folder / "backup", set(self.reference.accepted)
        copy(self.flat.place, backup)
        self.append(before)
        for _ in range(times):
            self.flow()
        self.leave()
        self.reference.look([], self.town.events())
        self.reference.excused |= self.reference.accepted - held - self.town.events().keys()
        self.do(self.flat.kill(self.limits, damage=lambda place: copy(backup, place)))
        self.append(after or before)
        if again:
            self.do(asyncio.sleep(1.0))  # for the new connection
            self.an_old_acknowledgement_comes(-1)

    def the_city_forgets(self) -> None:
        """What it had acknowledged is its own loss."""
        city = self.town.events()
        self.reference.look([], city)
        acknowledged = {(ack.epoch, ack.lane): ack.upto for ack in self.town.book.acks()}
        numbers = [(epoch, lane.name.lower(), seq, id_) for (epoch, lane, seq), id_ in self.reference.stood.items()]
        numbers += [(event["epoch"], event["lane"], int(event["sequence"]), id_) for id_, event in city.items()]
        self.reference.excused |= {id_ for epoch, lane, seq, id_ in numbers
                                   if id_ in city and seq <= acknowledged.get((epoch, lane), 0)}
        self.town.book.forget()

    def the_file_is_damaged(self) -> None:
        """An index page only: every alarm can still be read, and is taken over; the rest may be lost."""
        self.leave()
        self.reference.excused |= {
            event_id for event_id in self.reference.accepted - self.town.events().keys()
            if self.reference.events[event_id].lane is not Lane.ALARM}
        self.do(self.flat.kill(self.limits, damage=damage))
        assert len(self.flat.store.faults()) >= 2, "set aside, and taken over from it"

    def restart(self, max_bytes: float) -> None:
        self.leave()
        self.limits = replace(self.limits, max_bytes=max_bytes)
        self.do(self.flat.restart(self.limits))

    # What must be so at every moment

    @invariant()
    def nothing_is_lost(self) -> None:
        if not self.began:
            return
        assert not self.flat.running.done(), self.flat.running
        self.harvest()
        city = self.town.events()
        rows = [] if self.held else self.do(self.flat.rows())
        self.reference.look(rows, city)
        if not self.held:
            self.reference.check(rows, city)
        never_had = self.received - self.reference.committed
        assert never_had == set(), "received was said of what the city never had"

    def teardown(self) -> None:
        try:
            if self.began:
                self.all_heals_and_drains()
        finally:
            if self.began:
                self.do(self.flat.stop())
                self.town.book.close()
            self.loop.close()
            shutil.rmtree(self.folder)

    # How it is done

    def event(self, lane: Lane) -> Event:
        self.count += 1
        data = {"number": self.count, "words": "x" * (self.count % 7 * 40)}
        return Event(f"{int(self.wall_s * 1000):012x}-{self.count}", TYPES[lane], lane, "door", self.now(), data)

    def now(self) -> Stamp:
        return Stamp("boot-1", self.loop.now_s, self.wall_s + self.loop.now_s, self.quality)

    def topic(self, lane: Lane) -> str:
        return f"anju/v1/{GATEWAY}/up/{lane.name.lower()}"

    def accept(self, events: Sequence[Event], alarm: Alarm | None = None) -> None:
        self.reference.handed_in(events)
        self.accept_handed_in(events, alarm)

    def accept_handed_in(self, events: Sequence[Event], alarm: Alarm | None = None) -> None:
        late = self.limits.telemetry_delay_s > 0 and all(event.lane is Lane.TELEMETRY for event in events)
        if late or self.held:  # it is told with the next commit of something else, be that after a while
            self.pending.append((self.loop.create_task(self.flat.store.append(events, alarm)), list(events)))
            self.do(turn(1))
        else:
            self.do(self.append_now(events, alarm))

    def harvest(self) -> None:
        """What waited for another's commit and was told meanwhile."""
        for task, events in self.pending:
            if task.done():
                task.result()
                self.reference.accepted |= {event.id for event in events}
        self.pending = [(task, events) for task, events in self.pending if not task.done()]

    def leave(self) -> None:
        """What nobody was told of, and what was in memory, may go with the process."""
        self.harvest()
        for task, _ in self.pending:
            task.cancel()
        if self.pending:
            self.do(asyncio.wait([task for task, _ in self.pending]))
        self.pending.clear()
        self.reference.in_memory.clear()
        self.held = False

    async def offer(self, events: Sequence[Event]) -> None:
        self.flat.uplink.offer(events)

    async def append_now(self, events: Sequence[Event], alarm: Alarm | None) -> None:
        await self.flat.store.append(events, alarm)
        self.reference.accepted |= {event.id for event in events}

    async def append_and_kill(self, events: Sequence[Event]) -> None:
        appending = asyncio.create_task(self.flat.store.append(events))
        await asyncio.sleep(0)
        appending.cancel()
        await self.flat.kill(self.limits)

    def alarms_waiting(self) -> int:
        return self.flat.store.counts()[Lane.ALARM].waiting

    def nothing_keeps_an_alarm(self) -> bool:
        """There is a session, room in its window and among its slots, and a disk."""
        health = self.flat.uplink.health()
        return (self.broker.session is not None and health["state"] == "connected" and not self.held
                and not self.broker.refused and health["waiting"]["alarm"] < min(RESERVED, self.broker.in_flight // 2))

    def flow(self, loses: Lane | None = None) -> bool:
        """Let everything go its way once, but for the first message of a lane; tell whether there was anything."""
        self.do(turn(TURNS))
        moves = bool(self.broker.sent or self.broker.pubacks or self.broker.down or any(self.broker.queued.values()))
        self.broker.take(ALL)
        self.broker.answer(ALL)
        for lane in Lane:
            topic = self.topic(lane)
            self.broker.deliver(topic, 1 if lane is loses else 0)
            self.town.inbox += [(topic, payload) for payload in self.broker.deliver(topic, ALL)]
        self.town.commit(ALL)
        self.town.send(ALL)
        self.broker.hand_over(ALL)
        self.do(turn(TURNS))
        return moves


def damage(place: Path) -> None:
    """Blank the page that an index of the outbox begins with."""
    path = place / "anju.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'outbox'"
        found = database.execute(query).fetchone()
        size = database.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((found[0] - 1) * size)
        file.write(bytes(size))


async def make_empty(place: Path) -> None:
    """Make a store that nobody has used: to make one anew takes longer than all else here."""
    await (await Store.open(place)).close()


@pytest.fixture(autouse=True)
def no_blocking_call() -> None:
    """The loop of the model waits for the store thread on purpose."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of lost links are not worth a line each."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_nothing_is_lost() -> None:
    with tempfile.TemporaryDirectory(prefix="anju-model-", dir=MEMORY) as folder:
        Machine.empty = Path(folder) / "empty"
        asyncio.run(make_empty(Machine.empty))
        run_state_machine_as_test(Machine, settings=settings(
            max_examples=2000 if NIGHTLY else 75, stateful_step_count=100 if NIGHTLY else 40, derandomize=not NIGHTLY,
            database=None, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)))
