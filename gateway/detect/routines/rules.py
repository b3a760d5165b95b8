"""Every rule of routine behind one step: each sees each input that may concern it, and has a state of its own."""

import math
from typing import Any

import msgspec

from gateway.detect.home import Concern, Input, Sign, Tick
from gateway.detect.routines import appliances as _appliances
from gateway.detect.routines import bathroom_overstay as _bathroom
from gateway.detect.routines import bed_exit as _bed
from gateway.detect.routines import night_exit as _exits
from gateway.detect.routines import not_up as _up
from gateway.detect.routines import programme as _programme
from gateway.detect.routines import rhythm_drift as _rhythm
from gateway.detect.routines.kinds import Notice
from gateway.detect.routines.night import Night, configured
from gateway.detect.routines.scene import Scene, is_human
from gateway.detect.routines.scene import step as scene_step
from gateway.detect.routines.settings import Settings

LOOK_S = 900.0
"""So often the clock is looked at, should somebody have set it, or what was declared be over."""


class State(msgspec.Struct, frozen=True):
    """All that is known. Good to be saved and restored. `due_s`: before it a tick changes nothing."""

    scene: Scene = Scene()
    not_up: _up.State = _up.State()
    night_exit: _exits.State = _exits.State()
    bathroom_overstay: _bathroom.State = _bathroom.State()
    bed_exit: _bed.State = _bed.State()
    appliances: _appliances.State = _appliances.State()
    programme: _programme.State = _programme.State()
    rhythm_drift: _rhythm.State = _rhythm.State()
    due_s: float = -math.inf


RULES: dict[str, Any] = {
    "not_up": _up.step, "night_exit": _exits.step, "bathroom_overstay": _bathroom.step,
    "bed_exit": _bed.step, "appliances": _appliances.step, "programme": _programme.step,
    "rhythm_drift": _rhythm.step,
}
"""Name, as the configuration has it and as the field of State -> its step."""


def step(
    state: State, happened: Input, settings: Settings, *, human_only: bool = False, certain: bool = False
) -> tuple[State, tuple[Concern | Notice, ...]]:
    """Take one input; return what is known now, and what is to be told.

    `human_only`: an animal or others move here as well, so that motion is no sign of the resident; `certain`: that this
    one is all the same.
    """
    if isinstance(happened, Tick) and happened.at_s < state.due_s:
        return state, ()
    human = isinstance(happened, Sign) and is_human(happened, human_only=human_only and not certain)
    seen = scene_step(_as_configured(state.scene, settings, human_only), happened, human=human)
    new: dict[str, Any] = {}
    told: tuple[Concern | Notice, ...] = ()
    due_s = math.inf
    for name, rule in RULES.items():
        known = getattr(state, name)
        after, found = (known, ()) if name in settings.off else rule(known, seen, happened, human, settings)
        new[name] = after
        if found:
            told += found
        if after.due_s < due_s and name not in settings.off:
            due_s = after.due_s
    return State(scene=seen, **new, due_s=min(due_s, happened.at_s + LOOK_S)), told


def _as_configured(scene: Scene, settings: Settings, human_only: bool) -> Scene:
    """The scene with what the configuration and the detector of inactivity say."""
    if scene.human_only != human_only:
        scene = msgspec.structs.replace(scene, human_only=human_only)
    if settings.night is None:
        return msgspec.structs.replace(scene, night=Night()) if scene.night.fixed else scene
    night = configured(settings.night)
    return scene if night == scene.night else msgspec.structs.replace(scene, night=night)
