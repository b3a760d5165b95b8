"""Salvage: what can still be read in a file that is used no more. Nothing here is trusted or changed.

Only what somebody may still wait for is worth it: alarms and the outbox's rows of their lane, commands that are
promised to be obeyed, and apart from these, for they may need more room than there is, the rows of the other lanes, the
oldest _ROWS of each. Each row is read by itself, for one damaged page must not hide those beside it. The city knows by
its id what it has already.

A damaged file is set aside as anju.db.unread-N. Only when everything found in it is on disk in the new file it becomes
anju.db.damaged-N: so whatever the power cut between, the next start reads it again, and no later one.

Copies of one alarm may differ: the file with and without its journal, an older file put in its place. An alarm only
ever goes on, so the copy that went further is the newer one, and what ended stays so. That it ended may be known though
its own row is old or gone: its last event may wait in the outbox, the city's command and its result in the inbox.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gateway.model.alarm import OPEN, Alarm, AlarmState
from gateway.model.command import Command, Outcome, Verb
from gateway.model.event import Event, EventType, Lane
from gateway.store.ledger import UNDECODABLE, Ledger
from gateway.store.migrate import sync_folder

_MISSES = 500  # rows beyond a damaged one that are looked for: a page of 4 KB holds some ten
_ROWS = 10_000
_UNREADABLE = (sqlite3.Error, *UNDECODABLE)
_UNREAD, _DAMAGED = ".unread-", ".damaged-"
_ENDS = {EventType.ALARM_CLOSED: AlarmState.CLOSED, EventType.ALARM_CANCELLED: AlarmState.CANCELLED}
_ORDER = list(AlarmState)


def set_aside(path: Path) -> Path:
    """Rename the damaged file and its journals, so that nothing is ever deleted; return where the file is now."""
    number = 1
    while any(path.with_name(f"{path.name}{kind}{number}").exists() for kind in (_UNREAD, _DAMAGED)):
        number += 1
    return _rename(path, path.with_name(f"{path.name}{_UNREAD}{number}"))


def left_unread(path: Path) -> list[Path]:
    """Return what was set aside from this path and not taken over, newest first: the power failed in between.

    A journal that was renamed, and its file not yet, goes back first: without it the file may look sound and be old.
    """
    for journal in path.parent.glob(f"{path.name}{_UNREAD}*-wal"):
        home = path.with_name(f"{path.name}-wal")
        if not journal.with_name(journal.name.removesuffix("-wal")).exists() and path.exists() and not home.exists():
            journal.rename(home)
    found = [file for file in path.parent.glob(f"{path.name}{_UNREAD}*") if file.name.rpartition("-")[2].isdigit()]
    return sorted(found, key=lambda file: int(file.name.rpartition("-")[2]), reverse=True)


def read_name(aside: Path) -> Path:
    """Where a file that was set aside lies in the end."""
    return aside.with_name(aside.name.replace(_UNREAD, _DAMAGED))


@dataclass(slots=True)
class Salvage:
    """What was found: the first copy of each event and command, the newest of each alarm."""

    events: dict[str, tuple[Event, bytes]] = field(default_factory=dict)
    others: dict[str, tuple[Event, bytes]] = field(default_factory=dict)  # of the lanes behind that of the alarms
    alarms: dict[str, Alarm] = field(default_factory=dict)
    ended: dict[str, AlarmState] = field(default_factory=dict)  # alarm -> its end, as others than its own row tell it
    commands: dict[str, bytes | None] = field(default_factory=dict)  # to be obeyed; None: has been
    files: list[Path] = field(default_factory=list)

    def take(self, connection: sqlite3.Connection) -> None:
        """Read what can be read."""
        for event_id, event, body in _events(connection, Lane.ALARM):
            self.events.setdefault(event_id, (event, body))
            if (end := _ENDS.get(event.type)) is not None:
                self.ended[str(event.data.get("alarm"))] = end
        for lane in (Lane.EVENT, Lane.TELEMETRY):
            for event_id, event, body in _events(connection, lane):
                self.others.setdefault(event_id, (event, body))
        for alarm_id, body in _texts(connection, "SELECT id, CAST(body AS BLOB) FROM alarm"):
            with contextlib.suppress(*_UNREADABLE):
                alarm = msgspec.json.decode(body, type=Alarm)
                if alarm.id == alarm_id:
                    self.alarms[alarm_id] = _newer(self.alarms.get(alarm_id, alarm), alarm)
        inbox = "SELECT id, CAST(body AS BLOB), done, CAST(result AS BLOB) FROM inbox"
        for command_id, body, done, result in _texts(connection, inbox):
            with contextlib.suppress(*_UNREADABLE):
                command = msgspec.json.decode(body, type=Command)
                if command.id == command_id:
                    self._take_command(command, body, done, result)

    def take_file(self, path: Path) -> None:
        """Read with the journal, then without: either alone may be sound."""
        self.files.append(path)
        for options in ("mode=ro", "mode=ro&immutable=1"):
            with contextlib.suppress(sqlite3.Error), contextlib.closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=0.0)
            ) as connection:
                self.take(connection)

    def give(self, ledger: Ledger) -> str:
        """Put it into another file, but for the others, in the transaction under way; tell how much that was."""
        ledger.append(list(self.events.values()))
        opened = 0
        for alarm_id in sorted({*self.alarms, *self.ended}):
            before = _known(ledger, alarm_id)
            after = self._newest(alarm_id, before)
            if after is not None and after != before:
                ledger.save_alarm(alarm_id, after.state.value, msgspec.json.encode(after))
                opened += after.state in OPEN
        promised = [(command_id, body) for command_id, body in self.commands.items() if body is not None]
        for command_id, body in promised:
            ledger.accept_command(command_id, body)
        words = f"{len(self.events)} waiting alarm events and {opened} open alarms"
        return f"{words}{f' and {len(promised)} commands' if promised else ''} were read and taken over"

    def leave(self) -> None:
        """Give the files their last names: they need not be read again."""
        for aside in self.files:
            with contextlib.suppress(OSError):  # then the next start reads them once more: nothing worse
                _rename(aside, read_name(aside))

    def _take_command(self, command: Command, body: bytes, done: int, result: bytes | None) -> None:
        if done:
            self.commands[command.id] = None
        else:
            self.commands.setdefault(command.id, body)
        if command.verb is Verb.CLOSE_ALARM and result is not None:
            outcome = msgspec.json.decode(result, type=Event).data.get("outcome")
            if outcome == Outcome.DONE:
                self.ended.setdefault(command.target, AlarmState.CLOSED)

    def _newest(self, alarm_id: str, known: Alarm | None) -> Alarm | None:
        """What is known of an alarm here and by the other file; None where nothing but its end is."""
        copies = [alarm for alarm in (known, self.alarms.get(alarm_id)) if alarm is not None]
        if not copies:
            return None
        newest = _newer(copies[0], copies[-1])
        if newest.state in OPEN and alarm_id in self.ended:
            return msgspec.structs.replace(newest, state=self.ended[alarm_id])
        return newest


def _newer(one: Alarm, other: Alarm) -> Alarm:
    """The copy that went further; the first where both went as far."""
    return max(one, other, key=lambda alarm: (alarm.state not in OPEN, alarm.repeats, alarm.told,
                                              _ORDER.index(alarm.state)))


def _known(ledger: Ledger, alarm_id: str) -> Alarm | None:
    with contextlib.suppress(*UNDECODABLE):
        body = ledger.alarm(alarm_id)
        return None if body is None else msgspec.json.decode(body, type=Alarm)
    return None


def _rename(path: Path, to: Path) -> Path:
    """Rename a database file with its journals."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(to.with_name(to.name + suffix))
    sync_folder(path.parent)
    return to


def _events(connection: sqlite3.Connection, lane: Lane) -> Iterator[tuple[str, Event, bytes]]:
    for event_id, body in _bodies(connection, lane):
        with contextlib.suppress(*_UNREADABLE):
            event = msgspec.json.decode(body, type=Event)
            if (event.id, event.lane) == (event_id, lane):
                yield event_id, event, body


def _bodies(connection: sqlite3.Connection, lane: Lane) -> Iterator[tuple[str, bytes]]:
    query = f"""SELECT seq, id, CAST(body AS BLOB) FROM outbox WHERE lane = {lane.value} AND seq > ?
                ORDER BY seq LIMIT 1"""  # noqa: S608 - a number of ours
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


def _texts(connection: sqlite3.Connection, columns: str) -> Iterator[tuple[Any, ...]]:
    """From both ends: keys are texts, so one cannot step over a page that is damaged."""
    for query, start in ((f"{columns} WHERE id > ? ORDER BY id LIMIT 1", ""),
                         (f"{columns} WHERE id < ? ORDER BY id DESC LIMIT 1", "\U0010ffff")):
        after, failed = start, False
        for _ in range(_ROWS):
            row, failed = _one(connection, query, after)
            if row is None:
                break
            after = row[0]
            yield row
        if not failed:
            return


def _one(connection: sqlite3.Connection, query: str, after: Any) -> tuple[Any, bool]:
    """Return a row, None where there is none, and whether it could not be read."""
    try:
        return connection.execute(query, (after,)).fetchone(), False
    except sqlite3.Error:
        return None, True
