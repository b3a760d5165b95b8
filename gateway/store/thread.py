"""The store thread: runs every statement, and lets all callers that wait at the same time share one commit."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.model.event import Lane
from gateway.store.errors import StoreClosed, StoreError, StoreNewer, is_corrupt, is_disk, is_outside, translate
from gateway.store.ledger import LaneCount, Ledger
from gateway.store.migrate import FILE, Damaged, open_sound, set_aside
from gateway.store.salvage import Salvage

LOOK_S = 2.0  # so often an idle thread looks whether its file still lies there
FAULTS = 50  # the newest are kept

Work = Callable[[Ledger], Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happened to the file and that people should know."""

    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What others may read without asking the thread."""

    epoch: str
    counts: dict[Lane, LaneCount]


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work
    future: asyncio.Future[Any]
    writes: bool
    durable: bool
    wakes: bool


_Done = tuple[_Job, Any, Exception | None]


class StoreThread:
    """Owns the connection. Where the file cannot be opened every job fails, and each job tries to open it again."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, appended: Callable[[], None]) -> None:
        self.snapshot = Snapshot("", {lane: LaneCount(0, None) for lane in Lane})
        self.faults: tuple[Fault, ...] = ()
        self.trouble: StoreError | None = None
        self._path = folder / FILE
        self._loop = loop
        self._appended = appended
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ledger: Ledger | None = None
        self._inode = 0
        self._salvage: Salvage | None = None  # what another file held and this one has not got yet
        self._closed = False
        self._ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Work, *, writes: bool = False, durable: bool = True, wakes: bool = False
               ) -> asyncio.Future[Any]:
        """Queue work; `writes` in a transaction shared with others, `wakes` the uplink once it is committed."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreClosed("the store is closed", "start the service again"))
        else:
            self._jobs.put(_Job(work, future, writes, durable, wakes))
        return future

    async def close(self) -> None:
        """Finish what was submitted, then close the file."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.shield(self._ended)

    def fault(self, reason: str, cure: str) -> None:
        """Tell people; once, however often it happens, and no more than FAULTS."""
        found = Fault(reason, cure)
        if found not in self.faults:
            self.faults = (*self.faults, found)[-FAULTS:]

    def _run(self) -> None:
        open_ = True
        while open_:
            try:
                batch = [self._jobs.get(timeout=LOOK_S)]
            except queue.Empty:
                self._look_after_file()
                continue
            while not self._jobs.empty():
                batch.append(self._jobs.get())
            open_ = None not in batch
            jobs = [job for job in batch if job is not None]
            try:
                self._serve(jobs)
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever a damaged file makes of us
                self.trouble = translate(error)
                self._tell([(job, None, self.trouble) for job in jobs])
        self._drop()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _serve(self, jobs: Sequence[_Job]) -> None:
        # Readers first: what they may see is committed already, and they need not wait for the disk.
        for job in jobs:
            if not job.writes:
                read = self._alone(job)
                self._look()
                self._tell([read])
        for done in self._together([job for job in jobs if job.writes]):
            self._look()
            self._tell(done)

    def _look_after_file(self) -> None:
        """Notice a file that was removed while nobody wants anything: alarms may wait in it."""
        try:
            if self._ledger is not None and self._inode_now() != self._inode:
                self._open()
                self._look()
        except Exception as error:  # noqa: BLE001 - `trouble` tells, and the next job tries again
            self._failed(error)

    def _look(self) -> None:
        if self._ledger is not None:
            self.snapshot = Snapshot(self._ledger.epoch, self._ledger.counts())

    def _tell(self, done: Sequence[_Done]) -> None:
        def tell() -> None:
            for job, value, error in done:
                if job.future.done():
                    continue  # the caller was cancelled; its work is committed all the same
                if error is None:
                    job.future.set_result(value)
                else:
                    job.future.set_exception(error)
            if any(job.wakes and error is None for job, _, error in done):
                self._appended()

        self._loop.call_soon_threadsafe(tell)

    def _alone(self, job: _Job) -> _Done:
        try:
            return job, job.work(self._open()), None
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller and not to the thread
            return job, None, self._failed(error)

    def _together(self, jobs: Sequence[_Job]) -> Iterator[list[_Done]]:
        """Run the jobs in one transaction, or each in its own where one may be to blame; yield what has ended."""
        if not jobs:
            return
        try:
            values = self._transaction(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers and not to the thread
            failure = self._failed(error)
            culprit_unknown = len(jobs) > 1 and not is_outside(error)
            if culprit_unknown or (is_corrupt(error) and self._ledger is None):
                for job in jobs:
                    yield [self._single(job)]
            else:
                yield [(job, None, failure) for job in jobs]
        else:
            yield [(job, value, None) for job, value in zip(jobs, values, strict=True)]

    def _single(self, job: _Job) -> _Done:
        try:
            return job, self._transaction([job])[0], None
        except Exception as error:  # noqa: BLE001 - see _together
            return job, None, self._failed(error)

    def _transaction(self, jobs: Sequence[_Job]) -> list[Any]:
        ledger = self._open()
        ledger.begin(durable=any(job.durable for job in jobs))
        values = [job.work(ledger) for job in jobs]
        ledger.commit()
        self.trouble = None
        return values

    def _open(self) -> Ledger:
        """Return the ledger on the file that lies at the path now."""
        if self._ledger is not None and self._inode_now() != self._inode:
            self.fault(f"{self._path} was removed or replaced while in use", "leave state_dir to the service")
            self._salvage = self._salvage or Salvage()
            self._salvage.take(self._ledger.connection)  # it still reads the file that has no name any more
            self._drop()
        if self._ledger is None:
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
            self._ledger, self._inode = ledger, self._inode_now()
            self._take_over(ledger)
        return self._ledger

    def _take_over(self, ledger: Ledger) -> None:
        """Put into this file what was saved of another; where the disk takes nothing now, at the next opening."""
        if self._salvage is None:
            return
        try:
            ledger.begin(durable=True)
            told = self._salvage.give(ledger)
            ledger.commit()
        except Exception as error:
            self._drop()
            if not is_outside(error):
                self._salvage = None  # it is the find itself, and must stand in nobody's way
            raise
        self._salvage = None
        self._loop.call_soon_threadsafe(self._appended)
        self.fault(f"of the file that is gone {told}", "check the disk; ask the centre whether it knows of every alarm")

    def _failed(self, error: Exception) -> StoreError:
        """Bring the connection back to a state from which the next job can go on."""
        if isinstance(error, StoreNewer):
            self._closed = True
        if is_corrupt(error):
            self._drop()
            try:
                self._put_aside(str(error))
            except OSError as still:
                error = still
        elif is_disk(error):
            self._drop()
        elif self._ledger is not None:
            try:
                self._ledger.rollback()
            except Exception:  # noqa: BLE001 - a connection that cannot even do that is opened anew
                self._drop()
        self.trouble = translate(error)
        return self.trouble

    def _put_aside(self, damage: str) -> None:
        aside = set_aside(self._path)
        self._salvage = self._salvage or Salvage()
        self._salvage.take_file(aside)
        self.fault(f"the database was damaged ({damage}) and set aside as {aside.name}; a new one was started",
                   f"keep {aside.name} for the service desk and check the disk")

    def _drop(self) -> None:
        if self._ledger is not None:
            self._ledger.connection.close()
            self._ledger = None

    def _inode_now(self) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return 0
