"""What an event costs is the same however many wait: append one, read the next 64, settle those.

Four files, from a thousand rows to a million, open at the same time; their cycles alternate in blocks. The floor of
each figure is the quickest file's; the limit is held by the slowest. Letting the settled rows leave the file is part
of later cycles, so the whole cycle is held to the limit too.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.model.event import Event, Lane
from gateway.store import Store
from tests.bench.lab import Lab
from tests.bench.outbox.load import AT_ONCE, events, filled
from tests.bench.result import Row, at_most, percentile

LIMIT = at_most(1.3)
BACKLOGS = (1_000, 10_000, 100_000, 1_000_000)
READ = 64
BLOCKS, CYCLES = 60, 5  # a block leaves two thirds of the smallest backlog
WARM = 2  # blocks before any counts
PARTS = ("append one", "read 64", "settle 64", "in sum")

Figures = dict[str, list[float]]  # microseconds, by part


async def block(store: Store, new: Iterator[Event], at: dict[Lane, int], figures: Figures) -> None:
    """Append one, read and settle 64, CYCLES times over, and as many rows as left come back unseen."""
    for _ in range(CYCLES):
        times_s = [time.perf_counter()]
        await store.append([next(new)])
        times_s.append(time.perf_counter())
        rows = await store.next_rows(at, READ)
        times_s.append(time.perf_counter())
        at[Lane.EVENT] = rows[-1].seq
        gone = await store.settle(rows[-1].epoch, Lane.EVENT, rows[-1].seq, rows[-1].event.id)
        times_s.append(time.perf_counter())
        assert len(gone) == READ, f"{len(gone)} rows were settled"
        spans_s = [b - a for a, b in itertools.pairwise(times_s)]
        for part, span_s in zip(PARTS, [*spans_s, sum(spans_s)], strict=True):
            figures[part].append(span_s * 1e6)
    await store.append([next(new) for _ in range(CYCLES * (READ - 1))])
    await store.next_rows(at, 1)  # behind what the store's thread still had to do


async def opened(folder: Path) -> tuple[Store, float]:
    """Return an open store and the seconds that took."""
    begun_s = time.perf_counter()
    store = await Store.open(folder, AT_ONCE)
    return store, time.perf_counter() - begun_s


async def run(lab: Lab) -> list[Row]:
    backlogs = {size: lab.size(size, least=1_000) for size in BACKLOGS}
    figures: dict[int, Figures] = {size: {part: [] for part in PARTS} for size in BACKLOGS}
    rows = []
    with lab.room() as folder:
        async with AsyncExitStack() as stack:
            stores = {}
            for size, count in backlogs.items():
                await filled(folder / str(size), [Lane.EVENT], count)
                stores[size], took_s = await opened(folder / str(size))
                stack.push_async_callback(stores[size].close)
                rows.append(Row(f"open a file of {count:,} rows", took_s, "s"))
            new = {size: events(Lane.EVENT, 10**9, 2 * 10**7) for size in BACKLOGS}
            at = {size: {Lane.EVENT: 0} for size in BACKLOGS}
            for number in range(BLOCKS + WARM):
                for size, store in stores.items():
                    unseen: Figures = {part: [] for part in PARTS}
                    await block(store, new[size], at[size], unseen if number < WARM else figures[size])
    return [*(_spread(part, {size: figures[size][part] for size in BACKLOGS}, backlogs) for part in PARTS), *rows[-1:]]


def _spread(part: str, found: dict[int, list[float]], backlogs: dict[int, int]) -> Row:
    medians = {size: statistics.median(values) for size, values in found.items()}
    most, least = max(medians, key=medians.__getitem__), min(medians, key=medians.__getitem__)
    note = "  ".join(f"{backlogs[size]:,} rows: {median:.0f}" for size, median in medians.items())
    spread, floor_spread = ((percentile(found[size], 25), percentile(found[size], 75)) for size in (most, least))
    return Row(f"{part}, whatever waits", medians[most], "µs", medians[least], LIMIT, spread,
               floor_spread, note)
