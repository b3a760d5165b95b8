"""How long from append to settled, against the floor that disk and network set.

The floor is what no implementation can avoid on this machine: two FULL commits of SQLite (here and in the city) and
the two one-way trips through the broker, measured bare. Blocks alternate with those of the floors.
"""

import asyncio
import socket
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import aiomqtt

from gateway.model.event import Lane
from tests.bench.lab import Benchmark, Lab
from tests.bench.result import Row, percentile
from tests.system.broker import HOST, CityHandle, Flat, city, event, flat, mosquitto

BLOCKS, A_BLOCK = 6, 50
PAUSE_S = 0.01
ROW_BYTES, PAYLOAD_BYTES = 300, 500


@contextmanager
def bare_file(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
        yield base


def commits_ms(base: sqlite3.Connection) -> list[float]:
    """FULL commits of a row of the usual size, one by one."""
    found = []
    for _ in range(A_BLOCK):
        start_s = time.perf_counter()
        base.execute("INSERT INTO t (body) VALUES (?)", (bytes(ROW_BYTES),))
        found.append((time.perf_counter() - start_s) * 1000)
        time.sleep(PAUSE_S)
    return found


@asynccontextmanager
async def echo(port: int) -> AsyncIterator[aiomqtt.Client]:
    """A client whose publications to `there` come back as `back`."""
    quick = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client(HOST, port, identifier="a", socket_options=quick) as here, \
            aiomqtt.Client(HOST, port, identifier="b", socket_options=quick) as there:
        await here.subscribe("back", qos=1)
        await there.subscribe("there", qos=1)

        async def answer() -> None:
            async for message in there.messages:
                await there.publish("back", message.payload, qos=1)

        answering = asyncio.create_task(answer())
        try:
            yield here
        finally:
            answering.cancel()
            await asyncio.wait([answering])


async def trips_ms(here: aiomqtt.Client) -> list[float]:
    """There and back through the broker, QoS 1, with nothing in between."""
    found = []
    for _ in range(A_BLOCK):
        start_s = time.perf_counter()
        publishing = asyncio.create_task(here.publish("there", bytes(PAYLOAD_BYTES), qos=1))
        await anext(aiter(here.messages))
        found.append((time.perf_counter() - start_s) * 1000)
        await publishing
        await asyncio.sleep(PAUSE_S)
    return found


class Through:
    """Alarms one at a time, each until it is settled. Milliseconds from its append."""

    def __init__(self, home: Flat) -> None:
        self._home = home
        self._begun_s: dict[str, float] = {}
        self.appended_ms: list[float] = []
        self.settled_ms: list[float] = []

    async def block(self) -> None:
        for _ in range(A_BLOCK):
            name = f"m{len(self._begun_s)}"
            self._begun_s[name] = start_s = time.monotonic()
            await self._home.store.append([event(name, Lane.ALARM)])
            self.appended_ms.append((time.monotonic() - start_s) * 1000)
            while name not in self._home.received:
                self._home.changed.clear()
                await self._home.changed.wait()
            self.settled_ms.append((time.monotonic() - start_s) * 1000)
            await asyncio.sleep(PAUSE_S)

    async def committed_ms(self, there: CityHandle) -> list[float]:
        """To the city's commit, which only it knows."""
        events = {found["id"]: found for found in (await there("events"))["events"]}
        return [(events[name]["committed_mono_s"] - start_s) * 1000 for name, start_s in self._begun_s.items()]


async def run(lab: Lab) -> list[Row]:
    commits: list[float] = []
    trips: list[float] = []
    with lab.room() as folder, bare_file(folder) as base:
        async with mosquitto(folder) as broker, city(folder, broker.port) as there, \
                flat(folder / "state", broker.port) as home, echo(broker.port) as here:
            await home.until_state("connected")
            through = Through(home)
            for _ in range(lab.size(BLOCKS, least=2)):
                commits += await asyncio.to_thread(commits_ms, base)
                trips += await trips_ms(here)
                await through.block()
            committed_ms = await through.committed_ms(there)
    commit_ms, trip_ms = statistics.median(commits), statistics.median(trips)
    note = f"floor: two bare commits of {commit_ms:.2f} ms and a bare round trip of {trip_ms:.2f} ms"
    return [
        _row("append", through.appended_ms, commit_ms, "floor: one bare commit"),
        _row("append to the city's commit", committed_ms, 2 * commit_ms + trip_ms / 2,
             "floor: two bare commits and half a bare round trip"),
        _row("append to settled", through.settled_ms, 2 * commit_ms + trip_ms, note),
    ]


def _row(name: str, values_ms: list[float], floor_ms: float, note: str) -> Row:
    """Return median over floor; the spread is that of the middle nine tenths."""
    return Row(name, statistics.median(values_ms), "ms", floor_ms,
               spread=(percentile(values_ms, 5), percentile(values_ms, 95)), note=note)


BENCHMARKS = (Benchmark("latency", run),)
