"""Uplink: from the outbox to the city and back: one conversation after another, with pauses in between.

It tells `on_sent` at the broker's PUBACK and `on_received` once the city's application has acknowledged and the rows
are settled. Both may be told the same id again after a resend. Neither may block or raise.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from gateway.config.schema import City
from gateway.model.event import Event, Lane
from gateway.model.time import Boot, ClockQuality, Stamp
from gateway.store import Store, StoreError
from gateway.sync import wire
from gateway.sync.commands import Commands, Obey
from gateway.sync.conversation import Conversation, Means
from gateway.sync.dating import dated
from gateway.sync.disk import Disk
from gateway.sync.ear import Ear
from gateway.sync.errors import SessionError
from gateway.sync.pause import HURRY_S, pause_s
from gateway.sync.remedies import Remedies
from gateway.sync.session import CONNACK_S, V5, VERSION_NAME, Connect, connect
from gateway.sync.tally import Tally
from gateway.sync.volatile import VolatileOutbox

log = logging.getLogger(__name__)

ANSWER_S = 20.0  # a lane without an acknowledgement for so long is sent again, the alarm lane after a quarter of it:
# the centre's answer is due within 10 s (GB 26875.1-2011, 4.1)
RIGHT_S = 3600.0  # a certificate's dates are not chosen to the hour
FRUITLESS = 2  # conversations in a row that ended without an acknowledgement: then one without batches

Tell = Callable[[Sequence[str]], None]


class Uplink:
    """The gateway's voice to the city. run() for ever; offer() what the disk did not take; health() for people."""

    def __init__(self, store: Store, city: City, gateway: str, *, now: Callable[[], Stamp], rng: Callable[[], float],
                 on_sent: Tell, on_received: Tell, on_command: Obey,
                 sleep: Callable[[float], Awaitable[object]] = asyncio.sleep, answer_s: float = ANSWER_S,
                 connack_s: float = CONNACK_S, connect: Connect = connect,
                 boots: Callable[[], Sequence[Boot]] = tuple) -> None:
        self._store = store
        self._city = city
        self._gateway = gateway
        self._now = now
        self._rng = rng
        self._sleep = sleep
        self._connack_s = connack_s
        self._connect = connect
        self._tally = Tally()
        self._volatile = VolatileOutbox()
        self._disk = Disk(store, now)
        self._commands = Commands(store, now, on_command, sleep, boots)
        self._ear = Ear(gateway, self._disk, self._volatile, self._commands, self._tally, on_received)
        self._means = Means(gateway, now, sleep, answer_s, boots, self._disk, self._volatile, self._tally, on_sent)
        self._remedies = Remedies(self._disk, now)
        self._hurry = asyncio.Event()
        self._version = V5
        self._since_s = now().mono_s
        self._error: SessionError | None = None
        store.on_append(self._appended)

    def offer(self, events: Sequence[Event]) -> None:
        """Send these without the disk. Raises TypeError where an event's data cannot travel."""
        self._volatile.put(events)
        self._appended()

    async def run(self) -> None:
        """Keep talking until cancelled. Anything but a lost connection or a failing disk is raised."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commands.run(), name="commands")
            group.create_task(self._ear.run(), name="ear")
            group.create_task(self._keep_connected(), name="session")

    def health(self) -> dict[str, Any]:
        """What `anju status` shows, JSON-able."""
        counts = self._store.counts()
        talk = self._ear.conversation
        stalled_s = talk.stalled_s() if talk else {}
        error = self._trouble()
        return {
            "connected": talk is not None,
            "state": self._state(error),
            "since_mono_s": self._since_s,
            "broker": f"{self._city.host}:{self._city.port}",
            "tls": self._city.tls,
            "mqtt": VERSION_NAME[self._version],
            "waiting": {lane.name.lower(): counts[lane].waiting + self._volatile.waiting(lane) for lane in Lane},
            "stalled_s": {lane.name.lower(): round(stalled_s.get(lane, 0.0), 1) for lane in Lane},
            "in_memory_only": sum(self._volatile.waiting(lane) for lane in Lane),
            "refused_in_memory": self._volatile.refused,
            **asdict(self._tally),
            "reason": error.reason if error else "",
            "cure": error.cure if error else "",
        }

    def _state(self, error: SessionError | StoreError | None) -> str:
        if isinstance(error, SessionError):
            return error.state
        if error is not None:
            return "store_unusable"
        return "connecting" if self._ear.conversation is None else "connected"

    def _trouble(self) -> SessionError | StoreError | None:
        """The worst of what is wrong now: the session, a silent disk, a refused lane, an unanswered one, the store."""
        talk = self._ear.conversation
        if talk is None:
            return self._error or self._disk.silence() or self._disk.error
        refusals = talk.refused.lanes()
        refused = refusals[min(refusals)] if refusals else None
        return self._disk.silence() or refused or talk.unanswered() or self._disk.error

    def _appended(self) -> None:
        if self._ear.conversation is not None:
            self._ear.conversation.wake()
        if self._alarm_waits():
            self._hurry.set()

    def _alarm_waits(self) -> bool:
        return bool(self._store.counts()[Lane.ALARM].waiting or self._volatile.waiting(Lane.ALARM))

    async def _keep_connected(self) -> None:
        attempt = fruitless = 0
        while True:
            before, error = self._tally.received, None
            try:
                await self._converse(singly=fruitless >= FRUITLESS)
            except* SessionError as group:
                error, talk = _first(group), self._ear.conversation
                fruitless += self._lost(error)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # TaskGroup of Python 3.11 forgets a cancellation that comes in the same moment as a child's error.
                raise asyncio.CancelledError
            if error is not None and talk is not None:
                await self._remedies.ended(talk, error)
            if self._tally.received > before:
                attempt = fruitless = 0
            else:
                attempt += 1
            await self._pause(pause_s(max(attempt - 1, 0), self._alarm_waits(), self._rng()))

    async def _converse(self, singly: bool) -> None:
        check_dates = self._clock_is_right()
        async with self._connect(self._city, self._gateway, check_dates, self._version, self._connack_s) as link:
            await link.subscribe(wire.ack_topic(self._gateway), wire.command_topic(self._gateway))
            talk = Conversation(self._means, link, self._ear.hear, singly)
            self._tally.reconnects += 1
            self._ear.conversation, self._version, self._since_s, self._error = talk, link.version, talk.since_s, None
            log.info("city connected broker=%s:%d mqtt=%s batches=%s", self._city.host, self._city.port,
                     VERSION_NAME[link.version], not singly)
            await talk.run()

    def _clock_is_right(self) -> bool:
        """Tell whether the clock by which TLS judges certificates says what a time server said in this boot."""
        now = self._now()
        date = dated(now, now, self._means.boots())
        if date.quality is not ClockQuality.SYNCED or date.wall_s is None or now.wall_s is None:
            return False
        return abs(now.wall_s - date.wall_s) < RIGHT_S

    def _lost(self, error: SessionError) -> bool:
        """Note why the conversation ended; tell whether anything was said in it."""
        talk = self._ear.conversation
        if talk is not None or self._error is None or self._error.reason != error.reason:
            log.warning("city out of reach state=%s reason=%r cure=%r", error.state, error.reason, error.cure)
        if talk is not None:
            self._since_s = self._now().mono_s
        self._ear.conversation, self._error = None, error
        return talk is not None and talk.spoke

    async def _pause(self, seconds: float) -> None:
        """Wait; a new alarm ends it, though never within the first HURRY_S of it."""
        self._hurry.clear()
        await self._sleep(min(seconds, HURRY_S))
        if seconds <= HURRY_S:
            return
        rest = asyncio.ensure_future(self._sleep(seconds - HURRY_S))
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait([rest, hurry], return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            hurry.cancel()


def _first(group: BaseExceptionGroup[SessionError]) -> SessionError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
