"""Recordings of people with an accelerometer on the wrist, as the detectors are shown them.

Two sets, each an npz file: `acc_mg` int16 [n, 3] (milli-g, gravity included), `offset` (trial i is the rows
offset[i]..offset[i+1]), `fs` (Hz) and, for each trial, `subject`, `group`, `activity`, `is_fall`, `fall_start_s`,
`fall_end_s` (NaN where nobody annotated the fall).

- UMAFall: Casilari, Santoyo-Ramon, Cano-Garcia, Procedia Computer Science 110 (2017) 32-39; figshare 4214283; the
  wrist's SensorTag. Falls that young people made on purpose, and daily life of three age groups.
- WISDM: Weiss, Yoneda, Hayajneh, IEEE Access 7 (2019) 133190-133202; UCI repository 507; the watch. Daily life only,
  and a sensor that ends at +-2 g.
"""

import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SHARED = Path(os.environ.get("ANJU_SHARED", Path(__file__).parents[4] / "shared"))
FOLDER = SHARED / "data" / "falls"
EARLY_S, LATE_S, MATCH_S = 0.5, 1.0, 1.6
COLUMNS = ("acc_mg", "offset", "fs", "subject", "group", "activity", "is_fall", "fall_start_s", "fall_end_s")
FILES = {"UMAFall": "umafall_dev.npz", "WISDM": "wisdm_watch_dev.npz"}
ACTIVITIES = dict(zip("ABCDEFGHIJKLMOPQRS", (
    "walking", "jogging", "stairs", "sitting", "standing", "typing", "brushing teeth", "eating soup", "eating chips",
    "eating pasta", "drinking", "eating a sandwich", "kicking a ball", "catching a ball", "dribbling a ball", "writing",
    "clapping", "folding clothes"), strict=True))
"""WISDM's letters (activity_key.txt of the set)."""


class BadRecordings(Exception):
    """A file of recordings cannot be used; the message ends with the cure."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One recording. `acc_mg`: int16 [n, 3]; `fall_s`: begin and end of the fall, where somebody annotated it."""

    subject: str
    group: str
    activity: str
    is_fall: bool
    rate_hz: float
    acc_mg: Any
    fall_s: tuple[float, float] | None = None

    @property
    def duration_s(self) -> float:
        return len(self.acc_mg) / self.rate_hz

    def window_s(self) -> tuple[float, float]:
        """Where the impact of a fall lies: in what was annotated, or near the largest |a| as recorded, in seconds."""
        if self.fall_s is not None:
            return self.fall_s[0] - EARLY_S, self.fall_s[1] + LATE_S
        peak_s = float((self.acc_mg.astype(float) ** 2).sum(axis=1).argmax()) / self.rate_hz
        return peak_s - MATCH_S, peak_s + MATCH_S


def missing(folder: Path = FOLDER) -> str | None:
    """Say what is missing and how to get it; None where the recordings are there."""
    if all((folder / name).is_file() for name in FILES.values()):
        return None
    return (f"no recordings in {folder}: get UMAFall (figshare 4214283, the wrist's accelerometer) and WISDM (UCI "
            f"repository 507, the watch's), store them as {' and '.join(FILES.values())} with the arrays that the head "
            "of gateway/training/falls/recordings.py lists, and set ANJU_SHARED to the folder that holds data/falls")


def load(name: str, every: int = 1, folder: Path = FOLDER) -> list[Trial]:
    """Return every n-th trial of a set. Raises BadRecordings."""
    import numpy as np

    path = folder / FILES[name]
    cure = "store it with the arrays that the head of gateway/training/falls/recordings.py lists"
    try:
        with np.load(path) as file:
            absent = [key for key in COLUMNS if key not in file.files]
            column = {} if absent else {key: file[key] for key in COLUMNS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadRecordings(f"{path} cannot be used (no npz file, or damaged: {error}): {cure}") from error
    if absent:
        raise BadRecordings(f"{path} cannot be used (it has no {', no '.join(absent)}): {cure}")
    return [_trial(column, place) for place in range(0, len(column["fs"]), every)]


def _trial(column: dict[str, Any], place: int) -> Trial:
    begin_s, end_s = float(column["fall_start_s"][place]), float(column["fall_end_s"][place])
    activity = str(column["activity"][place])
    return Trial(
        str(column["subject"][place]), str(column["group"][place]), ACTIVITIES.get(activity, activity),
        bool(column["is_fall"][place]), float(column["fs"][place]),
        column["acc_mg"][column["offset"][place] : column["offset"][place + 1]],
        (begin_s, end_s) if begin_s == begin_s else None,
    )


def clipped(trials: Sequence[Trial], range_g: float) -> list[Trial]:
    """Return the same movement as a sensor of +-`range_g` would have told it."""
    import numpy as np

    limit = round(range_g * 1000)
    return [replace(trial, acc_mg=np.clip(trial.acc_mg, -limit, limit)) for trial in trials]


def at_rate(trials: Sequence[Trial], rate_hz: float) -> list[Trial]:
    """Return the same movement sampled at another rate, linear between the samples: nothing new is in it."""
    import numpy as np

    def again(trial: Trial) -> Trial:
        old_s = np.arange(len(trial.acc_mg)) / trial.rate_hz
        new_s = np.arange(int(trial.duration_s * rate_hz)) / rate_hz
        axes = [np.interp(new_s, old_s, axis) for axis in trial.acc_mg.T]
        return replace(trial, rate_hz=rate_hz, acc_mg=np.rint(np.stack(axes, axis=1)).astype(np.int16))

    return [again(trial) for trial in trials]
