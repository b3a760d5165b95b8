"""Store: what the gateway must not forget, as an async face of the store thread.

Every call that writes returns after its transaction is on the disk (WAL, synchronous=FULL, one fsync shared by all
who wait). The one exception is settle(): it reaches the disk with a later commit, and forgetting it in a crash costs a
resend that the city knows by its id.
Layout and invariants stand at the head of gateway/store/ledger.py.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from gateway.model.alarm import Alarm
from gateway.model.command import Command
from gateway.model.event import Event, EventType, Lane
from gateway.model.evidence import Evidence
from gateway.model.time import Boot, ClockQuality
from gateway.store import boots
from gateway.store.errors import StoreError, StoreNewer
from gateway.store.evidence import Shelf
from gateway.store.ledger import NEVER, UNDECODABLE, Body, LaneCount, Ledger, RawRow
from gateway.store.retention import Limits
from gateway.store.thread import Fault, StoreThread
from gateway.store.volume import Volume, Writes

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT = Limits()

OPEN_S = 5.0
"""All of the file is looked at when it is opened: after weeks offline that may be a gigabyte, 25 s on a card that reads
40 MB/s. Whoever watches over somebody must not wait for it."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Row:
    """One event on its way, with the number it got when it was committed.

    `settled`: the number up to which the city had acknowledged this lane when the row was read. `first`: the event is a
    gap record and stands for the numbers first..seq; None for every other.
    """

    epoch: str
    lane: Lane
    seq: int
    settled: int
    event: Event
    first: int | None = None


class Store:
    """The outbox, the alarms and the inbox, in `FOLDER/anju.db`. Errors: gateway.store.errors."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._limits = limits
        self._thread = StoreThread(folder, limits, asyncio.get_running_loop(), self._appended)
        self.evidence = Shelf(lambda work: self._thread.submit(work), Volume(folder), limits)

    @classmethod
    async def open(cls, folder: Path, limits: Limits = DEFAULT) -> Self:
        """Open or make the database. Raises StoreNewer and nothing else.

        Where the disk does not work now the store opens all the same: `trouble` says why, calls raise StoreError, and
        the first call after the disk works again succeeds. Where it is not done in OPEN_S, calls wait until it is.
        """
        store = cls(folder, limits)
        opening = store._thread.submit(lambda ledger: None)
        try:
            if not (await asyncio.wait([opening], timeout=OPEN_S))[0]:
                log.warning("database not open after %g s, alarms go on from memory until then", OPEN_S)
                opening.cancel()  # whatever becomes of it shows in the next call
            else:
                opening.result()
        except StoreNewer:
            await store.close()
            raise
        except StoreError:
            pass  # told by `trouble`; the next call tries again
        return store

    async def close(self) -> None:
        """Finish every call under way and close the file."""
        await self._thread.close()

    @property
    def epoch(self) -> str:
        """The id within which sequence numbers mean something; "" while no file could be opened yet."""
        return self._thread.snapshot.epoch

    @property
    def trouble(self) -> StoreError | None:
        """Why the last call failed, None once one has succeeded again."""
        return self._thread.trouble

    def faults(self) -> tuple[Fault, ...]:
        """What happened to the file since the store was opened, oldest first."""
        return self._thread.faults

    def counts(self) -> dict[Lane, LaneCount]:
        """Tell what waits for the city's acknowledgement, lane by lane."""
        return self._thread.snapshot.counts

    def writes(self) -> Writes:
        """Tell what has been written to the disk since the store was opened."""
        return self._thread.snapshot.writes

    def given_up(self) -> int:
        """Tell how many events were given up for want of room since the store was opened."""
        return self._thread.snapshot.given_up

    def on_append(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the event loop after every commit that put something into the outbox."""
        self._listeners.append(listener)

    async def append(self, events: Sequence[Event], alarm: Alarm | None = None, *, result_of: str | None = None,
                     evidence: Evidence | None = None, detectors: Mapping[str, bytes] | None = None) -> None:
        """Commit events, the alarm they belong to and the end of command `result_of`, all in one transaction.

        The last event is then that command's result. Telemetry by itself waits up to `telemetry_delay_s` for a commit
        that others need. `evidence` is put on the shelf in it; where there is no room its event is told as missing.
        `detectors`: state by name as of save_detector(), in it too.
        """
        rows = [(event, _encode(event)) for event in events]
        snapshot = None if alarm is None else (alarm.id, alarm.state.value, _encode(alarm))
        # No closure: its cells are the garbage collector's work, which is a fifth of all where a hundred wait at once.
        work = partial(self._put, rows, snapshot, result_of, evidence, detectors)
        hurry = alarm is not None or result_of is not None or any(e.lane is not Lane.TELEMETRY for e in events)
        within_s = 0.0 if hurry else self._limits.telemetry_delay_s
        await self._thread.submit(work, writes=True, wakes=bool(rows), within_s=within_s)

    def _put(self, rows: Sequence[tuple[Event, bytes]], snapshot: tuple[str, str, bytes] | None, result_of: str | None,
             evidence: Evidence | None, detectors: Mapping[str, bytes] | None, ledger: Ledger) -> None:
        ledger.append(rows if evidence is None else self.evidence.write(ledger, evidence, rows))
        if snapshot is not None:
            ledger.save_alarm(*snapshot)
        for name, state in (detectors or {}).items():
            ledger.save_detector(name, state)
        if result_of is not None:
            event, body = rows[-1] if rows else (None, None)
            ledger.finish_command(result_of, body, _synced_s(event))

    async def save_alarm(self, alarm: Alarm) -> None:
        """Commit an alarm's snapshot alone."""
        await self.append((), alarm)

    async def open_alarms(self) -> list[Alarm]:
        """Return the alarms that nobody has closed or cancelled, oldest finding first.

        One that cannot be read is set aside and told by faults().
        """
        bodies: list[Body] = await self._thread.submit(lambda ledger: ledger.open_alarms())
        return _oldest_first(await self._readable(
            bodies, Alarm, "alarm", Ledger.set_alarms_aside,
            "ask the centre whether somebody deals with it, and check the disk"))

    async def save_detector(self, name: str, body: bytes) -> None:
        """Commit what a detector wants to know again after a restart, in place of what it said before."""
        await self._thread.submit(lambda ledger: ledger.save_detector(name, body), writes=True)

    async def detector(self, name: str) -> bytes | None:
        """Return what a detector saved last, None where it never did."""
        body: bytes | None = await self._thread.submit(lambda ledger: ledger.detector(name))
        return body

    async def note_boot(self, boot: Boot) -> None:
        """Commit what is known of the clock in a boot."""
        await self._thread.submit(lambda ledger: boots.note(ledger.connection, boot), writes=True)

    async def boots(self) -> list[Boot]:
        """Return the chronicle of boots, oldest first."""
        found: list[Boot] = await self._thread.submit(lambda ledger: boots.read(ledger.connection))
        return found

    async def accept_command(self, command: Command, receipt: Event | None = None) -> bool:
        """Commit a command, and with it the event that tells the city so; False where it was accepted before."""
        body = _encode(command)
        rows = [] if receipt is None else [(receipt, _encode(receipt))]

        def work(ledger: Ledger) -> bool:
            if not ledger.accept_command(command.id, body):
                return False
            ledger.append(rows)
            return True

        accepted: bool = await self._thread.submit(work, writes=True, wakes=bool(rows))
        return accepted

    async def answer_again(self, command_id: str) -> bool:
        """Tell a known command's result once more, as the same event; False for a command never accepted.

        One that is still to be obeyed is known too: its result will come.
        """
        found: tuple[bool, bytes | None] = await self._thread.submit(lambda ledger: ledger.result_of(command_id))
        known, result = found
        if result is not None:
            with contextlib.suppress(*UNDECODABLE):  # an unreadable result is not told; the command was obeyed
                await self.append([msgspec.json.decode(result, type=Event)])
        return known

    async def open_commands(self) -> list[Command]:
        """Return the commands that were accepted but have no result yet: the last run ended in between."""
        bodies: list[Body] = await self._thread.submit(lambda ledger: ledger.open_commands())
        return await self._readable(
            bodies, Command, "command", Ledger.set_commands_aside,
            "have the city send it again, and check the disk")

    async def next_rows(self, after: Mapping[Lane, int], limit: int) -> list[Row]:
        """Return up to `limit` rows of the lanes in `after` beyond those numbers: alarms first, each lane in order.

        One that cannot be read is set right first: a fault takes its number under another id, so that nobody takes
        the alarm for received, and it can be appended again. For an alarm's the epoch is renewed, which asks for that.
        """
        rows, mended, epoch = await self._read_rows(after, limit)
        if not mended:
            return rows
        for _, substitute, _ in mended:
            self._thread.fault(substitute.data["reason"], substitute.data["cure"])
        try:
            await self._thread.submit(lambda ledger: ledger.substitute(epoch, mended), writes=True)
        except StoreError:
            return rows  # the disk takes nothing now: nothing waits for that
        renewed = any(event.lane is Lane.ALARM for _, event, _ in mended)
        rows, _, _ = await self._read_rows(dict.fromkeys(after, 0) if renewed else after, limit)
        return rows  # a row that cannot even be replaced goes out as what should stand there

    async def _read_rows(self, after: Mapping[Lane, int], limit: int
                         ) -> tuple[list[Row], list[tuple[int, Event, bytes]], str]:
        """Return rows, for those that cannot be read what shall stand there, and the epoch of all."""
        raw: list[RawRow] = await self._thread.submit(lambda ledger: ledger.next_rows(after, limit))
        rows = [Row(row.epoch, row.lane, row.seq, row.settled, _event(row), row.first) for row in raw]
        mended = [(row.seq, row.event, _encode(row.event)) for row, was in zip(rows, raw, strict=True)
                  if row.event.id != was.id]
        return rows, mended, raw[0].epoch if raw else ""

    async def settle(self, epoch: str, lane: Lane, upto: int, last_id: str = "", *, published: int | None = None,
                     renew: bool = True) -> list[str]:
        """Take for gone what the city's application has, and return the ids.

        An acknowledgement of another epoch changes nothing. One that contradicts the file (see the ledger's
        invariant 5) settles nothing either: the epoch is renewed, if `renew`, and the fact reported. Beyond number
        `published` it must prove by the right id that the city has the event.
        """

        def work(ledger: Ledger) -> list[str] | None:
            return ledger.settle(lane, upto, last_id, published, renew) if epoch == ledger.epoch else []

        def renewed(ledger: Ledger) -> None:
            if epoch == ledger.epoch:
                ledger.renew_epoch()

        ids: list[str] | None = await self._thread.submit(work)
        if ids is None:
            await self._thread.submit(renewed, writes=True)
            self._thread.fault("the city acknowledged what this database never said: the file went back in time",
                               "check the disk; never restore a copy of state_dir")
        return ids or []

    async def set_back(self, epoch: str, lane: Lane, seq: int, fault: Event) -> bool:
        """Let nothing wait any longer behind a row that nobody takes; False where it is not there any more.

        The fault, an event of the same lane with `reason` and `cure`, takes its number. An alarm is appended again at
        the end of its lane, any other event goes to the quarantine.
        """
        if fault.lane is not lane:
            raise ValueError(f"a fault of lane {fault.lane.name} cannot stand in lane {lane.name}: give it that lane")
        body = _encode(fault)
        done: bool = await self._thread.submit(lambda ledger: ledger.set_back(epoch, seq, fault, body), writes=True,
                                               wakes=True)
        if done:
            self._thread.fault(fault.data["reason"], fault.data["cure"])
        return done

    async def renew_epoch(self, epoch: str, lane: Lane) -> bool:
        """Number what waits from 1, for a city that has lost the numbers of that lane.

        False where it changes nothing: `epoch` is past, or the lane begins at 1 already.
        """

        def work(ledger: Ledger) -> bool:
            if epoch != ledger.epoch or not ledger.settled[lane]:
                return False
            ledger.renew_epoch()
            return True

        renewed: bool = await self._thread.submit(work, writes=True, wakes=True)
        return renewed

    async def _readable(self, bodies: Sequence[Body], type_: type[T], what: str,
                        set_aside: Callable[[Ledger, Sequence[str]], None], cure: str) -> list[T]:
        """Return what can be read; the rest is set aside and told, row by row."""
        good: list[T] = []
        bad: list[str] = []
        for row_id, body in bodies:
            try:
                good.append(msgspec.json.decode(body, type=type_))
            except UNDECODABLE as error:
                bad.append(row_id)
                self._thread.fault(f"{what} {row_id} could not be read ({error}) and was set aside", cure)
        if bad:
            with contextlib.suppress(StoreError):  # `trouble` tells; at the next start they are found again
                await self._thread.submit(lambda ledger: set_aside(ledger, bad), writes=True)
        return good

    def _appended(self) -> None:
        for listener in self._listeners:
            listener()


def _event(row: RawRow) -> Event:
    """Return the row's event; in place of one damaged on disk a fault under an id of its own."""
    try:
        found = msgspec.json.decode(row.body, type=Event)
    except UNDECODABLE as error:
        return _substitute(row, str(error))
    if (found.id, found.lane) != (row.id, row.lane):
        return _substitute(row, "it holds another event")
    return found


def _substitute(row: RawRow, why: str) -> Event:
    data = {"what": "store", "reason": f"outbox row {row.lane.name.lower()} {row.seq} could not be read ({why})",
            "cure": "check the disk; ask the flat whether all is well"}
    event_id = f"unreadable-{row.epoch}-{row.lane}-{row.seq}"
    return Event(event_id, EventType.GATEWAY_FAULT, row.lane, "gateway", NEVER, data)


def _synced_s(event: Event | None) -> float | None:
    """Return the time of an event, if it can be trusted."""
    return event.at.wall_s if event is not None and event.at.quality is ClockQuality.SYNCED else None


def _oldest_first(alarms: Sequence[Alarm]) -> list[Alarm]:
    """Sort by the finding's stamp: within a boot by its monotonic time, boots by the best guess when they began.

    A clock that is not synced is late, so the latest guess is the best; a boot without any comes first.
    """
    began_s: dict[str, float] = {}
    for at in (alarm.finding.at for alarm in alarms):
        guess_s = -math.inf if at.wall_s is None else at.wall_s - at.mono_s
        began_s[at.boot_id] = max(guess_s, began_s.get(at.boot_id, -math.inf))

    def age(alarm: Alarm) -> tuple[float, str, float]:
        at = alarm.finding.at
        return began_s[at.boot_id], at.boot_id, at.mono_s

    return sorted(alarms, key=age)
