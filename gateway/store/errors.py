"""Errors of the store: the type tells whether trying again helps, the message ends with the cure."""

import sqlite3


class StoreError(Exception):
    """The store could not do it now. Nothing was half done; the same call may succeed later."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason = reason
        self.cure = cure


class StoreFull(StoreError):
    """No space is left on the disk. The store goes on by itself when there is space again."""


class StoreUnwritable(StoreError):
    """The disk does not take writes: read-only, gone, or failing. The store goes on by itself when it does again."""


class StoreBusy(StoreError):
    """Another program holds the database. The store goes on by itself when it lets go."""


class StoreNewer(StoreError):
    """The database was made by a newer version: permanent, and the file is left as it is."""


class StoreClosed(StoreError):
    """The store was closed before this call."""


class Rotten(Exception):
    """The database contradicts itself."""


# Primary result codes, https://www.sqlite.org/rescode.html; extended codes carry them in the low byte.
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_DISK = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


_OUTSIDE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def primary_code(error: BaseException) -> int:
    """Return SQLite's primary result code of an error, 0 where it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_corrupt(error: BaseException) -> bool:
    """Tell whether the file itself is damaged. SQLite quotes in its errors, and damaged bytes are no text."""
    return primary_code(error) in _CORRUPT or isinstance(error, Rotten | UnicodeDecodeError)


def is_disk(error: BaseException) -> bool:
    """Tell whether the disk under the file fails: the connection is worth nothing any more."""
    return primary_code(error) in _DISK or isinstance(error, OSError)


def is_full(error: BaseException) -> bool:
    """Tell whether the disk has no space left."""
    return primary_code(error) == sqlite3.SQLITE_FULL


def is_refused(error: BaseException) -> bool:
    """Tell whether SQLite does not understand a statement: ours are sound, so the schema may be rotten."""
    return primary_code(error) == sqlite3.SQLITE_ERROR


def is_outside(error: BaseException) -> bool:
    """Tell whether no job is to blame: the next one would fail just so."""
    return primary_code(error) in _OUTSIDE or is_disk(error)


def translate(error: Exception) -> StoreError:
    """Say in the store's own words what went wrong below."""
    if isinstance(error, StoreError):
        return error
    if primary_code(error) == sqlite3.SQLITE_FULL:
        return StoreFull("no space left for the database", "free space on the disk that holds state_dir")
    if primary_code(error) in _OUTSIDE:
        return StoreBusy(f"another program holds the database ({error})",
                         "end the program that has anju.db open (`fuser -v`), and copy the file only while the service "
                         "stands")
    if is_disk(error):
        cure = "check that state_dir is mounted writable and the disk is healthy"
        return StoreUnwritable(f"the database cannot be written ({error})", cure)
    return StoreError(f"the database refused ({error})", "run `anju status`; if it stays, restart the service")
