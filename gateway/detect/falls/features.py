"""Features of an impact: what the window around it says, whichever way the bracelet sits on the arm.

Only lengths, angles between directions and spreads are used, so a turned or mirrored bracelet gives the same numbers.
Windows around an impact, posture before and after, and stillness since are what the threshold detectors of the
literature look at too: Kangas et al., Gait & Posture 28 (2008) 285-291; Bourke et al., Gait & Posture 26 (2007)
194-199; of wrists: Degen et al., SPEEDY, ISWC 2003.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gateway.detect.falls.grid import RATE_HZ, Samples

BEFORE = 4 * RATE_HZ
AFTER = 73  # 2.92 s: with the longest block of half a second a fall is told within 3.5 s
WINDOW = BEFORE + AFTER + 1
"""Grid samples of a window: the impact is number BEFORE of it."""

Vector = NDArray[np.float64]

_EDGES_S = (-4.0, -2.0, -1.0, -0.4, 0.4, 1.0, 2.0, 2.9)
_SPANS = [f"{begin:g}..{end:g}s" for begin, end in pairwise(_EDGES_S)]
_STARTS = np.array([BEFORE + round(edge * RATE_HZ) for edge in _EDGES_S[:-1]])
_LENGTHS = np.diff([*_STARTS, WINDOW])
_CELL = 6  # samples, 0.24 s: as long as one movement of an arm
_CELLS = WINDOW // _CELL
_IMPACT_CELL = BEFORE // _CELL
_BUSY_G = 0.12  # a wrist's RMS movement above this within a cell is more than a tremor
_END = round(1.5 * RATE_HZ)
_RHYTHM = range(8, 31, 2)  # periods in samples: 0.3 to 1.2 s, steps and claps


def _at(seconds: float) -> int:
    return BEFORE + round(seconds * RATE_HZ)


_NEAR, _CLOSE = _at(-1), _at(-0.4)

NAMES: tuple[str, ...] = (
    *(f"sd_g {span}" for span in _SPANS),
    *(f"off_1g_g {span}" for span in _SPANS),
    *(f"jerk_g_s {span}" for span in _SPANS),
    *(f"max_g {span}" for span in _SPANS),
    "peak_g", "weightless_g_s", "excess_g_s", "spread_s",
    "busy_before", "busy_after", "quiet_since_cells", "end_sd_g",
    "path_before_deg", "path_impact_deg", "path_after_deg",
    "turn_deg", "turn_first_deg", "turn_soon_deg", "turn_impact_deg", "turn_after_deg",
    "rhythm_after", "swing_g_s", "contrast_after", "contrast_before",
)
"""What each number of a vector is, with its unit; a model names those that it was fitted to."""


def of(window: Samples) -> Vector:
    """Return the features of one impact. `window`: [WINDOW, 3] in g, no NaN. Shape [len(NAMES)], all finite."""
    square = (window * window).sum(axis=1)
    size = np.sqrt(square)
    off = np.abs(size - 1)
    jerk = np.empty(WINDOW)
    jerk[1:] = _length(window[1:] - window[:-1]) * RATE_HZ
    jerk[0] = jerk[1]
    middle = np.add.reduceat(window, _STARTS, axis=0) / _LENGTHS[:, None]
    spread = np.sqrt(np.maximum(_mean(square) - (middle * middle).sum(axis=1), 0))

    cells = window[: _CELLS * _CELL].reshape(_CELLS, _CELL, 3)
    centre = cells.mean(axis=1)
    busy = np.sqrt(((cells - centre[:, None]) ** 2).sum(axis=2).mean(axis=1)) > _BUSY_G
    late = busy[_IMPACT_CELL + 1 :]
    quiet = int(np.argmax(late[::-1])) if late.any() else len(late)
    turns = _turns_deg(centre)
    held, last = before(window), window[-_END:]
    approach, end = window[_NEAR:_CLOSE].mean(axis=0), last.mean(axis=0)
    pull = window[_CLOSE : _at(0.8)] - held
    after = size[_at(0.5) :] - size[_at(0.5) :].mean()
    weight = off[_NEAR : _at(1)] ** 2
    weight /= weight.sum() + 1e-9
    order = np.arange(len(weight)) / RATE_HZ
    return np.array([
        *spread, *_mean(off), *_mean(jerk), *np.maximum.reduceat(size, _STARTS),
        size[BEFORE],
        (1 - size[_at(-0.5) : BEFORE + 1]).clip(0).sum() / RATE_HZ, (size[_CLOSE : _at(1)] - 1).clip(0).sum() / RATE_HZ,
        np.sqrt((weight * (order - (weight * order).sum()) ** 2).sum()),
        busy[:_IMPACT_CELL].mean(), late.mean(), quiet, np.sqrt(((last - end) ** 2).sum(axis=1).mean()),
        turns[: _IMPACT_CELL - 3].sum(), turns[_IMPACT_CELL - 3 : _IMPACT_CELL + 3].sum(),
        turns[_IMPACT_CELL + 4 :].sum(),
        angle_deg(held, end), angle_deg(window[:_END].mean(axis=0), end), angle_deg(held, middle[4]),
        angle_deg(approach, end), angle_deg(middle[5], middle[6]),
        max(float(after[lag:] @ after[:-lag]) for lag in _RHYTHM) / (float(after @ after) + 0.05),
        np.sqrt((pull.sum(axis=0) ** 2).sum()) / RATE_HZ,
        (spread[3] + 0.02) / (spread[5] + spread[6] + 0.1), (spread[3] + 0.02) / (spread[0] + spread[1] + 0.1),
    ])


def before(window: Samples) -> Vector:
    """Return gravity before the impact, in g: the mean up to one second before it."""
    mean: Vector = window[:_NEAR].mean(axis=0)
    return mean


def angle_deg(one: Vector, other: Vector) -> float:
    """Return the angle between two vectors; 0 where one has no direction."""
    lengths = float(np.sqrt((one @ one) * (other @ other)))
    return float(np.degrees(np.arccos(min(1.0, max(-1.0, float(one @ other) / lengths))))) if lengths > 1e-9 else 0.0


def _mean(values: Vector) -> Vector:
    """The mean within each of the window's spans."""
    sums: Vector = np.add.reduceat(values, _STARTS)
    return sums / _LENGTHS


def _length(vectors: Samples) -> Vector:
    lengths: Vector = np.sqrt((vectors * vectors).sum(axis=1))
    return lengths


def _turns_deg(centre: Samples) -> Vector:
    """Angles between each cell's direction and the next one's."""
    unit = centre / np.maximum(_length(centre), 1e-9)[:, None]
    turns: Vector = np.degrees(np.arccos((unit[1:] * unit[:-1]).sum(axis=1).clip(-1, 1)))
    return turns
