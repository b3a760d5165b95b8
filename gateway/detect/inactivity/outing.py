"""Outing: when is who went out overdue. Pure.

The door to the outside as the last sign begins an outing. How long one takes depends on when it begins: a walk in the
afternoon ends in hours, who leaves in the morning may stay for the day. Overdue is who stays MARGIN_H longer than nine
in ten of the outings begun around this time of day, weighted by how near (NEAR_H, the deviation of a Gaussian).
A home that has seen few borrows those of PRIOR.
NINE_IN_TEN, MARGIN_H, NEAR_H: walk-forward on the development homes (SYNTHETIC), docs/routine.md.
"""

from functools import lru_cache
from math import exp, log2

import msgspec

from gateway.detect.inactivity.hazard import Gap

KEPT = 100
SHORTEST_MIN, LONGEST_MIN = 10, 16 * 60
"""A shorter one is a parcel at the door, a longer one a journey: neither says how long an outing takes."""
NINE_IN_TEN = 0.9
MARGIN_H = 1.5
HUMAN_MARGIN_H = 5.0
"""Who has come home may sit for hours before the next human-only sign."""
NEAR_H = 0.5
LATEST_H = 14.0


class Outing(msgspec.Struct, frozen=True, array_like=True):
    """One that ended: begun at this hour of the day, 0..24, and how long it took."""

    hour: float
    hours: float


PRIOR = tuple(Outing(hour, 9.0 if hour < 12 else 3.0) for hour in (8, 8, 9, 9, 10, 10, 11, 11, *range(12, 20)))
PRIOR_WEIGHT = 0.5


def learned(outings: tuple[Outing, ...], gap: Gap) -> tuple[Outing, ...]:
    """The outings with one more that ended."""
    if not SHORTEST_MIN <= gap.minutes <= LONGEST_MIN:
        return outings
    return (*outings, Outing(round(gap.local_s % 86400.0 / 3600.0, 2), round(gap.minutes / 60.0, 2)))[-KEPT:]


@lru_cache(maxsize=64)
def limit_s(outings: tuple[Outing, ...], local_s: float | None, budget_days: float, *, human: bool = False) -> float:
    """Seconds after which who left at this time of day is overdue. `local_s` None: of all outings alike.

    `human`: only human-only signs end an outing.
    """
    hour = None if local_s is None else local_s % 86400.0 / 3600.0
    weighed = sorted([(outing.hours, _near(outing, hour)) for outing in outings]
                     + [(outing.hours, PRIOR_WEIGHT * _near(outing, hour)) for outing in PRIOR])
    left = NINE_IN_TEN * sum(weight for _, weight in weighed)
    usual_h = weighed[-1][0]
    for hours, weight in weighed:
        left -= weight
        if left <= 0.0:
            usual_h = hours
            break
    margin_h = (HUMAN_MARGIN_H if human else MARGIN_H) + 0.5 * log2(max(budget_days, 7.5) / 60.0)
    return min(usual_h + margin_h, LATEST_H) * 3600.0


def _near(outing: Outing, hour: float | None) -> float:
    if hour is None:
        return 1.0
    apart_h = (outing.hour - hour + 12.0) % 24.0 - 12.0
    return exp(-0.5 * (apart_h / NEAR_H) ** 2) + 1e-6
