"""bathroom_overstay: the last sign came from the bathroom, and none from anywhere for too long.

How long is too long is learned from the waits between a sign in the bathroom and the next one anywhere (peaks.py), for
each Stay by itself: who has just come in moves, who sits in the bath does not, and at night visits are short. For each
of them one false concern in FALSE_DAYS days is borne. The waits also hold those of one who left the bathroom unseen and
sits still elsewhere.
Where others move too (an animal), a person is told by moving on: two motions within PAIR_S. A lone one brings nobody
into the bathroom and takes nobody out of it. What is learned begins anew then, and for SHY_DAYS nothing is said; false
concerns must be SHY times rarer. It is LONGEST_SHY_S then that is waited, for one may have left beside the animal
unseen; and where more is asked for (the cat sleeps there) nothing is said.
"""

import math
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Concern, Input, Outage, Sign, SignKind
from gateway.detect.routines.peaks import Peaks, bound_s, grown
from gateway.detect.routines.scene import Scene
from gateway.detect.routines.settings import Settings
from gateway.model.finding import FindingKind


class Stay(StrEnum):
    """What a stay in the bathroom is like at its last sign."""

    NIGHT = "night"
    FRESH = "fresh"  # begun less than FRESH_S before
    SETTLED = "settled"


FRESH_S = 180.0
PAIR_S = 120.0
FALSE_DAYS = 1500.0
SHORTEST_S = {Stay.NIGHT: 2400.0, Stay.FRESH: 4500.0, Stay.SETTLED: 4500.0}
LONGEST_S = 10800.0
SHY, SHY_DAYS, LONGEST_SHY_S = 4.0, 21, 5200.0
PRIOR_S = {Stay.NIGHT: (360.0, 420.0), Stay.FRESH: (480.0, 720.0), Stay.SETTLED: (720.0, 960.0)}
"""Median and mean excess of a day's longest wait, in homes that nothing is known of yet."""
UNSURE = 1.5
"""While a sensor elsewhere is blind somebody may have left the bathroom unseen: so much longer is waited."""
SCORE = 0.6


class State(msgspec.Struct, frozen=True):
    """`since_s`: of the last sign, if it came from the bathroom; `came_s`: of the first one of that stay.

    `human_only`: so it was when that was learned. `lone_s`: of the last motion then that may be anybody's.
    """

    peaks: dict[Stay, Peaks] = {}
    since_s: float | None = None
    came_s: float = 0.0
    stay: Stay = Stay.FRESH
    due_s: float = math.inf
    human_only: bool = False
    lone_s: float = -math.inf


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Concern, ...]]:
    """Take one input; return what is known of the bathroom, and the concern if it has become too long."""
    del settings
    at_s = happened.at_s
    if scene.human_only != state.human_only:
        state = State(human_only=scene.human_only)
    if isinstance(happened, Sign):
        if not human:
            if not (scene.human_only and happened.kind is SignKind.MOTION and happened.on):
                return state, ()
            moves_on, state = at_s - state.lone_s <= PAIR_S, replace(state, lone_s=at_s)
            inside = state.since_s is not None
            if not moves_on and inside is not (happened.room == "bathroom"):
                return state, ()
        if state.since_s is not None and scene.ahead_s is not None and not scene.lost:
            state = _learned(state, at_s - state.since_s, int((at_s + scene.ahead_s) // 86400))
        if happened.room == "bathroom":
            return _begun(state, scene, at_s, at_s if state.since_s is None else state.came_s), ()
        return _left(state), ()
    if state.since_s is None:
        return state, ()
    if isinstance(happened, Outage):
        if not scene.seen_since(state.since_s):
            return _left(state), ()
        is_due = math.isfinite(state.due_s)  # what was told stays told until the next sign
        return _begun(state, scene, state.since_s, state.came_s) if is_due else state, ()
    if at_s < state.due_s:
        return state, ()
    told = replace(state, due_s=math.inf)
    if scene.away_until_local_s is not None:
        return told, ()
    wait_s = at_s - state.since_s
    words = f"no sign for {wait_s / 60:.0f} min, the last from the bathroom"
    evidence: dict[str, float] = {"quiet_s": round(wait_s), "limit_s": round(state.due_s - state.since_s)}
    return told, (Concern(FindingKind.BATHROOM_OVERSTAY, at_s, SCORE, words, evidence),)


def _begun(state: State, scene: Scene, since_s: float, came_s: float) -> State:
    """Somebody is in the bathroom."""
    stay = Stay.NIGHT if scene.is_night(since_s) else Stay.FRESH if since_s - came_s < FRESH_S else Stay.SETTLED
    peaks = state.peaks.get(stay, Peaks())
    false_days = FALSE_DAYS * (SHY if state.human_only else 1.0)
    limit_s = max(bound_s(peaks, false_days, *PRIOR_S[stay]), SHORTEST_S[stay])
    if state.human_only:
        limit_s = LONGEST_SHY_S if limit_s <= LONGEST_SHY_S and len(peaks.days) >= SHY_DAYS else math.inf
    limit_s = min(limit_s, LONGEST_S) if math.isfinite(limit_s) else limit_s
    limit_s *= UNSURE if scene.lost else 1.0
    return State(state.peaks, since_s, came_s, stay, since_s + limit_s, state.human_only, state.lone_s)


def _left(state: State) -> State:
    """Nobody is known to be there."""
    return state if state.since_s is None else replace(state, since_s=None, due_s=math.inf)


def _learned(state: State, wait_s: float, day: int) -> State:
    before = state.peaks.get(state.stay, Peaks())
    peaks = grown(before, wait_s, day)
    return state if peaks is before else replace(state, peaks=state.peaks | {state.stay: peaks})
