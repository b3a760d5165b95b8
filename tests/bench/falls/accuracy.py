"""How many falls are found, and how often it was none, beside the rivals on the same recordings.

Rows are named "data, detector, measure". The spread of a share or a rate is its 95 % interval, of a delay its range.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, islice

from gateway.training.falls.recordings import FILES, Trial, clipped, load
from gateway.training.falls.score import Alarm, Tally, Verdict, byar, judge, split, tally, wilson
from tests.bench.falls import product
from tests.bench.falls.rivals import RIVALS
from tests.bench.lab import Lab
from tests.bench.result import Row, at_least, at_most

RANGES_G = {"": 16.0, " at ±2 g": 2.0}  # as recorded, and as the smallest sensor in the field would have told it
SEEN, UNSEEN = "Anju (saw these data)", "Anju (cross-validated)"
LIMITS = {f"{name}{where}, {UNSEEN}, {measure}": limit for name, where, measure, limit in (
    *(("UMAFall", where, "sensitivity", at_least(92)) for where in RANGES_G),
    *(("UMAFall", where, "specificity", at_least(97)) for where in RANGES_G),
    ("WISDM", "", "false alarms", at_most(1 / 25)), ("WISDM", " at ±2 g", "false alarms", at_most(0.3)))}
"""By a row's name; the other detectors have none."""

Judged = Iterator[tuple[str, str, list[Verdict]]]
"""(data, detector, verdicts)."""


async def run(lab: Lab) -> list[Row]:
    """Each detector on each set, as recorded and at +-2 g."""
    return [replace(row, limit=LIMITS.get(row.name))
            for data, detector, verdicts in judged(lab) for row in rows(data, detector, tally(verdicts))]


async def parts(lab: Lab) -> list[Row]:
    """The product by age group, by activity and for its worst subject: a good mean must hide nobody."""
    ours = list(judged(lab, rivals=False))
    best = UNSEEN if any(detector == UNSEEN for _, detector, _ in ours) else SEEN
    return [row for data, detector, found in ours if detector == best
            for part, of in [*split(found, _group).items(), *split(found, _activity).items(), *worst(found)]
            for row in rows(f"{data}: {part}", detector, of)]


def judged(lab: Lab, rivals: bool = True) -> Judged:
    """Show every recording to every detector."""
    chosen = sets(max(1, round(1 / lab.scale)))
    for where, range_g in RANGES_G.items():
        heard = {name: clipped(trials, range_g) for name, trials in chosen.items()}
        lab.say(f"falls: cross-validation{where}")
        unseen = iter(product.cross_validated([*chain(*chosen.values())], [*chain(*heard.values())]) or ())
        for name, trials in chosen.items():
            lab.say(f"falls: {name}{where}")
            if alarms := list(islice(unseen, len(trials))):
                yield name + where, UNSEEN, verdicts(trials, alarms)
            yield name + where, SEEN, verdicts(trials, [product.found(one.acc_mg, one.rate_hz) for one in heard[name]])
            for rival, found in RIVALS.items() if rivals else ():
                alarms = [found(one.acc_mg / 1000, one.rate_hz) for one in heard[name]]
                yield name + where, rival, verdicts(trials, alarms)


@cache
def sets(every: int) -> dict[str, list[Trial]]:
    """Every n-th recording by set, read once: models of cross-validation are kept for just these."""
    return {name: load(name, every=every) for name in FILES}


def _group(trial: Trial) -> str:
    return f"age {trial.group}"


def _activity(trial: Trial) -> str:
    return trial.activity


def worst(found: Sequence[Verdict]) -> Iterator[tuple[str, Tally]]:
    """Of whose falls the fewest are found, and whose days are disturbed most."""
    persons = split(found, lambda trial: trial.subject)
    for measure in ("sensitivity", "specificity"):
        known = {name: of for name, of in persons.items() if getattr(of, measure) is not None}
        if known:
            name = min(known, key=lambda person: getattr(known[person], measure))
            yield f"lowest {measure} ({name})", known[name]


def verdicts(trials: Sequence[Trial], alarms: Sequence[Sequence[Alarm]]) -> list[Verdict]:
    """Judge what a detector told of each trial."""
    return [judge(trial, told) for trial, told in zip(trials, alarms, strict=True)]


def rows(data: str, detector: str, of: Tally) -> list[Row]:
    """Return the measures that these trials allow."""
    head = f"{data}, {detector}"
    found: list[Row] = []
    if of.falls:
        found += [_share(f"{head}, sensitivity", of.found, of.falls, "falls"),
                  Row(f"{head}, false before the fall", of.false_before_fall, "", note=f"in {of.falls} trials")]
    if of.delays_s:
        spread = (min(of.delays_s), max(of.delays_s))
        found.append(Row(f"{head}, delay", statistics.median(of.delays_s), "s", spread=spread))
    if of.lived:
        low, high = byar(of.false)
        found += [_share(f"{head}, specificity", of.clean, of.lived, "trials without a fall"),
                  Row(f"{head}, false alarms", of.false / of.hours, "/h", spread=(low / of.hours, high / of.hours),
                      note=f"{of.false} in {of.hours:.2f} h")]
    return found


def _share(name: str, count: int, of: int, what: str) -> Row:
    low, high = wilson(count, of)
    return Row(name, 100 * count / of, "%", spread=(100 * low, 100 * high), note=f"{count} of {of} {what}")
