"""An alarm raised while a backlog drains, from append to the city's commit, beside an idle gateway's in the same run.

Two flats share broker and city. Blocks alternate: the first drains telemetry and raises alarms; then it rests, and the
idle one raises as many. Between blocks the backlog is filled up again, so that it never ends in a block.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.model.event import Event, Lane
from gateway.store import Store
from tests.bench.lab import Lab
from tests.bench.outbox.drain import quiet, town
from tests.bench.outbox.load import AT_ONCE, events, filled
from tests.bench.result import Row, at_most, percentile
from tests.system.broker import CityHandle, Flat, flat

LIMIT = at_most(2.0)
BACKLOG = 200_000
BLOCKS, A_BLOCK = 8, 50
PAUSE_S = 0.037  # no divisor of any period of the gateway's own
FILL = 2_000  # in one transaction


async def raised(home: Flat, new: Iterator[Event], begun_s: dict[str, float]) -> None:
    """Raise a block of alarms and wait until the city has acknowledged them."""
    missing: set[str] = set()
    seen = len(home.received)

    def all_told() -> bool:
        nonlocal seen
        missing.difference_update(home.received[seen:])
        seen = len(home.received)
        return not missing

    for _ in range(A_BLOCK):
        await asyncio.sleep(PAUSE_S)
        alarm = next(new)
        missing.add(alarm.id)
        begun_s[alarm.id] = time.monotonic()
        await home.store.append([alarm])
    await home.until(all_told)


async def drained_with_alarms(folder: Path, port: int, new: Iterator[Event], begun_s: dict[str, float]) -> int:
    """Raise a block of alarms amid a drain; return the telemetry that was settled meanwhile."""
    async with flat(folder, port) as home:
        await home.until(lambda: home.uplink.health()["received"] > 0)
        before = len(home.received)
        await raised(home, new, begun_s)
        waiting = home.store.counts()[Lane.TELEMETRY].waiting
        assert waiting > 0, "the backlog ended before the block did: make it longer"
        return len(home.received) - before - A_BLOCK


async def idle_with_alarms(folder: Path, port: int, new: Iterator[Event], begun_s: dict[str, float]) -> None:
    async with flat(folder, port) as home:
        await home.until_state("connected")
        await raised(home, new, begun_s)


async def refilled(folder: Path, upto: int, new: Iterator[Event]) -> None:
    store = await Store.open(folder, AT_ONCE)
    try:
        while (missing := upto - store.counts()[Lane.TELEMETRY].waiting) > 0:
            await store.append([next(new) for _ in range(min(missing, FILL))])
    finally:
        await store.close()


async def run(lab: Lab) -> list[Row]:
    backlog, blocks = lab.size(BACKLOG, least=20_000), lab.size(BLOCKS, least=2)
    begun_s: dict[str, dict[str, float]] = {"draining": {}, "idle": {}}
    alarms = events(Lane.ALARM, 10**9)
    telemetry = events(Lane.TELEMETRY, 10**9, 10**7)
    settled = 0
    with lab.room() as folder:
        await filled(folder / "draining", [Lane.TELEMETRY], backlog)
        async with town(folder) as (port, there):
            for _ in range(blocks):
                settled += await drained_with_alarms(folder / "draining", port, alarms, begun_s["draining"])
                await quiet(there)
                await idle_with_alarms(folder / "idle", port, alarms, begun_s["idle"])
                await quiet(there)
                await refilled(folder / "draining", backlog, telemetry)
            committed_s = await commits(there)
    took_ms = {way: [(committed_s[event_id] - start_s) * 1000 for event_id, start_s in found.items()]
               for way, found in begun_s.items()}
    note = f"{blocks * A_BLOCK} alarms each; {settled:,} others were settled meanwhile"
    return [
        Row("alarm amid a drain, p50", percentile(took_ms["draining"], 50), "ms", percentile(took_ms["idle"], 50)),
        Row("alarm amid a drain, p99", percentile(took_ms["draining"], 99), "ms", percentile(took_ms["idle"], 99),
            LIMIT, note=note),
    ]


async def commits(there: CityHandle) -> dict[str, float]:
    """Return when the city had committed each alarm, on CLOCK_MONOTONIC."""
    found = (await there("events", type="anju.alarm.raised"))["events"]
    return {event["id"]: event["committed_mono_s"] for event in found}
