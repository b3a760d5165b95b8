"""Disk: what a power cut and a full disk take of what was accepted, on a file system with a volatile cache.

The power goes well before the kernel would have written back by itself (30 s, vm.dirty_expire_centisecs): later than
that a loss is as long as the last 30 s.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hil.resources.lossydisk.program import lossy_disk, why_not
from tests.bench.lab import Lab
from tests.bench.thingsboard.comparison import HIGHER, LOWER, Comparison, lost
from tests.bench.thingsboard.writer import Kept, Writer, writer

POWER_HZ, POWER_S, POWER_WRITERS = 2.0, 20.0, 4
FULL, FULL_HZ = 20_000, 4000.0
DISK_MB, FILLER_BYTES = 12.0, 6_000_000  # another program's file, deleted later
DRAINED_S = 4.0  # after the disk has space again: what a product still holds in memory is written by then
SEED = 385


@dataclass(frozen=True, slots=True)
class Cut:
    """What came of a power cut for one store. `oldest_s`: the age of the oldest event that is gone."""

    accepted: int
    lost: int
    oldest_s: float


async def power(lab: Lab) -> list[Comparison]:
    """Some stores of each product side by side on one disk; then the power goes, and comes again."""
    name = f"accepted and lost by a power cut, {POWER_HZ:g} a second"
    if (why := why_not()) is not None:
        return [Comparison(name, "of 1,000", LOWER, None, None, why)]
    count = lab.size(int(POWER_HZ * POWER_S), least=8)
    with lab.room() as room:
        async with lossy_disk(room) as disk, contextlib.AsyncExitStack() as stack:
            writers = [await stack.enter_async_context(
                writer(peer, room / f"{peer}-{number}", capacity=count + 1, folder=disk.mount / f"{peer}-{number}"))
                for number in range(POWER_WRITERS) for peer in (False, True)]
            await asyncio.gather(*(process.write(count, POWER_HZ, wait=False) for process in writers))
            cut_s = time.monotonic()
            await disk("cut", seed=SEED)
            for process in writers:
                await process.kill()
            cuts = [(process.peer, await _cut(process, cut_s, room / "copy")) for process in writers]
    ours, theirs = ([cut for peer, cut in cuts if peer is is_peer] for is_peer in (False, True))
    why = (f"{POWER_WRITERS} stores each, the power goes after {count / POWER_HZ:g} s: {_told('Anju', ours)}, "
           f"{_told('ThingsBoard', theirs)}. ThingsBoard: WAL with synchronous=NORMAL, the log reaches the disk with a "
           "checkpoint, after 1,000 pages, or when the kernel writes back. Anju: an fsync before the answer")
    return [Comparison(name, "of 1,000", LOWER, _share(ours), _share(theirs), why)]


async def _cut(process: Writer, cut_s: float, copy: Path) -> Cut:
    shutil.copytree(process.folder, copy, ignore=shutil.ignore_patterns("*.reserve-*"))
    try:
        accepted = process.accepted()
        gone = lost(list(accepted), (await process.kept(copy)).numbers)
    finally:
        shutil.rmtree(copy)
    return Cut(len(accepted), len(gone), max((cut_s - accepted[number] for number in gone), default=0.0))


def _share(cuts: Sequence[Cut]) -> float:
    return 1000 * sum(cut.lost for cut in cuts) / sum(cut.accepted for cut in cuts)


def _told(name: str, cuts: Sequence[Cut]) -> str:
    gone, accepted = sum(cut.lost for cut in cuts), sum(cut.accepted for cut in cuts)
    oldest = f", the oldest {max(cut.oldest_s for cut in cuts):.0f} s old" if gone else ""
    return f"{name} lost {gone} of {accepted}{oldest}"


@dataclass(frozen=True, slots=True)
class Full:
    """What came of a full disk for one product. `died`: how its process ended by itself, None where it did not."""

    refused: int
    accepted: Sequence[int]
    kept: Kept
    died: int | None

    @property
    def silent(self) -> int:
        """How many were accepted and are gone, and no record says so."""
        return max(0, len(lost(self.accepted, self.kept.numbers)) - self.kept.given_up)

    def __str__(self) -> str:
        told = [f"accepted {len(self.accepted):,}", f"kept {len(self.kept.numbers):,}"]
        told += [f"refused {self.refused:,}"] if self.refused else []
        told += [f"gave up {self.kept.given_up:,} and sends a gap record for them"] if self.kept.given_up else []
        told += ["its process died"] if self.died is not None else []
        return ", ".join(told)


async def full(lab: Lab) -> list[Comparison]:
    names = ("disk full: accepted and silently lost", LOWER), ("disk full: kept", HIGHER)
    if (why := why_not()) is not None:
        return [Comparison(name, "events", better, None, None, why) for name, better in names]
    count = lab.size(FULL, least=FULL)  # fewer would not fill it
    with lab.room() as room:
        ours, theirs = [await _full(peer, room / str(peer), count) for peer in (False, True)]
    why = (f"{count:,} events at {FULL_HZ:,.0f} a second on a disk with {DISK_MB - FILLER_BYTES / 1e6:g} MB left of "
           f"{DISK_MB:g}, which then has space again. Anju {ours}. ThingsBoard {theirs}. ")
    silent = ("ThingsBoard: a batch whose INSERT fails four times is dropped, nobody is told. Anju: the caller gets an "
              "error, and what is given up to make room, oldest first, stands in a gap record that the city gets")
    kept = ("ThingsBoard takes the disk's last byte. Anju leaves a tenth of a small disk, 256 MB of a large one, and "
            "two reserves for alarms; below that what comes in pushes out as much of the oldest that is no alarm")
    figures = (ours.silent, theirs.silent, why + silent), (len(ours.kept.numbers), len(theirs.kept.numbers), kept)
    return [Comparison(name, "events", better, *figure) for (name, better), figure in zip(names, figures, strict=True)]


async def _full(peer: bool, room: Path, count: int) -> Full:
    room.mkdir()
    async with lossy_disk(room, DISK_MB) as disk:
        filler = disk.mount / "filler"
        filler.write_bytes(bytes(FILLER_BYTES))
        async with writer(peer, room, capacity=count, folder=disk.mount / "store") as process:
            refused = await _fill(process, count)
            filler.unlink()
            await asyncio.sleep(DRAINED_S)
            died = process.died()
            if died is None:
                await process.ask("close")
            await process.kill()
        shutil.copytree(disk.mount / "store", room / "copy", ignore=shutil.ignore_patterns("*.reserve-*"))
        return Full(refused, list(process.accepted()), await process.kept(room / "copy"), died)


async def _fill(process: Writer, count: int) -> int:
    """Return how many were refused, 0 where the process did not live to tell."""
    try:
        answer = await process.write(count, FULL_HZ, wait=False)
    except RuntimeError:
        await process.kill()
        return 0
    await asyncio.sleep(1.0)  # the peer's thread has tried what it had in its queue
    return int(answer["refused"])
