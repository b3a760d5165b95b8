"""Anju's fall detector before it learned: an impact, then another posture, held still. All limits by hand.

The rules, as they were until the learned detector came (chosen on UMAFall and WISDM, so they have seen both):
 1. Samples of at least 1.8 g, no more than 1 s apart, are one burst. It is a candidate if its peak, each axis held to
    +-2 g, reaches 2.4 g, if it was over within 2.5 s, and if the 0.75 s before and after the peak were 0.25 g away from
    1 g in the mean.
 2. Then windows of 1.5 s are looked at, each 0.25 s, from 0.75 s to 4 s after the burst's last sample: it was a fall
    if the wrist is still in one (RMS distance from the mean at most 0.1 g) and gravity turned by at least 30 degrees
    against the 2 s that ended 0.5 s before the burst.
 3. Blocks of half a second came, and a burst was looked at once it was over for more than 1 s. After a finding, 10 s of
    samples bring no second one.
"""

import math
from typing import Any

import numpy as np

BLOCK_S = 0.5


def thresholds(acc_g: Any, rate_hz: float) -> list[tuple[float, float]]:
    """Return (impact, when it was told) in seconds of acceleration in g [n, 3] that came in blocks of half a second."""
    raw_mg = np.rint(acc_g * 1000)
    held_mg = np.clip(raw_mg, -2000, 2000)
    strong = np.flatnonzero((raw_mg**2).sum(axis=1) >= 1800**2)
    found: list[tuple[float, float]] = []
    quiet_until = -1
    for first, last in runs(strong, rate_hz):
        within = strong[(strong >= first) & (strong <= last)]
        order = np.lexsort((-(raw_mg[within] ** 2).sum(axis=1), -(held_mg[within] ** 2).sum(axis=1)))
        peak = int(within[order[0]])
        if peak < quiet_until or last - first > 2.5 * rate_hz or not _is_blow(held_mg, peak, rate_hz):
            continue
        told = _told(held_mg, first, last, rate_hz)
        if told is not None:
            found.append((peak / rate_hz, told / rate_hz))
            quiet_until = peak + round(10 * rate_hz)
    return found


def runs(places: Any, apart: float) -> list[tuple[int, int]]:
    """Return first and last of each run of ascending numbers of which none is further than `apart` from the next."""
    if not len(places):
        return []
    ends = np.flatnonzero(np.diff(places) > apart)
    firsts, lasts = np.append(0, ends + 1), np.append(ends, len(places) - 1)
    return [(int(places[first]), int(places[last])) for first, last in zip(firsts, lasts, strict=True)]


def _is_blow(held_mg: Any, peak: int, rate_hz: float) -> bool:
    """Rule 1."""
    around = round(0.75 * rate_hz)
    norm_mg = np.sqrt((held_mg[max(0, peak - around) : peak + around + 1] ** 2).sum(axis=1))
    return bool(math.hypot(*held_mg[peak]) >= 2400 and np.abs(norm_mg - 1000).mean() >= 250)


def _told(held_mg: Any, first: int, last: int, rate_hz: float) -> int | None:
    """Rule 2: return the number of samples that had come when the fall was told; None where it was none."""
    still, hop, count = round(1.5 * rate_hz), max(1, round(0.25 * rate_hz)), len(held_mg)
    apart = first - round(0.5 * rate_hz)
    rest = held_mg[max(0, apart - round(2 * rate_hz)) : max(0, apart)]
    if len(rest) < 2:
        return None
    for begin in range(last + math.ceil(0.75 * rate_hz), last + math.ceil(4 * rate_hz) + 1, hop):
        window = held_mg[begin : begin + still]
        if len(window) < still:
            return None
        gravity = window.mean(axis=0)
        if (math.sqrt(((window - gravity) ** 2).sum(axis=1).mean()) <= 100
                and _angle_deg(rest.mean(axis=0), gravity) >= 30):
            return _block_end(max(begin + still, last + math.floor(rate_hz) + 1), count, rate_hz)
    return None


def _block_end(samples: int, count: int, rate_hz: float) -> int | None:
    """Return where the block ends that brings so many samples; None where the recording is shorter."""
    size = max(1, round(BLOCK_S * rate_hz))
    return min(math.ceil(samples / size) * size, count) if samples <= count else None


def _angle_deg(one: Any, other: Any) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    cosine = float(one @ other) / lengths if lengths else 1.0
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
