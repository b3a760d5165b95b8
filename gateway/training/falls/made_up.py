"""Daily life made up: impacts that are no falls, for what the recordings of people have little of.

Knocks on a table, an arm let drop onto a lap or an armrest, clapping and shaking that stops, pots and mops. What is
made up can only be a counter-example: no fall is.
"""

from collections.abc import Callable, Iterator

import numpy as np

from gateway.training.falls.watches import Signal

RATE_HZ = 50.0
Make = Callable[[np.random.Generator], Signal]


def trials(count: int, random: np.random.Generator) -> Iterator[tuple[str, Signal]]:
    """Yield (name, signal at RATE_HZ in g) of so many recordings of 16 s, one of each kind in turn."""
    kinds = (knock, drop_arm, clap_and_rest, shake_and_rest, sit_down_hard)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        yield kind.__name__, kind(random)


def knock(random: np.random.Generator) -> Signal:
    """A resting arm knocks once or a few times on a table and rests as before."""
    rest = _direction(random)
    signal = _resting(rest, random)
    for _ in range(random.integers(1, 5)):
        _blow(signal, random.uniform(5, 10), random.uniform(1.0, 6.0), 0.03, _direction(random), random)
    return signal


def drop_arm(random: np.random.Generator) -> Signal:
    """A raised arm is let drop onto a lap or an armrest: it turns, a soft blow, and it rests."""
    high, low = _direction(random), _direction(random)
    at_s, takes_s = random.uniform(6, 9), random.uniform(0.3, 0.7)
    signal = _turned(high, low, at_s - takes_s, at_s, random)
    _blow(signal, at_s, random.uniform(0.3, 1.2), 0.08, low, random)
    return signal


def clap_and_rest(random: np.random.Generator) -> Signal:
    """Clapping for some seconds, hands up, then at rest with the hands elsewhere."""
    high, low = _direction(random), _direction(random)
    until_s = random.uniform(6, 10)
    signal = _turned(high, low, until_s, until_s + random.uniform(0.5, 1.2), random)
    beat_s = until_s - random.uniform(2, 6)
    axis = _direction(random)
    while beat_s < until_s:
        _blow(signal, beat_s, random.uniform(1.0, 5.0), 0.04, axis, random)
        beat_s += random.uniform(0.22, 0.4)
    return signal


def shake_and_rest(random: np.random.Generator) -> Signal:
    """A cloth shaken, a pan scrubbed, a vigorous gesture: a rhythm that stops, and rest, as before or otherwise."""
    first = _direction(random)
    then = first if random.random() < 0.5 else _direction(random)
    until_s, long_s = random.uniform(7, 10), random.uniform(0.8, 6)
    signal = _turned(first, then, until_s, until_s + random.uniform(0.4, 1.5), random)
    time_s = np.arange(len(signal)) / RATE_HZ
    moving = ((time_s > until_s - long_s) & (time_s < until_s)).astype(float)
    rhythm = np.sin(2 * np.pi * random.uniform(1.5, 4.5) * time_s + random.uniform(0, 6))
    return signal + (moving * rhythm * random.uniform(0.6, 1.8))[:, None] * _direction(random)


def sit_down_hard(random: np.random.Generator) -> Signal:
    """Steps, a heavy drop into an armchair with the arm on its rest, then at rest."""
    hanging, rest = _direction(random), _direction(random)
    at_s = random.uniform(6, 9)
    signal = _turned(hanging, rest, at_s - 0.8, at_s + 0.4, random)
    time_s = np.arange(len(signal)) / RATE_HZ
    walking = (time_s < at_s - 1.2) * 0.2 * np.sin(2 * np.pi * random.uniform(1.5, 2.0) * time_s)
    signal = signal + walking[:, None] * _direction(random)
    _blow(signal, at_s, random.uniform(0.4, 1.0), 0.12, rest, random)
    return signal


def _direction(random: np.random.Generator) -> Signal:
    vector = random.normal(0, 1, 3)
    return np.asarray(vector / np.linalg.norm(vector))


def _resting(rest: Signal, random: np.random.Generator) -> Signal:
    return _turned(rest, rest, 0, 1, random)


def _turned(first: Signal, then: Signal, from_s: float, upto_s: float, random: np.random.Generator) -> Signal:
    """Sixteen seconds at 1 g that turn from one direction to another; a living arm trembles."""
    time_s = np.arange(round(16 * RATE_HZ)) / RATE_HZ
    share = np.clip((time_s - from_s) / max(upto_s - from_s, 1e-3), 0, 1)
    share = ((1 - np.cos(np.pi * share)) / 2)[:, None]
    path = first * (1 - share) + then * share
    path /= np.maximum(np.linalg.norm(path, axis=1), 0.2)[:, None]
    tremor = random.uniform(0.003, 0.03)
    return np.asarray(path + random.normal(0, tremor, path.shape))


def _blow(
    signal: Signal, at_s: float, size_g: float, lasts_s: float, axis: Signal, random: np.random.Generator
) -> None:
    """Add one blow along an axis, a half sine that rings off within a fifth of a second."""
    first = round(at_s * RATE_HZ)
    time_s = np.arange(len(signal) - first) / RATE_HZ
    shape = np.where(time_s < lasts_s, np.sin(np.pi * time_s / lasts_s), 0)
    ring = np.exp(-time_s / 0.06) * np.sin(2 * np.pi * random.uniform(8, 14) * time_s) * (time_s >= lasts_s) * 0.4
    signal[first:] += ((shape + ring) * size_g)[:, None] * axis
