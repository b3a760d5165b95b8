"""The product where samples are lost: holes around the impact, and a bracelet that falls silent after it.

The recordings are cross-validated, and go block by block through what the daemon runs, so the twenty seconds for a
recovery and the silence after a cut are the daemon's own. Nothing here lasts longer than grid.HOLE_S.

Holes in daily life lie so far apart that no window sees two; what they are blamed for are the alarms that the whole
recording does not bring. A cut is tried at every CUT_EVERY_S of daily life, each as though it were the only one.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from gateway.detect.falls import Forest, features
from gateway.detect.falls.grid import RATE_HZ
from gateway.detect.falls.recording import BLOCK_S, LEAD_S, extended
from gateway.model.reading import Accel
from gateway.training.falls import validate
from gateway.training.falls.examples import impacts
from gateway.training.falls.recordings import MATCH_S, Trial
from gateway.training.falls.score import Alarm, byar, judge, tally
from tests.bench.falls import product
from tests.bench.falls.accuracy import UNSEEN, rows, sets
from tests.bench.lab import Lab
from tests.bench.result import Row

HOLES_S = (1.5, 2.2)
AWAY_S = (0.2, 0.8, 1.4, 2.0)
"""Between the impact and the hole."""
CUTS_S = (1.1, 1.6, 2.4)
"""From the impact to the last sample; a second must be there, and what the grid needs beyond it."""
APART_S = (features.WINDOW / RATE_HZ, 10.0)
"""Between holes in daily life, drawn evenly."""
CUT_EVERY_S = 2.0
SEED = 4

Span = tuple[int, int]
"""Begin and end of lost samples, as numbers of the recording with its made-up edges."""


async def run(lab: Lab) -> list[Row]:
    """Falls with a hole or a cut beside the impact, and daily life with holes and cuts anywhere."""
    chosen = sets(max(1, round(1 / lab.scale)))
    judges = product.judges((*chain(*chosen.values()),))
    if judges is None:
        lab.say("falls: losses are not measured without LightGBM: pip install 'anju[train]'")
        return []
    forests = {subject: forest for subjects, forest in judges for subject in subjects}
    lab.say("falls: nothing lost")
    lives = {name: [trial for trial in trials if not trial.is_fall] for name, trials in chosen.items()}
    whole = {name: validate.cross_validated(judges, trials) for name, trials in lives.items()}
    found: list[Row] = []
    for hole_s in HOLES_S:
        lab.say(f"falls: holes of {hole_s:g} s")
        found += beside(chosen["UMAFall"], forests, hole_s)
        for name, trials in lives.items():
            found += anywhere(name, trials, whole[name], forests, hole_s)
    lab.say("falls: cuts")
    found += cut(chosen["UMAFall"], forests)
    for name, trials in lives.items():
        found.append(cut_anywhere(name, trials, forests))
    return found


def beside(trials: Sequence[Trial], forests: dict[str, Forest], hole_s: float) -> Iterator[Row]:
    """Every fall with one hole, before and after its impact at each distance."""
    fell = [(trial, impact_s(trial)) for trial in trials if trial.is_fall]
    before = [(-away_s - hole_s, f"until {away_s:g} s before") for away_s in AWAY_S]
    after = [(away_s, f"from {away_s:g} s after") for away_s in AWAY_S]
    for begins_s, where in (*before, *after):
        verdicts = []
        for trial, at_s in fell:
            hole = [] if at_s is None else [span(trial.rate_hz, at_s + begins_s, hole_s)]
            verdicts.append(judge(trial, told(trial, forests[trial.subject], hole)))
        yield from rows(f"UMAFall: {hole_s:g} s lost {where} the impact", UNSEEN, tally(verdicts))


def anywhere(
    name: str, lived: Sequence[Trial], whole: Sequence[Sequence[Alarm]], forests: dict[str, Forest], hole_s: float
) -> Iterator[Row]:
    """Daily life with holes. `whole`: the alarms in each trial without any."""
    random = np.random.default_rng(SEED)
    spans = [holes(trial, hole_s, random) for trial in lived]
    alarms = [told(trial, forests[trial.subject], lost) for trial, lost in zip(lived, spans, strict=True)]
    data = f"{name}: {hole_s:g} s lost every {hole_s + sum(APART_S) / 2:.0f} s"
    yield from rows(data, UNSEEN, tally(map(judge, lived, alarms)))
    yield per_loss(data, sum(map(blamed, alarms, whole)), sum(map(len, spans)))


def blamed(alarms: Sequence[Alarm], whole: Sequence[Alarm]) -> int:
    """How many alarms have no counterpart in those of the whole recording."""
    return sum(all(abs(impact - other) > MATCH_S for other, _ in whole) for impact, _ in alarms)


def cut(trials: Sequence[Trial], forests: dict[str, Forest]) -> Iterator[Row]:
    """Every fall with the bracelet silent so soon after the impact."""
    fell = [(trial, impact_s(trial)) for trial in trials if trial.is_fall]
    for after_s in CUTS_S:
        verdicts = [judge(trial, () if at_s is None else told_cut(trial, forests[trial.subject], at_s + after_s))
                    for trial, at_s in fell]
        yield from rows(f"UMAFall: silent {after_s:g} s after the impact", UNSEEN, tally(verdicts))


def cut_anywhere(name: str, lived: Sequence[Trial], forests: dict[str, Forest]) -> Row:
    """How often a bracelet that falls silent makes a false alarm in daily life, whoever was awaited included."""
    cuts = [one for trial in lived for one in alarmed_by_cuts(trial, forests[trial.subject])]
    return per_loss(f"{name}: silent at any moment", sum(cuts), len(cuts))


def alarmed_by_cuts(trial: Trial, forest: Forest) -> Iterator[bool]:
    """For a cut at every CUT_EVERY_S of a recording, tell whether it makes an alarm that was not told before."""
    state = product.State()
    every, first = round(CUT_EVERY_S / BLOCK_S), round(LEAD_S / BLOCK_S)
    last = int((LEAD_S + trial.duration_s) / BLOCK_S)
    blocks = product.blocks(extended(trial.acc_mg, trial.rate_hz), trial.rate_hz)
    for number, block in zip(range(last), blocks, strict=False):
        now_s = (block.first_index + block.n) / block.rate_hz
        state, _ = product.step(state, block, product.at(now_s), forest)
        if number >= first and number % every == 0:
            yield bool(_own(trial, product.silence(state, now_s, forest)))


def impact_s(trial: Trial) -> float | None:
    """Where the strongest candidate lies where the trial's fall does; None where the detector sees none."""
    low_s, high_s = trial.window_s()
    peak = features.NAMES.index("peak_g")
    within = [one for one in impacts(trial.acc_mg, trial.rate_hz) if low_s <= one[0] <= high_s]
    return max(within, key=lambda one: float(one[1][peak]))[0] if within else None


def holes(trial: Trial, hole_s: float, random: np.random.Generator) -> list[Span]:
    """Holes all over a recording, APART_S from one another."""
    found, begin_s = [], random.uniform(0, APART_S[1])
    while begin_s + hole_s < trial.duration_s:
        found.append(span(trial.rate_hz, begin_s, hole_s))
        begin_s += hole_s + random.uniform(*APART_S)
    return found


def span(rate_hz: float, begin_s: float, long_s: float) -> Span:
    """A hole that begins so long after a recording's first sample."""
    begin = round((LEAD_S + begin_s) * rate_hz)
    return begin, begin + round(long_s * rate_hz)


def told(trial: Trial, forest: Forest, spans: Sequence[Span]) -> list[Alarm]:
    """The alarms in a recording without these samples."""
    samples = extended(trial.acc_mg, trial.rate_hz)
    return _own(trial, product.stream(kept(samples, trial.rate_hz, spans), forest))


def told_cut(trial: Trial, forest: Forest, upto_s: float) -> list[Alarm]:
    """The alarms where the last sample is that at `upto_s`, or the last one before it."""
    samples = extended(trial.acc_mg, trial.rate_hz)[: int((LEAD_S + upto_s) * trial.rate_hz) + 1]
    return _own(trial, product.stream(product.blocks(samples, trial.rate_hz), forest, cut=True))


def kept(samples_mg: Any, rate_hz: float, spans: Sequence[Span]) -> Iterator[Accel]:
    """The blocks of a recording, int16 [n, 3], without these samples; those that are left keep their numbers."""
    edges = [0, *chain(*spans), len(samples_mg)]
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        for block in product.blocks(samples_mg[begin:end], rate_hz):
            yield msgspec.structs.replace(block, first_index=begin + block.first_index)


def per_loss(data: str, false: int, count: int) -> Row:
    low, high = byar(false)
    return Row(f"{data}, {UNSEEN}, false alarms per 1000 losses", 1000 * false / count, "",
               spread=(1000 * low / count, 1000 * high / count), note=f"{false} by {count}")


def _own(trial: Trial, found: Iterable[product.Found]) -> list[Alarm]:
    """In seconds of the recording, without what its made-up edges bring."""
    alarms = [(one.impact_s - LEAD_S, one.told_s - LEAD_S) for one in found]
    return [alarm for alarm in alarms if 0 <= alarm[0] <= trial.duration_s]
