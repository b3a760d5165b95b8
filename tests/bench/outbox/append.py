"""Durable appends, with 1, 10 and 100 callers waiting at once, beside bare sqlite3.

The floor writes the same rows into the same table and index under the same pragmas, from a plain thread, with as many
rows in a transaction as there are callers: nobody who answers each of them after its fsync can be quicker.
"""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from gateway.model.event import Event, Lane
from gateway.store import Store
from gateway.store.migrate import scripts
from tests.bench.lab import Lab, interleaved
from tests.bench.outbox.load import AT_ONCE, events
from tests.bench.result import Row, at_least, compared

LIMIT = at_least(0.8)
ROUNDS = 7
A_ROUND = {1: 300, 10: 3000, 100: 20_000}  # events: about a second each
WAL_PAGES = 512  # as gateway/store/migrate.py sets it


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
        ready = [(row.lane.value, next(self._next), row.id, msgspec.json.encode(row)) for row in rows]
        run = self._base.execute
        begun_s = time.perf_counter()
        for place in range(0, len(ready), batch):
            run("BEGIN IMMEDIATE")
            for row in ready[place:place + batch]:
                run("INSERT INTO outbox (lane, seq, id, body) VALUES (?, ?, ?, ?)", row)
            run("COMMIT")
        return len(ready) / (time.perf_counter() - begun_s)

    def close(self) -> None:
        self._base.close()


async def append(store: Store, found: Sequence[Event], callers: int) -> float:
    """Let so many callers append one event after another, each waiting for its own; return the events a second."""

    async def caller(mine: Iterator[Event]) -> None:
        for one in mine:
            await store.append([one])

    shared = iter(found)
    begun_s = time.perf_counter()
    await asyncio.gather(*(caller(shared) for _ in range(callers)))
    return len(found) / (time.perf_counter() - begun_s)


async def run(lab: Lab) -> list[Row]:
    return [await _row(lab, callers, lab.size(full, least=callers * 5)) for callers, full in A_ROUND.items()]


async def _row(lab: Lab, callers: int, count: int) -> Row:
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

    async def theirs() -> float:
        return await asyncio.to_thread(bare.write, some(), callers)

    with lab.room() as folder, closing(Bare(folder / "bare.db")) as bare:
        store = await Store.open(folder / "store", AT_ONCE)
        try:
            values, floors = await interleaved(ROUNDS, ours, theirs)
        finally:
            await store.close()
    note = f"{count * ROUNDS / sum(commits):.3g} events an fsync"
    return compared(f"append, {callers} waiting", "events/s", values, floors, LIMIT, note)
