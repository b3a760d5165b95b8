"""Side by side with ThingsBoard IoT Gateway 3.8.5, in the same run on the same disk with events of the same length.

The peer's own code runs in its own interpreter, in an environment that the first run makes (installation). Its storage
alone is driven for what concerns the file (appends, disk), its whole gateway for the rest (delivery, idle). Anju's
store, uplink and daemon run with their defaults, on the lanes that are written at once: telemetry may wait 30 s for a
commit, and waits for no measurement here.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tests.bench.lab import Benchmark, Lab
from tests.bench.result import Row
from tests.bench.thingsboard import appends, delivery, disk, idle, installation
from tests.bench.thingsboard.comparison import PEER, Comparison

Measurement = Callable[[Lab], Awaitable[list[Comparison]]]

# What stands together runs at once: one of them counts, and its figure is no time.
MEASUREMENTS: dict[str, tuple[Measurement, ...]] = {
    "append": (appends.latency, idle.idle),
    "throughput": (appends.throughput,),
    "drain": (delivery.drain,),
    "kills": (appends.kills,),
    "alarm": (delivery.alarm,),
    "faults": (delivery.corrupt, disk.power),
    "full": (disk.full,),
}

SETTINGS = {
    "ThingsBoard": "its default configuration with storage of type sqlite and that type's own defaults (1,000 events a "
                   "commit and a pack, where the file that it ships would read 10; 1,024 MB a file, 10 files, WAL, "
                   "synchronous=NORMAL), QoS 1, the server on localhost without limits of rate, one MQTT connector",
    "Anju": "its default configuration, the city on localhost without TLS; events, which are committed at once "
            "(telemetry may wait up to 30 s for a commit)",
    "Events": "171 bytes in either file",
}


def missing() -> str | None:
    """Say why the peer cannot be measured here; None where it can. Installs it where it is not there yet."""
    try:
        installation.python()
    except installation.NoPeer as error:
        return str(error)
    return None


async def measure(name: str, lab: Lab) -> list[Comparison]:
    """Return the rows of one of MEASUREMENTS."""
    found = await asyncio.gather(*(measurement(lab) for measurement in MEASUREMENTS[name]))
    return [row for rows in found for row in rows]


def _benchmark(name: str) -> Benchmark:
    async def run(lab: Lab) -> list[Row]:
        return [row for comparison in await measure(name, lab) for row in _both(comparison)]

    return Benchmark(f"peer-{name}", run)


def _both(comparison: Comparison) -> list[Row]:
    """Return a row of each product, for a report that knows of floors only."""
    place = {True: "Anju is ahead", False: "ThingsBoard is ahead", None: "level"}[comparison.ahead]
    figures = ("", comparison.value, f"{place}. {comparison.why}"), (f" ({PEER})", comparison.peer_value, "")
    return [Row(comparison.name + of, value, comparison.unit, note=note) for of, value, note in figures
            if value is not None]


BENCHMARKS = tuple(_benchmark(name) for name in MEASUREMENTS)
