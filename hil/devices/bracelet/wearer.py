"""Wearer: what the wrist does at every sample, whether anybody listens or not. Pure: samples by number, no clock."""

import numpy as np

from hil.devices.bracelet import motion
from hil.devices.bracelet.motion import Motion, Samples, Vector

_STRETCH_S = 4.0


class Wearer:
    """Plays motions in order, and between them holds the posture of the last one."""

    def __init__(self, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.next_index = 0  # of the sample that comes next
        self._posture: Vector = motion.ON_LAP
        self._ahead: Samples = np.empty((0, 3), np.int16)
        self._after: Vector | None = None

    def play(self, what: Motion, at_once: bool = False) -> int | None:
        """Do this after what is going on, or in the midst of it; return the index of its impact sample, if any."""
        if self._after is None or at_once:
            self._ahead = self._ahead[:0]  # rest may be interrupted at any time
        start = self.next_index + len(self._ahead)
        self._ahead = np.concatenate([self._ahead, what.samples])
        self._after = what.after
        return None if what.impact is None else start + what.impact

    def take(self, count: int) -> Samples:
        """The next `count` samples."""
        while len(self._ahead) < count:
            if self._after is not None:
                self._posture, self._after = self._after, None
            rest = motion.still(self._posture, _STRETCH_S, self.random)
            self._ahead = np.concatenate([self._ahead, rest])
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        self.next_index += count
        return taken
