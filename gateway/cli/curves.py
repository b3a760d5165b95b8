"""Curves of a fall's evidence, for braille.py and svg.py to draw. Pure.

A curve is runs of (seconds from the impact, value); between two runs is a hole. Both drawings have the same two panels,
one above the other on one axis of time: the size of the acceleration, in which rest is 1 g, and the heart rate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[float, float]
Run = list[Span]
Piece = tuple[float, float, Sequence[tuple[int, int, int]]]
"""first_s, rate_hz, samples in milli-g."""

TIME: Span = (-10.0, 20.0)
TICKS_S = range(-10, 21, 5)
QUIET_S = 5.0  # heart rates further apart are not joined: a bracelet tells one each second


@dataclass(frozen=True)
class Panel:
    """One curve with its scale. `limits`: of the value, both shown."""

    title: str
    unit: str
    runs: list[Run]
    limits: Span
    holes: Sequence[Span] = ()


def panels(pieces: Sequence[Piece], heart: Sequence[Span], holes: Sequence[Span]) -> tuple[Panel, Panel]:
    """The two panels. `heart`: plausible values by their arrival; `holes`: where there are no samples."""
    runs = [[(first_s + i / rate_hz, math.hypot(*sample) / 1000) for i, sample in enumerate(samples)]
            for first_s, rate_hz, samples in pieces]
    top_g = max((g for run in runs for _, g in run), default=0.0)
    beats = [value for _, value in heart]
    low, high = math.floor(min(beats, default=70.0) / 10), math.ceil(max(beats, default=70.0) / 10)
    return (Panel("acceleration", "g", runs, (0.0, float(max(2, math.ceil(top_g)))), holes),
            Panel("heart rate", "/min", _joined(heart), (low * 10 - 10.0, high * 10 + 10.0)))


def share(value: float, span: Span) -> float:
    """Where a value lies in a span: 0 at its beginning, 1 at its end."""
    return (value - span[0]) / (span[1] - span[0])


def _joined(heart: Sequence[Span]) -> list[Run]:
    runs: list[Run] = [[beat] for beat in heart[:1]]
    for before, beat in pairwise(heart):
        if beat[0] - before[0] > QUIET_S:
            runs.append([])
        runs[-1].append(beat)
    return runs
