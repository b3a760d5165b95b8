"""How findings in labelled homes are scored: false alerts a home-year, and hours until somebody is told.

Rules
 1. A home's time begins at midnight of its first day. Rates are of the time after SETTLED_S; the first days (FIRST_S)
    are told apart, a home each.
 2. An urgent finding in the recording itself is false, unless it falls into illness or a gateway that is down, or into
    LATE_S after. Gap kinds are inactivity and not_up.
 3. A case is noticed by the first urgent finding of any kind at or after its moment. The delay counts from then; asleep
    and away, from when the resident would have risen or returned; 0 if earlier. What comes later than UNNOTICED_H, or
    never, counts as UNNOTICED_H.
Intervals hold 95 % for independent cases; cases in one home are not independent, so they are rather too narrow.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.bench.routine.homes import Home

DAY_S, HOUR_S, YEAR_S = 86400.0, 3600.0, 365 * 86400.0
SETTLED_S, FIRST_S, LATE_S = 28 * DAY_S, 14 * DAY_S, 2 * HOUR_S
UNNOTICED_H = 24.0
GAP = frozenset({"inactivity", "not_up"})
REDUCED = "cover_reduced"
DAYTIME_H = range(9, 21)


@dataclass(frozen=True)
class Told:
    """A finding. `case`: its number, None in the recording itself."""

    case: int | None
    at_s: float
    kind: str
    urgent: bool


@dataclass(frozen=True)
class Verdict:
    """What was made of one home. `false`: kind -> how many after SETTLED_S; `delays_h`: kind of case -> hours.

    `day_h`: of the collapses in the daytime. `reduced_d`: days until reduced cover was declared, None if never.
    """

    home: Home
    years: float
    false: dict[str, int]
    first: int
    delays_h: dict[str, list[float]]
    day_h: list[float]
    reduced_d: float | None

    def count(self, kinds: Callable[[str], bool]) -> int:
        """False alerts of these kinds."""
        return sum(count for kind, count in self.false.items() if kinds(kind))


def judge(home: Home, told: Iterable[Told]) -> Verdict:
    """The verdict on what a detector told of a home."""
    told = sorted(told, key=lambda one: one.at_s)
    begin_s = home.first_s // DAY_S * DAY_S
    real = [one for one in told if one.case is None]
    false = [one for one in real if one.urgent and not any(
        start_s <= one.at_s <= end_s + LATE_S for start_s, end_s in home.excused_s)]
    counts: dict[str, int] = {}
    for one in false:
        if one.at_s >= begin_s + SETTLED_S:
            counts[one.kind] = counts.get(one.kind, 0) + 1
    first_of: dict[int, float] = {}
    for one in told:
        if one.case is not None and one.urgent and one.at_s >= home.cases[one.case].at_s:
            first_of.setdefault(one.case, one.at_s)
    delays_h: dict[str, list[float]] = {}
    day_h: list[float] = []
    for number, case in enumerate(home.cases):
        delay_h = (first_of.get(number, math.inf) - case.due_s) / HOUR_S
        delays_h.setdefault(case.kind, []).append(min(max(delay_h, 0.0), UNNOTICED_H))
        if case.kind == "collapse_any" and case.at_s % DAY_S // HOUR_S in DAYTIME_H:
            day_h.append(delays_h[case.kind][-1])
    reduced = next(((one.at_s - begin_s) / DAY_S for one in real if one.kind == REDUCED), None)
    return Verdict(home, (home.last_s - begin_s - SETTLED_S) / YEAR_S, counts,
                   sum(one.at_s < begin_s + FIRST_S for one in false), delays_h, day_h, reduced)


def pooled(verdicts: Sequence[Verdict], kind: str) -> list[float]:
    """The delays of one kind of case in all these homes."""
    return [delay_h for verdict in verdicts for delay_h in verdict.delays_h.get(kind, ())]


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile, linear between the values. Raises ValueError where there are none."""
    if not values:
        raise ValueError("no values")
    ordered, place = sorted(values), (len(values) - 1) * percent / 100
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def interval(values: Sequence[float], percent: float) -> tuple[float, float]:
    """The 95 % interval of a percentile between two of the values: exact, from the binomial law of their ranks.

    Conover, Practical Nonparametric Statistics (Wiley 1999), section 3.2. The ends where there are too few values.
    """
    ordered, n, below = sorted(values), len(values), 0.0
    low, high = 0, n - 1
    for rank in range(n):
        ways = math.lgamma(n + 1) - math.lgamma(rank + 1) - math.lgamma(n - rank + 1)
        below += math.exp(ways + rank * math.log(percent / 100) + (n - rank) * math.log(1 - percent / 100))
        if below <= 0.025:
            low = rank
        if below >= 0.975:
            high = rank
            break
    return ordered[low], ordered[high]


def share(values: Sequence[float], holds: Callable[[float], bool]) -> tuple[int, int]:
    """(how many hold, of how many)."""
    return sum(map(holds, values)), len(values)


def mean_first(verdicts: Sequence[Verdict]) -> float:
    """False alerts a home in the first days."""
    return statistics.mean(verdict.first for verdict in verdicts)
