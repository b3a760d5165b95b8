"""Peaks: how long is too long, from the longest of each day.

Of the daily longest waits half lie above their median; above it they fall off like an exponential, whose mean excess is
`beta`. So one of `false_days` days has a wait above median + beta * ln(false_days / 2). Until there are days enough
they are filled up with the prior (peaks over threshold: Coles, An Introduction to Statistical Modeling of Extreme
Values, 2001, chapter 4, with shape 0).
"""

import math

import msgspec

KEPT = 60
PRIOR_DAYS = 10


class Peaks(msgspec.Struct, frozen=True):
    """The longest wait of each of the last days, and of the day that is not over, in seconds."""

    days: tuple[float, ...] = ()
    today_s: float = 0.0
    day: int | None = None


def grown(peaks: Peaks, wait_s: float, day: int) -> Peaks:
    """The peaks with one wait more, which ended on this day."""
    if day == peaks.day:
        return peaks if wait_s <= peaks.today_s else Peaks(peaks.days, wait_s, day)
    if peaks.day is None:
        return Peaks(peaks.days, wait_s, day)
    return Peaks((*peaks.days, peaks.today_s)[-KEPT:], wait_s, day)


def bound_s(peaks: Peaks, false_days: float, prior_median_s: float, prior_beta_s: float) -> float:
    """The wait that is exceeded on one of `false_days` days."""
    count = len(peaks.days)
    if not count:
        return prior_median_s + prior_beta_s * math.log(false_days / 2)
    ordered = sorted(peaks.days)
    median_s = ordered[count // 2]
    above = ordered[count // 2 + 1:]
    beta_s = sum(above) / len(above) - median_s if above else prior_beta_s
    weight = count / (count + PRIOR_DAYS)
    median_s = weight * median_s + (1 - weight) * prior_median_s
    beta_s = weight * beta_s + (1 - weight) * prior_beta_s
    return median_s + beta_s * math.log(false_days / 2)
