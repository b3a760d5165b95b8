"""Motions of a wrist, made up from textbook figures: samples at RATE_HZ, milli-g, gravity included.

A standing person with a hanging arm reads -1 g along the forearm (x). Sources of the figures: step rate and swing of
elderly walkers 1.5-1.9 Hz; falls from standing: see fall().
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 52
FULL_SCALE_MG = 8000

Samples = NDArray[np.int16]
Vector = NDArray[np.float64]

HANGING: Vector = np.array([-1000.0, 60.0, 120.0])
ON_LAP: Vector = np.array([-180.0, -120.0, 970.0])
LYING: Vector = np.array([150.0, 930.0, -330.0])
_NOISE_MG = 6.0  # of the sensor, and of a living arm


@dataclass(frozen=True)
class Motion:
    """A stretch of movement and the posture it ends in. `impact`: index of the sample with a fall's impact."""

    samples: Samples
    after: Vector
    impact: int | None = None
    words: str = ""


def still(posture: Vector, seconds: float, random: np.random.Generator) -> Samples:
    """Hold a posture; breathing and pulse move the arm a little."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    breath = 8.0 * np.sin(2 * np.pi * 0.27 * time_s + random.uniform(0, 6))
    return _digitised(posture + breath[:, None] * np.array([0.3, 0.2, 0.9]), random)


def walk(seconds: float, random: np.random.Generator) -> Motion:
    """Walk with a swinging arm, as an elderly person does."""
    steps_hz = random.uniform(1.5, 1.9)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    step = 2 * np.pi * steps_hz * time_s
    swing = np.pi * steps_hz * time_s
    path = HANGING + np.stack([
        190 * np.sin(step) + 70 * np.sin(2 * step),
        130 * np.sin(swing + 0.4),
        240 * np.sin(swing) + 80 * np.sin(step + 1.0)], axis=1)
    return Motion(_digitised(path, random), HANGING, words="walking")


def clap(seconds: float, random: np.random.Generator) -> Motion:
    """Clap: sharp knocks of 2-4 g, three a second, with nothing falling."""
    count = round(seconds * RATE_HZ)
    path = np.repeat(ON_LAP[None, :], count, axis=0)
    beat = 0.0
    while (at := round(beat * RATE_HZ)) < count - 3:
        knock = random.uniform(2000, 4000)
        path[at] += np.array([0.2, 0.95, 0.25]) * knock
        path[at + 1] -= np.array([0.1, 0.5, 0.1]) * knock
        path[at + 2] += np.array([0.0, 0.15, 0.0]) * knock
        beat += 1 / random.uniform(2.6, 3.4)
    return Motion(_digitised(path, random), ON_LAP, words="clapping")


def sit_down(seconds: float, random: np.random.Generator) -> Motion:
    """Sit down on a chair: the body sinks, is caught with at most 1.8 g, and the hand comes to rest on the lap."""
    count = max(round(seconds * RATE_HZ), 2 * RATE_HZ)
    turn = _smooth(count, 0.4, 1.4)
    path = HANGING * (1 - turn)[:, None] + ON_LAP * turn[:, None]
    time_s = np.arange(count) / RATE_HZ
    sinking = 1 - 0.25 * np.exp(-(((time_s - 0.7) / 0.18) ** 2))
    caught = 1 + random.uniform(0.3, 0.7) * np.exp(-(((time_s - 1.05) / 0.05) ** 2))
    return Motion(_digitised(path * (sinking * caught)[:, None], random), ON_LAP, words="sitting down")


def sitting(seconds: float, random: np.random.Generator) -> Motion:
    """Sit still with the hand on the lap."""
    return Motion(still(ON_LAP, seconds, random), ON_LAP, words="sitting still")


def fall(random: np.random.Generator) -> Motion:
    """Fall from standing: a step, weight going while the arm reaches out, impact, a second blow, lying still for 12 s.

    Shaped after the wrist recordings of UMAFall (Casilari et al., Procedia Computer Science 110 (2017) 32-39), 10th to
    90th percentile of 161 falls: peak 3.6-11 g, above 1.8 g for 0.2-0.6 s, and within 0.75 s of the peak 0.36-0.74 g
    away from 1 g in the mean (each axis held to 2 g).
    """
    before = walk(1.0, random).samples.astype(np.float64)
    dropping = round(random.uniform(0.4, 0.6) * RATE_HZ)
    weight = np.linspace(0.9, 0.2, dropping)
    swing_s = np.arange(dropping) / RATE_HZ
    reach = np.linspace(0.2, 1.0, dropping) * np.sin(2 * np.pi * random.uniform(2.5, 3.5) * swing_s)
    arm = HANGING * weight[:, None] + reach[:, None] * np.array([500.0, 900.0, 700.0]) * random.uniform(0.8, 1.3)
    peak_mg = float(np.clip(random.lognormal(np.log(7000), 0.4), 3600, 11000))
    direction = np.array([0.45, 0.75, -0.5]) * random.uniform(0.85, 1.15, 3)
    direction /= np.linalg.norm(direction)
    impact = _blow(peak_mg, random.uniform(0.14, 0.2)) * direction
    apart = random.normal(0, 300, (round(random.uniform(0.08, 0.15) * RATE_HZ), 3)) + direction * 600
    again = _blow(peak_mg * random.uniform(0.4, 0.6), random.uniform(0.1, 0.16)) * direction
    rebound_s = np.arange(round(0.9 * RATE_HZ)) / RATE_HZ
    ringing = np.exp(-rebound_s / 0.25) * np.sin(2 * np.pi * 5.5 * rebound_s)
    settling = LYING + ringing[:, None] * direction * random.uniform(900, 1500)
    lying = still(LYING, 12.0, random).astype(np.float64)
    samples = _digitised(np.concatenate([before, arm, impact, apart, again, settling, lying]), random)
    top = int(np.argmax(np.linalg.norm(samples.astype(np.float64), axis=1)))
    return Motion(samples, LYING, impact=top, words="fall from standing")


def _blow(peak_mg: float, seconds: float) -> Vector:
    """Return the size of one blow, a half sine of this height and length, as a column."""
    count = max(3, round(seconds * RATE_HZ))
    shape: Vector = np.sin(np.pi * (np.arange(count) + 0.5) / count)
    sized: Vector = shape[:, None] * (peak_mg / shape.max())
    return sized


def _smooth(count: int, start_s: float, end_s: float) -> Vector:
    """0 before, 1 after, a raised cosine between."""
    time_s = np.arange(count) / RATE_HZ
    share = np.clip((time_s - start_s) / (end_s - start_s), 0, 1)
    curve: Vector = (1 - np.cos(np.pi * share)) / 2
    return curve


def _digitised(path: Vector, random: np.random.Generator) -> Samples:
    noisy = path + random.normal(0, _NOISE_MG, path.shape)
    return np.clip(np.rint(noisy), -FULL_SCALE_MG, FULL_SCALE_MG - 1).astype(np.int16)


MOVES = {"walk": walk, "clap": clap, "sit_down": sit_down, "sitting": sitting}
