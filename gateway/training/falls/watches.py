"""The same movement as another watch would have told it: for training on more watches than were worn.

Turning the watch, or wearing it on the other arm, needs no copy: the features do not see it (features.py). Neither does
a range of +-2 g and more: the grid holds every axis to +-2 g. What is left is drawn here.
"""

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
"""[n, 3] in g."""

RATES_HZ = (20.0, 25.0, 26.0, 32.0, 50.0, 52.0, 64.0, 100.0)
GAIN, OFFSET_G, NOISE_G = 0.02, 0.03, 0.02
"""Gain and offset: one standard deviation of a sensor that nobody calibrated (LSM6DSO data sheet, table 2: +-20 mg and
1 % typical, more over a life). Noise: at most."""
JITTER_S = 0.004


def other(signal: Signal, rate_hz: float, random: np.random.Generator) -> tuple[NDArray[np.int16], float]:
    """Return (milli-g, rate) of the movement on a watch with its own gain, offset, noise, bandwidth, rate and phase."""
    told = signal * (1 + random.normal(0, GAIN, 3)) + random.normal(0, OFFSET_G, 3)
    kind = random.random()
    if kind < 0.4:
        told = softened(told, random.uniform(0, 0.5))
    elif kind < 0.55:
        told = softened(told, -random.uniform(0, 0.35))
    rate = float(random.choice(RATES_HZ)) if random.random() < 0.5 else rate_hz
    count = int((len(told) - 1) / rate_hz * rate)
    moments_s = np.arange(count) / rate + random.uniform(0, 1 / rate_hz) + random.normal(0, JITTER_S, count)
    told = curved(told, moments_s.clip(0, (len(told) - 1) / rate_hz) * rate_hz)
    told = told + random.normal(0, random.uniform(0, NOISE_G), told.shape)
    return np.rint(told.clip(-16, 16) * 1000).astype(np.int16), rate


def softened(signal: Signal, share: float) -> Signal:
    """Return the signal through a narrower band (share > 0), or a wider one than it was recorded with (share < 0)."""
    soft = signal.copy()
    soft[1:-1] = (1 - share) * signal[1:-1] + share / 2 * (signal[:-2] + signal[2:])
    return soft


def curved(signal: Signal, points: NDArray[np.float64]) -> Signal:
    """Return the signal between its samples on a smooth curve (Catmull and Rom, 1974). `points`: in samples."""
    last = len(signal) - 1
    below = np.minimum(points.astype(np.intp), max(last - 1, 0))
    share = (points - below)[:, None]
    p0, p1, p2, p3 = (signal[np.clip(below + step, 0, last)] for step in (-1, 0, 1, 2))
    bend = 2 * p0 - 5 * p1 + 4 * p2 - p3 + share * (3 * (p1 - p2) + p3 - p0)
    along: Signal = p1 + share / 2 * (p2 - p0 + share * bend)
    return along
