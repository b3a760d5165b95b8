"""Durable appends, with 1, 10 and 100 callers waiting at once, beside bare sqlite3.

The floor writes the same rows into the same table and index under the same pragmas, from a plain thread, with as many
rows in a transaction as there are callers: nobody who answers each of them after its fsync can be quicker.

A second floor, without a limit, tells what is left to gain: the thinnest hand-over from asyncio to a thread and back
that gives each caller its own answer. Its cost an event is the processor's, so the quicker the disk the more it shows.

The same once more on a disk as slow as the card in a Raspberry Pi, store and floor side by side on it.
"""

import asyncio
import itertools
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.model.event import Event, Lane
from gateway.store import Store
from gateway.store.migrate import WAL_PAGES, scripts
from hil.resources.lossydisk.program import lossy_disk, why_not
from tests.bench.lab import Lab, interleaved
from tests.bench.outbox.load import AT_ONCE, events
from tests.bench.result import Row, at_least, compared

LIMIT = at_least(0.8)
ROUNDS = 31  # short ones: a shared disk's mood changes within seconds
A_ROUND = {1: 100, 10: 1000, 100: 5000}  # events
CARD_FSYNC_MS = 5.0  # PostgreSQL on a Pi 3B and cards of no application class: some 200 transactions a second; on cards
# of class A1 more than 500 (https://blog.rustprooflabs.com/2019/07/postgresql-raspberry-pi-sd-cards, 2019)
CARD_ROUNDS = 9
A_CARD_ROUND = {1: 40, 10: 400, 100: 2000}

Ready = tuple[int, int, str, bytes]
"""A row as it is written: lane, number, id, body."""


class Bare:
    """The same table in a file of its own, as a plain thread writes it."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL",
                       f"wal_autocheckpoint = {WAL_PAGES}"):
            self._base.execute(f"PRAGMA {pragma}")
        for script in scripts().values():
            self._base.executescript(script)
        self._next = itertools.count(1)

    def write(self, rows: Sequence[Event], batch: int) -> float:
        """Return the rows a second, of which `batch` share a transaction."""
        ready = [self.ready(row) for row in rows]
        begun_s = time.perf_counter()
        for place in range(0, len(ready), batch):
            self.transaction(ready[place:place + batch])
        return len(ready) / (time.perf_counter() - begun_s)

    def ready(self, row: Event) -> Ready:
        return row.lane.value, next(self._next), row.id, msgspec.json.encode(row)

    def transaction(self, ready: Sequence[Ready]) -> None:
        run = self._base.execute
        run("BEGIN IMMEDIATE")
        for row in ready:
            run("INSERT INTO outbox (lane, seq, id, body) VALUES (?, ?, ?, ?)", row)
        run("COMMIT")

    def close(self) -> None:
        self._base.close()


class Appends(Protocol):
    """What can be asked for a durable append."""

    async def append(self, events: Sequence[Event]) -> None: ...


class Thin:
    """A queue, a thread and a future for each event: no reader, no error, no house to keep."""

    def __init__(self, bare: Bare) -> None:
        self._bare, self._loop = bare, asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[Ready, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def append(self, events: Sequence[Event]) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((self._bare.ready(events[0]), done))
        await done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty() and (one := self._queue.get()) is not None:
                batch.append(one)
            self._bare.transaction([ready for ready, _ in batch])
            self._loop.call_soon_threadsafe(self._tell, [done for _, done in batch])

    @staticmethod
    def _tell(waiting: Sequence["asyncio.Future[None]"]) -> None:
        for done in waiting:
            done.set_result(None)


async def append(store: Appends, found: Sequence[Event], callers: int) -> float:
    """Let so many callers append one event after another, each waiting for its own; return the events a second."""

    async def caller(mine: Iterator[Event]) -> None:
        for one in mine:
            await store.append([one])

    shared = iter(found)
    begun_s = time.perf_counter()
    await asyncio.gather(*(caller(shared) for _ in range(callers)))
    return len(found) / (time.perf_counter() - begun_s)


async def run(lab: Lab) -> list[Row]:
    rows: list[Row] = []
    for callers, full in A_ROUND.items():
        with lab.room() as folder:
            rows += await _rows(folder, callers, lab.size(full, callers * 5), ROUNDS)
    if (why := why_not()) is not None:
        lab.say(f"append on a slow disk is left out: {why}")
        return rows
    with lab.room() as room:
        async with lossy_disk(room, fsync_ms=CARD_FSYNC_MS) as disk:
            for callers, full in A_CARD_ROUND.items():
                folder = disk.mount / f"{callers}"
                folder.mkdir()
                beside_bare, _ = await _rows(folder, callers, lab.size(full, callers * 5), CARD_ROUNDS,
                                             f", an fsync of {CARD_FSYNC_MS:g} ms")
                rows.append(beside_bare)
    return rows


async def _rows(folder: Path, callers: int, count: int, rounds: int, where: str = "") -> list[Row]:
    """Return the row beside the bare floor and that beside the thinnest hand-over, measured in a folder."""
    numbers = itertools.count(step=count)
    commits: list[int] = []

    def some() -> list[Event]:
        first, half = next(numbers), count // 2
        return [*events(Lane.ALARM, half, first), *events(Lane.EVENT, count - half, first + half)]

    async def ours() -> float:
        before = store.writes().fsyncs
        rate = await append(store, some(), callers)
        commits.append(store.writes().fsyncs - before)
        return rate

    async def bare() -> float:
        return await asyncio.to_thread(alone.write, some(), callers)

    async def handed_over() -> float:
        return await append(thin, some(), callers)

    with closing(Bare(folder / "bare.db")) as alone, closing(Bare(folder / "thin.db")) as under, \
            closing(Thin(under)) as thin:
        store = await Store.open(folder / "store", AT_ONCE)
        try:
            values, floors, thinnest = await interleaved(rounds, ours, bare, handed_over)
        finally:
            await store.close()
    note = f"{count * rounds / max(1, sum(commits)):.3g} events an fsync"
    name = f"append, {callers} waiting{where}"
    return [compared(name, "events/s", values, floors, LIMIT, note),
            compared(f"{name}, beside the thinnest hand-over", "events/s", values, thinnest)]
