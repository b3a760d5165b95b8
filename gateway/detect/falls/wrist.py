"""Falls from a worn accelerometer, in three stages. A pure streaming step.

Rules
 1. Candidate: a grid sample of at least IMPACT_G that is the largest within ALONE_S on either side.
 2. Once AFTER more samples are there, the forest scores the window around it (features.py). From `high` on it is a
    fall, told at once. Below `low` it is none.
 3. In between it is a fall if nobody recovers: a second counts as busy if the wrist's RMS movement in it is at least
    BUSY_G; walking and the use of an arm fill seconds, turning over once does not. With RECOVERED_S busy seconds within
    WAIT_S after the impact it is none, nor if the wrist is then held as before the impact, within SAME_DEG: it hangs or
    rests where it did. Else the fall is told at the end of WAIT_S.
 4. Lost samples are nothing: the window is filled linearly across them, and a candidate never touches them; a window
    that lacks more than LOST_SHARE of either side of the impact makes a fall from `high` on or none, and one that has
    less than LEAST_S of either side is not scored. A hole longer than grid.HOLE_S, a step back or another rate begins
    a new session. Whoever was awaited under rule 3 then, or has sent nothing for SILENT_S, was not seen to recover: the
    fall is told. So is a candidate whose window is cut by that, from ALONE_S after the impact on, if the forest gives
    it `high` with the newest sample taken for all that lacks: the radio is lost easiest under somebody who lies on it.
 5. After a fall that was told nobody else is awaited, and no second one is told whose impact lies within PAUSE_S after
    that of one told at once, within WAIT_S after that of one told for want of recovery, or within PAUSE_S of samples
    after a silence.
 6. A session's first second brings no candidate; what lacks before its begin is taken as its first sample, at rest.

Everything happens in the order of the samples' numbers, so the same samples give the same findings in whatever blocks
they come.
"""

import math
from collections.abc import Iterator
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.detect.falls import features
from gateway.detect.falls.forest import Forest
from gateway.detect.falls.grid import RATE_HZ, Grid, Samples, begin, follows, is_sound, laid
from gateway.model.finding import FallSource, Finding, FindingKind
from gateway.model.reading import Accel
from gateway.model.time import Stamp

IMPACT_G = 1.35
ALONE_S = 1
BUSY_G = 0.15
RECOVERED_S = 7
WAIT_S = 20
SAME_DEG = 25.0
PAUSE_S = 10
LOST_SHARE = 0.35
LEAST_S = 0.5
SILENT_S = 5.0
FIRST_S = 1.0

_ALONE = ALONE_S * RATE_HZ
_LEAST = int(LEAST_S * RATE_HZ)
_KEEP = features.WINDOW + features.AFTER + 3 * RATE_HZ
_SETTLED = math.ceil(features.AFTER / RATE_HZ)  # the seconds that the window has seen already


class Stage(IntEnum):
    """What told the fall; in the evidence as `stage`."""

    IMPACT = 2  # the forest alone
    NO_RECOVERY = 3  # the forest, and nothing that followed


class Awaited(msgspec.Struct, frozen=True):
    """A candidate that may still be somebody's recovery. `looked`: seconds after the impact judged, `busy` of them.

    `before`: gravity before the impact, in g.
    """

    number: int
    score: float
    vector: NDArray[np.float64]
    before: NDArray[np.float64]
    looked: int = _SETTLED
    busy: int = 0


class Window(msgspec.Struct, frozen=True):
    """[features.WINDOW, 3] in g, no NaN. `lost_share`: of the side of the impact that lacks more."""

    samples: Samples
    lost_share: float = 0.0


class State(msgspec.Struct, frozen=True):
    """What is known of one bracelet; State() before its first block.

    `recent`: the newest grid samples, of which the last has the number grid.done - 1. `looked`: the number of the next
    sample to be taken for a candidate. `quiet_until`: no candidate before this number. `heard`: when `newest`, the
    newest block, arrived; None once the silence after it has been judged.
    """

    grid: Grid = Grid()
    recent: Samples = msgspec.field(default_factory=lambda: np.empty((0, 3)))
    looked: int = 0
    quiet_until: int = 0
    awaited: tuple[Awaited, ...] = ()
    heard: Stamp | None = None
    newest: Accel | None = None


def step(state: State, device: str, at: Stamp, block: Accel, forest: Forest) -> tuple[State, tuple[Finding, ...]]:
    """Take one block; return what is known now and the falls that it completes. `at`: when the block arrived."""
    if not is_sound(block) or block == state.newest:  # the same once more is a link's repeat, no step back
        return state, ()
    left: tuple[Finding, ...] = ()
    if not follows(state.grid, block):
        left = _given_up(state, device, at, forest)
        state = State(begin(block), looked=round(FIRST_S * RATE_HZ))
    grid, fresh = laid(state.grid, block)
    recent = np.concatenate([state.recent, fresh]) if len(fresh) else state.recent
    state = State(grid, recent, state.looked, state.quiet_until, state.awaited, at, block)
    state, found = _judged(state, device, at, forest)
    return msgspec.structs.replace(state, recent=state.recent[-_KEEP:]), left + found


def tick(state: State, device: str, now: Stamp, forest: Forest) -> tuple[State, tuple[Finding, ...]]:
    """Let time pass: whoever has fallen silent was not seen to recover (rule 4)."""
    if state.heard is None or (state.heard.boot_id == now.boot_id and now.mono_s - state.heard.mono_s < SILENT_S):
        return state, ()
    found = _given_up(state, device, now, forest)
    quiet_until = state.grid.done + PAUSE_S * RATE_HZ if found else state.quiet_until
    return msgspec.structs.replace(state, awaited=(), quiet_until=quiet_until, heard=None), found


def leave(state: State, device: str, now: Stamp, forest: Forest) -> tuple[Finding, ...]:
    """The last word before this process ends, which sees nobody recover any more (rule 4)."""
    return _given_up(state, device, now, forest)


def _judged(state: State, device: str, at: Stamp, forest: Forest) -> tuple[State, tuple[Finding, ...]]:
    """Go through everything that the newest samples decide, in the order in which it is decided."""
    findings: list[Finding] = []
    oldest, end = state.grid.done - len(state.recent), state.grid.done
    decided = end - features.AFTER  # candidates below this number have their window
    awaited, quiet_until = list(state.awaited), state.quiet_until
    found = candidates(state.recent, state.looked - oldest, decided - oldest)
    for number in (*(oldest + here for here in found), None):
        upto = end if number is None else number + features.AFTER + 1
        awaited, fallen = _waited(awaited, state.recent, oldest, upto)
        if fallen is not None:
            findings.append(_finding(fallen, state.grid, device, at, forest.high))
            quiet_until = fallen.number + WAIT_S * RATE_HZ
        if number is None or number < quiet_until:
            continue
        if (window := window_around(state.recent, number - oldest)) is None:
            continue
        one = _scored(number, window.samples, forest)
        if one.score >= forest.high:
            findings.append(_finding(one, state.grid, device, at, forest.high))
            awaited, quiet_until = [], number + PAUSE_S * RATE_HZ
        elif one.score >= forest.low and window.lost_share <= LOST_SHARE:
            awaited.append(one)
    looked = max(state.looked, decided)
    after = msgspec.structs.replace(state, looked=looked, quiet_until=quiet_until, awaited=tuple(awaited))
    return after, tuple(findings)


def _scored(number: int, window: Samples, forest: Forest) -> Awaited:
    vector = features.of(window)
    return Awaited(number, forest.score(vector), vector, features.before(window))


def candidates(recent: Samples, first: int, end: int) -> list[int]:
    """The candidates among the samples first..end of these; ALONE_S after `end` must be there (rule 1)."""
    if first >= end:
        return []
    low = max(0, first - _ALONE)
    piece = recent[low : end + _ALONE]
    square = (piece * piece).sum(axis=1)
    square[np.isnan(square)] = 0.0
    found = []
    for here in (np.flatnonzero(square[first - low : end - low] >= IMPACT_G**2) + (first - low)).tolist():
        begin_ = max(0, here - _ALONE)
        if begin_ + int(np.argmax(square[begin_ : here + _ALONE + 1])) == here:
            found.append(low + here)
    return found


def window_around(recent: Samples, impact: int) -> Window | None:
    """The window around a grid sample, filled; None where too little of it is there (rules 4 and 6)."""
    first = impact - features.BEFORE
    window = recent[max(0, first) : impact + features.AFTER + 1]
    if first < 0:
        window = np.concatenate([np.repeat(window[:1], -first, axis=0), window])
    lost = np.isnan(window[:, 0])
    if not lost.any():
        return Window(window)
    sides = lost[: features.BEFORE], lost[features.BEFORE :]
    if any(np.count_nonzero(~side) < _LEAST for side in sides):
        return None
    there = np.flatnonzero(~lost)
    filled = [np.interp(np.arange(len(window)), there, window[there, axis]) for axis in range(3)]
    return Window(np.stack(filled, axis=1), max(float(side.mean()) for side in sides))


def _waited(
    awaited: list[Awaited], recent: Samples, oldest: int, upto: int
) -> tuple[list[Awaited], Awaited | None]:
    """Judge every second below number `upto` (rule 3); return who is still awaited, and the fall that this decides."""
    still: list[Awaited] = []
    for one in awaited:
        looked, busy = one.looked, one.busy
        while looked < WAIT_S and busy < RECOVERED_S and one.number + (looked + 1) * RATE_HZ <= upto:
            begin_ = one.number + looked * RATE_HZ - oldest
            busy += _is_busy(recent[begin_ : begin_ + RATE_HZ])
            looked += 1
        one = msgspec.structs.replace(one, looked=looked, busy=busy)
        if busy >= RECOVERED_S:
            continue
        if looked < WAIT_S:
            still.append(one)
        elif not _is_held(recent[one.number + (WAIT_S - 1) * RATE_HZ - oldest :][:RATE_HZ], one.before):
            return [], one
    return still, None


def _is_held(second: Samples, before: NDArray[np.float64]) -> bool:
    """Tell whether the wrist is held as before in this second; not known where its samples are lost."""
    there = second[~np.isnan(second[:, 0])]
    return len(there) >= RATE_HZ // 2 and features.angle_deg(there.mean(axis=0), before) < SAME_DEG


def _is_busy(second: Samples) -> bool:
    """Tell whether a second of samples shows a wrist in use (rule 3)."""
    there = second[~np.isnan(second[:, 0])]
    if len(there) < RATE_HZ // 2:
        return False
    return float(((there - there.mean(axis=0)) ** 2).sum(axis=1).mean()) >= BUSY_G**2


def _given_up(state: State, device: str, at: Stamp, forest: Forest) -> tuple[Finding, ...]:
    """Rule 4: the surest of those awaited, and of those whose window is cut."""
    if state.heard is None:
        return ()
    silent_s = at.mono_s - state.heard.mono_s if at.boot_id == state.heard.boot_id else 0.0
    surest = max((*state.awaited, *_cut(state, forest)), key=lambda one: one.score, default=None)
    return () if surest is None else (_finding(surest, state.grid, device, at, math.inf, silent_s),)


def _cut(state: State, forest: Forest) -> Iterator[Awaited]:
    """Rule 4: the falls among the candidates whose window the samples do not reach."""
    recent, oldest = state.recent, state.grid.done - len(state.recent)
    there = np.flatnonzero(~np.isnan(recent[:, 0]))
    for here in candidates(recent, max(state.looked, state.quiet_until) - oldest, len(recent) - _ALONE):
        rest = np.repeat(recent[there[-1:]], features.AFTER, axis=0)
        window = window_around(np.concatenate([recent[: there[-1] + 1], rest]), here)
        if window is not None and (one := _scored(oldest + here, window.samples, forest)).score >= forest.high:
            yield one


def _finding(one: Awaited, grid: Grid, device: str, at: Stamp, high: float, silent_s: float = 0.0) -> Finding:
    """`silent_s`: how long before `at` the newest sample came."""
    stage = Stage.IMPACT if one.score >= high else Stage.NO_RECOVERY
    said = dict(zip(features.NAMES, one.vector.tolist(), strict=True))
    evidence = {name: round(said[name], 4) for name in SHOWN}
    ago_s = grid.number_s(one.number) + max(0.0, silent_s)
    return Finding(
        FindingKind.FALL, device, at, round(one.score, 3), words(said, stage),
        {"impact_ago_s": round(ago_s, 3), "stage": float(stage), "busy_s": float(one.busy), **evidence},
        FallSource.WRIST,
    )


SHOWN = ("peak_g", "turn_deg", "end_sd_g", "busy_after", "weightless_g_s", "jerk_g_s -0.4..0.4s")
"""The features that a finding carries as evidence."""
HARD_G = 2.5
STILL_G = 0.06


def words(said: dict[str, float], stage: Stage) -> str:
    """Say to people what was seen: the impact, then what came after it."""
    impact = "hard impact" if said["peak_g"] >= HARD_G else "impact"
    turned = f", turned by {said['turn_deg']:.0f} degrees" if said["turn_deg"] >= 30 else ""
    if stage is Stage.NO_RECOVERY:
        return f"{impact}{turned}, neither walking nor arm use since"
    return f"{impact}{turned}, {'lying still' if said['end_sd_g'] <= STILL_G else 'hardly moving'} since"
