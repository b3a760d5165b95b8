"""DatabaseFile: the file at its path, whatever becomes of it: opened, migrated, missed, set aside, taken over, dropped.

Belongs to the store thread. Where the file cannot be opened every use fails, and each use tries to open it again. But
for reading: on a disk that takes nothing any more alarms may wait, so the file is then read as it lies.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway.store.errors import StoreError, StoreNewer, is_corrupt, is_disk, is_full, is_outside, is_refused, translate
from gateway.store.ledger import Ledger
from gateway.store.migrate import FILE, Damaged, open_sound, open_to_read
from gateway.store.salvage import Salvage, left_unread, read_name, set_aside
from gateway.store.volume import Volume

CHECKPOINT_FSYNCS = 3  # the journal, the database, and the journal's new head (https://www.sqlite.org/wal.html)

Place = tuple[int, int]
"""A file by its device and inode."""

Over = Callable[[], bool]


class Tell(Protocol):
    """Hears of what happened to the file; `over` tells later whether that is past, None if it is told for good."""

    def __call__(self, reason: str, cure: str, over: Over | None = None) -> None: ...


class DatabaseFile:
    """`fault(reason, cure)` hears of what happens to the file; `found()` that rows came in from another one."""

    def __init__(self, folder: Path, fault: Tell, found: Callable[[], object]) -> None:
        self.ledger: Ledger | None = None
        self.reader: Ledger | None = None  # in its place, while the disk takes nothing: why stands in `refusal`
        self.refusal: StoreError | None = None
        self._reads = False  # the reader's connection is open
        self.newer = False
        self.fsyncs = 0
        self.volume = Volume(folder)
        self._path = folder / FILE
        self._fault, self._found = fault, found
        self._journal = folder / f"{FILE}-wal"
        self._lies: Place | None = None  # where the open file lies, and its journal once there is one
        self._journal_lies: Place | None = None
        self._salvage: Salvage | None = None  # what another file held and this one has not got yet

    def open(self, sure: bool = False) -> Ledger:
        """Return the ledger on the file that lies at the path now; `sure`: and its journal, were it replaced alone."""
        if (sure or not self._seems_there()) and self.missing():
            self._leave()
        if self.ledger is None:
            self.drop()  # a reader beside it would be in its way
            if self._salvage is None:
                for aside in left_unread(self._path):
                    self._read(aside)
            try:
                connection = open_sound(self._path)
            except Damaged as damage:
                self._put_aside(str(damage))
                connection = open_sound(self._path)
            ledger = Ledger(connection)
            try:
                ledger.load()
            except BaseException:
                connection.close()
                raise
            self.ledger, self._lies, self._journal_lies = ledger, _place(self._path), None
            self.reader = self.refusal = None
            self.volume.keep_reserves()
            self._take_over(ledger)
        return self.ledger

    def to_read(self) -> Ledger:
        """Return the ledger, or one that can only be read; until a use that writes finds the disk sound again."""
        if self._reads and self.reader is not None:
            return self.reader
        try:
            return self.open()
        except Exception as error:
            if not is_disk(error):
                raise
            self.refusal = translate(error)
            try:
                self.reader = self._read_as_it_lies(self.reader)
            except sqlite3.Error:
                raise error from None
            return self.reader

    def _read_as_it_lies(self, before: Ledger | None) -> Ledger:
        """Return a reader that goes on where the one before, if any, was: under its epoch, with what was settled."""
        connection = open_to_read(self._path)
        ledger = before or Ledger(connection)
        ledger.connection = connection
        try:
            ledger.load()
        except BaseException:
            connection.close()
            raise
        self._reads = True
        return ledger

    def _seems_there(self) -> bool:
        """Tell before each commit what missing() tells for sure, but for a journal that was replaced alone.

        A stat() of the journal would cost a page and a quarter of the time of a commit soon after another: it has the
        next write stamp the inode anew (https://docs.kernel.org/filesystems/multigrain-ts.html, from Linux 6.13 on).
        """
        return (self._journal_lies is not None and _place(self._path) == self._lies
                and os.access(self._journal, os.F_OK))

    def missing(self) -> bool:
        """Tell whether the open file or its journal lies at its path no more."""
        if self.ledger is None:
            return False
        journal = _place(self._journal)
        if self._journal_lies is None:
            self._journal_lies = journal
        return _place(self._path) != self._lies or journal != self._journal_lies

    def commit(self, durable: bool) -> None:
        """End the transaction under way."""
        if self.ledger is not None:
            self.fsyncs += durable and self.ledger.has_changed()
            self.ledger.commit()

    def checkpoint(self) -> None:
        """Bring the journal into the database. It does not matter whether it can be done now."""
        if self.ledger is None:
            return
        try:
            self.ledger.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self.fsyncs += CHECKPOINT_FSYNCS
        except Exception as error:  # noqa: BLE001 - a damaged or full disk shows in the next transaction too
            self.failed(error)

    def failed(self, error: Exception) -> StoreError:
        """Bring the connection back to a state from which the next use can go on; return the error to tell."""
        self.newer = self.newer or isinstance(error, StoreNewer)
        if is_corrupt(error):
            self.drop()
            try:
                self._put_aside(str(error))
            except OSError as still:
                error = still
        elif is_disk(error) or is_refused(error):
            self.drop()  # opened again it is looked at
        elif self.ledger is not None:
            try:
                self.ledger.rollback()
            except Exception:  # noqa: BLE001 - a connection that cannot even do that is opened anew
                self.drop()
        return translate(error)

    def makes_room(self, error: Exception) -> bool:
        """Where the disk is full, give up a reserve for what is to be written; tell whether that is worth a try."""
        departing = self.ledger is not None and bool(self.ledger.departing)
        if not is_full(error) or not self.volume.release(last=departing):
            return False
        self._fault("no space was left on the disk: a reserve is used up",
                    "free space on the disk that holds state_dir", self.volume.has_reserves)
        self.checkpoint()
        return True

    def drop(self) -> None:
        """Close the file."""
        if self.ledger is not None:
            self.ledger.connection.close()
            self.ledger = None
        if self._reads and self.reader is not None:
            self.reader.connection.close()
            self._reads = False

    def _leave(self) -> None:
        """Save what a file holds that lost its name, or whose journal did: its connection still reads and writes it."""
        named = _place(self._path) == self._lies
        self._fault(f"{self._journal if named else self._path} was removed or replaced while in use",
                    "leave state_dir to the service")
        if self.ledger is not None and not (named and self._flushed(self.ledger)):
            self._salvage = self._salvage or Salvage()
            self._salvage.take(self.ledger.connection)
        self.drop()

    def _flushed(self, ledger: Ledger) -> bool:
        """Bring a journal without a name into its database; tell whether that went well."""
        try:
            return not ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error:
            return False

    def _take_over(self, ledger: Ledger) -> None:
        """Put into this file what was saved of another; where the disk takes nothing now, at the next opening."""
        if self._salvage is None:
            return
        try:
            ledger.begin(durable=True)
            told = self._salvage.give(ledger)
            self.commit(durable=True)
        except Exception as error:
            self.drop()
            if not is_outside(error):
                self._salvage.leave()
                self._salvage = None  # it is the find itself, and must stand in nobody's way
            raise
        told += self._take_others_over(ledger, self._salvage)
        self._salvage.leave()
        self._salvage = None
        self._found()
        self._fault(f"of the file that is gone {told}",
                    "check the disk; ask the centre whether it knows of every alarm")

    def _take_others_over(self, ledger: Ledger, salvage: Salvage) -> str:
        """Put in what is of no alarm, if there is room; tell what became of it. The alarms do not wait for it."""
        count = len(salvage.others)
        if not count:
            return ""
        try:
            ledger.begin(durable=True)
            ledger.append(list(salvage.others.values()))
            self.commit(durable=True)
        except sqlite3.Error as error:
            ledger.rollback()
            return f", {count} other events were not ({error})"
        return f", and {count} other events"

    def _put_aside(self, damage: str) -> None:
        aside = set_aside(self._path)
        self._read(aside)
        name = read_name(aside).name
        self._fault(f"the database was damaged ({damage}) and set aside as {name}; a new one was started",
                    f"keep {name} for the service desk and check the disk")

    def _read(self, aside: Path) -> None:
        self._salvage = self._salvage or Salvage()
        self._salvage.take_file(aside)


def _place(path: Path) -> Place | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
