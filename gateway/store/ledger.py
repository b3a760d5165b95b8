"""The database, statement by statement. Synchronous, on one connection, used by the store thread alone.

Layout
    outbox(lane, seq, id, body, first)
                                what the city has not acknowledged yet; body is the Event as JSON. `first`: the row is
                                a gap record and stands for the numbers first..seq. Row 0 of each lane is no event:
                                its `first` is the highest number that the city's application has acknowledged
    alarm(id, state, body)      the newest snapshot of each alarm; `state` UNREADABLE: its body could not be read
    detector(name, body)        what a detector wants to know again after a restart
    quarantine(n, id, lane, body)
                                events, no alarms, that neither broker nor city ever took: the newest, for people
    boot(...)                   what is known of the clock in each boot: gateway/store/boots.py
    evidence(...)               what a bracelet measured around a fall: gateway/store/evidence.py
    inbox(id, body, done, result)
                                every command ever accepted; `done` is 1 once its result stands in the outbox, and
                                2 where its body could not be read: the same command is accepted once more.
                                `result` is that Event as JSON, to be told again to a city that asks again

Invariants
 1. In one epoch and lane the sequence numbers handed out are 1, 2, 3, ... without a gap, in the order of commit.
    The next one is max(settled, highest row) + 1, so nothing but the rows themselves needs to be written.
 2. A row leaves the outbox only by settle(), after the city's application said that it has it, or by give_up(), which
    puts a gap record in the place of the oldest rows of a lane: it takes the last of their numbers and stands for all
    of them. A lane has at most one, its first row; the alarm lane never has one.
 3. An id stands in the alarm lane at most once: appending it again is no error and changes nothing. In the other lanes
    the city knows what it has.
 4. An event and the alarm snapshot, command or result that belongs to it commit in one transaction, or not at all.
 5. An epoch is one opening of the file: sequence numbers mean nothing without it, and none is given twice in it, though
    the file may have gone back in time, by a restored copy or a disk that lied. The numbers themselves go on; the city
    begins with what it is told to have acknowledged. An acknowledgement that does not fit all the same (a number never
    given, another id at that number) deletes nothing: the epoch is renewed, the waiting rows are numbered from 1, and
    the city knows them by their ids. So it is with a city that counts wrong, which must not be answered for ever with
    new epochs: the uplink asks for one renewal in a session.
 6. What is settled counts as gone at once, but leaves the file with a later transaction: every commit wears the card.
    Forgetting it in a crash costs a resend, which the city knows by its ids.
 7. A row whose body cannot be read is marked and kept; it stands in no other row's way. In the outbox a fault takes
    its number, and its id is free to be appended again.
 8. So it is with a row that nobody takes (set_back()): a fault takes its number, an alarm goes to the end of its lane,
    any other event to the quarantine. Nothing stands behind one row for ever.
"""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from gateway.model.alarm import OPEN, AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store.errors import Rotten
from gateway.store.retention import Cut

UNREADABLE = "unreadable"
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not what was written."""

NEVER = Stamp(boot_id="", mono_s=0.0, wall_s=None, quality=ClockQuality.UNSET)
"""Of what cannot be read any more nobody knows when it was."""

KEPT_ALARMS = 500
"""Alarms that ended stay so long known: a copy of them that turns up in a damaged file must not open them again."""

KEPT_COMMANDS = 500
"""Commands with a result stay so long known, and any until it expires: the same command again is told that result."""

KEPT_QUARANTINE = 100
"""Events set aside: some hundred kilobytes at most of what one defect makes alike."""

Body = tuple[str, bytes]
"""A row's id and what it holds, as JSON."""


class LaneCount(NamedTuple):
    """What waits in one lane. `oldest`: when the oldest waiting event was taken."""

    waiting: int
    oldest: Stamp | None


@dataclass(frozen=True, slots=True)
class RawRow:
    """One outbox row as it lies on disk. `settled`: what the city had acknowledged of its lane when it was read."""

    epoch: str
    lane: Lane
    seq: int
    settled: int
    id: str
    body: bytes
    first: int | None = None


@dataclass(slots=True)
class Ledger:
    """An open database with the few numbers that are kept in memory: see the invariants above."""

    connection: sqlite3.Connection
    epoch: str = ""
    settled: dict[Lane, int] = field(default_factory=dict)
    top: dict[Lane, int] = field(default_factory=dict)
    head: dict[Lane, int] = field(default_factory=dict)  # the lowest number that waits; above `top`: none
    oldest: dict[Lane, Stamp | None] = field(default_factory=dict)
    departing: dict[Lane, int] = field(default_factory=dict)  # settled, but still in the file: invariant 6
    gone: int = 0  # rows among them
    durable: bool | None = None  # what the last transaction was
    changes: int = 0  # of this connection, before the transaction under way

    def begin(self, durable: bool) -> None:
        """Start a transaction whose commit survives a power cut (`durable`), or may be forgotten by one."""
        if durable is not self.durable:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.durable = durable
        self.connection.execute("BEGIN IMMEDIATE")
        self.changes = self.connection.total_changes
        for lane, upto in self.departing.items():  # invariant 6
            self.connection.execute("DELETE FROM outbox WHERE lane = ? AND seq > 0 AND seq <= ?", (lane, upto))
            own = """INSERT INTO outbox VALUES (?, 0, '', x'', ?)
                     ON CONFLICT (lane, seq) DO UPDATE SET first = excluded.first"""
            self.connection.execute(own, (lane, upto))

    def has_changed(self) -> bool:
        """Tell whether the transaction under way has anything to write."""
        return self.connection.total_changes != self.changes

    def commit(self) -> None:
        self.connection.execute("COMMIT")
        self.departing, self.gone = {}, 0

    def rollback(self) -> None:
        """Forget the transaction, in memory too."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.load()

    def load(self) -> None:
        """Read the numbers kept in memory. Invariant 5: each opening has an epoch of its own."""
        run = self.connection.execute
        self.epoch = self.epoch or secrets.token_hex(8)
        for lane in Lane:
            own = run("SELECT first FROM outbox WHERE lane = ? AND seq = 0", (lane,)).fetchone() or (0,)
            self.settled[lane] = max(own[0], self.departing.get(lane, 0))
            highest = run("SELECT max(seq) FROM outbox WHERE lane = ?", (lane,)).fetchone()[0]
            self.top[lane] = max(self.settled[lane], highest or 0)
            self._find_head(lane)

    def append(self, events: Sequence[tuple[Event, bytes]]) -> None:
        """Give each event the next number of its lane. Invariants 1 and 3."""
        for event, body in events:
            lane = event.lane
            seq = self.top[lane] + 1
            new = self.connection.execute(
                "INSERT INTO outbox (lane, seq, id, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) WHERE lane = 0 DO NOTHING", (int(lane), seq, event.id, body)).rowcount
            if not new:
                self._require(event)
            else:
                if self.head[lane] >= seq:  # nothing waited
                    self.head[lane], self.oldest[lane] = seq, event.at
                self.top[lane] = seq

    def _require(self, alarm: Event) -> None:
        """Make sure that an alarm which the index knows stands there: a card may lose one page and keep another."""
        query = "SELECT 1 FROM outbox WHERE lane = 0 AND seq > 0 AND +id = ?"  # by the table, not by the index
        if self.connection.execute(query, (alarm.id,)).fetchone() is None:
            raise Rotten(f"the index knows alarm {alarm.id}, the table does not")

    def save_alarm(self, alarm_id: str, state: str, body: bytes) -> None:
        insert = "INSERT OR REPLACE INTO alarm (id, state, body) VALUES (?, ?, ?)"
        self.connection.execute(insert, (alarm_id, state, body))
        if state not in OPEN:
            over = """DELETE FROM alarm WHERE rowid IN (SELECT rowid FROM alarm WHERE state IN (?, ?)
                                                        ORDER BY rowid DESC LIMIT -1 OFFSET ?)"""
            self.connection.execute(over, (AlarmState.CLOSED, AlarmState.CANCELLED, KEPT_ALARMS))

    def alarm(self, alarm_id: str) -> bytes | None:
        row = self.connection.execute("SELECT CAST(body AS BLOB) FROM alarm WHERE id = ?", (alarm_id,)).fetchone()
        return None if row is None else row[0]

    def open_alarms(self) -> list[Body]:
        """Return the alarms that nobody has closed, in the order of their ids."""
        rows = self.connection.execute("SELECT id, state, CAST(body AS BLOB) FROM alarm ORDER BY id")
        return [(alarm_id, body) for alarm_id, state, body in rows if state in OPEN]

    def set_alarms_aside(self, ids: Sequence[str]) -> None:
        """Invariant 7."""
        self.connection.executemany("UPDATE alarm SET state = ? WHERE id = ?", [(UNREADABLE, i) for i in ids])

    def save_detector(self, name: str, body: bytes) -> None:
        self.connection.execute("INSERT OR REPLACE INTO detector VALUES (?, ?)", (name, body))

    def detector(self, name: str) -> bytes | None:
        row = self.connection.execute("SELECT body FROM detector WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def accept_command(self, command_id: str, body: bytes) -> bool:
        """Keep a command; False where it was accepted before."""
        insert = """INSERT INTO inbox (id, body) VALUES (?, ?)
                    ON CONFLICT (id) DO UPDATE SET body = excluded.body, done = 0 WHERE done = 2"""
        return self.connection.execute(insert, (command_id, body)).rowcount == 1

    def finish_command(self, command_id: str, result: bytes | None, now_s: float | None) -> None:
        """Note its result; forget the oldest that have one and expired before `now_s`: those are refused anyway."""
        self.connection.execute("UPDATE inbox SET done = 1, result = ? WHERE id = ?", (result, command_id))
        if now_s is not None:
            over = """DELETE FROM inbox
                WHERE rowid IN (SELECT rowid FROM inbox WHERE done = 1 ORDER BY rowid DESC LIMIT -1 OFFSET ?)
                AND CASE WHEN json_valid(CAST(body AS TEXT))
                         THEN json_extract(CAST(body AS TEXT), '$.expires_s') < ? END"""
            self.connection.execute(over, (KEPT_COMMANDS, now_s))

    def result_of(self, command_id: str) -> tuple[bool, bytes | None]:
        """Tell whether a command was accepted before, and the result it had."""
        query = "SELECT CAST(result AS BLOB) FROM inbox WHERE id = ? AND done != 2"
        row = self.connection.execute(query, (command_id,)).fetchone()
        return row is not None, row and row[0]

    def open_commands(self) -> list[Body]:
        """Return the accepted commands without a result."""
        return list(self.connection.execute("SELECT id, CAST(body AS BLOB) FROM inbox WHERE NOT done ORDER BY id"))

    def set_commands_aside(self, ids: Sequence[str]) -> None:
        """Invariant 7."""
        self.connection.executemany("UPDATE inbox SET done = 2 WHERE id = ?", [(i,) for i in ids])

    def next_rows(self, after: Mapping[Lane, int], limit: int) -> list[RawRow]:
        """Return up to `limit` rows beyond the given numbers: lower lanes first, each lane in order."""
        rows: list[RawRow] = []
        for lane in sorted(after):
            if self.top[lane] <= after[lane]:
                continue
            found = self.connection.execute(
                "SELECT seq, id, CAST(body AS BLOB), first FROM outbox WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
                (lane, max(after[lane], self.settled[lane]), limit - len(rows)),
            )
            rows += [RawRow(self.epoch, lane, seq, self.settled[lane], row_id, body, first)
                     for seq, row_id, body, first in found]
        return rows

    def substitute(self, epoch: str, rows: Sequence[tuple[int, Event, bytes]]) -> None:
        """Put events in the place of what could not be read. Invariant 7; of an alarm's the epoch is renewed."""
        if epoch != self.epoch:
            return  # the numbers mean other rows by now
        for seq, event, body in rows:
            self.connection.execute("UPDATE outbox SET id = ?, body = ? WHERE lane = ? AND seq = ?",
                                    (event.id, body, event.lane, seq))
        if any(event.lane is Lane.ALARM for _, event, _ in rows):
            self.renew_epoch()

    def set_back(self, epoch: str, seq: int, fault: Event, body: bytes) -> bool:
        """Give the number of a row of the fault's lane to the fault. Invariant 8; False where no event stands there."""
        run, lane = self.connection.execute, fault.lane
        query = "SELECT id, CAST(body AS BLOB) FROM outbox WHERE lane = ? AND seq = ? AND seq > ? AND first IS NULL"
        row = run(query, (lane, seq, self.settled[lane])).fetchone() if epoch == self.epoch else None
        if row is None or row[0] == fault.id:
            return False
        run("UPDATE outbox SET id = ?, body = ? WHERE lane = ? AND seq = ?", (fault.id, body, lane, seq))
        if lane is Lane.ALARM:
            self.top[lane] += 1
            run("INSERT INTO outbox (lane, seq, id, body) VALUES (?, ?, ?, ?)", (lane, self.top[lane], *row))
        else:
            run("INSERT INTO quarantine (id, lane, body) VALUES (?, ?, ?)", (row[0], lane, row[1]))
            run("DELETE FROM quarantine WHERE n <= (SELECT max(n) FROM quarantine) - ?", (KEPT_QUARANTINE,))
        self._find_head(lane)
        return True

    def settle(self, lane: Lane, upto: int, last_id: str, published: int | None, renew: bool) -> list[str] | None:
        """Take the rows up to `upto` for gone and return their ids. Writes nothing: invariant 6.

        None where the file went back in time (invariant 5) and `renew` allows for a new epoch; without it such a
        contradiction changes nothing; nor does what is above `published` and has no fitting id.
        """
        if upto <= self.settled[lane]:
            return []
        run = self.connection.execute
        query = "SELECT seq, id, first FROM outbox WHERE lane = ? AND seq >= ? ORDER BY seq LIMIT 1"
        seq, id_, first = run(query, (lane, upto)).fetchone() or (None, "", None)
        # What a gap record stands for has no ids any more: the city had it before it was given up.
        if seq is None or (first is None and last_id and id_ != last_id):
            return None if renew else []
        if published is not None and upto > published and (not last_id or first is not None):
            return []
        query = "SELECT id FROM outbox WHERE lane = ? AND seq > ? AND seq <= ? ORDER BY seq"
        ids = [i for (i,) in run(query, (lane, self.settled[lane], upto))]
        self.settled[lane] = self.departing[lane] = upto
        self.gone += len(ids)
        self._find_head(lane)
        return ids

    def give_up(self, cut: Cut) -> int:
        """Put one gap record in the place of the oldest rows of a lane; return how many events went. Invariant 2."""
        run, lane, first = self.connection.execute, cut.lane, self.settled[cut.lane] + 1
        query = "SELECT seq, CAST(body AS BLOB), first FROM outbox WHERE lane = ? AND seq >= ? ORDER BY seq LIMIT ?"
        found = run(query, (lane, first, cut.rows)).fetchall()
        if not found:
            return 0
        last, at = found[-1][0], _taken(found[-1][1]) or NEVER
        data = {"events": last - first + 1, "reason": cut.reason, "cure": cut.cure}
        event = Event(f"gap-{self.epoch}-{lane.value}-{last}", EventType.OUTBOX_GAP, lane, "gateway", at, data)
        run("DELETE FROM outbox WHERE lane = ? AND seq > 0 AND seq <= ?", (lane, last))
        run("INSERT INTO outbox (lane, seq, id, body, first) VALUES (?, ?, ?, ?, ?)",
            (lane, last, event.id, msgspec.json.encode(event), first))
        self._find_head(lane)
        return sum(row[2] is None for row in found)

    def space(self) -> tuple[int, int]:
        """Return the bytes of the file that are in use, and those that are free in it."""
        pages, free, size_bytes = (self.connection.execute(f"PRAGMA {name}").fetchone()[0]
                                   for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size_bytes, free * size_bytes

    def counts(self) -> dict[Lane, LaneCount]:
        return {lane: LaneCount(top - self.head[lane] + 1, self.oldest[lane]) for lane, top in self.top.items()}

    def renew_epoch(self) -> None:
        """Number what waits from 1, under a new epoch. Invariant 5; in a transaction, which has let go what departs."""
        run = self.connection.execute
        self.departing = {}
        self.epoch = secrets.token_hex(8)
        for lane, settled in self.settled.items():  # by way of the negatives no two rows ever meet
            run("UPDATE outbox SET seq = ? - seq, first = iif(first IS NULL, NULL, 1) WHERE lane = ? AND seq > 0",
                (settled, lane))
        run("UPDATE outbox SET seq = -seq WHERE seq < 0")
        run("UPDATE outbox SET first = 0 WHERE lane IN (0, 1, 2) AND seq = 0")
        self.load()

    def _find_head(self, lane: Lane) -> None:
        query = "SELECT seq, CAST(body AS BLOB) FROM outbox WHERE lane = ? AND seq > ? ORDER BY seq LIMIT 1"
        seq, body = self.connection.execute(query, (lane, self.settled[lane])).fetchone() or (self.top[lane] + 1, None)
        self.head[lane] = seq
        self.oldest[lane] = None if body is None else _taken(body)


class _Taken(msgspec.Struct):
    at: Stamp


def _taken(body: bytes) -> Stamp | None:
    try:
        return msgspec.json.decode(body, type=_Taken).at
    except UNDECODABLE:  # a body damaged on disk: the row still counts and still departs
        return None
