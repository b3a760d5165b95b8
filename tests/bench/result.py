"""Row: one figure of a benchmark, beside the floor that the same run measured, with the limit it is held to.

A limit is the project's promise: on `ratio` (value / floor) where there is a floor, else on the value itself.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound that must hold: `at_least` or `at_most` the `bound`."""

    at_least: bool
    bound: float

    def holds(self, number: float) -> bool:
        return number >= self.bound if self.at_least else number <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_least(bound: float) -> Limit:
    return Limit(at_least=True, bound=bound)


def at_most(bound: float) -> Limit:
    return Limit(at_least=False, bound=bound)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `spread`: the lowest and the highest of the rounds whose median `value` is; so `floor_spread`."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    limit: Limit | None = None
    spread: tuple[float, float] | None = None
    floor_spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def holds(self) -> bool | None:
        """Tell whether the limit holds; None where there is none."""
        if self.limit is None:
            return None
        return self.limit.holds(self.value if self.ratio is None else self.ratio)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "value": _short(self.value), "unit": self.unit,
            "floor": None if self.floor is None else _short(self.floor),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "limit": None if self.limit is None else str(self.limit), "holds": self.holds,
            "spread": self.spread and [_short(number) for number in self.spread],
            "floor_spread": self.floor_spread and [_short(number) for number in self.floor_spread],
            "note": self.note,
        }


def compared(name: str, unit: str, values: Sequence[float], floors: Sequence[float], limit: Limit | None = None,
             note: str = "") -> Row:
    """Return the row of rounds that were interleaved with those of a floor: median beside median."""
    return Row(name, statistics.median(values), unit, statistics.median(floors), limit, (min(values), max(values)),
               (min(floors), max(floors)), note)


def measured(name: str, unit: str, values: Sequence[float], limit: Limit | None = None, note: str = "") -> Row:
    """Return the row of rounds that stand for themselves."""
    return Row(name, statistics.median(values), unit, None, limit, (min(values), max(values)), None, note)


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _short(number: float) -> float:
    return round(number, 4 if abs(number) < 10 else 1)
