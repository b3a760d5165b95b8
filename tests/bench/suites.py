"""The suites by name. A suite is a module with `BENCHMARKS`, and `missing()` where it needs what not everybody has.

A benchmark is `Benchmark(name, run)`; `await run(lab)` returns rows. `missing() -> str | None` says what is missing and
how to get it; None where everything is there.
"""

import importlib
from collections.abc import Sequence

from tests.bench.lab import Benchmark

MODULES = {"outbox": "tests.bench.outbox", "latency": "tests.bench.latency", "falls": "tests.bench.falls",
           "routine": "tests.bench.routine", "ble": "tests.bench.ble", "zigbee": "tests.bench.zigbee",
           "peer": "tests.bench.thingsboard"}
PEER = "peer"


class Absent(Exception):
    """The suite cannot run here; the message ends with the cure."""


def benchmarks(suite: str) -> Sequence[Benchmark]:
    """Return a suite's benchmarks. Raises Absent."""
    try:
        module = importlib.import_module(MODULES[suite])
    except ModuleNotFoundError as error:
        if error.name and MODULES[suite].startswith(error.name):
            raise Absent(f"there is no suite {suite} in this tree: take a tree that has {MODULES[suite]}") from error
        raise
    why: str | None = getattr(module, "missing", lambda: None)()
    if why is not None:
        raise Absent(why)
    found: Sequence[Benchmark] | None = getattr(module, "BENCHMARKS", None)
    if found is None:  # a folder without an __init__.py is a module too
        raise Absent(f"{MODULES[suite]} names no benchmarks: give it BENCHMARKS")
    return found
