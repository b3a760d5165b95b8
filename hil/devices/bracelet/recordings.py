"""Recordings: falls and daily life of real people from an npz, laid on the bracelet's own 52 Hz.

Format: `acc_mg` int16 [n, 3], `offset` int64 [trials + 1], `fs` Hz of each trial, and where labelled `is_fall`,
`activity`, `subject`, `fall_start_s` and `fall_end_s` (NaN where unknown).
"""

from pathlib import Path

import numpy as np

from hil.devices.bracelet.motion import FULL_SCALE_MG, RATE_HZ, Motion, Samples

_WINDOW_S = 1.0  # an impact may lie so long after the annotated end


class Recordings:
    """The trials of one file."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self._data = {name: file[name] for name in file.files}
        self.count = len(self._data["fs"])
        is_fall = self._data.get("is_fall", np.zeros(self.count, bool)).astype(bool)
        self.falls = [int(trial) for trial in np.flatnonzero(is_fall)]

    def trials_of(self, activity: str) -> list[int]:
        """Trials of one activity that are no falls."""
        activities = self._data.get("activity", np.full(self.count, ""))
        falls = set(self.falls)
        return [int(trial) for trial in np.flatnonzero(activities == activity) if int(trial) not in falls]

    def motion(self, trial: int) -> Motion:
        """One trial, resampled and clipped as the bracelet would."""
        if not 0 <= trial < self.count:
            raise ValueError(f"trial {trial}: there are 0 to {self.count - 1}")
        offset, rate_hz = self._data["offset"], float(self._data["fs"][trial])
        samples = resampled(self._data["acc_mg"][offset[trial]:offset[trial + 1]], rate_hz)
        impact = self._impact(trial, samples) if trial in self.falls else None
        after = samples[-RATE_HZ // 2:].mean(axis=0)
        labels = [str(self._data[name][trial]) for name in ("activity", "subject") if name in self._data]
        return Motion(samples, after, impact, f"recording {trial} {' '.join(labels)}".strip())

    def _impact(self, trial: int, samples: Samples) -> int:
        """The largest acceleration within the annotated fall, or in the whole trial."""
        size = np.linalg.norm(samples.astype(np.float64), axis=1)
        start_s, end_s = (float(self._data[name][trial]) if name in self._data else np.nan
                          for name in ("fall_start_s", "fall_end_s"))
        if np.isnan(start_s) or np.isnan(end_s):
            return int(size.argmax())
        first, last = round(start_s * RATE_HZ), round((end_s + _WINDOW_S) * RATE_HZ)
        first = min(max(first, 0), len(size) - 1)
        return first + int(size[first:max(last, first + 1)].argmax())


def resampled(samples: Samples, rate_hz: float) -> Samples:
    """Lay samples on RATE_HZ by linear interpolation, clipped to the bracelet's range."""
    times_s = np.arange(len(samples)) / rate_hz
    wanted_s = np.arange(int(times_s[-1] * RATE_HZ) + 1) / RATE_HZ
    axes = [np.interp(wanted_s, times_s, samples[:, axis]) for axis in range(3)]
    return np.clip(np.rint(np.stack(axes, axis=1)), -FULL_SCALE_MG, FULL_SCALE_MG - 1).astype(np.int16)
