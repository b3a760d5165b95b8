"""What the store says it writes is what the disk is given."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.model.event import Lane
from gateway.store import Limits, Store, thread
from hil.resources.lossydisk.program import LossyDisk, lossy_disk, why_not
from tests.unit.store.kit import alarm, event

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

PAGE_BYTES, FRAME_BYTES = 4096, 4096 + 24  # https://www.sqlite.org/fileformat2.html#the_write_ahead_log


class Flat:
    """A store on a disk of its own; what both say of it since the last look."""

    def __init__(self, disk: LossyDisk, store: Store) -> None:
        self._disk, self.store = disk, store
        self._before = (0, 0, 0, 0)
        self._made = 0

    async def begin(self) -> None:
        """Take what opening has cost for given."""
        await self.since()
        self._made = await self.fsyncs_of("anju.db")

    async def fsyncs_of(self, name: str) -> int:
        """Return how often a file was brought to the disk; making it does not count."""
        count: int = (await self._disk("stats"))["files"].get(name, {"fsyncs": 0})["fsyncs"]
        return count - self._made

    async def since(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return bytes and fsyncs as the store says, and as the disk does."""
        for _ in range(2):  # the house is kept behind each turn of the thread
            await self.store.detector("nobody")
        stats, writes = await self._disk("stats"), self.store.writes()
        now = (writes.bytes, writes.fsyncs, stats["bytes"], stats["fsyncs"])
        new = [after - before for after, before in zip(now, self._before, strict=True)]
        self._before = now
        return (new[0], new[1]), (new[2], new[3])


@pytest_asyncio.fixture
async def flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flat]:
    monkeypatch.setattr(thread, "HOUSE_S", 0.0)
    async with lossy_disk(tmp_path) as disk:
        store = await Store.open(disk.mount, Limits(telemetry_delay_s=0))
        try:
            await store.append([event("first")])
            flat = Flat(disk, store)
            await flat.begin()
            yield flat
        finally:
            await store.close()


async def test_an_event_is_one_page_in_the_journal_and_one_fsync(flat: Flat) -> None:
    await flat.store.append([event("door")])
    assert await flat.since() == ((FRAME_BYTES, 1), (FRAME_BYTES, 1))


async def test_an_alarm_is_a_few_pages_and_one_fsync(flat: Flat) -> None:
    await flat.store.append([event("alarm", Lane.ALARM)], alarm("alarm"))
    said, done = await flat.since()
    assert said == done
    assert done[0] <= 4 * FRAME_BYTES
    assert done[1] == 1


async def test_a_hundred_appends_at_once_are_one_fsync(flat: Flat) -> None:
    await asyncio.gather(*(flat.store.append([event(f"vitals-{n}", Lane.TELEMETRY)]) for n in range(100)))
    said, done = await flat.since()
    assert said == done
    assert done[0] <= 14 * FRAME_BYTES
    assert done[1] <= 2  # the thread may have taken the first by itself


async def test_over_a_checkpoint_both_count_the_same(flat: Flat) -> None:
    """An idle thread makes it; its third fsync comes with the next commit."""
    for n in range(45):
        await flat.store.append([event(f"vitals-{n}-{part}", Lane.TELEMETRY) for part in range(20)])
    assert thread.CHECKPOINT_BYTES < flat.store.writes().bytes < 2 * thread.CHECKPOINT_BYTES
    async with asyncio.timeout(10.0):
        while not await flat.fsyncs_of("anju.db"):
            await asyncio.sleep(0.02)
    await flat.store.append([event("last")])
    said, done = await flat.since()
    assert said == done
    assert done[1] == 46 + 3
