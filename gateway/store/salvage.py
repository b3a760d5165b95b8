"""Salvage: what of the alarms can still be read in a file that is used no more. Nothing here is trusted or written.

Only what somebody may still wait for is worth it: outbox rows of the alarm lane and open alarms. Each row is read by
itself, for one damaged page must not hide those beside it. The city knows by its id what it has already.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gateway.model.alarm import OPEN, Alarm
from gateway.model.event import Event, Lane
from gateway.store.ledger import UNDECODABLE, Ledger

_MISSES = 500  # rows beyond a damaged one that are looked for: a page of 4 KB holds some ten
_ROWS = 10_000
_UNREADABLE = (sqlite3.Error, *UNDECODABLE)


@dataclass(slots=True)
class Salvage:
    """What was found, the first copy of each."""

    events: dict[str, tuple[Event, bytes]] = field(default_factory=dict)
    alarms: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def take(self, connection: sqlite3.Connection) -> None:
        """Read what can be read."""
        for event_id, body in _events(connection):
            with contextlib.suppress(*_UNREADABLE):
                event = msgspec.json.decode(body, type=Event)
                if (event.id, event.lane) == (event_id, Lane.ALARM):
                    self.events.setdefault(event_id, (event, body))
        for alarm_id, body in _alarms(connection):
            with contextlib.suppress(*_UNREADABLE):
                alarm = msgspec.json.decode(body, type=Alarm)
                if alarm.id == alarm_id:
                    self.alarms.setdefault(alarm_id, (alarm.state.value, body))

    def take_file(self, path: Path) -> None:
        """Read with the journal, then without: either alone may be sound."""
        for options in ("mode=ro", "mode=ro&immutable=1"):
            with contextlib.suppress(sqlite3.Error), contextlib.closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=0.0)
            ) as connection:
                self.take(connection)

    def give(self, ledger: Ledger) -> str:
        """Put it into another file, in the transaction under way; tell how much that was."""
        alarms = {id_: found for id_, found in self.alarms.items() if found[0] in OPEN and not ledger.knows_alarm(id_)}
        ledger.append(list(self.events.values()))
        for alarm_id, (state, body) in alarms.items():
            ledger.save_alarm(alarm_id, state, body)
        return f"{len(self.events)} waiting alarm events and {len(alarms)} open alarms were read and taken over"


def _events(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    query = """SELECT seq, id, CAST(body AS BLOB) FROM outbox WHERE lane = 0 AND seq > ? ORDER BY seq LIMIT 1"""
    after, misses = 0, 0
    for _ in range(_ROWS):
        row, failed = _one(connection, query, after)
        if row is None and (not failed or misses >= _MISSES):
            return
        if row is None:
            after, misses = after + 1, misses + 1
        else:
            after, misses = row[0], 0
            yield row[1], row[2]


def _alarms(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """From both ends: keys are texts, so one cannot step over a page that is damaged."""
    columns = "SELECT id, CAST(body AS BLOB) FROM alarm"
    for query, start in ((f"{columns} WHERE id > ? ORDER BY id LIMIT 1", ""),
                         (f"{columns} WHERE id < ? ORDER BY id DESC LIMIT 1", "\U0010ffff")):
        after, failed = start, False
        for _ in range(_ROWS):
            row, failed = _one(connection, query, after)
            if row is None:
                break
            after = row[0]
            yield row[0], row[1]
        if not failed:
            return


def _one(connection: sqlite3.Connection, query: str, after: Any) -> tuple[Any, bool]:
    """Return a row, None where there is none, and whether it could not be read."""
    try:
        return connection.execute(query, (after,)).fetchone(), False
    except sqlite3.Error:
        return None, True
