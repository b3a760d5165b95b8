"""Conversation: one session with the city, from its first row to its end.

It reads the outbox and its stand-in in memory, alarms before events before telemetry, and sends what waits together in
batches, alarms by themselves. `on_sent` hears of ids at the broker's PUBACK, of the same ones again after a resend. The
outbox in memory has a task of its own: a disk that says nothing holds up nobody but those who wait for it.

Rows wait, but nothing of their lane     what happens
is acknowledged for a round              all of the lane that is not acknowledged departs again
... nor of any lane for ROUNDS rounds    the conversation ends: a new connection is made
... though other lanes are, for STUCK    the same
A round is `answer_s`, of the alarm lane a quarter of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.model.event import Lane
from gateway.model.time import Boot, Stamp
from gateway.store import Row, StoreError
from gateway.sync import wire
from gateway.sync.batch import TooLarge, pack
from gateway.sync.disk import Disk
from gateway.sync.errors import NoAnswer, PacketsTooSmall, TopicRefused
from gateway.sync.session import Link, Message
from gateway.sync.tally import Tally
from gateway.sync.volatile import VolatileOutbox
from gateway.sync.window import BATCH, Window

log = logging.getLogger(__name__)

ROUNDS = 3
STUCK = 9
STORE_RETRY_S = 5.0
AROUND_BYTES = 128
"""What MQTT 5 puts around topic and payload (3.3): at most 5 of header, 2 of topic length, 2 of packet identifier, and
about 80 of properties: length, content type, the name and value of the coding."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every conversation of an uplink has in common."""

    gateway: str
    now: Callable[[], Stamp]
    sleep: Callable[[float], Awaitable[object]]
    answer_s: float
    boots: Callable[[], Sequence[Boot]]
    disk: Disk
    volatile: VolatileOutbox
    tally: Tally
    on_sent: Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One publication."""

    lane: Lane
    rows: Sequence[Row]
    payload: bytes
    shortened: bool


class Conversation:
    """run() talks until the link ends, or nobody answers; `singly`: without batches."""

    def __init__(self, means: Means, link: Link, hear: Callable[[Message], Awaitable[None]], singly: bool) -> None:
        self._means = means
        self._link = link
        self._hear = hear
        self._most = 1 if singly else BATCH
        self.since_s = means.now().mono_s
        self.refusals: dict[Lane, TopicRefused] = {}
        self.spoke = False
        self.renewed = False  # one new epoch a session: a city that counts wrong would ask for one after another
        self._windows = [Window(means.volatile.epoch), Window(means.disk.store.epoch)]
        self._wakes = (asyncio.Event(), asyncio.Event())  # for each window one, else one takes the other's wake
        self._in_flight = 0
        self._answered_s = self.since_s  # when the city last acknowledged anything that was news
        self._moved_s = dict.fromkeys(Lane, self.since_s)  # the same of each lane, or when nothing of it waited

    async def run(self) -> None:
        """Raises SessionError when it is over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive(), name="receive")
            group.create_task(self._watch(), name="watch")
            group.create_task(self._send(0, group), name="send")
            # TaskGroup of Python 3.11 leaves its parent cancelled where a child fails once the body has ended.
            await self._send(1, group)

    def wake(self) -> None:
        """Look for rows again."""
        for wake in self._wakes:
            wake.set()

    def published(self, ack: wire.Ack) -> int:
        """Return the highest number of that lane which this conversation sent."""
        return max((window.highest[ack.of_lane] for window in self._windows if window.epoch == ack.epoch), default=0)

    def acknowledged(self, ack: wire.Ack, proven: bool) -> None:
        """Note what the city's application has. `proven`: rows were settled by it, so it may say so."""
        lane, now_s = ack.of_lane, self._means.now().mono_s
        for window in self._windows:
            fits = window.epoch == ack.epoch and (proven or ack.upto <= window.highest[lane])
            if fits and window.settled(lane, ack.upto, now_s):
                self._answered_s = self._moved_s[lane] = now_s
        self.wake()

    def stalled_s(self) -> dict[Lane, float]:
        """Tell how long each lane has waited for an acknowledgement; 0 where nothing waits."""
        now_s = self._means.now().mono_s
        return {lane: now_s - self._moved_s[lane] if self._waits(lane) else 0.0 for lane in Lane}

    def unanswered(self) -> NoAnswer | None:
        """Tell of the first lane that was sent again without an answer."""
        silent = [lane for lane in Lane if any(window.rounds[lane] for window in self._windows)]
        return self._silence(silent[0]) if silent else None

    async def _receive(self) -> None:
        async for message in self._link.messages():
            await self._hear(message)

    async def _send(self, place: int, group: asyncio.TaskGroup) -> None:
        while True:
            self._wakes[place].clear()
            while parcels := self._admitted(place, await self._rows(place)):
                self.spoke = True
                for parcel in parcels:
                    group.create_task(self._publish(place, parcel), name="publish")
            limit_s = STORE_RETRY_S if place and self._means.disk.error is not None else None
            try:
                async with asyncio.timeout(limit_s):
                    await self._wakes[place].wait()
            except TimeoutError:
                pass

    async def _rows(self, place: int) -> list[Row]:
        """Read what the window lets through, up to a batch."""
        disk = self._means.disk
        source = disk.store if place else self._means.volatile
        if source.epoch != self._windows[place].epoch:  # a new file, or the old one was numbered anew
            self._windows[place] = Window(source.epoch)
        if not (lanes := self._open(self._windows[place])):
            return []
        try:
            rows = await (disk.ask(source.next_rows(lanes, BATCH)) if place else source.next_rows(lanes, BATCH))
        except StoreError as error:
            disk.error = error
            return []
        if place:
            disk.error = None
        if rows and rows[0].epoch != self._windows[place].epoch:  # it changed while they were read
            return await self._rows(place)
        window = self._windows[place]  # a lane that went on or back while it was read is read anew: it woke us
        return [row for row in rows if window.published[row.lane] == lanes[row.lane]]

    def _admitted(self, place: int, rows: Sequence[Row]) -> list[Parcel]:
        """Return what departs now: what the window lets through of the rows, publication by publication."""
        window, now_s = self._windows[place], self._means.now().mono_s
        admitted: list[Parcel] = []
        for lane, of_lane in groupby(rows, key=lambda row: row.lane):
            try:
                parcels = list(self._parcels(lane, list(of_lane)))
            except TooLarge as error:
                self._park(place, lane, PacketsTooSmall(
                    f"the broker takes packets of {self._link.packet_bytes} bytes: {error}",
                    f"have the city raise the broker's Maximum Packet Size by {error.size_bytes} bytes at least"))
                continue
            for parcel in parcels:
                if lane in self._open(window):
                    window.departed(lane, [row.seq for row in parcel.rows], now_s)
                    self._in_flight += 1
                    admitted.append(parcel)
        return admitted

    def _parcels(self, lane: Lane, rows: Sequence[Row]) -> Iterator[Parcel]:
        """Yield the rows of a lane as publications. Raises TooLarge."""
        most = 1 if lane is Lane.ALARM else self._most
        room_bytes = self._link.packet_bytes - len(wire.up_topic(self._means.gateway, lane).encode()) - AROUND_BYTES
        now, boots = self._means.now(), self._means.boots()
        for start in range(0, len(rows), most):
            left = list(rows[start:start + most])
            envelopes = [wire.encode(row, gateway=self._means.gateway, now=now, online_since_s=self.since_s,
                                     boots=boots) for row in left]
            for count, payload in pack(envelopes, room_bytes):
                yield Parcel(lane, left[:count], payload, shortened=count == 1 and payload not in envelopes)
                left = left[count:]

    async def _publish(self, place: int, parcel: Parcel) -> None:
        try:
            await self._link.publish(wire.up_topic(self._means.gateway, parcel.lane), parcel.payload)
        except TopicRefused as refusal:
            self._park(place, parcel.lane, refusal)
            return
        finally:
            self._in_flight -= 1
        self.refusals.pop(parcel.lane, None)
        self._means.tally.publications += 1
        self._means.tally.sent += len(parcel.rows)
        self._means.tally.shortened += parcel.shortened
        self._means.on_sent([row.event.id for row in parcel.rows])
        self.wake()

    def _park(self, place: int, lane: Lane, refusal: TopicRefused) -> None:
        """Let the lane rest until its next round; the other lanes need the session."""
        if lane not in self.refusals:
            log.warning("lane refused reason=%r cure=%r", refusal.reason, refusal.cure)
        self.refusals[lane] = refusal
        self._windows[place].park(lane, self._means.now().mono_s)
        self.wake()

    async def _watch(self) -> None:
        """Hold what is acknowledged against what waits: see the table at the head."""
        while True:
            await self._means.sleep(self._means.answer_s / 10)
            now_s = self._means.now().mono_s
            again = [(lane, window) for lane in Lane for window in self._windows
                     if window.overdue(lane, now_s, self._round_s(lane))]
            for lane, window in again:
                window.rewind(lane)
            self._means.tally.resent_rounds += bool(again)
            self._doubt(now_s)
            if any(self._waits(lane) for lane in Lane):
                self.wake()  # should one ever be forgotten, it costs this little, and no alarm

    def _doubt(self, now_s: float) -> None:
        """Raise NoAnswer where a new connection may help."""
        deaf = now_s - self._answered_s >= self._means.answer_s * ROUNDS
        for lane in Lane:
            if not self._waits(lane):
                self._moved_s[lane] = now_s
            elif lane not in self.refusals and self._means.disk.silence() is None:
                rounds = (now_s - self._moved_s[lane]) / self._round_s(lane)
                if rounds >= (ROUNDS if deaf else STUCK):
                    raise self._silence(lane)

    def _waits(self, lane: Lane) -> bool:
        return bool(self._means.volatile.waiting(lane) or self._means.disk.store.counts()[lane].waiting)

    def _open(self, window: Window) -> dict[Lane, int]:
        return window.open_lanes(self._link.in_flight - self._in_flight, self._link.in_flight)

    def _round_s(self, lane: Lane) -> float:
        return self._means.answer_s / 4 if lane is Lane.ALARM else self._means.answer_s

    def _silence(self, lane: Lane) -> NoAnswer:
        waited_s = self._means.now().mono_s - self._moved_s[lane]
        name = lane.name.lower()
        return NoAnswer(f"the city's application has acknowledged nothing of lane {name} for {waited_s:.0f} s",
                        "tell the city's platform: its broker works, its application does not answer")
