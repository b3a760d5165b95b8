"""The city's book: what arrived, once each, and how far each gateway's lanes are complete.

Layout
    event(row, gateway, id, type, body, arrived_mono_s)     each event once: UNIQUE (gateway, id)
    batch(row, committed_mono_s, committed_wall_s)          after which row a commit ended, and when
    number(gateway, epoch, lane, seq, id)                   which event stood at which number
    gap(gateway, epoch, lane, first, seq, id)               numbers whose events the gateway gave up: first..seq
    lane(gateway, epoch, lane, upto)                        complete up to here

Invariants
 1. An acknowledgement is sent only after the commit (WAL, synchronous=FULL) of everything it covers.
 2. `upto` moves only over numbers without a hole, beginning at 0. Up to the number that the gateway says was
    acknowledged before (`settledupto`) all count as known: this book forgot them, or went back in time.
 3. An event whose id is known already is a duplicate, whatever its number; the number counts all the same.
 4. One number never means two events: the second id at a number is a conflict, and is kept as an event only. A gap
    record is none: it may stand where an event stood that came before it.
 5. A gap record bridges the hole that it stands for. A number is lost that a gap record covers and no event came with.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.cloud.envelope import Arrival

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (row INTEGER PRIMARY KEY, gateway TEXT, id TEXT, type TEXT, body TEXT,
                                  arrived_mono_s REAL, UNIQUE (gateway, id));
CREATE TABLE IF NOT EXISTS batch (row INTEGER PRIMARY KEY, committed_mono_s REAL, committed_wall_s REAL);
CREATE TABLE IF NOT EXISTS number (gateway TEXT, epoch TEXT, lane TEXT, seq INTEGER, id TEXT,
                                   PRIMARY KEY (gateway, epoch, lane, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gap (gateway TEXT, epoch TEXT, lane TEXT, first INTEGER, seq INTEGER, id TEXT,
                                PRIMARY KEY (gateway, epoch, lane, seq, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lane (gateway TEXT, epoch TEXT, lane TEXT, upto INTEGER,
                                 PRIMARY KEY (gateway, epoch, lane)) WITHOUT ROWID;
"""

LaneKey = tuple[str, str, str]  # gateway, epoch, lane


@dataclass(frozen=True, slots=True)
class LaneAck:
    """What may be told a gateway."""

    gateway: str
    epoch: str
    lane: str
    upto: int
    id: str


@dataclass(slots=True)
class Tally:
    """What one gateway sent since this process started."""

    received: int = 0
    duplicates: int = 0
    conflicts: int = 0
    to_commit_ms: list[float] = field(default_factory=list)


class Book:
    """The book in one file. Blocking; the city's process has nothing else to do meanwhile."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self.tallies: dict[str, Tally] = {}

    def close(self) -> None:
        self._db.close()

    def commit(self, arrivals: Sequence[tuple[Arrival, float]]) -> list[LaneAck]:
        """Write a batch of (arrival, its CLOCK_MONOTONIC) in one transaction; return what may be acknowledged now."""
        run = self._db.execute
        touched: dict[LaneKey, None] = {}
        run("BEGIN IMMEDIATE")
        try:
            for arrival, arrived_s in arrivals:
                self._note(arrival, arrived_s)
                touched[(arrival.gateway, arrival.epoch, arrival.lane)] = None
            acks = [ack for key in touched if (ack := self._advance(key)) is not None]
            last = run("SELECT max(row) FROM event").fetchone()[0]
            run("COMMIT")
        except BaseException:
            run("ROLLBACK")
            raise
        mono_s, wall_s = time.monotonic(), time.time()
        for arrival, arrived_s in arrivals:
            self.tallies[arrival.gateway].to_commit_ms.append((mono_s - arrived_s) * 1000)
        if last is not None:  # when it was committed cannot be known before: it goes with the next transaction
            run("PRAGMA synchronous = NORMAL")
            run("INSERT OR IGNORE INTO batch VALUES (?, ?, ?)", (last, mono_s, wall_s))
            run("PRAGMA synchronous = FULL")
        return acks

    def events(self, event_type: str | None, since_row: int) -> list[dict[str, Any]]:
        """Return the events after a row, oldest first, each with its envelope and its times."""
        found = self._db.execute(
            "SELECT e.row, e.gateway, e.body, e.arrived_mono_s, b.committed_mono_s, b.committed_wall_s FROM event e "
            "LEFT JOIN batch b ON b.row = (SELECT min(row) FROM batch WHERE row >= e.row) "
            "WHERE e.row > ? AND (? IS NULL OR e.type = ?) ORDER BY e.row", (since_row, event_type, event_type))
        return [
            {"row": row, "gateway": gateway, "arrived_mono_s": arrived_s, "committed_mono_s": committed_s,
             "committed_wall_s": wall_s, **json.loads(body)}
            for row, gateway, body, arrived_s, committed_s, wall_s in found
        ]

    def lanes(self) -> list[dict[str, Any]]:
        """Return how far each lane is complete, how many numbers beyond are missing, and how many are lost."""
        found = []
        for *key, upto in self._db.execute("SELECT gateway, epoch, lane, upto FROM lane").fetchall():
            spans = self._spans((*key,), upto)
            missing = max((last for _, last in spans), default=upto) - upto - _covered(spans, upto)
            found.append(dict(zip(("gateway", "epoch", "lane", "upto"), (*key, upto), strict=True))
                         | {"missing": missing, "lost": self._lost((*key,))})
        return found

    def acks(self) -> list[LaneAck]:
        """Return every lane's acknowledgement as it stands."""
        keys = self._db.execute("SELECT gateway, epoch, lane FROM lane").fetchall()
        return [ack for key in keys if (ack := self._advance(key)) is not None]

    def forget(self) -> None:
        """Lose everything, as a city does that restores an empty backup."""
        for table in ("event", "batch", "number", "gap", "lane"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        self.tallies.clear()

    def _note(self, arrival: Arrival, arrived_s: float) -> None:
        run = self._db.execute
        key = (arrival.gateway, arrival.epoch, arrival.lane)
        tally = self.tallies.setdefault(arrival.gateway, Tally())
        new = run("INSERT OR IGNORE INTO event (gateway, id, type, body, arrived_mono_s) VALUES (?, ?, ?, ?, ?)",
                  (arrival.gateway, arrival.id, arrival.type, arrival.body, arrived_s)).rowcount
        tally.received += 1
        tally.duplicates += not new
        run("INSERT INTO lane VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET upto = max(upto, excluded.upto)",
            (*key, arrival.settled))
        if arrival.first is not None:
            run("INSERT OR IGNORE INTO gap VALUES (?, ?, ?, ?, ?, ?)", (*key, arrival.first, arrival.seq, arrival.id))
            return
        numbered = run("INSERT OR IGNORE INTO number VALUES (?, ?, ?, ?, ?)", (*key, arrival.seq, arrival.id)).rowcount
        if not numbered and self._id_at(key, arrival.seq) != arrival.id:
            tally.conflicts += 1

    def _advance(self, key: LaneKey) -> LaneAck | None:
        run = self._db.execute
        where = "gateway = ? AND epoch = ? AND lane = ?"
        upto = start = run(f"SELECT upto FROM lane WHERE {where}", key).fetchone()[0]  # noqa: S608 - no input
        for first, last in self._spans(key, start):
            if first > upto + 1:
                break
            upto = max(upto, last)
        if upto != start:
            run(f"UPDATE lane SET upto = ? WHERE {where}", (upto, *key))  # noqa: S608 - no input
        last_id = self._id_at(key, upto)
        return None if last_id is None else LaneAck(*key, upto, last_id)

    def _spans(self, key: LaneKey, upto: int) -> list[tuple[int, int]]:
        """Return what is known beyond a number, in order: events alone, gap records with all that they stand for."""
        where = "gateway = ? AND epoch = ? AND lane = ? AND seq > ?"
        query = f"""SELECT seq AS first, seq FROM number WHERE {where}
                    UNION ALL SELECT first, seq FROM gap WHERE {where} ORDER BY first, seq"""  # noqa: S608 - no input
        return self._db.execute(query, (*key, upto, *key, upto)).fetchall()

    def _lost(self, key: LaneKey) -> int:
        where = "gateway = ? AND epoch = ? AND lane = ?"
        gaps = self._db.execute(f"SELECT first, seq FROM gap WHERE {where} ORDER BY first, seq", key)  # noqa: S608
        query = f"""SELECT count(*) FROM number n WHERE {where} AND EXISTS (SELECT 1 FROM gap g WHERE
                    (g.gateway, g.epoch, g.lane) = (n.gateway, n.epoch, n.lane) AND n.seq BETWEEN g.first AND g.seq)
                    """  # noqa: S608 - no input
        spans = gaps.fetchall()
        return _covered(spans, 0) - int(self._db.execute(query, key).fetchone()[0]) if spans else 0

    def _id_at(self, key: LaneKey, seq: int) -> str | None:
        for table in ("number", "gap"):
            query = f"SELECT id FROM {table} WHERE gateway = ? AND epoch = ? AND lane = ? AND seq = ?"  # noqa: S608
            if (found := self._db.execute(query, (*key, seq)).fetchone()) is not None:
                return str(found[0])
        return None


def _covered(spans: Sequence[tuple[int, int]], after: int) -> int:
    """Count the numbers above `after` that lie in any of the spans, which are in the order of their beginnings."""
    count = 0
    for first, last in spans:
        count += max(0, last - max(first - 1, after))
        after = max(after, last)
    return count
