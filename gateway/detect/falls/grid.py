"""The grid: blocks of any bracelet become samples at RATE_HZ, each axis held to AXIS_G, lost samples marked.

A sample's time is its running number over the rate. A grid sample is the mean of the signal, taken as linear between
samples, at TAPS around its moment: the same smoothing whatever the bracelet's rate, and the same numbers however the
samples came in blocks.

Holding every axis to the smallest range in the field makes one detector judge all bracelets alike: what a watch of
+-16 g sees above that tells more of the watch than of the fall.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.model.reading import Accel

RATE_HZ = 25
AXIS_G = 2.0
MIN_RATE_HZ, MAX_RATE_HZ = 15.0, 250.0
"""Rates that are taken at all; 20-100 Hz is what the detector is trained and measured for."""
HOLE_S = 3.0
"""A longer hole ends the session: what was before and after it are not one movement."""

Samples = NDArray[np.float64]
"""[n, 3]: x, y, z in g."""

_TAPS_S = np.array([-0.03, -0.01, 0.01, 0.03])


class Grid(msgspec.Struct, frozen=True):
    """Where a session of one bracelet stands; Grid() before the first block.

    `origin`: running number of the session's first sample. `tail`: the newest samples, of which the last has the number
    next_index - 1; lost ones are NaN. `done`: grid samples given out so far; number k lies k / RATE_HZ after the
    origin.
    """

    rate_hz: float = 0.0
    origin: int = 0
    next_index: int = 0
    tail: Samples = msgspec.field(default_factory=lambda: np.empty((0, 3)))
    done: int = 0

    def number_s(self, number: int) -> float:
        """How long before the newest sample the grid sample of this number lies, in seconds."""
        return (self.next_index - 1 - self.origin) / self.rate_hz - number / RATE_HZ


def is_sound(block: Accel) -> bool:
    """Tell whether the block has a rate that can be judged."""
    return math.isfinite(block.rate_hz) and MIN_RATE_HZ <= block.rate_hz <= MAX_RATE_HZ


def follows(grid: Grid, block: Accel) -> bool:
    """Tell whether the block goes on with the session: same rate, and no step back nor a hole beyond HOLE_S."""
    lost = block.first_index - grid.next_index
    return grid.rate_hz == block.rate_hz and 0 <= lost <= HOLE_S * block.rate_hz


def begin(block: Accel) -> Grid:
    """The grid of a session that begins with this block."""
    return Grid(block.rate_hz, block.first_index, block.first_index)


def laid(grid: Grid, block: Accel) -> tuple[Grid, Samples]:
    """Take a block that follows; return the grid samples that are known by it, in g, NaN where samples were lost."""
    fresh = np.frombuffer(block.samples_mg, "<i2", 3 * block.n).reshape(block.n, 3)
    parts = [grid.tail, np.maximum(np.minimum(fresh / 1000, AXIS_G), -AXIS_G)]  # quicker than clip()
    if lost := block.first_index - grid.next_index:
        parts.insert(1, np.full((lost, 3), np.nan))
    samples = np.concatenate(parts)
    next_index = block.first_index + block.n
    oldest = next_index - len(samples) - grid.origin
    newest_s = (next_index - 1 - grid.origin) / grid.rate_hz
    upto = max(grid.done, math.floor((newest_s - _TAPS_S[-1]) * RATE_HZ + 1e-9) + 1)
    moments_s = np.arange(grid.done, upto) / RATE_HZ
    points = np.round((moments_s[:, None] + _TAPS_S) * grid.rate_hz, 6) - oldest  # a hair off a sample is on it
    given = _between(samples, np.maximum(points, 0.0)) if upto > grid.done else np.empty((0, 3))
    needed = math.floor((upto / RATE_HZ + _TAPS_S[0]) * grid.rate_hz) - oldest - 1
    grid = Grid(grid.rate_hz, grid.origin, next_index, samples[max(0, needed):], upto)
    return grid, given


def _between(samples: Samples, points: NDArray[np.float64]) -> Samples:
    """The mean over each row's points of the signal, linear between samples."""
    below = np.minimum(points.astype(np.intp), len(samples) - 1)
    share = (points - below)[:, :, None]
    above = np.minimum(below + 1, len(samples) - 1)
    taps = samples[below] * (1 - share) + samples[above] * share
    means: Samples = taps.sum(axis=1) / len(_TAPS_S)
    return means
