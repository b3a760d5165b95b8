"""Appends: how late an event is durable, how many a second are, and what kill -9 takes of those that were accepted.

"Durable" is here what survives kill -9: the end of the transaction. The peer's is seen by a wrapper around its commit,
Anju's is the return of append(). What survives a power cut as well is another question: see disk.
"""

import asyncio
import random
import statistics
from collections.abc import Sequence
from pathlib import Path

from tests.bench.lab import Lab
from tests.bench.result import percentile
from tests.bench.thingsboard.comparison import HIGHER, LOWER, Comparison, lost
from tests.bench.thingsboard.writer import writer

SLOW_HZ, SLOW = 10.0, 200
ROUNDS = 3
FLAT_OUT = {True: 200_000, False: 20_000}  # by `peer`: about as long
KILLS = 10
KILL_RATES = {"flat out": 0.0, "100 a second": 100.0, "10 a second": 10.0}
KILL_AFTER_S = {0.0: (0.4, 1.2), 100.0: (2.0, 3.5), 10.0: (3.0, 4.5)}
KILL_CAPACITY = 2_000_000
SEED = 385

_EARLY = ("ThingsBoard: put() fills a queue in memory that has no bound; a thread that looks every 0.1-0.2 s writes it "
          "to the file, and put() has answered long before. Anju: append() returns after the fsync")


async def latency(lab: Lab) -> list[Comparison]:
    """Both at once, slowly: neither keeps the disk busy."""
    count = lab.size(SLOW, least=20)

    async def one(peer: bool, room: Path) -> list[float]:
        async with writer(peer, room / str(peer), capacity=count) as process:
            found: list[float] = (await process.write(count, SLOW_HZ))["latencies_ms"]
            return found

    with lab.room() as room:
        ours, theirs = await asyncio.gather(one(False, room), one(True, room))
    return [Comparison(f"append to durable, {SLOW_HZ:g} a second, p{percent}", "ms", LOWER, percentile(ours, percent),
                       percentile(theirs, percent), f"{_EARLY}. {count} events each, at the same time")
            for percent in (50, 99)]


async def throughput(lab: Lab) -> list[Comparison]:
    """In turn: each has the machine for itself."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with lab.room() as room:
        for number in range(ROUNDS):
            for peer, found in rates.items():
                count = lab.size(FLAT_OUT[peer])
                async with writer(peer, room / f"{peer}-{number}", capacity=count) as process:
                    answer = await process.write(count)
                    found.append(answer["committed"] / answer["seconds"])
    why = ("ThingsBoard: 1,000 events a commit with synchronous=NORMAL, which never waits for the disk: quicker, and "
           "gone with the power. Anju: 1,000 callers, each of whom gets an answer of its own after an fsync "
           "(synchronous=FULL); a home makes some thousands of events a day")
    return [Comparison("flat out, all committed", "events/s", HIGHER, statistics.median(rates[False]),
                       statistics.median(rates[True]), why)]


async def kills(lab: Lab) -> list[Comparison]:
    runs = lab.size(KILLS, least=2)
    chance = random.Random(SEED)
    found: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    with lab.room() as room:
        def one(name: str, peer: bool, run: int) -> "asyncio.Task[tuple[int, int]]":
            rate_hz = KILL_RATES[name]
            after_s = chance.uniform(*KILL_AFTER_S[rate_hz])
            return asyncio.create_task(_killed(peer, room / f"{rate_hz:g}-{peer}-{run}", rate_hz, after_s))

        slow = [name for name, rate_hz in KILL_RATES.items() if rate_hz]
        for half in (range(runs // 2), range(runs // 2, runs)):  # not all at once: each is a Python that starts
            tasks = {(name, peer): [one(name, peer, run) for run in half] for name in slow for peer in (False, True)}
            for key, some in tasks.items():
                found.setdefault(key, []).extend(await asyncio.gather(*some))
        for run in range(runs):
            for peer in (False, True):
                found.setdefault(("flat out", peer), []).append(await one("flat out", peer, run))
    return [_kills_row(name, runs, found[name, False], found[name, True]) for name in KILL_RATES]


async def _killed(peer: bool, room: Path, rate_hz: float, after_s: float) -> tuple[int, int]:
    """Return how many events were accepted before the kill, and how many of them are gone."""
    async with writer(peer, room, capacity=KILL_CAPACITY) as process:
        await process.begin_write(KILL_CAPACITY, rate_hz)
        await asyncio.sleep(after_s)
        await process.kill()
        accepted = list(process.accepted())
        return len(accepted), len(lost(accepted, (await process.kept()).numbers))


def _kills_row(name: str, runs: int, ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]) -> Comparison:
    """Return the lost of 1,000 accepted: the products accept at different speed."""
    (our_accepted, our_lost), (peer_accepted, peer_lost) = ((sum(n) for n in zip(*all_, strict=True))
                                                            for all_ in (ours, theirs))
    why = (f"{runs} kills each: Anju lost {our_lost:,} of {our_accepted:,}, ThingsBoard {peer_lost:,} of "
           f"{peer_accepted:,}. {_EARLY}")
    return Comparison(f"accepted and lost by kill -9, {name}", "of 1,000", LOWER, 1000 * our_lost / our_accepted,
                      1000 * peer_lost / peer_accepted, why)
