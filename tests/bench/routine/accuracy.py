"""False alerts a home-year and hours until somebody is told, beside the rivals, on the same SYNTHETIC homes.

Rows are named "homes, detector, measure". The spread is a 95 % interval: of a rate by Byar's approximation, of a share
Wilson's, of a percentile by the binomial law of its ranks.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from gateway.training.falls.score import byar, wilson
from tests.bench.lab import Lab
from tests.bench.result import Limit, Row, at_least, at_most
from tests.bench.routine import product, rivals
from tests.bench.routine.homes import Home, homes
from tests.bench.routine.score import GAP, UNNOTICED_H, Verdict, interval, judge, mean_first, percentile, pooled, share

BUDGETS_DAYS = (30.0, 60.0, 120.0)
BUDGET_DAYS = 60.0
WITHOUT, WITH, ALL = "synthetic homes without a pet", "synthetic homes with a pet", "synthetic homes"
ANJU = "Anju"
NIGHT_EXIT_H, RETURN_H, REDUCED_D = 20 / 60, 4.0, 7.0
Limits = dict[str, Limit]

LIMITS: dict[str, Limits] = {
    WITHOUT: {"false gap alerts": at_most(5), "collapse, median": at_most(3.8), "collapse, p90": at_most(8.5),
              "collapse by day, median": at_most(3.3), "collapse unnoticed in 24 h": at_most(1),
              "false in days 1-14": at_most(0.5)},
    WITH: {"false alerts": at_most(6), "collapse unnoticed in 24 h": at_most(10),
           "reduced cover declared in 7 days": at_least(100)},
    ALL: {"false alerts, other kinds": at_most(4), "false not_returned": at_most(2),
            "night exit told in 20 min": at_least(95), "not returned, told in 4 h": at_least(80),
            "collapse in the bathroom, median": at_most(1.5)},
}
"""Homes -> measure -> what the product promises at the default budget."""


async def run(lab: Lab) -> list[Row]:
    """The product and its rivals at the default budget."""
    known = chosen(lab)
    found = {ANJU: product_verdicts(lab, known, BUDGET_DAYS)}
    for name, make in rivals.RIVALS.items():
        lab.say(f"routine: {name}")
        found[name] = [judge(home, rivals.told(home, make())) for home in known]
    return [row for detector, verdicts in found.items() for group, some in grouped(verdicts)
            for row in rows(group, detector, some)]


async def budgets(lab: Lab) -> list[Row]:
    """What is realised of each budget where no pet lives: the ratio to what it promises, and what it buys."""
    known = [home for home in chosen(lab) if not home.pet]
    return [row for days in BUDGETS_DAYS for row in budget_rows(days, product_verdicts(lab, known, days))]


async def homes_apart(lab: Lab) -> list[Row]:
    """The product in every single home: a good mean must hide no home."""
    return [row for one in product_verdicts(lab, chosen(lab), BUDGET_DAYS)
            for row in rows(f"synthetic home {one.home.name}{' (pet)' if one.home.pet else ''}", ANJU, [one])]


def chosen(lab: Lab) -> list[Home]:
    """The homes of this run."""
    known = homes()
    return known[:: max(1, round(1 / lab.scale))]


_KNOWN: dict[tuple[str, float], Verdict] = {}  # a run of minutes is not repeated for another table


def product_verdicts(lab: Lab, known: Sequence[Home], budget_days: float) -> list[Verdict]:
    """The product's verdicts on these homes."""
    new = [home for home in known if (home.name, budget_days) not in _KNOWN]
    if new:
        lab.say(f"routine: Anju in {len(new)} homes, T = {budget_days:g} days")
        with lab.room() as folder:
            for one in product.replay(new, folder, budget_days):
                _KNOWN[one.home.name, budget_days] = judge(one.home, one.told)
    return [_KNOWN[home.name, budget_days] for home in known]


def grouped(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, list[Verdict]]]:
    """All homes, and those without and with a pet."""
    groups: dict[str, Callable[[Verdict], bool]] = {
        WITHOUT: lambda one: not one.home.pet, WITH: lambda one: one.home.pet, ALL: lambda one: True}
    for name, belongs in groups.items():
        if some := [one for one in verdicts if belongs(one)]:
            yield name, some


def rows(group: str, detector: str, verdicts: Sequence[Verdict]) -> list[Row]:
    """Every measure of these homes; limits are for the product in whole groups."""
    limits = LIMITS.get(group, {}) if detector == ANJU else {}
    years = sum(one.years for one in verdicts)
    found: list[Row] = []

    def add(measure: str, value: float, unit: str, spread: tuple[float, float] | None, note: str = "") -> None:
        name = f"{group}, {detector}, {measure}"
        found.append(Row(name, value, unit, limit=limits.get(measure), spread=spread, note=note))

    def rate(measure: str, kinds: Callable[[str], bool]) -> None:
        count = sum(one.count(kinds) for one in verdicts)
        low, high = byar(count)
        each = {kind: sum(one.false.get(kind, 0) for one in verdicts) for one in verdicts for kind in one.false}
        told = ", ".join(f"{kind} {of}" for kind, of in sorted(each.items()) if kinds(kind))
        add(measure, count / years, "/home-year", (low / years, high / years),
            f"{count} in {years:.2f} home-years: {told or 'none'}")

    def delay(measure: str, delays_h: Sequence[float], percent: float) -> None:
        if delays_h:
            add(measure, percentile(delays_h, percent), "h", interval(delays_h, percent), f"{len(delays_h)} cases")

    def part(measure: str, values: Sequence[float], holds: Callable[[float], bool]) -> None:
        count, of = share(values, holds)
        if of:
            low, high = wilson(count, of)
            add(measure, 100 * count / of, "%", (100 * low, 100 * high), f"{count} of {of}")

    rate("false alerts", lambda kind: True)
    rate("false gap alerts", lambda kind: kind in GAP)
    rate("false not_returned", lambda kind: kind == "not_returned")
    rate("false alerts, other kinds", lambda kind: kind not in GAP)
    add("false in days 1-14", mean_first(verdicts), "/home", None, f"{len(verdicts)} homes")
    collapse, by_day = pooled(verdicts, "collapse_any"), [delay_h for one in verdicts for delay_h in one.day_h]
    delay("collapse, median", collapse, 50)
    delay("collapse, p90", collapse, 90)
    delay("collapse by day, median", by_day, 50)
    part("collapse unnoticed in 24 h", collapse, lambda delay_h: delay_h >= UNNOTICED_H)
    delay("collapse in the bathroom, median", pooled(verdicts, "collapse_bathroom"), 50)
    delay("collapse asleep, from waking, median", pooled(verdicts, "collapse_asleep"), 50)
    part("not returned, told in 4 h", pooled(verdicts, "no_return"), lambda delay_h: delay_h <= RETURN_H)
    part("night exit told in 20 min", pooled(verdicts, "night_exit"), lambda delay_h: delay_h <= NIGHT_EXIT_H)
    reduced = [math.inf if one.reduced_d is None else one.reduced_d for one in verdicts]
    part("reduced cover declared in 7 days", reduced, lambda days: days <= REDUCED_D)
    return found


def budget_rows(days: float, verdicts: Sequence[Verdict]) -> list[Row]:
    """Realised beside promised: the floor is what T promises, the limits 0.5 to 2 times that."""
    years = sum(one.years for one in verdicts)
    count, promised = sum(one.count(lambda kind: kind in GAP) for one in verdicts), 365 / days
    low, high = byar(count)
    spread, note = (low / years, high / years), f"{count} in {years:.2f} home-years; the floor is what T promises"
    name, collapse = f"{WITHOUT}, T = {days:g} d", pooled(verdicts, "collapse_any")
    return [
        Row(f"{name}, false gap alerts, at most twice", count / years, "/home-year", promised, at_most(2), spread,
            note=note),
        Row(f"{name}, false gap alerts, at least half", count / years, "/home-year", promised, at_least(0.5), spread),
        Row(f"{name}, collapse, median", percentile(collapse, 50), "h", spread=interval(collapse, 50)),
        Row(f"{name}, collapse, p90", percentile(collapse, 90), "h", spread=interval(collapse, 90)),
    ]
