"""Uplink: from the outbox to the city and back.

It reads only the outbox (and its stand-in in memory while the disk is out), sends alarm before event before telemetry,
tells `on_sent` at the broker's PUBACK and `on_received` once the city's application has acknowledged and the rows are
settled. Both may be told the same id again after a resend. Neither may block or raise.

A disk that says nothing holds up nobody but those who wait for it: the outbox in memory has a task and acknowledgements
of its own.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.config.schema import City
from gateway.model.command import Command
from gateway.model.event import Event, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Row, Store, StoreError, StoreUnwritable
from gateway.sync import wire
from gateway.sync.commands import Commands, Obey
from gateway.sync.errors import NoAnswer, SessionError, TopicRefused
from gateway.sync.pause import pause_s
from gateway.sync.session import CONNACK_S, V5, VERSION_NAME, Connect, Link, connect
from gateway.sync.volatile import VolatileOutbox
from gateway.sync.window import Window

log = logging.getLogger(__name__)

ANSWER_S = 20.0  # a lane without an acknowledgement for so long is sent again, the alarm lane after a quarter of it:
# the centre's answer is due within 10 s (GB 26875.1-2011, 4.1)
ROUNDS = 3  # and after so many rounds, with no other lane acknowledged either, the connection itself is doubted
STORE_RETRY_S = 5.0
STORE_HANG_S = 2.0  # a commit to a card under load takes some hundred milliseconds
TOLD = 512  # messages of the city that wait for the store; above what the windows allow to be acknowledged at once

T = TypeVar("T")
Tell = Callable[[Sequence[str]], None]


@dataclass(slots=True)
class Tally:
    """Counters since the start."""

    sent: int = 0
    received: int = 0
    resent_rounds: int = 0
    reconnects: int = 0
    garbage: int = 0


class Uplink:
    """The gateway's voice to the city. run() for ever; offer() what the disk did not take; health() for people."""

    def __init__(self, store: Store, city: City, gateway: str, *, now: Callable[[], Stamp], rng: Callable[[], float],
                 on_sent: Tell, on_received: Tell, on_command: Obey,
                 sleep: Callable[[float], Awaitable[object]] = asyncio.sleep, answer_s: float = ANSWER_S,
                 connack_s: float = CONNACK_S, connect: Connect = connect) -> None:
        self._store = store
        self._city = city
        self._gateway = gateway
        self._now = now
        self._rng = rng
        self._sleep = sleep
        self._answer_s = answer_s
        self._connack_s = connack_s
        self._connect = connect
        self._on_sent = on_sent
        self._on_received = on_received
        self._commands = Commands(store, now, on_command, sleep)
        self._volatile = VolatileOutbox()
        self._wakes = (asyncio.Event(), asyncio.Event())  # for each window one, else one takes the other's wake
        self._refusals: dict[Lane, TopicRefused] = {}
        self._told: asyncio.Queue[wire.Ack | bytes] = asyncio.Queue(TOLD)
        self._asked_s: dict[object, float] = {}  # when each call of the store that has no answer yet began
        self._hurry = asyncio.Event()
        self._tally = Tally()
        self._version = V5
        self._session: Link | None = None
        self._since_s = now().mono_s
        self._error: SessionError | StoreError | None = None
        self._windows: list[Window] = []
        self._in_flight = 0
        self._answered_s = 0.0  # when the city last acknowledged anything that was news
        self._renewed = False  # one new epoch a session: a city that counts wrong would ask for one after another
        self._refused = ""  # the retained command last seen; a topic holds one
        store.on_append(self._appended)

    def offer(self, events: Sequence[Event]) -> None:
        """Send these without the disk. Raises TypeError where an event's data cannot travel."""
        self._volatile.put(events)
        self._appended()

    async def run(self) -> None:
        """Keep talking until cancelled. Anything but a lost connection or a failing disk is raised."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commands.run(), name="commands")
            group.create_task(self._attend(), name="told")
            group.create_task(self._keep_connected(), name="session")

    def health(self) -> dict[str, Any]:
        """What `anju status` shows, JSON-able."""
        counts = self._store.counts()
        error = self._trouble()
        return {
            "connected": self._session is not None,
            "state": self._state(error),
            "since_mono_s": self._since_s,
            "broker": f"{self._city.host}:{self._city.port}",
            "tls": self._city.tls,
            "mqtt": VERSION_NAME[self._version],
            "waiting": {lane.name.lower(): counts[lane].waiting + self._volatile.waiting(lane) for lane in Lane},
            "in_memory_only": sum(self._volatile.waiting(lane) for lane in Lane),
            "refused_in_memory": self._volatile.refused,
            "sent": self._tally.sent,
            "received": self._tally.received,
            "resent_rounds": self._tally.resent_rounds,
            "reconnects": self._tally.reconnects,
            "garbage": self._tally.garbage,
            "reason": error.reason if error else "",
            "cure": error.cure if error else "",
        }

    def _state(self, error: SessionError | StoreError | None) -> str:
        if isinstance(error, SessionError):
            return error.state
        if error is not None:
            return "store_unusable"
        return "connecting" if self._session is None else "connected"

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()

    def _appended(self) -> None:
        self._wake()
        if self._alarm_waits():
            self._hurry.set()

    def _alarm_waits(self) -> bool:
        return bool(self._store.counts()[Lane.ALARM].waiting or self._volatile.waiting(Lane.ALARM))

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            before = self._tally.received
            try:
                await self._converse()
            except* SessionError as group:
                self._lost(_first(group))
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # TaskGroup of Python 3.11 forgets a cancellation that comes in the same moment as a child's error.
                raise asyncio.CancelledError
            attempt = 0 if self._tally.received > before else attempt + 1
            await self._pause(pause_s(max(attempt - 1, 0), self._alarm_waits(), self._rng()))

    def _lost(self, error: SessionError) -> None:
        if self._session is not None or self._error is None or self._error.reason != error.reason:
            log.warning("city out of reach state=%s reason=%r cure=%r", error.state, error.reason, error.cure)
        if self._session is not None:
            self._since_s = self._now().mono_s
        self._session, self._error = None, error
        self._windows, self._in_flight, self._refusals = [], 0, {}

    async def _pause(self, seconds: float) -> None:
        """Wait; a new alarm ends it, though never within the first half second of it."""
        self._hurry.clear()
        await self._sleep(min(seconds, 0.5))
        if seconds <= 0.5:
            return
        rest = asyncio.ensure_future(self._sleep(seconds - 0.5))
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait([rest, hurry], return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            hurry.cancel()

    async def _converse(self) -> None:
        check_dates = self._now().quality is not ClockQuality.UNSET
        async with self._connect(self._city, self._gateway, check_dates, self._version, self._connack_s) as session:
            await session.subscribe(wire.ack_topic(self._gateway), wire.command_topic(self._gateway))
            self._begin(session)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(session), name="receive")
                group.create_task(self._watch(), name="watch")
                group.create_task(self._send(0, session, group), name="send")
                # TaskGroup of Python 3.11 leaves its parent cancelled where a child fails once the body has ended.
                await self._send(1, session, group)

    def _begin(self, session: Link) -> None:
        self._tally.reconnects += 1
        self._session, self._version, self._error = session, session.version, None
        self._since_s = self._answered_s = self._now().mono_s
        self._windows = [Window(self._volatile.epoch), Window(self._store.epoch)]
        self._in_flight = 0
        self._renewed = False
        self._wake()
        log.info("city connected broker=%s:%d mqtt=%s", self._city.host, self._city.port, VERSION_NAME[session.version])

    async def _send(self, place: int, session: Link, group: asyncio.TaskGroup) -> None:
        while True:
            self._wakes[place].clear()
            while rows := await self._rows(place, session):
                for row in rows:
                    group.create_task(self._publish(place, row, session), name="publish")
            await self._wait(place, STORE_RETRY_S if place and isinstance(self._error, StoreError) else None)

    async def _rows(self, place: int, session: Link) -> list[Row]:
        source = self._store if place else self._volatile
        if source.epoch != self._windows[place].epoch:  # a new file, or the old one was numbered anew
            self._windows[place] = Window(source.epoch)
        free = session.in_flight - self._in_flight
        lanes = self._windows[place].open_lanes(free)
        if not lanes:
            return []
        try:
            rows = await (self._ask(source.next_rows(lanes, free)) if place else source.next_rows(lanes, free))
        except StoreError as error:
            self._error = error
            return []
        if place and isinstance(self._error, StoreError):
            self._error = None
        if rows and rows[0].epoch != self._windows[place].epoch:  # it changed while they were read
            return await self._rows(place, session)
        window = self._windows[place]  # a lane that went on or back while it was read is read anew: it woke us
        return self._admitted(window, [row for row in rows if window.published[row.lane] == lanes[row.lane]], session)

    def _admitted(self, window: Window, rows: list[Row], session: Link) -> list[Row]:
        """Keep of what was read what the window lets through now, row by row."""
        now_s = self._now().mono_s
        admitted: list[Row] = []
        for row in rows:
            if row.lane in window.open_lanes(session.in_flight - self._in_flight):
                window.departed(row.lane, row.seq, now_s)
                self._in_flight += 1
                admitted.append(row)
        return admitted

    async def _publish(self, place: int, row: Row, session: Link) -> None:
        payload = wire.encode(row, gateway=self._gateway, now=self._now(), online_since_s=self._since_s)
        try:
            await session.publish(wire.up_topic(self._gateway, row.lane), payload)
        except TopicRefused as refusal:
            self._park(place, row.lane, refusal)
            return
        finally:
            self._in_flight -= 1
        self._refusals.pop(row.lane, None)
        self._tally.sent += 1
        self._on_sent([row.event.id])
        self._wake()

    def _park(self, place: int, lane: Lane, refusal: TopicRefused) -> None:
        """Let the lane rest until its next round; the other lanes need the session."""
        if lane not in self._refusals:
            log.warning("lane refused reason=%r cure=%r", refusal.reason, refusal.cure)
        self._refusals[lane] = refusal
        self._windows[place].parked.add(lane)
        self._wake()

    async def _wait(self, place: int, limit_s: float | None) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._wakes[place].wait()
        except TimeoutError:
            pass

    async def _ask(self, call: Awaitable[T]) -> T:
        """Await a call of the store, and note how long it takes."""
        key = object()
        self._asked_s[key] = self._now().mono_s
        try:
            return await call
        finally:
            del self._asked_s[key]

    async def _receive(self, session: Link) -> None:
        acks, commands = wire.ack_topic(self._gateway), wire.command_topic(self._gateway)
        async for message in session.messages():
            try:
                if message.topic == acks:
                    ack = wire.decode_ack(message.payload)
                    if ack.epoch == self._volatile.epoch:
                        highest = self._published(ack)
                        await self._acknowledged(ack, self._volatile.settle(ack.epoch, ack.of_lane, ack.upto, highest))
                    else:
                        self._keep(ack)
                elif message.topic == commands and message.retained:
                    self._refuse(wire.decode_command(message.payload))
                elif message.topic == commands:
                    self._keep(message.payload)
                else:
                    self._tally.garbage += 1
            except wire.WireError as error:
                self._garbage(error)

    def _keep(self, told: wire.Ack | bytes) -> None:
        """For _attend(). What finds no room is told again: commands by the city, acknowledgements after a resend."""
        if not self._told.full():
            self._told.put_nowait(told)

    async def _attend(self) -> None:
        """Serve what needs the store, for ever: a session that ends in between takes nothing of it along."""
        while True:
            told = await self._told.get()
            try:
                if isinstance(told, wire.Ack):
                    settling = self._store.settle(told.epoch, told.of_lane, told.upto, told.id,
                                                  published=self._published(told), renew=not self._renewed)
                    before = self._store.epoch
                    await self._acknowledged(told, self._ask(settling))
                    self._renewed |= before == told.epoch != self._store.epoch
                else:
                    await self._ask(self._commands.receive(told))
            except wire.WireError as error:
                self._garbage(error)
            except StoreError as error:  # the city repeats what it got no answer to
                log.warning("not kept reason=%r", str(error))

    def _garbage(self, error: wire.WireError) -> None:
        self._tally.garbage += 1
        log.warning("refused what the city sent reason=%r", str(error))

    def _refuse(self, retained: Command) -> None:
        """A retained command is of unknown age. It comes again at every connection: logged once."""
        self._tally.garbage += 1
        if retained.id != self._refused:
            self._refused = retained.id
            log.warning("refused a retained command id=%s cure=%r", retained.id,
                        "have the city's integrator publish commands without retain, and clear this one")

    def _published(self, ack: wire.Ack) -> int:
        """The highest number of that lane which this session sent."""
        return max((window.highest[ack.of_lane] for window in self._windows if window.epoch == ack.epoch), default=0)

    async def _acknowledged(self, ack: wire.Ack, settling: Awaitable[list[str]]) -> None:
        ids = await settling
        lane, now_s = ack.of_lane, self._now().mono_s
        for window in self._windows:
            fits = window.epoch == ack.epoch and (ids or ack.upto <= window.highest[lane])
            if fits and window.settled(lane, ack.upto, now_s):
                self._answered_s = now_s
        if ids:
            self._tally.received += len(ids)
            self._on_received(ids)
        self._wake()

    async def _watch(self) -> None:
        """Send again, lane by lane, what got no acknowledgement in time; doubt the connection when that is no help."""
        while True:
            await self._sleep(self._answer_s / 10)
            now_s = self._now().mono_s
            again = [(lane, window) for lane in Lane for window in self._windows
                     if window.overdue(lane, now_s, self._due_s(lane))]
            for lane, window in again:
                window.rewind(lane)
                deaf = now_s - self._answered_s >= self._answer_s * ROUNDS
                if deaf and window.rounds[lane] >= ROUNDS and lane not in self._refusals:
                    raise self._silence(lane, window)
            if again:
                self._tally.resent_rounds += 1
                self._wake()

    def _due_s(self, lane: Lane) -> float:
        return self._answer_s / 4 if lane is Lane.ALARM else self._answer_s

    def _silence(self, lane: Lane, window: Window) -> NoAnswer:
        waited_s = self._due_s(lane) * window.rounds[lane]
        name = lane.name.lower()
        return NoAnswer(f"the city's application has acknowledged nothing of lane {name} for {waited_s:.0f} s",
                        "tell the city's platform: its broker works, its application does not answer")

    def _trouble(self) -> SessionError | StoreError | None:
        """The worst of what is wrong now: the session, a silent disk, a refused lane, an unanswered one, the store."""
        if isinstance(self._error, SessionError):
            return self._error
        silent_s = self._now().mono_s - min(self._asked_s.values(), default=math.inf)
        if silent_s > STORE_HANG_S:
            return StoreUnwritable(f"the disk has said nothing for {silent_s:.0f} s; alarms go on from memory",
                                   "check the disk that holds state_dir")
        if self._refusals:
            return self._refusals[min(self._refusals)]
        silent = [(lane, window) for lane in Lane for window in self._windows if window.rounds[lane]]
        return self._silence(*silent[0]) if silent else self._error


def _first(group: BaseExceptionGroup[SessionError]) -> SessionError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
