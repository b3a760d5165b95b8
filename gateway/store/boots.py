"""The chronicle of boots on disk: what is known of the clock in each, in their order. Synchronous, on one connection.

A boot's row is made once and only learns: it never gets shorter, and never forgets when it began. The newest KEPT stay;
an older one stays as long as an event waits that it may help to date: of that boot, of a later one, or the last boot of
known time before it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

import msgspec

from gateway.model.event import Lane
from gateway.model.time import Boot, Stamp

KEPT = 50
HEADS = 50  # rows of a lane that are looked at for the oldest boot; in front of them stands the oldest, as a rule

_NOTE = """
    INSERT INTO boot (id, lasted_s, began_wall_s, synced_from_s, synced_upto_s, restored_wall_s)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
      lasted_s = max(lasted_s, excluded.lasted_s),
      synced_from_s = CASE WHEN excluded.began_wall_s IS NULL THEN synced_from_s ELSE excluded.synced_from_s END,
      synced_upto_s = CASE WHEN excluded.began_wall_s IS NULL THEN synced_upto_s ELSE excluded.synced_upto_s END,
      began_wall_s = coalesce(excluded.began_wall_s, began_wall_s),
      restored_wall_s = coalesce(restored_wall_s, excluded.restored_wall_s)"""
_READ = "SELECT id, lasted_s, began_wall_s, synced_from_s, synced_upto_s, restored_wall_s FROM boot ORDER BY n"


class _Taken(msgspec.Struct):
    at: Stamp


def note(connection: sqlite3.Connection, boot: Boot) -> None:
    """Write what is known of a boot, in the transaction under way; a new one lets go of old ones that nobody needs."""
    count = "SELECT count(*) FROM boot"
    before = connection.execute(count).fetchone()
    connection.execute(_NOTE, (boot.id, boot.lasted_s, boot.began_wall_s, boot.synced_from_s, boot.synced_upto_s,
                               boot.restored_wall_s))
    if connection.execute(count).fetchone() != before:
        _prune(connection)


def read(connection: sqlite3.Connection) -> list[Boot]:
    """Return the chronicle, oldest first; a row that is damaged on disk is left out."""
    boots = []
    for row in connection.execute(_READ):
        with contextlib.suppress(msgspec.ValidationError):
            boots.append(msgspec.convert(dict(zip(Boot.__struct_fields__, row, strict=True)), Boot))
    return boots


def _prune(connection: sqlite3.Connection) -> None:
    run = connection.execute
    kept = run("SELECT n FROM boot ORDER BY n DESC LIMIT 1 OFFSET ?", (KEPT - 1,)).fetchone()
    if kept is None:
        return
    oldest = kept[0]
    for boot_id in set(_waiting(connection)):
        needed = run("""SELECT coalesce((SELECT max(n) FROM boot WHERE n < mine.n AND began_wall_s IS NOT NULL), mine.n)
                        FROM boot mine WHERE id = ?""", (boot_id,)).fetchone()
        oldest = min(oldest, needed[0]) if needed else oldest
    run("DELETE FROM boot WHERE n < ?", (oldest,))


def _waiting(connection: sqlite3.Connection) -> Iterator[str]:
    """The boots of the events that wait longest, lane by lane; what is no event any more has none."""
    query = "SELECT CAST(body AS BLOB) FROM outbox WHERE lane = ? AND seq > 0 ORDER BY seq LIMIT ?"
    for lane in Lane:
        for (body,) in connection.execute(query, (lane, HEADS)):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield msgspec.json.decode(body, type=_Taken).at.boot_id
