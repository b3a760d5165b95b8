"""How long the daemon takes to be ready, and what it holds in memory, with an empty and with a long outbox.

A real `anju run` each time, without devices and with a broker that nobody listens at, from its start to READY=1. The
floor is the daemon with an empty outbox; before that, a Python that does nothing.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.model.event import Lane
from hil.resources.process import rss_mb
from tests.bench.lab import Lab, bare_gateway, interleaved
from tests.bench.outbox.load import filled
from tests.bench.result import Row, compared, measured
from tests.system.broker import free_port

BACKLOG = 100_000
ROUNDS = 5
SETTLE_S = 1.0  # after READY=1: the outbox is open, the uplink has tried its first connection


def daemon(folder: Path, rss: list[float]) -> Callable[[], Awaitable[float]]:
    """Return a way to start it once more; its resident memory in MB goes to `rss`."""
    port = free_port()

    async def once() -> float:
        gateway = bare_gateway(folder, port)
        try:
            await gateway.start()
            await asyncio.sleep(SETTLE_S)
            await gateway.ask("status")
            rss.append(rss_mb(gateway.program.pid))
        finally:
            await gateway.program.stop()
        return gateway.start_s

    return once


async def python() -> float:
    """Start a Python that does nothing, to its end."""
    begun_s = time.perf_counter()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await child.wait()
    return time.perf_counter() - begun_s


async def run(lab: Lab) -> list[Row]:
    count = lab.size(BACKLOG)
    rss: tuple[list[float], list[float]] = ([], [])
    with lab.room() as folder:
        for name in ("empty", "full"):
            (folder / name).mkdir()
        await filled(folder / "full" / "state", [Lane.EVENT, Lane.TELEMETRY], count)
        ways = daemon(folder / "empty", rss[0]), daemon(folder / "full", rss[1]), python
        empty, full, bare = await interleaved(ROUNDS, *ways)
    note = f"a bare Python: {statistics.median(bare):.3f} s"
    return [measured("daemon ready, empty outbox", "s", empty, note=note),
            compared(f"daemon ready, {count:,} waiting", "s", full, empty),
            measured("daemon's memory, empty outbox", "MB", rss[0]),
            compared(f"daemon's memory, {count:,} waiting", "MB", rss[1], rss[0])]
