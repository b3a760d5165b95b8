"""The outbox: what it costs to lose nothing."""

from tests.bench.lab import Benchmark
from tests.bench.outbox import alarms, append, backlog, day, drain, start

BENCHMARKS = (
    Benchmark("append", append.run),
    Benchmark("drain", drain.run),
    Benchmark("backlog", backlog.run),
    Benchmark("alarms", alarms.run),
    Benchmark("day", day.run),
    Benchmark("start", start.run),
)
