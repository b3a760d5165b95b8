"""The defaults of the Shanghai programme: PIR silent 24 h, outside door not opened in 24 h, no water in 12 h.

Its bound for water is 0.01 m3 in 12 h; a sensor that only tells whether water runs is taken at its word: any water
counts. None of them counts while the flat is empty, while its sensors are blind, or where there is no such sensor; each
is said once until its sensor speaks again.
"""

import math

import msgspec

from gateway.detect.home import Input, Sign, SignKind
from gateway.detect.routines.kinds import Notice, NoticeKind
from gateway.detect.routines.scene import Scene
from gateway.detect.routines.settings import Settings

LIMITS: dict[SignKind, tuple[NoticeKind, float, str]] = {
    SignKind.MOTION: (NoticeKind.MOTION_SILENT, 86400.0, "no motion for {:.0f} hours"),
    SignKind.DOOR: (NoticeKind.DOOR_UNOPENED, 86400.0, "the door to the outside has not been opened for {:.0f} hours"),
    SignKind.WATER: (NoticeKind.WATER_UNUSED, 43200.0, "no water has been drawn for {:.0f} hours"),
}
"""Kind of sensor -> what is said, after how many seconds, in which words."""


class State(msgspec.Struct, frozen=True):
    """Of each kind: when and by which sensor it last spoke, and when it is due, infinity once it was said."""

    last_s: dict[SignKind, float] = {}
    sensors: dict[SignKind, frozenset[str]] = {}
    waits: dict[SignKind, float] = {}
    due_s: float = math.inf


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Notice, ...]]:
    """Take one input; return what is awaited, and what has been silent for too long."""
    del human, settings
    at_s = happened.at_s
    if isinstance(happened, Sign):
        if happened.kind not in LIMITS or not happened.on:
            return state, ()
        kind = happened.kind
        sensors = state.sensors.get(kind, frozenset())
        if kind in state.waits and math.isfinite(state.waits[kind]) and happened.sensor in sensors:
            return msgspec.structs.replace(state, last_s=state.last_s | {kind: at_s}), ()  # due is looked at, and moved
        waits = state.waits | {kind: at_s + LIMITS[kind][1]}
        return State(state.last_s | {kind: at_s}, state.sensors | {kind: sensors | {happened.sensor}}, waits,
                     min(waits.values())), ()
    if at_s < state.due_s:
        return state, ()
    told: list[Notice] = []
    waits = dict(state.waits)
    for kind, due_s in state.waits.items():
        name, limit_s, words = LIMITS[kind]
        quiet_s = at_s - state.last_s[kind]
        if at_s < due_s:
            continue
        if quiet_s < limit_s:
            waits[kind] = state.last_s[kind] + limit_s
        elif scene.empty() or not scene.seen_since(state.last_s[kind]) or state.sensors[kind] <= scene.lost:
            waits[kind] = at_s + limit_s
        else:
            waits[kind] = math.inf
            told.append(Notice(name, at_s, words.format(quiet_s / 3600), {"quiet_s": round(quiet_s)}))
    return msgspec.structs.replace(state, waits=waits, due_s=min(waits.values())), tuple(told)
