"""Outing: when is who went out overdue. Pure.

The door to the outside as the last sign begins an outing. How long one takes depends on when it begins: a walk in the
afternoon ends in hours, who leaves in the morning may stay for the day. Of all moments to tell the best is chosen for
the outings begun around this time of day, weighted by how near (NEAR_H, the deviation of a Gaussian): the later, the
fewer of them would be told falsely, and the fewer would be told soon, had one not returned from them. So where a day
out is usual in the morning it is waited for, and where it is rare it is not.
A home that has seen few borrows those of PRIOR.
WORTH, SPREAD_H, NEAR_H: walk-forward on the development homes (SYNTHETIC), docs/routine.md.
"""

from functools import lru_cache
from math import exp

import msgspec

from gateway.detect.inactivity.hazard import Gap

KEPT = 100
SHORTEST_MIN, LONGEST_MIN = 10, 16 * 60
"""A shorter one is a parcel at the door, a longer one a journey: neither says how long an outing takes."""
WORTH = 10.0
"""At a budget of 60 days a false alert weighs as much as so many true ones later than PROMPT_H after the return due."""
PROMPT_H = 4.0
SPREAD_H = 0.75
"""The next outing may last so much longer than those before it."""
SELDOM_H = 3.5
"""Who has come home may sit for hours before the next human-only sign."""
NEAR_H = 0.5
EARLIEST_H, LATEST_H, EVERY_H = 3.0, 14.0, 0.25


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
def limit_s(outings: tuple[Outing, ...], local_s: float | None, budget_days: float, *, seldom: bool = False) -> float:
    """Seconds after which who left at this time of day is overdue. `local_s` None: of all outings alike.

    `seldom`: what ends an outing is seldom told.
    """
    hour = None if local_s is None else local_s % 86400.0 / 3600.0
    weighed = [(outing.hours, _near(outing, hour)) for outing in outings]
    weighed += [(outing.hours, PRIOR_WEIGHT * _near(outing, hour)) for outing in PRIOR]
    worth = WORTH * budget_days / 60.0

    def cost(at_h: float) -> float:
        false = sum(weight for hours, weight in weighed if hours >= at_h - SPREAD_H)
        return worth * false + sum(weight for hours, weight in weighed if hours < at_h - PROMPT_H)

    steps = range(int((LATEST_H - EARLIEST_H) / EVERY_H) + 1)
    usual_h = min((EARLIEST_H + EVERY_H * step for step in steps), key=cost)
    return min(usual_h + (SELDOM_H if seldom else 0.0), LATEST_H) * 3600.0


def _near(outing: Outing, hour: float | None) -> float:
    if hour is None:
        return 1.0
    apart_h = (outing.hour - hour + 12.0) % 24.0 - 12.0
    return exp(-0.5 * (apart_h / NEAR_H) ** 2) + 1e-6
