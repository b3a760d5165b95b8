"""Hazard: how likely is a sign in the next minute, given where the last one was, how long ago, and the hour. Pure.

Theory
    Silence is survival: in each cell (place, half-hour of the day, time since the last sign) the home counts minutes of
    silence and signs that ended one; signs over minutes are the hazard. A home has lived through few of the cells, so a
    count is drawn towards a coarser one by the gamma-Poisson rule: hazard = expected * (signs + M) / (signs expected +
    M), first for the whole home, then by place, by half-hour, by half-hour and time since, and last by cell. What is
    expected at first is the prior that ships with the package (prior.py).
    Counts decay by half in HALF_LIFE_DAYS: habits drift. Only silence beyond SHORT_MIN counts: shorter ones are the
    resident walking about, or a sensor on a battery that is blind for minutes after each report, are many, and say
    nothing of the long ones.
"""

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.detect.inactivity import prior
from gateway.detect.inactivity.place import OUT, PLACES

Table = NDArray[np.float64]
"""Of one value a cell: PLACES x SLOTS x BINS."""

SHORT_MIN = 10
EDGES_MIN = (SHORT_MIN, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600)
"""Where the classes of the time since the last sign begin."""
BINS = len(EDGES_MIN)
SLOTS = 48
ANY_SLOT = SLOTS
"""The slot of one whose clock nobody set: the mean over the day."""
SLOT_S = 86400.0 / SLOTS
LONG_BIN, QUIET_LEAD = EDGES_MIN.index(60), 7
NIGHT_FROM_S, ENOUGH_MIN = 19 * 3600.0, 1200.0
"""Where they begin in a home that has lived through fewer minutes of long silence: evening to early morning."""
ORDINARY_SLOTS = 3
"""A day that begins so much earlier or later is as the prior knows them; one beyond has the prior moved."""
LONGEST_MIN = 26 * 60
"""Later minutes of a silence are not learned from: nobody sleeps so long."""
HALF_LIFE_DAYS = 45.0
FORMAT = b"\x02"
"""What packed counts begin with; those of other classes of time, saved by an earlier version, are forgotten."""
SHAPE = (len(PLACES), SLOTS, BINS)

BIN_OF = tuple(int(np.searchsorted(EDGES_MIN, minute, side="right")) - 1 for minute in range(EDGES_MIN[-1] + 1))
"""Minute of a silence, from SHORT_MIN on -> its class; those beyond are of the last."""

_LEVELS: tuple[tuple[tuple[int, ...], float, bool], ...] = (
    ((0, 1, 2), 20.0, False), ((1, 2), 20.0, False), ((0, 2), 10.0, True), ((0,), 8.0, True), ((), 8.0, True))
"""From coarse to fine: axes summed over, M, and whether neighbouring half-hours lend their counts."""


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """A silence that a sign ended. `local_s`: of its beginning."""

    place: int
    local_s: float
    minutes: int


def folded(counts: bytes, gaps: Iterable[Gap], days: float) -> bytes:
    """The counts after so many days more, with the silences of the last of them."""
    signs, minutes = unpacked(counts)
    decay = 0.5 ** (days / HALF_LIFE_DAYS)
    signs *= decay
    minutes *= decay
    for gap in gaps:
        count(signs, minutes, gap)
    packed = np.stack((signs, minutes)).astype(np.float32)
    packed[packed < 0.01] = 0.0
    return FORMAT + zlib.compress((packed.view(np.uint32) & 0xFFFFF000).tobytes(), 6)


def unpacked(counts: bytes) -> tuple[Table, Table]:
    """(signs, minutes of silence) in each cell; empty bytes are a home that has lived through nothing."""
    if not counts.startswith(FORMAT):
        return np.zeros(SHAPE), np.zeros(SHAPE)
    both = np.frombuffer(zlib.decompress(counts[len(FORMAT):]), np.float32).reshape(2, *SHAPE).astype(np.float64)
    return both[0], both[1]


def count(signs: Table, minutes: Table, gap: Gap) -> None:
    """Add a silence to the counts."""
    lived = np.arange(SHORT_MIN, min(gap.minutes, LONGEST_MIN))
    if not len(lived):
        return
    slots = ((gap.local_s + lived * 60.0 + 30.0) % 86400.0 // SLOT_S).astype(np.int64)
    bins = np.asarray(BIN_OF)[np.minimum(lived, EDGES_MIN[-1])]
    np.add.at(minutes[gap.place], (slots, bins), 1.0)
    if gap.minutes <= LONGEST_MIN:
        signs[gap.place, slots[-1], bins[-1]] += 1.0


@lru_cache(maxsize=4)  # of two accounts, of this day and the last; each weighs a third of a megabyte
def hazards(counts: bytes, *, human: bool) -> tuple[float, ...]:
    """Signs a minute in each cell, flat, with ANY_SLOT behind the slots. `human`: of human-only signs."""
    signs, minutes = unpacked(counts)
    rate = estimated(signs, minutes, np.roll(expected(human=human), _later(counts), 1), _LEVELS)
    weight = minutes + 30.0
    mean = (rate * weight).sum(1, keepdims=True) / weight.sum(1, keepdims=True)
    flat: list[float] = np.concatenate((rate, mean), axis=1).ravel().tolist()
    return tuple(flat)


@lru_cache(maxsize=32)
def quiet_from(counts: bytes) -> float:
    """When the ten hours begin, seconds after midnight, that lie 3.5 h before the ten with the most long silence."""
    by_slot = unpacked(counts)[1][[one for one in range(len(PLACES)) if one != OUT], :, LONG_BIN:].sum((0, 2))
    if by_slot.sum() < ENOUGH_MIN:
        return NIGHT_FROM_S
    hours = np.convolve(np.concatenate((by_slot, by_slot)), np.bartlett(22)[1:-1], "valid")[:SLOTS]
    return float((int(hours.argmax()) - QUIET_LEAD) % SLOTS * SLOT_S)


def _later(counts: bytes) -> int:
    """Slots by which this home's day lies behind those of the prior, 0 where it is ordinary."""
    later = (round((quiet_from(counts) - NIGHT_FROM_S) / SLOT_S) + SLOTS // 2) % SLOTS - SLOTS // 2
    return later if abs(later) > ORDINARY_SLOTS else 0


def estimated(signs: Table, minutes: Table, rate: Table,
              levels: Sequence[tuple[tuple[int, ...], float, bool]]) -> Table:
    """The hazard of each cell, drawn towards what is expected level by level."""
    for axes, strength, lends in levels:
        seen, awaited = signs, minutes * rate
        if axes:
            seen, awaited = seen.sum(axes, keepdims=True), awaited.sum(axes, keepdims=True)
        if lends:
            seen, awaited = smoothed(smoothed(seen)), smoothed(smoothed(awaited))
        rate = rate * (seen + strength) / (awaited + strength)
    return rate


def smoothed(table: Table) -> Table:
    """Each half-hour with a quarter of both its neighbours."""
    result: Table = 0.5 * table + 0.25 * (np.roll(table, 1, 1) + np.roll(table, -1, 1))
    return result


@lru_cache(maxsize=2)
def expected(*, human: bool) -> Table:
    """The prior: signs a minute in each cell, of any home."""
    return prior.unpacked(prior.HUMAN if human else prior.ALL, SHAPE)
