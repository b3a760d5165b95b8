"""The product on UMAFall at other rates and ranges: the bracelet must not matter.

The recordings have some 20 samples a second and end at +-8 g. A higher rate is interpolated, so it tests the code and
not what a quicker sensor would see; +-16 g is the same as +-8 g.
"""

from gateway.training.falls.recordings import at_rate, clipped, load
from gateway.training.falls.score import tally
from tests.bench.falls import product
from tests.bench.falls.accuracy import SEEN, rows, verdicts
from tests.bench.lab import Lab
from tests.bench.result import Row

RATES_HZ = (25.0, 52.0, 100.0)
RANGES_G = (2.0, 4.0, 8.0, 16.0)


async def run(lab: Lab) -> list[Row]:
    trials = load("UMAFall", every=max(1, round(1 / lab.scale)))
    found: list[Row] = []
    for rate_hz in RATES_HZ:
        lab.say(f"falls: {rate_hz:g} Hz")
        quick = at_rate(trials, rate_hz)
        for range_g in RANGES_G:
            told = [product.found(one.acc_mg, rate_hz) for one in clipped(quick, range_g)]
            found += rows(f"{rate_hz:g} Hz ±{range_g:g} g", SEEN, tally(verdicts(trials, told)))
    return found
