"""Routine: false alerts a home-year and hours to notice a collapse, beside rivals, on SYNTHETIC homes; and the cost."""

from importlib import import_module

from tests.bench.lab import Benchmark, Lab
from tests.bench.result import Row
from tests.bench.routine.homes import missing

__all__ = ["BENCHMARKS", "missing"]


def _benchmark(name: str, module: str, function: str = "run") -> Benchmark:
    """Import the module only to run it."""
    async def run(lab: Lab) -> list[Row]:
        rows: list[Row] = await getattr(import_module(f"tests.bench.routine.{module}"), function)(lab)
        return rows

    return Benchmark(name, run)


BENCHMARKS = (
    _benchmark("accuracy", "accuracy"),
    _benchmark("budgets", "accuracy", "budgets"),
    _benchmark("homes", "accuracy", "homes_apart"),
    _benchmark("robustness", "robustness"),
    _benchmark("real", "robustness", "real"),
    _benchmark("cost", "cost", "steps"),
    _benchmark("replay", "cost", "replay"),
)
