"""not_up: no sign by the usual time of rising.

From two hours before the learned end of the night the first sign out of the bedroom is noted, for Monday to Friday and
for the weekend. None by the latest of the last six weeks and a margin is a concern, once. The margin is half of what
the latest lies behind the middle, at least MARGIN_MIN. On the first days the configured time counts, or nothing; nor
does anything where motion is no sign of the resident: what is left comes too seldom.
"""

import math

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Concern, Input, Sign
from gateway.detect.routines.night import DAY_S, ends_local_s
from gateway.detect.routines.scene import Scene
from gateway.detect.routines.settings import Settings
from gateway.model.finding import FindingKind

EARLY_S = 7200.0
KEPT = 42
ENOUGH, ENOUGH_OF_KIND = 7, 5
MARGIN_MIN = 90.0
SCORE = 0.5


class State(msgspec.Struct, frozen=True):
    """`firsts`: (is weekend, minute of the day) of each first sign. `opens_s`: since when it is awaited; None while the
    day has its sign, or the flat was empty at the time. `due_s`: when there is something to do by the clock.
    """

    firsts: tuple[tuple[bool, float], ...] = ()
    opens_s: float | None = None
    due_s: float = -math.inf
    told: bool = False  # and no sign since


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Concern, ...]]:
    """Take one input; return what is known of the mornings, and the concern if this one's time has passed."""
    if scene.ahead_s is None:
        return state, ()
    at_s, local_s = happened.at_s, happened.at_s + scene.ahead_s
    if isinstance(happened, Sign) and human and state.told:
        state = replace(state, told=False)
    if state.opens_s is not None and isinstance(happened, Sign) and human and happened.room != "bedroom":
        seen = scene.seen_since(state.opens_s) and not scene.was_empty
        firsts = (*state.firsts, (_is_weekend(local_s), local_s % DAY_S / 60)) if seen else state.firsts
        return State(firsts[-KEPT:], None, _next_s(scene, at_s)), ()
    if at_s < state.due_s:
        return state, ()
    if state.opens_s is None:
        if state.due_s == -math.inf or state.told or scene.empty() or scene.human_only:
            return replace(state, due_s=_next_s(scene, at_s)), ()
        by_s = _bound_min(state, local_s, settings) * 60 - local_s % DAY_S
        return replace(state, opens_s=at_s, due_s=at_s + by_s if by_s > 0 else at_s + DAY_S / 2), ()
    closed = State(state.firsts, None, _next_s(scene, at_s))
    if scene.empty() or not scene.seen_since(state.opens_s):
        return closed, ()
    closed = replace(closed, told=True)
    words = f"no sign since the night; by {_clock(local_s)} the resident is always up"
    return closed, (Concern(FindingKind.NOT_UP, at_s, SCORE, words, {"awaited_s": round(at_s - state.opens_s)}),)


def _next_s(scene: Scene, at_s: float) -> float:
    """When the next morning begins, in `at_s`."""
    ahead_s = scene.ahead_s or 0.0
    return ends_local_s(scene.night, at_s + ahead_s + EARLY_S + 60) - EARLY_S - ahead_s


def _bound_min(state: State, local_s: float, settings: Settings) -> float:
    """Minute of the day by which the resident is up; infinity while nobody knows."""
    weekend = _is_weekend(local_s)
    of_kind = [minute for is_weekend, minute in state.firsts if is_weekend == weekend]
    known = of_kind if len(of_kind) >= ENOUGH_OF_KIND else [minute for _, minute in state.firsts]
    if len(state.firsts) < ENOUGH:
        return math.inf if settings.up_by is None else settings.up_by
    latest, middle = max(known), sorted(known)[len(known) // 2]
    return latest + max(MARGIN_MIN, (latest - middle) / 2)


def _is_weekend(local_s: float) -> bool:
    return (int(local_s // DAY_S) + 3) % 7 >= 5  # 1970-01-01 was a Thursday


def _clock(local_s: float) -> str:
    minute = int(local_s % DAY_S // 60)
    return f"{minute // 60:02}:{minute % 60:02}"
