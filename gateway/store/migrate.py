"""Open the database file: damaged is set aside, newer is refused untouched, older is migrated.

The schema is the sequence of schema/*.sql, each applied once, in the order of its name, in a transaction of its own
together with the record of it (sqlite-utils keeps that record in the file).
"""

import os
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

from gateway.store.errors import StoreNewer, is_corrupt, is_full, is_refused

FILE = "anju.db"
_SET = "anju"
WAL_PAGES = 2048  # 8 MB: a net below the store thread, which makes the checkpoints (thread.CHECKPOINT_BYTES)
_BUSY_S = 0.2  # somebody holds the file with another tool: alarms then go on from memory, within a second


PROBES = (
    "SELECT id, state, body FROM alarm",
    "SELECT id, body, done, result FROM inbox",
    "SELECT name, body FROM detector",
    "SELECT n, id, lasted_s, began_wall_s, synced_from_s, synced_upto_s, restored_wall_s FROM boot",
    "SELECT n, id, alarm, awaited, head, samples FROM evidence",
    "SELECT lane, seq, id, body, first FROM outbox",
    "INSERT INTO outbox (lane, seq, id, body) VALUES (0, 1, '', '') ON CONFLICT (id) WHERE lane = 0 DO NOTHING",
    "INSERT INTO outbox (lane, seq, id, body) VALUES (0, 0, '', '') ON CONFLICT (lane, seq) DO UPDATE SET first = 0",
)
"""What a sound schema understands; explained, never run."""


class Damaged(Exception):
    """The file is no sound database."""


def scripts() -> dict[str, str]:
    """Return every migration's name and SQL, in order."""
    found = [entry for entry in files("gateway.store").joinpath("schema").iterdir() if entry.name.endswith(".sql")]
    return {entry.name.removesuffix(".sql"): entry.read_text("utf-8") for entry in sorted(found, key=lambda e: e.name)}


def open_sound(path: Path) -> sqlite3.Connection:
    """Return a checked, migrated connection. Raises Damaged, StoreNewer, sqlite3.Error, OSError."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent.parent)
    try:
        if path.exists() and path.stat().st_size:
            _refuse_newer(path)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        connection.text_factory = _text
        try:
            _prepare(connection)
            sync_folder(path.parent)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if is_corrupt(error) or is_refused(error):
            raise Damaged(str(error)) from error
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection to the file of a disk that takes nothing. Raises sqlite3.Error.

    To read a journal SQLite wants locks, which a read-only file system has none of; none are needed where the file has
    one owner. They must not meet those of another connection: closing this one would end them (fcntl_locking(2)).
    """
    how = "vfs=unix-none" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&{how}", uri=True, isolation_level=None)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        if _applied(connection) != set(scripts()):
            raise sqlite3.OperationalError("it has to be migrated first")
    except BaseException:
        connection.close()
        raise
    return connection


def _text(damaged: bytes) -> str:
    """A text that is none any more must not keep the sound columns of its row from being read."""
    return damaged.decode(errors="replace")


def _refuse_newer(path: Path) -> None:
    # The power may have failed in the very first transactions, before WAL: their journal must be rolled back to read.
    mode = "rw" if path.with_name(f"{path.name}-journal").exists() else "ro"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S)) as reader:
        strange = sorted(_applied(reader) - set(scripts()))
    if strange:
        raise StoreNewer(f"{path} was made by a newer version (it has {', '.join(strange)})",
                         "install that version again; the file was not touched")


def _applied(connection: sqlite3.Connection) -> set[str]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        return set()
    query = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
    return {name for (name,) in connection.execute(query, (_SET,))}


def _prepare(connection: sqlite3.Connection) -> None:
    # One owner: the journal's index stays in memory, where no card wears and no full disk kills whoever maps it.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    complaint = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if complaint != "ok":
        raise Damaged(complaint)
    _migrate(connection)
    for statement in PROBES:  # a rotten schema reads well and serves nobody
        connection.execute(f"EXPLAIN {statement}")
    _flush_journal(connection)


def _flush_journal(connection: sqlite3.Connection) -> None:
    """Bring the journal into the database. Where the disk has no space for that the journal stays and serves.

    What an fsync failed for stays in the system's cache and looks well (https://lwn.net/Articles/752063/): commits
    behind it would be lost with it. Copied and flushed again it is on disk, or this fails too.
    """
    try:
        held_up = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        if not is_full(error):
            raise
    else:
        if held_up:
            raise sqlite3.OperationalError("the journal cannot be brought into the database")


def _migrate(connection: sqlite3.Connection) -> None:
    if _applied(connection) == set(scripts()):
        return
    # Imported only when there is something to migrate: it weighs 0.25 s and some megabytes at every other start.
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(_SET)
    for name, sql in scripts().items():
        migrations(name=name)(_runner(sql))
    migrations.apply(Database(connection, execute_plugins=False))


def _runner(sql: str) -> Any:
    def run(database: Any) -> None:
        statement = ""
        for line in sql.splitlines(keepends=True):  # executescript would commit the migration's transaction
            statement += line
            if sqlite3.complete_statement(statement):
                database.conn.execute(statement)
                statement = ""

    return run


def sync_folder(folder: Path) -> None:
    """Bring what was made, renamed or removed in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
