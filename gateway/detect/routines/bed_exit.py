"""bed_exit_no_return: out of bed at night, and neither back nor seen elsewhere.

How long it usually takes from leaving the bed to the next sign is learned; twice the longest of the last KEPT times,
within bounds, is too long. Where motion is no sign of the resident nobody can be seen elsewhere: nothing is said.
"""

import math

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Concern, Input, Outage, Sign, SignKind
from gateway.detect.routines.scene import Scene
from gateway.detect.routines.settings import Settings
from gateway.model.finding import FindingKind

KEPT, ENOUGH = 60, 10
SHORTEST_S, LONGEST_S, PRIOR_S = 900.0, 3600.0, 1800.0
SCORE = 0.6


class State(msgspec.Struct, frozen=True):
    """`waits_s`: from leaving the bed at night to the next sign. `since_s`: the bed was left then and nothing came."""

    waits_s: tuple[float, ...] = ()
    since_s: float | None = None
    bed: str = ""
    due_s: float = math.inf


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Concern, ...]]:
    """Take one input; return what is known of leaving the bed, and the concern if nothing came after it."""
    if isinstance(happened, Sign):
        if not human:
            return state, ()
        left = happened.kind is SignKind.BED and not happened.on
        if state.since_s is None and not left:
            return state, ()
        waits_s = state.waits_s
        if state.since_s is not None and not scene.lost:
            waits_s = (*waits_s, happened.at_s - state.since_s)[-KEPT:]
        if not left or not scene.is_night(happened.at_s) or settings.residents > 1 or scene.human_only:
            return State(waits_s), ()
        return State(waits_s, happened.at_s, happened.sensor, happened.at_s + _limit_s(waits_s)), ()
    if state.since_s is None:
        return state, ()
    if isinstance(happened, Outage) and (state.bed in scene.lost or not scene.seen_since(state.since_s)):
        return State(state.waits_s), ()
    if happened.at_s < state.due_s:
        return state, ()
    told = replace(state, due_s=math.inf)
    if scene.empty():
        return told, ()
    wait_s = happened.at_s - state.since_s
    words = f"left the bed {wait_s / 60:.0f} min ago at night, and is neither back nor seen elsewhere"
    return told, (Concern(FindingKind.BED_EXIT, happened.at_s, SCORE, words, {"gone_s": round(wait_s)}),)


def _limit_s(waits_s: tuple[float, ...]) -> float:
    return PRIOR_S if len(waits_s) < ENOUGH else min(max(2 * max(waits_s), SHORTEST_S), LONGEST_S)
