"""The floor under every latency: what the disk and the broker alone cost, measured in the same run.

One FULL commit (SQLite, WAL) at each end and a bare MQTT round trip: commit, publish, PUBACK, arrive, commit, publish
the acknowledgement, arrive. No gateway, no city.
"""

import asyncio
import socket
import sqlite3
import statistics
import time
from pathlib import Path

import aiomqtt

_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]  # a floor that waits for Nagle would be none
_PAYLOAD = b"x" * 600  # about what an alarm weighs in its envelope


async def measure_ms(host: str, port: int, folder: Path, rounds: int = 40) -> float:
    """Median round in milliseconds, after five that do not count."""
    near, far = _table(folder / "floor-near.db"), _table(folder / "floor-far.db")
    took_ms = []
    try:
        async with (aiomqtt.Client(host, port, identifier="floor-near", socket_options=_NO_DELAY) as gateway,
                    aiomqtt.Client(host, port, identifier="floor-far", socket_options=_NO_DELAY) as city):
            await city.subscribe("floor/up", qos=1)
            await gateway.subscribe("floor/down", qos=1)
            answering = asyncio.create_task(_answer(city, far))
            try:
                for _ in range(rounds + 5):
                    began_s = time.perf_counter()
                    _commit(near)
                    await gateway.publish("floor/up", _PAYLOAD, qos=1)
                    await anext(gateway.messages)
                    took_ms.append((time.perf_counter() - began_s) * 1000)
            finally:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
    finally:
        near.close()
        far.close()
    return statistics.median(took_ms[5:])


async def _answer(city: aiomqtt.Client, table: sqlite3.Connection) -> None:
    async for _ in city.messages:
        _commit(table)
        await city.publish("floor/down", b"{}", qos=1)


def _table(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table if not exists event (id integer primary key, body blob)")
    return connection


def _commit(table: sqlite3.Connection) -> None:
    table.execute("begin immediate")
    table.execute("insert into event (body) values (?)", (_PAYLOAD,))
    table.execute("commit")
