"""Falls: how many are found, how often it was none, what it costs and how long it takes; on recordings of people."""

from functools import partial

from gateway.training.falls import recordings
from tests.bench.lab import later


def missing() -> str | None:
    """Say what is missing and how to get it; None where everything is there."""
    return recordings.missing()


_benchmark = partial(later, __name__)

BENCHMARKS = (
    _benchmark("accuracy", "accuracy"),
    _benchmark("parts", "accuracy", "parts"),
    _benchmark("robustness", "robustness"),
    _benchmark("losses", "losses"),
    _benchmark("watches", "watches"),
    _benchmark("replay", "cost", "replay"),
    _benchmark("live", "cost", "live"),
    _benchmark("memory", "cost", "memory"),
    _benchmark("wait", "cost", "wait"),
)
