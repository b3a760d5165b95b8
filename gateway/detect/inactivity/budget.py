"""Budget: from "one false alert in so many days" to a limit of surprise. Pure.

The greatest surprise of each of the last DAYS days is what this resident's own extreme days look like. Half of them
lie above the median; what they lie above it by falls off exponentially. The surprise that is exceeded once in T days is
then median + scale * ln(T / 2). The tail is shorter than that (a day ends, people rise), by the factor TAIL. A home
that has lived few days borrows median and scale.
TAIL, MEDIAN and SCALE with their weights: walk-forward on the development homes (SYNTHETIC), docs/routine.md.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import log
from statistics import median

DAYS = 60
TAIL = 0.72
MEDIAN, MEDIAN_DAYS = 5.5, 8
SCALE, SCALE_DAYS = 1.2, 30


@lru_cache(maxsize=32)
def limit(peaks: tuple[float, ...], budget_days: float) -> float:
    """The surprise that comes by chance once in `budget_days`. `peaks`: the greatest of each day."""
    middle = MEDIAN
    if peaks:
        middle = (median(peaks) * len(peaks) + MEDIAN * MEDIAN_DAYS) / (len(peaks) + MEDIAN_DAYS)
    beyond = [peak - middle for peak in peaks if peak > middle]
    scale = (sum(beyond) + SCALE * SCALE_DAYS) / (len(beyond) + SCALE_DAYS)
    return middle + TAIL * scale * log(max(budget_days, 4.0) / 2)


def kept(peaks: Sequence[float], peak: float | None) -> tuple[float, ...]:
    """The peaks with that of one day more, None for a day that tells nothing."""
    return tuple(peaks[-DAYS:]) if peak is None else (*peaks, peak)[-DAYS:]
