"""night_exit: the door to the outside was used at night, and nobody has been seen within since.

Armed by the door at night; each further sign of that door begins the wait anew, for it may be the return. A sign within
later than LEAVING_S after the door ends it. Whoever was out before comes home by that door: that arms nothing. Where
several live, one may sleep while another goes: nothing is said.
"""

import math

import msgspec

from gateway.detect.home import Concern, Input, Sign, SignKind
from gateway.detect.routines.scene import LEAVING_S, Scene
from gateway.detect.routines.settings import Settings
from gateway.model.finding import FindingKind

RETURN_S = 600.0
"""A door that is used so long after it was last used, with nobody seen in between, lets somebody in."""
SCORE = 0.7


class State(msgspec.Struct, frozen=True):
    """`first_s`: of the door's first sign, None while nobody is awaited; `last_s`: of its last one."""

    first_s: float | None = None
    last_s: float = -math.inf
    due_s: float = math.inf


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Concern, ...]]:
    """Take one input; return what is awaited, and the concern when nobody has come back."""
    at_s = happened.at_s
    if isinstance(happened, Sign):
        if happened.kind is SignKind.DOOR:
            return _door(state, scene, at_s, settings), ()
        if state.first_s is not None and human and at_s > state.last_s + LEAVING_S:
            return State(last_s=state.last_s), ()
        return state, ()
    if at_s < state.due_s or state.first_s is None:
        return state, ()
    gone = State(last_s=state.last_s)
    if scene.away_until_local_s is not None or not scene.seen_since(state.first_s):
        return gone, ()
    minutes = (at_s - state.first_s) / 60
    words = f"went out at night {minutes:.0f} min ago and has not come back"
    return gone, (Concern(FindingKind.NIGHT_EXIT, at_s, SCORE, words, {"gone_s": round(at_s - state.first_s)}),)


def _door(state: State, scene: Scene, at_s: float, settings: Settings) -> State:
    """What is awaited after a sign of the door."""
    awaited = state.first_s is not None
    comes_home = scene.was_empty and at_s - state.last_s > RETURN_S
    if settings.residents > 1 or not (awaited or (scene.is_night(at_s) and not comes_home)):
        return State(last_s=at_s)
    first_s = state.first_s if state.first_s is not None else at_s
    return State(first_s, at_s, at_s + settings.night_exit_min * 60)
