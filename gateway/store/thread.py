"""The store thread: runs every statement, and lets all callers that wait at the same time share one commit.

What may be late (telemetry) waits for a commit that is made anyway, at most as long as its caller allows. Between jobs
the thread keeps house: it lets go what is settled, makes room, brings the journal into the database.
"""

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gateway.model.event import Lane
from gateway.store.errors import StoreClosed, StoreError, is_corrupt, is_outside, translate
from gateway.store.file import DatabaseFile, Over
from gateway.store.ledger import LaneCount, Ledger
from gateway.store.retention import Limits, Usage, decide
from gateway.store.volume import Writes, written_bytes

LOOK_S = 2.0  # so often an idle thread looks whether its file still lies there, and at the disk
FAULTS = 50  # the newest are kept
HOUSE_S = 0.1  # so often a busy thread looks at the disk's space and at what was written
GONE_ROWS = 128  # so many settled rows leave the file by themselves; fewer go along with the next commit
CHECKPOINT_BYTES = 2**20  # an idle thread brings so much journal into the database, a busy one twice as much

NOTHING = Writes(0, 0)

Work = Callable[[Ledger], Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happened to the file and that people should know."""

    reason: str
    cure: str


class Snapshot(NamedTuple):
    """What others may read without asking the thread."""

    epoch: str
    counts: dict[Lane, LaneCount]
    writes: Writes = NOTHING
    given_up: int = 0


@dataclass(slots=True, eq=False)
class _Job:
    work: Work
    future: asyncio.Future[Any]
    writes: bool
    wakes: bool
    within_s: float


_Done = tuple[_Job, Any, Exception | None]


class StoreThread:
    """Owns the file. submit() from the event loop; everything else that is public may be read from anywhere."""

    def __init__(self, folder: Path, limits: Limits, loop: asyncio.AbstractEventLoop, appended: Callable[[], None]
                 ) -> None:
        self.snapshot = Snapshot("", {lane: LaneCount(0, None) for lane in Lane})
        self.faults: tuple[Fault, ...] = ()
        self._passing: dict[Fault, Over] = {}
        self._telling = threading.Lock()  # both sides tell
        self.trouble: StoreError | None = None
        self._limits = limits
        self._loop = loop
        self._appended = appended
        self._file = DatabaseFile(folder, self.fault, lambda: loop.call_soon_threadsafe(appended))
        self._gathered: list[_Job] = []  # what was submitted in this turn of the loop
        self._jobs: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._late: list[_Job] = []  # what may wait for another's commit
        self._due_s = math.inf  # until then, on CLOCK_MONOTONIC
        self._given_up = 0
        self._cutting = False
        self._journal_from_bytes = 0  # what this thread had written when the journal was last empty
        self._opened_bytes = 0
        self._written_bytes = 0
        self._housed_s = -math.inf  # when the house was kept last
        self._look_s = LOOK_S  # in which time it is due
        self._closed = False
        self._ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Work, *, writes: bool = False, wakes: bool = False, within_s: float = 0.0
               ) -> asyncio.Future[Any]:
        """Queue work; `writes` in a transaction shared with others, `wakes` the uplink once it is committed.

        `within_s`: how long it may wait for a transaction that others need.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreClosed("the store is closed", "start the service again"))
        else:
            self._gathered.append(_Job(work, future, writes, wakes, within_s))
            if len(self._gathered) == 1:  # all who submit in one turn of the loop share a commit
                self._loop.call_soon(self._hand_over)
        return future

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._jobs.put(gathered)

    async def close(self) -> None:
        """Finish what was submitted, then close the file."""
        self._closed = True
        self._hand_over()
        self._jobs.put(None)
        await asyncio.shield(self._ended)

    def fault(self, reason: str, cure: str, over: Over | None = None) -> None:
        """Tell people, until it is `over`; once, however often it happens, and no more than FAULTS."""
        found = Fault(reason, cure)
        with self._telling:
            if found not in self.faults:
                self.faults = (*self.faults, found)[-FAULTS:]
            if over is not None:
                self._passing[found] = over

    def _run(self) -> None:
        self._opened_bytes = self._journal_from_bytes = written_bytes()
        open_ = True
        while open_:
            batches = self._next_batches()
            open_ = None not in batches
            jobs = [job for batch in batches if batch is not None for job in batch]
            try:
                self._serve(jobs, last=not open_)
                self._keep_house(idle=not jobs)
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever a damaged file makes of us
                self.trouble = translate(error)
                self._tell([(job, None, self.trouble) for job in jobs])
        self._file.drop()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _next_batches(self) -> list[list[_Job] | None]:
        """Everything that waits, or nothing once it is time to look at the file, or for what may wait no longer."""
        wait_s = 0.0 if self._cutting else max(0.0, min(self._look_s, self._due_s - time.monotonic()))
        try:
            batches = [self._jobs.get(timeout=wait_s) if wait_s else self._jobs.get_nowait()]
        except queue.Empty:
            return []
        while not self._jobs.empty():
            batches.append(self._jobs.get())
        return batches

    def _serve(self, jobs: Sequence[_Job], last: bool) -> None:
        now: list[_Job] = []
        for job in jobs:
            if not job.writes:  # at once: what they may see is committed already, and they need not wait for the disk
                read = self._alone(job)
                self._look()
                self._tell([read])
            elif job.within_s > 0:
                self._late.append(job)
                self._allow(job.within_s)
            else:
                now.append(job)
        if now or last or time.monotonic() >= self._due_s:
            now, self._late, self._due_s = now + self._late, [], math.inf
            for done in self._together(now):
                self._look()
                self._tell(done)
            self._let_go()

    def _allow(self, within_s: float) -> None:
        self._due_s = min(self._due_s, time.monotonic() + within_s)

    def _keep_house(self, idle: bool) -> None:
        """Do what nobody waits for; `idle`: nobody has asked for anything either."""
        due = idle or self._cutting or time.monotonic() - self._housed_s >= HOUSE_S
        ledger = self._file.ledger
        if due and self._file.missing():  # alarms may wait in it
            ledger = self._file.open(sure=True)
            self._look()
        if ledger is None:
            return
        if ledger.gone >= GONE_ROWS:
            self._let_go()
        if ledger.departing:
            self._allow(max(LOOK_S, self._limits.telemetry_delay_s))
        self._look_s = HOUSE_S
        if not due:
            return
        self._housed_s, self._look_s = time.monotonic(), LOOK_S
        self._make_room(ledger)
        bytes_ = written_bytes()
        if bytes_ - self._journal_from_bytes >= CHECKPOINT_BYTES * (1 if self._jobs.empty() else 2):
            self._file.checkpoint()
            self._journal_from_bytes = bytes_ = written_bytes()
        self._written_bytes = bytes_ - self._opened_bytes
        self._look()
        if idle:
            self._file.volume.keep_reserves()
            with self._telling:
                past = {fault for fault, over in self._passing.items() if over()}
                self._passing = {fault: over for fault, over in self._passing.items() if fault not in past}
                self.faults = tuple(fault for fault in self.faults if fault not in past)

    def _let_go(self) -> None:
        """Delete what is settled and did not go along with a commit."""
        if self._file.ledger is not None and self._file.ledger.departing:
            self._own(lambda _: None, durable=False)

    def _own(self, work: Work, durable: bool) -> Any:
        """Run a transaction that nobody waits for; what fails now is tried again with the next look."""
        for _ in range(2):
            ledger = self._file.open()
            try:
                ledger.begin(durable)
                value = work(ledger)
                self._file.commit(durable)
            except Exception as error:  # noqa: BLE001 - `trouble` tells
                self.trouble = self._file.failed(error)
                if not self._file.makes_room(error):
                    return None
            else:
                self.trouble = None
                self._look()
                return value
        return None

    def _make_room(self, ledger: Ledger) -> None:
        """Give up one step of what there is no room for; the next follows after whoever waits meanwhile."""
        space = self._file.volume.space()
        if space is None or self._file.ledger is not ledger:
            return
        waiting = {lane: count.waiting for lane, count in ledger.counts().items()}
        cut = decide(self._limits, Usage(*ledger.space(), *space, waiting), self._cutting)
        self._cutting = cut is not None
        if cut is None:
            return
        went = self._own(lambda ledger: ledger.give_up(cut), durable=True)
        if went is None:
            self._cutting = False  # the disk refuses: no use in hurrying
            return
        self._given_up += went
        self.fault(f"{cut.reason}: the oldest {cut.lane.name.lower()} was given up", cut.cure,
                   lambda: not self.snapshot.counts[cut.lane].waiting)
        self._loop.call_soon_threadsafe(self._appended)

    def _look(self) -> None:
        if (ledger := self._file.ledger or self._file.reader) is not None:
            writes = Writes(self._written_bytes, self._file.fsyncs)
            self.snapshot = Snapshot(ledger.epoch, ledger.counts(), writes, self._given_up)

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
            value = job.work(self._file.to_read())
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller and not to the thread
            return job, None, self._failed(error)
        self.trouble = self._file.refusal or self.trouble
        return job, value, None

    def _together(self, jobs: Sequence[_Job]) -> Iterator[list[_Done]]:
        """Run the jobs in one transaction, or each in its own where one may be to blame; yield what has ended."""
        if not jobs:
            return
        try:
            values = self._transaction(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers and not to the thread
            failure = self._failed(error)
            culprit_unknown = len(jobs) > 1 and not is_outside(error)
            again = (is_corrupt(error) and self._file.ledger is None) or self._file.makes_room(error)
            if culprit_unknown or again:
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
        ledger = self._file.open()
        ledger.begin(durable=True)
        values = [job.work(ledger) for job in jobs]
        self._file.commit(durable=True)
        self.trouble = None
        return values

    def _failed(self, error: Exception) -> StoreError:
        self.trouble = self._file.failed(error)
        self._closed = self._closed or self._file.newer
        return self.trouble
