"""Routine: false alerts a home-year and hours to notice a collapse, beside rivals, on SYNTHETIC homes; and the cost."""

from functools import partial

from tests.bench.lab import later
from tests.bench.routine.homes import missing

__all__ = ["BENCHMARKS", "missing"]

_benchmark = partial(later, __name__)

BENCHMARKS = (
    _benchmark("accuracy", "accuracy"),
    _benchmark("budgets", "accuracy", "budgets"),
    _benchmark("homes", "accuracy", "homes_apart"),
    _benchmark("robustness", "robustness"),
    _benchmark("real", "robustness", "real"),
    _benchmark("cost", "cost", "steps"),
    _benchmark("replay", "cost", "replay"),
)
