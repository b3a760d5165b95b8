"""The product as it is judged: the one place that knows how to ask it.

`found` is what `anju replay falls` tells of a recording, `cross_validated` the same by models that do not know its
subject, `step` and `silence` what the daemon does with a block and without one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from gateway.detect import falls
from gateway.detect.falls.recording import BLOCK_S, judged
from gateway.detect.falls.wrist import SILENT_S
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

    `heard`: these trials, or some of them, as the bracelet told them (clipped, at another rate); the alarms are in
    their order.
    """
    models = judges(tuple(trials))
    return None if models is None else validate.cross_validated(models, heard)


@cache
def judges(trials: tuple[Trial, ...]) -> list[validate.Judge] | None:
    """The models that cross-validate these trials, fitted once; None without LightGBM."""
    return None if find_spec("lightgbm") is None else validate.models(trials, examples.examples(trials))


def step(state: State, block: Accel, at: Stamp, forest: falls.Forest = FOREST) -> tuple[State, tuple[Finding, ...]]:
    """Take one block, as the daemon does."""
    return falls.step(state, "bracelet", at, block, forest)


def silence(state: State, since_s: float, forest: falls.Forest = FOREST) -> list[Found]:
    """What the daemon tells once a bracelet has sent nothing since `since_s`."""
    now_s = since_s + SILENT_S
    return _found(falls.tick(state, "bracelet", at(now_s), forest)[1], now_s)


def stream(blocks: Iterable[Accel], forest: falls.Forest = FOREST, cut: bool = False) -> Iterator[Found]:
    """Take block after block; a block comes when its last sample was taken. `cut`: then the bracelet falls silent."""
    state, now_s = State(), 0.0
    for block in blocks:
        now_s = (block.first_index + block.n) / block.rate_hz
        state, findings = step(state, block, at(now_s), forest)
        yield from _found(findings, now_s)
    if cut:
        yield from silence(state, now_s, forest)


def _found(findings: Iterable[Finding], now_s: float) -> list[Found]:
    return [Found(now_s - one.evidence["impact_ago_s"], now_s, one.score) for one in findings]


def blocks(acc_mg: Any, rate_hz: float, range_g: float = 16.0) -> Iterator[Accel]:
    """Cut int16 [n, 3] into the blocks that a bracelet sends."""
    size = max(1, round(BLOCK_S * rate_hz))
    samples = acc_mg.astype("<i2")
    for first in range(0, len(samples), size):
        yield Accel(rate_hz, range_g, first, samples[first : first + size].tobytes())


def at(mono_s: float) -> Stamp:
    return Stamp("bench", mono_s, None, ClockQuality.UNSET)
