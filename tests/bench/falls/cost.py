"""What the detector costs one core and a wearer, and how long a fall waits for it.

The processor's time is this thread's own: another program on the machine does not count. Movement is that of UMAFall
and WISDM, interpolated to the rate of the bracelet. The floor of the replay is what nobody avoids: the same blocks from
bytes to |a| with numpy.
"""

import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gateway.model.reading import Accel
from gateway.training.falls.recordings import Trial, at_rate, load
from gateway.training.falls.score import judge
from tests.bench.falls import product
from tests.bench.lab import Lab, interleaved
from tests.bench.result import Row, at_least, at_most, compared, measured

REPLAY_X, LIVE_PERCENT, WEARER_MB, TOLD_S = at_least(2000), at_most(1.0), at_most(2.0), at_most(3.5)
RATE_HZ = 50.0
RATES_HZ = (25.0, 52.0, 100.0)
ROUNDS, WEARERS, WORN_S = 5, 50, 60.0
ROOT = Path(__file__).parents[3]


async def replay(lab: Lab) -> list[Row]:
    """How much quicker than life one wearer's recording is replayed."""
    trials = at_rate(_mixed(lab), RATE_HZ)
    total_s = sum(trial.duration_s for trial in trials)

    async def ours() -> float:
        return total_s / _processor_s(lambda: [product.found(one.acc_mg, one.rate_hz) for one in trials])

    async def bare() -> float:
        return total_s / _processor_s(lambda: [_decoded(one) for one in trials])

    values, floors = await interleaved(lab.size(ROUNDS, least=2), ours, bare)
    return [measured("replay, 50 Hz", "× real time", values, REPLAY_X, note=f"{total_s / 3600:.1f} h of movement"),
            compared("replay, 50 Hz, beside bare decoding", "× real time", values, floors)]


async def live(lab: Lab) -> list[Row]:
    """What half-second blocks cost, on average and with the activity that costs most."""
    rows, trials = [], _mixed(lab)
    for rate_hz in (RATE_HZ, *RATES_HZ):
        shares = {}
        for activity in sorted({trial.activity for trial in trials}):
            some = at_rate([trial for trial in trials if trial.activity == activity], rate_hz)
            shares[activity] = _live_percent(some)
        worst = max(shares, key=shares.__getitem__)
        rows += [Row(f"live, {rate_hz:g} Hz, mean", statistics.mean(shares.values()), "% of a core",
                     limit=LIVE_PERCENT, note="each activity weighs the same"),
                 Row(f"live, {rate_hz:g} Hz, the costliest activity", shares[worst], "% of a core", limit=LIVE_PERCENT,
                     note=worst)]
    return rows


async def memory(lab: Lab) -> list[Row]:
    """What a wearer's state holds after a minute of movement, and what the detector itself adds to a process."""
    trials = [one for one in load("WISDM") if one.duration_s > WORN_S]
    worn = [list(product.blocks(one.acc_mg[: round(WORN_S * RATE_HZ)], RATE_HZ))
            for one in at_rate((trials * WEARERS)[:WEARERS], RATE_HZ)]
    _worn(worn[0])  # what is loaded once is nobody's own
    tracemalloc.start()
    states = [_worn(blocks) for blocks in worn]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return [Row("memory, a wearer, 50 Hz", held / len(states) / 1e6, "MB", limit=WEARER_MB,
                note=f"{WEARERS} wearers, {WORN_S:g} s each"),
            measured("memory, the detector with numpy and its model", "MB", [_own_mb() for _ in range(3)])]


async def wait(lab: Lab) -> list[Row]:
    """How long after the impact a fall has a finding that nobody would doubt, and any finding."""
    high_s: list[float] = []
    any_s: list[float] = []
    falls = [trial for trial in load("UMAFall", every=max(1, round(1 / lab.scale))) if trial.is_fall]
    for trial, quick in zip(falls, at_rate(falls, RATE_HZ), strict=True):
        found = list(product.stream(product.blocks(quick.acc_mg, RATE_HZ)))
        for least, waits_s in ((product.HIGH_SCORE, high_s), (0.0, any_s)):
            verdict = judge(trial, [(one.impact_s, one.told_s) for one in found if one.score >= least])
            if verdict.delay_s is not None:
                waits_s.append(verdict.delay_s)
    rows = []
    for name, waits_s, limit in ((f"a score of {product.HIGH_SCORE:g}", high_s, TOLD_S), ("any finding", any_s, None)):
        rows.append(Row(f"falls with {name}", 100 * len(waits_s) / len(falls), "%", note=f"of {len(falls)}"))
        if len(waits_s) > 1:
            rows += [Row(f"impact to {name}, p50", statistics.median(waits_s), "s"),
                     Row(f"impact to {name}, longest", max(waits_s), "s", limit=limit)]
    return rows


def _mixed(lab: Lab) -> list[Trial]:
    """A little of each activity of both sets: 7 goes into no person's 18 activities, so none is left out."""
    every = max(1, round(1 / lab.scale))
    return [*load("UMAFall", every=2 * every), *load("WISDM", every=7 * every)]


def _decoded(trial: Trial) -> float:
    """The floor: blocks of bytes become |a| in g."""
    peak_g = 0.0
    for block in product.blocks(trial.acc_mg, trial.rate_hz):
        acc_g = np.frombuffer(block.samples_mg, "<i2").reshape(-1, 3) / 1000
        peak_g = max(peak_g, float(np.sqrt((acc_g * acc_g).sum(axis=1)).max()))
    return peak_g


def _live_percent(trials: Sequence[Trial]) -> float:
    ready = [list(product.blocks(trial.acc_mg, trial.rate_hz)) for trial in trials]
    took_s = _processor_s(lambda: [_worn(blocks) for blocks in ready])
    return 100 * took_s / sum(trial.duration_s for trial in trials)


def _worn(blocks: Sequence[Accel]) -> product.State:
    state = product.State()
    for block in blocks:
        state, _ = product.step(state, block, product.at(block.first_index / block.rate_hz))
    return state


def _processor_s(work: Callable[[], object]) -> float:
    begun_s = time.thread_time()
    work()
    return time.thread_time() - begun_s


def _own_mb() -> float:
    """Memory that a process gains by loading the detector and using it once."""
    child = subprocess.run([sys.executable, "-c", _OWN], cwd=ROOT, check=True, capture_output=True, text=True)
    return int(child.stdout) / 1e6


_OWN = """
import os
import gateway.cli.replay
from gateway.model.finding import Finding
from gateway.model.reading import Accel
from gateway.model.time import ClockQuality, Stamp
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
def resident(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
from gateway.detect import falls
from gateway.runtime import fall_model
forest = fall_model.load()
falls.step(falls.State(), "", Stamp("", 0.0, None, ClockQuality.UNSET), Accel(50.0, 2.0, 0, bytes(6 * 500)), forest)
print(resident() - before)
"""
