"""What others do, on the same homes: a fixed limit of hours, and a line learned for each hour of the day, times two.

The learned line follows Cuddihy et al., Algorithm to automatically detect abnormally long periods of inactivity in a
home (ACM HealthNet 2007), and its patent US 7,091,865: from the last days a line of the longest normal silence by time
of day, plus a buffer. Ours: the longest silence that was reached in each hour of the day in the last 28 days, times
two; for the first week 12 h. Their percentile and buffer are not known to us in full, so this is what the idea gives,
not their product.

Favours: none of them counts while the front door was the last event (nobody is at home), nor across a gateway that was
down. A rival that counted silence away from home would be worse on the false alerts. Each tells a silence once.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from tests.bench.routine.homes import Home, rows, seconds
from tests.bench.routine.product import HORIZON_H, going_on
from tests.bench.routine.score import DAY_S, HOUR_S, Told

INACTIVITY = "inactivity"
FACTOR, LINE_DAYS, FIRST_DAYS, FIRST_H = 2.0, 28, 7, 12.0

Sign = tuple[float, bool, bool]
"""(at_s, the front door, the gateway that came back)."""


class Fixed:
    """So many hours."""

    def __init__(self, hours: float) -> None:
        self._limit_s = hours * HOUR_S

    def learn(self, since_s: float, until_s: float) -> None:
        """There is nothing to learn."""

    def told_s(self, since_s: float, until_s: float) -> float | None:
        """When a silence is told, if it lasts until then."""
        return since_s + self._limit_s if since_s + self._limit_s < until_s else None


class Line:
    """The longest silence of the last days by hour of the day, times FACTOR; set anew each midnight."""

    def __init__(self) -> None:
        self._days: deque[list[float]] = deque(maxlen=LINE_DAYS)
        self._day, self._known = -math.inf, 0
        self._line_s = [FIRST_H * HOUR_S] * 24

    def learn(self, since_s: float, until_s: float) -> None:
        """A silence that ended."""
        for begin_s, end_s in hours(since_s, until_s):
            day, hour = begin_s // DAY_S, int(begin_s % DAY_S // HOUR_S)
            if day > self._day:
                self._known += 1
                if self._known > FIRST_DAYS:
                    self._line_s = [FACTOR * max(longest) for longest in zip(*self._days, strict=True)]
                self._day = day
                self._days.append([0.0] * 24)
            self._days[-1][hour] = max(self._days[-1][hour], end_s - since_s)

    def told_s(self, since_s: float, until_s: float) -> float | None:
        """When a silence is told, if it lasts until then."""
        for begin_s, end_s in hours(since_s, until_s):
            crossed_s = max(begin_s, since_s + self._line_s[int(begin_s % DAY_S // HOUR_S)])
            if crossed_s < end_s:
                return crossed_s
        return None


RIVALS: Mapping[str, Callable[[], Fixed | Line]] = {
    "fixed 8 h": lambda: Fixed(8), "fixed 12 h": lambda: Fixed(12), "learned line × 2": Line}


def told(home: Home, rival: Fixed | Line) -> list[Told]:
    """What a rival tells in a home and its cases, knowing only the past."""
    signs = [sign for row in rows(home.events) if (sign := _sign(row)) is not None]
    going: dict[int, list[Sign]] = {}
    for row in going_on(home):
        if (sign := _sign(row)) is not None:
            going.setdefault(int(row["case"]), []).append(sign)
    waiting = sorted(range(len(home.cases)), key=lambda number: home.cases[number].at_s)
    found: list[Told] = []
    for last, sign in pairwise([*signs, (math.inf, False, False)]):
        while waiting and home.cases[waiting[0]].at_s < sign[0]:
            number = waiting.pop(0)
            until = (home.cases[number].at_s + HORIZON_H * HOUR_S, False, False)
            found += [Told(number, at_s, INACTIVITY, True)
                      for at_s in _told([last, *sorted(going.get(number, ())), until], rival)]
        if sign[0] < math.inf:
            found += [Told(None, at_s, INACTIVITY, True) for at_s in _told([last, sign], rival)]
            if not last[1] and not sign[2]:
                rival.learn(last[0], sign[0])
    return found


def hours(since_s: float, until_s: float) -> Iterator[tuple[float, float]]:
    """Cut a span at full hours."""
    begin_s = since_s
    while begin_s < until_s:
        end_s = min(until_s, (begin_s // HOUR_S + 1) * HOUR_S)
        yield begin_s, end_s
        begin_s = end_s


def _told(signs: Sequence[Sign], rival: Fixed | Line) -> Iterator[float]:
    for (since_s, door, _), (until_s, _, booted) in pairwise(signs):
        at_s = None if door or booted else rival.told_s(since_s, until_s)
        if at_s is not None:
            yield at_s


def _sign(row: Mapping[str, str]) -> Sign | None:
    """Everything that a sensor tells is a sign; a gateway that came back begins anew."""
    if row["kind"] == "link":
        return (seconds(row["time"]), False, True) if row["value"] == "BOOT" else None
    return (seconds(row["time"]), row["kind"] == "door", False)
