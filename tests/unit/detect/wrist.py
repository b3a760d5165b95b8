"""A wrist that can stand, walk, fall, clap and lie: acceleration as a bracelet gives it."""

import math
import random
import struct
from collections.abc import Iterator

from gateway.model.reading import Accel

Sample = tuple[float, float, float]
HANGING: Sample = (-1.0, 0.0, 0.1)
LYING: Sample = (0.1, 0.2, 0.97)


class Wrist:
    """Collects samples in g at a rate; noise is the same on every run."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.samples: list[Sample] = []
        self._noise = random.Random(7)

    def rest(self, seconds: float, gravity: Sample, noise_g: float = 0.01) -> "Wrist":
        for _ in range(round(seconds * self.rate_hz)):
            x, y, z = gravity
            self.samples.append((x + self._noise.gauss(0, noise_g), y + self._noise.gauss(0, noise_g),
                                 z + self._noise.gauss(0, noise_g)))
        return self

    def blow(self, seconds: float, peak_g: float) -> "Wrist":
        """A burst that rises to its peak on two axes and swings below 1 g in between."""
        count = max(3, round(seconds * self.rate_hz))
        for i in range(count):
            strength = peak_g * math.sin(math.pi * (i + 1) / (count + 1))
            self.samples.append((strength * 0.7, -strength * 0.6, strength * 0.4))
        return self

    def knock(self, peak_g: float) -> "Wrist":
        """A blow that stays 0.16 s at its peak, so that the detector's grid has the same peak."""
        self.samples += [(0.6 * peak_g, -0.64 * peak_g, 0.48 * peak_g)] * round(0.16 * self.rate_hz)
        return self

    def walk(self, seconds: float, swing_g: float = 0.5, gravity: Sample = HANGING) -> "Wrist":
        x, y, z = gravity
        for i in range(round(seconds * self.rate_hz)):
            swing = swing_g * math.sin(2 * math.pi * 1.8 * i / self.rate_hz)
            self.samples.append((x + swing, y + 0.3 * swing, z))
        return self

    def fall(self) -> "Wrist":
        """Stand, lose the ground, hit it, lie."""
        return self.rest(4, HANGING).rest(0.3, (0.3, 0.1, 0.1)).blow(0.6, 4.5).rest(5, LYING)

    def blocks(self, size: int = 10, full_scale_g: float = 16.0) -> Iterator[Accel]:
        limit = int(full_scale_g * 1000)
        for first in range(0, len(self.samples), size):
            values = [max(-limit, min(limit, round(axis * 1000)))
                      for sample in self.samples[first : first + size] for axis in sample]
            yield Accel(self.rate_hz, full_scale_g, first, struct.pack(f"<{len(values)}h", *values))
