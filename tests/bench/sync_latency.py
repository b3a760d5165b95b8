"""How long from append to settled, against the floor that disk and network set: `python -m tests.bench.sync_latency`.

The floor is what no implementation can avoid on this machine: two FULL commits of SQLite (here and in the city) and
the two one-way trips through the broker, measured bare.
"""

import asyncio
import json
import socket
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import aiomqtt

from gateway.model.event import Lane
from tests.system.broker import HOST, CityHandle, Flat, city, event, flat, mosquitto

ROUNDS = 300
PAUSE_S = 0.01


def commit_ms(folder: Path) -> list[float]:
    """One FULL commit of a row of the usual size."""
    base = sqlite3.connect(folder / "bare.db", isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
    found = []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        base.execute("INSERT INTO t (body) VALUES (?)", (bytes(300),))
        found.append((time.perf_counter() - start_s) * 1000)
        time.sleep(PAUSE_S)
    base.close()
    return found


async def round_trip_ms(port: int) -> list[float]:
    """There and back through the broker, QoS 1, with nothing in between."""
    found = []
    quick = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client(HOST, port, identifier="a", socket_options=quick) as here, \
            aiomqtt.Client(HOST, port, identifier="b", socket_options=quick) as there:
        await here.subscribe("back", qos=1)
        await there.subscribe("there", qos=1)

        async def echo() -> None:
            async for message in there.messages:
                await there.publish("back", message.payload, qos=1)

        echoing = asyncio.create_task(echo())
        for _ in range(ROUNDS):
            start_s = time.perf_counter()
            publishing = asyncio.create_task(here.publish("there", bytes(500), qos=1))
            await anext(aiter(here.messages))
            found.append((time.perf_counter() - start_s) * 1000)
            await publishing
            await asyncio.sleep(PAUSE_S)
        echoing.cancel()
    return found


async def through(home: Flat, there: CityHandle) -> dict[str, list[float]]:
    """Append one alarm at a time and wait until it is settled."""
    appended, settled, begun = [], [], {}
    for number in range(ROUNDS):
        begun[f"m{number}"] = start_s = time.monotonic()
        await home.store.append([event(f"m{number}", Lane.ALARM)])
        appended.append((time.monotonic() - start_s) * 1000)
        while f"m{number}" not in home.received:
            home.changed.clear()
            await home.changed.wait()
        settled.append((time.monotonic() - start_s) * 1000)
        await asyncio.sleep(PAUSE_S)
    events = {found["id"]: found for found in (await there("events"))["events"]}
    committed = [(events[name]["committed_mono_s"] - start_s) * 1000 for name, start_s in begun.items()]
    return {"append": appended, "append to city commit": committed, "append to settled": settled}


async def main() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        bare_commit = await asyncio.to_thread(commit_ms, folder)
        async with mosquitto(folder) as broker, city(folder, broker.port) as there, \
                flat(folder / "state", broker.port) as home:
            bare_trip = await round_trip_ms(broker.port)
            await home.until_state("connected")
            found = {"bare commit": bare_commit, "bare round trip": bare_trip} | await through(home, there)
    p50 = {name: round(statistics.median(values), 2) for name, values in found.items()}
    p95 = {name: round(statistics.quantiles(values, n=20)[-1], 2) for name, values in found.items()}
    floor = round(2 * p50["bare commit"] + p50["bare round trip"], 2)
    print(json.dumps({"p50_ms": p50, "p95_ms": p95, "floor_p50_ms": floor}, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
