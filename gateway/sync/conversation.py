"""Conversation: one session with the city, from its first row to its end.

It reads the outbox and its stand-in in memory, alarms before events before telemetry, and sends what waits together in
batches, alarms by themselves. `on_sent` hears of ids at the broker's PUBACK, of the same ones again after a resend. The
outbox in memory has a task of its own: a disk that says nothing holds up nobody but those who wait for it.

Rows wait, but nothing of their lane     what happens
is acknowledged for a round              all of the lane that is not acknowledged departs again
... nor of any lane for ROUNDS rounds    the conversation ends: a new connection is made
... though other lanes are, for STUCK    the same
A round is `answer_s`, of the alarm lane a quarter of it.

The broker refuses                       what happens
a batch                                  its lane rests for a round and goes on singly
a row                                    its lane rests for a round
the same row again                       what stands behind it departs all the same
... and takes a row behind it            the store sets it back: gateway/sync/setback.py
A row too large for the broker is refused before it departs; what stands behind it need not rest.
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
from gateway.sync.refused import Refused
from gateway.sync.session import Link, Message
from gateway.sync.setback import set_back
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
    """One publication; with `too_large` it cannot depart."""

    lane: Lane
    rows: Sequence[Row]
    payload: bytes = b""
    shortened: bool = False
    too_large: PacketsTooSmall | None = None


class Conversation:
    """run() talks until the link ends, or nobody answers; `singly`: without batches."""

    def __init__(self, means: Means, link: Link, hear: Callable[[Message], Awaitable[None]], singly: bool) -> None:
        self._means = means
        self._link = link
        self._hear = hear
        self._singly = {Lane.ALARM, *(Lane if singly else ())}
        self.since_s = means.now().mono_s
        self.refused = Refused()
        self.spoke = False
        self.renewed = False  # one new epoch a session: a city that counts wrong would ask for one after another
        self._windows = [Window(means.volatile.epoch), Window(means.disk.store.epoch)]
        self._wakes = (asyncio.Event(), asyncio.Event())  # for each window one, else one takes the other's wake
        self._in_flight = 0
        self._answered_s = self.since_s  # when the city last acknowledged anything that was news
        self._moved_s = dict.fromkeys(Lane, self.since_s)  # the same of each lane, or when nothing of it waited
        self.answered: set[Lane] = set()  # the lanes of which anything was
        self._heads: dict[Lane, Row] = {}  # of each lane of the store the first row without an acknowledgement

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
                self.answered.add(lane)
                self.refused.forget(ack.epoch, lane, ack.upto)
        self.wake()

    def stalled_s(self) -> dict[Lane, float]:
        """Tell how long each lane has waited for an acknowledgement; 0 where nothing waits."""
        now_s = self._means.now().mono_s
        return {lane: now_s - self._moved_s[lane] if self._waits(lane) else 0.0 for lane in Lane}

    def passed_over(self, lane: Lane) -> Row | None:
        """Return the first row of a lane, where rows behind it were sent and another lane was acknowledged."""
        head = self._heads.get(lane)
        if head is None or not self.answered - {lane} or head.epoch != self._windows[1].epoch:
            return None
        return head if self._windows[1].highest[lane] > head.seq > self._windows[1].answered[lane] else None

    def silent(self) -> dict[Lane, int]:
        """Tell how often each lane of the store was sent again without an answer."""
        return {lane: rounds for lane, rounds in self._windows[1].rounds.items() if rounds}

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
                    if parcel.too_large is None:
                        group.create_task(self._publish(place, parcel), name="publish")
                    else:
                        await self._refuse(place, parcel, parcel.too_large)
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
            self.refused.keep(window.epoch for window in self._windows)
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
            for parcel in self._parcels(lane, list(of_lane)):
                if lane in self._open(window):
                    if place and not window.unsettled[lane]:
                        self._heads[lane] = parcel.rows[0]
                    window.departed(lane, [row.seq for row in parcel.rows], now_s)
                    self._in_flight += parcel.too_large is None
                    admitted.append(parcel)
        return admitted

    def _parcels(self, lane: Lane, rows: Sequence[Row]) -> Iterator[Parcel]:
        """Yield the rows of a lane as publications."""
        most = 1 if lane in self._singly else BATCH
        around_bytes = len(wire.up_topic(self._means.gateway, lane).encode()) + AROUND_BYTES
        now, boots = self._means.now(), self._means.boots()
        for start in range(0, len(rows), most):
            left = [(row, wire.encode(row, gateway=self._means.gateway, now=now, online_since_s=self.since_s,
                                      boots=boots)) for row in rows[start:start + most]]
            while left:
                envelopes = [envelope for _, envelope in left]
                try:
                    for count, payload in pack(envelopes, self._link.packet_bytes - around_bytes):
                        whole = count > 1 or payload == left[0][1]
                        yield Parcel(lane, [row for row, _ in left[:count]], payload, shortened=not whole)
                        left = left[count:]
                except TooLarge as error:
                    yield Parcel(lane, [left[0][0]], too_large=PacketsTooSmall(
                        f"the broker takes packets of {self._link.packet_bytes} bytes: {error}",
                        f"have the city raise the broker's Maximum Packet Size to {error.size_bytes + around_bytes} "
                        "bytes at least"))
                    left = left[1:]

    async def _publish(self, place: int, parcel: Parcel) -> None:
        refusal: TopicRefused | None = None
        try:
            await self._link.publish(wire.up_topic(self._means.gateway, parcel.lane), parcel.payload)
        except TopicRefused as error:
            refusal = error
        finally:
            self._in_flight -= 1
        if refusal is not None:
            await self._refuse(place, parcel, refusal)
            return
        self.refused.taken(parcel.rows)
        self._means.tally.publications += 1
        self._means.tally.sent += len(parcel.rows)
        self._means.tally.shortened += parcel.shortened
        self._means.on_sent([row.event.id for row in parcel.rows])
        self.wake()

    async def _refuse(self, place: int, parcel: Parcel, why: TopicRefused) -> None:
        """Let the lane rest until its next round, for the first time at least; the other lanes need the session."""
        lane = parcel.lane
        if lane not in self.refused.lanes():
            log.warning("lane refused reason=%r cure=%r", why.reason, why.cure)
        times = self.refused.note(parcel.rows, why, alone=len(parcel.rows) == 1)
        if len(parcel.rows) > 1:
            self._singly.add(lane)
        if times <= 1 and parcel.too_large is None:
            self._windows[place].park(lane, self._means.now().mono_s)
        if place:
            await self._set_back(lane)
        self.wake()

    async def _set_back(self, lane: Lane) -> None:
        """Let no row that the broker never takes hold up its lane."""
        for row, why in self.refused.hopeless(lane):
            self.refused.drop(row)
            if await set_back(self._means.disk, row, why.reason, why.cure, self._means.now()):
                self._windows[1].again(lane)

    async def _watch(self) -> None:
        """Hold what is acknowledged against what waits: see the table at the head."""
        while True:
            await self._means.sleep(self._means.answer_s / 10)
            now_s = self._means.now().mono_s
            again = [(lane, window) for lane in Lane for window in self._windows
                     if window.overdue(lane, now_s, self._round_s(lane))]
            for lane, window in again:
                window.rewind(lane, self._waiting(lane, window))
            self._means.tally.resent_rounds += bool(again)
            self._doubt(now_s)
            if any(self._waits(lane) for lane in Lane):
                self.wake()  # should one ever be forgotten, it costs this little, and no alarm

    def _doubt(self, now_s: float) -> None:
        """Raise NoAnswer where a new connection may help."""
        refused = self.refused.lanes()
        deaf = now_s - self._answered_s >= self._means.answer_s * ROUNDS
        for lane in Lane:
            if not self._waits(lane):
                self._moved_s[lane] = now_s
            elif lane not in refused and self._means.disk.silence() is None:
                rounds = (now_s - self._moved_s[lane]) / self._round_s(lane)
                if rounds >= (ROUNDS if deaf else STUCK):
                    raise self._silence(lane)

    def _waits(self, lane: Lane) -> bool:
        return any(self._waiting(lane, window) for window in self._windows)

    def _waiting(self, lane: Lane, window: Window) -> int:
        of_store = window is self._windows[1]
        return self._means.disk.store.counts()[lane].waiting if of_store else self._means.volatile.waiting(lane)

    def _open(self, window: Window) -> dict[Lane, int]:
        return window.open_lanes(self._link.in_flight - self._in_flight, self._link.in_flight)

    def _round_s(self, lane: Lane) -> float:
        return self._means.answer_s / 4 if lane is Lane.ALARM else self._means.answer_s

    def _silence(self, lane: Lane) -> NoAnswer:
        waited_s = self._means.now().mono_s - self._moved_s[lane]
        name = lane.name.lower()
        return NoAnswer(f"the city's application has acknowledged nothing of lane {name} for {waited_s:.0f} s",
                        "tell the city's platform: its broker works, its application does not answer")
