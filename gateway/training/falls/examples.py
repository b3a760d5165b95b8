"""From recordings to examples: every candidate that the detector would look at, with its features and whether it fell.

The windows come out of the detector's own grid, rules and features, so what is fitted is what runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.detect.falls import features, grid, wrist
from gateway.detect.falls.recording import LEAD_S, Raw, extended
from gateway.model.reading import Accel
from gateway.training.falls import made_up, watches
from gateway.training.falls.recordings import MATCH_S, Trial

COPIES = {True: 8, False: 3}
"""Of each trial with, and without a fall: as recorded, and on so many other watches less one."""
CUT_SHARE, CUT_S = 0.3, (1.5, 6.0)
"""So many of the copies of a fall end this soon after its impact, as recordings do; what follows is made up."""
MADE_UP = 800


@dataclass(frozen=True, slots=True)
class Examples:
    """`vectors`: [n, len(features.NAMES)]. `fell`: whether each is a fall. `who`: the subject, by data set."""

    vectors: NDArray[np.float32]
    fell: NDArray[np.bool_]
    who: NDArray[np.str_]

    def of(self, subjects: Iterable[str], *, others: bool = False) -> "Examples":
        """Return those of these subjects, or of all others."""
        here = np.isin(self.who, list(subjects))
        chosen = ~here if others else here
        return Examples(self.vectors[chosen], self.fell[chosen], self.who[chosen])


def examples(trials: Sequence[Trial], seed: int = 0) -> Examples:
    """Return the examples of these trials and of made-up daily life. The same seed gives the same."""
    vectors: list[NDArray[np.float64]] = []
    fell: list[bool] = []
    who: list[str] = []

    def add(found: list[tuple[float, NDArray[np.float64]]], subject: str, low_s: float, high_s: float) -> None:
        for impact_s, vector in found:
            if impact_s > high_s:
                continue  # getting up after a fall is neither
            vectors.append(vector)
            fell.append(low_s <= impact_s)
            who.append(subject)

    for number, trial in enumerate(trials):
        random = np.random.default_rng([seed, number])
        low_s, high_s = trial.window_s() if trial.is_fall else (np.inf, np.inf)
        for copy in range(COPIES[trial.is_fall]):
            raw, rate_hz = trial.acc_mg, trial.rate_hz
            if copy:
                signal = trial.acc_mg / 1000
                if trial.is_fall and random.random() < CUT_SHARE:
                    signal = signal[: int((high_s - MATCH_S + random.uniform(*CUT_S)) * rate_hz)]
                raw, rate_hz = watches.other(signal, rate_hz, random)
            add(impacts(raw, rate_hz), trial.subject, low_s, high_s)
    random = np.random.default_rng([seed, len(trials)])
    for name, signal in made_up.trials(MADE_UP, random):
        raw, rate_hz = watches.other(signal, made_up.RATE_HZ, random)
        add(impacts(raw, rate_hz), f"made up: {name}", np.inf, np.inf)
    return Examples(np.array(vectors, np.float32), np.array(fell), np.array(who))


def impacts(samples_mg: Raw, rate_hz: float) -> list[tuple[float, NDArray[np.float64]]]:
    """Return (moment in seconds, features) of every candidate of a recording."""
    block = Accel(rate_hz, 16.0, 0, np.ascontiguousarray(extended(samples_mg, rate_hz), "<i2").tobytes())
    _, samples = grid.laid(grid.begin(block), block)
    first = round(LEAD_S * grid.RATE_HZ)
    end = min(first + round(len(samples_mg) / rate_hz * grid.RATE_HZ), len(samples) - features.AFTER)
    found = []
    for place in wrist.candidates(samples, first, end):
        window = wrist.window_around(samples, place)
        if window is not None:
            found.append((place / grid.RATE_HZ - LEAD_S, features.of(window.samples)))
    return found
