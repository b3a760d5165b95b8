"""The product as it is judged: the one place that knows how to ask it.

`found` is what `anju replay falls` tells of a recording, `cross_validated` the same by models that do not know its
subject, `step` what the daemon does with a block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from gateway.detect import falls
from gateway.detect.falls.recording import BLOCK_S, judged
from gateway.model.finding import Finding
from gateway.model.reading import Accel
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime import fall_model
from gateway.training.falls import examples, validate
from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import Alarm

FOREST = fall_model.load()
HIGH_SCORE = FOREST.high  # a finding that is told at once

State = falls.State


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of a stream. `impact_s`, `told_s`: sample time, in seconds from the stream's first sample."""

    impact_s: float
    told_s: float
    score: float


def found(acc_mg: Any, rate_hz: float) -> list[Alarm]:
    """(impact, when it was told) of each fall in one recording, int16 [n, 3], in seconds."""
    return [(impact_s, told_s) for impact_s, told_s, _ in judged(acc_mg, rate_hz, FOREST)]


def cross_validated(trials: Sequence[Trial], heard: Sequence[Trial]) -> list[list[Alarm]] | None:
    """Alarms in each trial as `heard` by a model that learned from `trials` of other subjects; None without LightGBM.

    `heard`: the trials in the same order, as the bracelet told them (clipped, at another rate).
    """
    if find_spec("lightgbm") is None:
        return None
    return validate.cross_validated(_judges(tuple(trials)), heard)


@cache
def _judges(trials: tuple[Trial, ...]) -> list[validate.Judge]:
    """The models that cross-validate these trials, fitted once."""
    return validate.models(trials, examples.examples(trials))


def step(state: State, block: Accel, at: Stamp) -> tuple[State, tuple[Finding, ...]]:
    """Take one block, as the daemon does."""
    return falls.step(state, "bracelet", at, block, FOREST)


def stream(blocks: Iterator[Accel]) -> Iterator[Found]:
    """Take block after block; a block comes when its last sample was taken."""
    state = State()
    for block in blocks:
        now_s = (block.first_index + block.n) / block.rate_hz
        state, findings = step(state, block, at(now_s))
        for finding in findings:
            yield Found(now_s - finding.evidence["impact_ago_s"], now_s, finding.score)


def blocks(acc_mg: Any, rate_hz: float, range_g: float = 16.0) -> Iterator[Accel]:
    """Cut int16 [n, 3] into the blocks that a bracelet sends."""
    size = max(1, round(BLOCK_S * rate_hz))
    samples = acc_mg.astype("<i2")
    for first in range(0, len(samples), size):
        yield Accel(rate_hz, range_g, first, samples[first : first + size].tobytes())


def at(mono_s: float) -> Stamp:
    return Stamp("bench", mono_s, None, ClockQuality.UNSET)
