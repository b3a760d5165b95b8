"""Budget: from "one false alert in so many days" to a limit of surprise. Pure.

The greatest surprise of each of the last DAYS days is what this resident's own extreme days look like. Half of them
lie above the median; were what they lie above it by exponential, the surprise exceeded once in T days would be median +
scale * ln(T / 2). The tail is shorter than that (a day ends, people rise): scale * TAIL * ln(T / 2) fits. A
home that has lived few days borrows median and scale.
What a home's own tail does not fit is corrected by what comes of it: each false alert raises the limit by STEP, and in
the days of the budget it sinks by as much again, never below what was computed (adaptive conformal inference, Gibbs &
Candes 2021, arXiv 2106.00170, held to the careful side).
TAIL, MEDIAN and SCALE with their weights, STEP: walk-forward on the development homes (SYNTHETIC),
docs/routine.md.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import log
from statistics import median

DAYS = 60
TAIL = 0.6
MEDIAN, MEDIAN_DAYS = 5.5, 8
SCALE, SCALE_DAYS = 1.2, 30
NEW, NEW_DAYS = 3.0, 14
"""On the first day so much is added, less each day: what is borrowed may not fit this home."""
STEP, HIGHEST = 0.5, 3.0


@lru_cache(maxsize=32)
def limit(peaks: tuple[float, ...], budget_days: float) -> float:
    """The surprise that comes by chance once in `budget_days`. `peaks`: the greatest of each day."""
    middle = MEDIAN
    if peaks:
        middle = (median(peaks) * len(peaks) + MEDIAN * MEDIAN_DAYS) / (len(peaks) + MEDIAN_DAYS)
    beyond = [peak - middle for peak in peaks if peak > middle]
    scale = (sum(beyond) + SCALE * SCALE_DAYS) / (len(beyond) + SCALE_DAYS)
    unknown = max(1.0 - len(peaks) / NEW_DAYS, 0.0)
    return middle + scale * TAIL * log(max(budget_days, 4.0) / 2) + NEW * unknown


def raised(before: float) -> float:
    """What is added to the limit after one false alert more."""
    return min(before + STEP, HIGHEST)


def sunk(before: float, days: float, budget_days: float) -> float:
    """What is still added to the limit after so many days more."""
    return max(before - STEP * days / budget_days, 0.0)


def kept(peaks: Sequence[float], peak: float | None) -> tuple[float, ...]:
    """The peaks with that of one day more, None for a day that tells nothing."""
    return tuple(peaks[-DAYS:]) if peak is None else (*peaks, peak)[-DAYS:]
