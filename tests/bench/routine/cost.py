"""What the detectors of routine cost: processor, memory, and the time of a replay.

A step is an input of a home: events as they came, and a tick a minute; its time is this thread's own on the processor.
A replay's time is the wall clock's, which other programs make longer: beside it stands what the processor did.
"""

import resource
import statistics
import time

import msgspec

from gateway.cli.homes import course
from gateway.cli.homes.recording import read
from gateway.detect import watch
from gateway.detect.home import Input
from tests.bench.lab import Lab
from tests.bench.result import Row, at_most, measured
from tests.bench.routine import accuracy, product
from tests.bench.routine.homes import Home
from tests.bench.routine.score import DAY_S, percentile

STEP_US, STATE_BYTES, YEAR_S = at_most(50), at_most(65536), at_most(20)
ROUNDS = 3


async def steps(lab: Lab) -> list[Row]:
    """What a step costs, and what the state holds at its largest, in the homes with most and with fewest events."""
    known = sorted(accuracy.chosen(lab), key=lambda home: home.events.stat().st_size)
    mean_us, p99_us, largest = [], [], 0
    for home in (known[0], known[-1]):
        took_us, size = _lived(home)
        largest = max(largest, size)
        mean_us.append(statistics.mean(took_us))
        p99_us.append(percentile(took_us, 99))
    return [measured("a step, mean", "µs", mean_us, STEP_US, note="the homes with fewest and with most events"),
            measured("a step, p99", "µs", p99_us),
            Row("state, at its largest, as JSON", largest, "bytes", limit=STATE_BYTES)]


def _lived(home: Home) -> tuple[list[float], int]:
    """Each step's time in a home, in µs, and the most bytes of its state at the end of a day."""
    settings, took_us, newest_s, largest = watch.Settings(), [], 0.0, 0

    def step(known: watch.State, happened: Input) -> tuple[watch.State, tuple[watch.Told, ...]]:
        begun_s = time.thread_time()
        after = watch.step(known, happened, settings)
        took_us.append((time.thread_time() - begun_s) * 1e6)
        return after

    going = course.Course(step, watch.State())
    for happened in read(home.events).inputs:
        going.take(happened)
        if happened.at_s - newest_s > DAY_S:
            newest_s, largest = happened.at_s, max(largest, len(msgspec.json.encode(going.known)))
    return took_us, largest


async def replay(lab: Lab) -> list[Row]:
    """The command's time for a home-year with its cases (130 in 240 days), one home at a time."""
    known = accuracy.chosen(lab)[: lab.size(ROUNDS)]
    took_s, busy_s = [], []
    with lab.room() as folder:
        for home in known:
            years, before_s = (home.last_s - home.first_s) / DAY_S / 365, _children_s()
            (one,) = product.replay([home], folder)
            took_s.append(one.seconds / years)
            busy_s.append((_children_s() - before_s) / years)
    return [measured("replay of a home-year with its cases", "s", took_s, YEAR_S, note=f"{len(known)} homes"),
            measured("replay of a home-year with its cases, on the processor", "s", busy_s)]


def _children_s() -> float:
    """Processor seconds of the programs that were run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
