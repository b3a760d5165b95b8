"""The product on watches that nobody wore: UMAFall's movement as each would have told it, cross-validated.

Beside it stands what is asked of a watch that was never seen: sensitivity 95 %, specificity 93 %. This is no such
judgement: people and movement are those that the thresholds were chosen on, the training draws gain, offset, noise and
bandwidth of the same kinds (training/falls/watches.py), and what the sensor did not record no watch made of it can
tell.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import Tally, tally
from gateway.training.falls.watches import curved, softened
from tests.bench.falls import product
from tests.bench.falls.accuracy import UNSEEN, rows, sets, verdicts
from tests.bench.lab import Lab
from tests.bench.result import Row

ASKED_PERCENT = {"sensitivity": 95.0, "specificity": 93.0}
"""Of a watch that was never seen, on people who were not either."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A make of watch. `gain`, `offset_g`: one standard deviation of an axis. `noise_g`: of a sample.

    `soft`: see watches.softened; above 0 a narrower band than was recorded, below 0 a wider one.
    """

    rate_hz: float
    range_g: float
    gain: float = 0.02
    offset_g: float = 0.03
    noise_g: float = 0.01
    soft: float = 0.0


WATCHES = {
    "50 Hz ±4 g": Watch(50.0, 4.0),
    "50 Hz ±4 g badly calibrated": Watch(50.0, 4.0, gain=0.05, offset_g=0.08, noise_g=0.02),
    "50 Hz ±4 g narrow band": Watch(50.0, 4.0, soft=0.4),
    "50 Hz ±4 g wide band": Watch(50.0, 4.0, soft=-0.3),
    "50 Hz ±2 g": Watch(50.0, 2.0),
    "48.7 Hz ±4 g": Watch(48.7, 4.0),
    "48.7 Hz ±2 g": Watch(48.7, 2.0),
    "20 Hz ±4 g": Watch(20.0, 4.0),
    "20 Hz ±2 g": Watch(20.0, 2.0),
    "100 Hz ±4 g": Watch(100.0, 4.0),
    "100 Hz ±2 g": Watch(100.0, 2.0),
}


async def run(lab: Lab) -> list[Row]:
    """One piece of each make, worn any way up, by all; then the mean, lowest and highest of the makes."""
    chosen = sets(max(1, round(1 / lab.scale)))
    trials, everybody = chosen["UMAFall"], [*chain(*chosen.values())]
    found: list[Row] = []
    tallies: list[Tally] = []
    for number, (name, watch) in enumerate(WATCHES.items()):
        lab.say(f"falls: watch {name}")
        alarms = product.cross_validated(everybody, heard(trials, watch, np.random.default_rng(number)))
        if alarms is None:
            lab.say("falls: watches are not measured without LightGBM: pip install 'anju[train]'")
            return []
        tallies.append(tally(verdicts(trials, alarms)))
        found += rows(f"watch {name}", UNSEEN, tallies[-1])
    return found + [of_all(measure, tallies) for measure in ASKED_PERCENT]


def of_all(measure: str, tallies: Sequence[Tally]) -> Row:
    """Return the mean of a measure over the watches, its spread from the worst to the best."""
    shares = [100 * share for of in tallies if (share := getattr(of, measure)) is not None]
    return Row(f"{len(tallies)} watches, {UNSEEN}, {measure}", statistics.mean(shares), "%",
               spread=(min(shares), max(shares)), note=f"asked of a watch never seen: {ASKED_PERCENT[measure]:g} %")


def heard(trials: Sequence[Trial], watch: Watch, random: np.random.Generator) -> list[Trial]:
    """Return the same movement as one piece of this make tells it, turned in one way for all."""
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    gain, offset_g = 1 + random.normal(0, watch.gain, 3), random.normal(0, watch.offset_g, 3)

    def again(trial: Trial) -> Trial:
        last_s = (len(trial.acc_mg) - 1) / trial.rate_hz
        moments_s = np.arange(int(last_s * watch.rate_hz)) / watch.rate_hz + random.uniform(0, 1 / trial.rate_hz)
        signal = curved(softened(trial.acc_mg / 1000, watch.soft), moments_s.clip(0, last_s) * trial.rate_hz)
        told_g = signal @ turn * gain + offset_g + random.normal(0, watch.noise_g, signal.shape)
        told_g = told_g.clip(-watch.range_g, watch.range_g)
        return replace(trial, rate_hz=watch.rate_hz, acc_mg=np.rint(told_g * 1000).astype(np.int16))

    return [again(trial) for trial in trials]
