"""Falls: how many are found, how often it was none, what it costs and how long it takes; on recordings of people."""

from importlib import import_module

from gateway.training.falls import recordings
from tests.bench.lab import Benchmark, Lab
from tests.bench.result import Row


def missing() -> str | None:
    """Say what is missing and how to get it; None where everything is there."""
    return recordings.missing()


def _benchmark(name: str, module: str, function: str = "run") -> Benchmark:
    """Import the module, and numpy with it, only to run it."""
    async def run(lab: Lab) -> list[Row]:
        rows: list[Row] = await getattr(import_module(f"tests.bench.falls.{module}"), function)(lab)
        return rows

    return Benchmark(name, run)


BENCHMARKS = (
    _benchmark("accuracy", "accuracy"),
    _benchmark("parts", "accuracy", "parts"),
    _benchmark("robustness", "robustness"),
    _benchmark("replay", "cost", "replay"),
    _benchmark("live", "cost", "live"),
    _benchmark("memory", "cost", "memory"),
    _benchmark("wait", "cost", "wait"),
)
