"""The detector of unusual inactivity: one state, one step."""

import msgspec

from gateway.detect.home import Away, Concern, Coverage, Input, Sign
from gateway.model.finding import FindingKind


class Settings(msgspec.Struct, frozen=True):
    """`budget_days`: one false alert in so many days is borne. `cap_h`: no gap is longer without an alert."""

    budget_days: float = 60.0
    cap_h: float = 14.0
    residents: int = 1


class State(msgspec.Struct, frozen=True):
    """What is known of the home. Good to be saved and restored."""

    version: int = 1
    last_s: float | None = None
    told: bool = False


def step(state: State, happened: Input, settings: Settings) -> tuple[State, tuple[Concern | Coverage, ...]]:
    """Take one input; return what is known now, and what is to be told."""
    if isinstance(happened, Sign):
        return msgspec.structs.replace(state, last_s=happened.at_s, told=False), ()
    if isinstance(happened, Away) or state.last_s is None or state.told:
        return state, ()
    quiet_h = (happened.at_s - state.last_s) / 3600
    if quiet_h < settings.cap_h:
        return state, ()
    concern = Concern(FindingKind.INACTIVITY, happened.at_s, 0.5, f"no sign of life for {quiet_h:.1f} hours")
    return msgspec.structs.replace(state, told=True), (concern,)


def notice(state: State, at_s: float, local_s: float | None, horizon_s: float, settings: Settings) -> float | None:
    """Seconds from `at_s` until the resident's silence would be told, were there no more sign; None: not in `horizon_s`."""
    del local_s
    if state.last_s is None or state.told:
        return None
    left_s = state.last_s + settings.cap_h * 3600 - at_s
    return max(left_s, 0.0) if left_s <= horizon_s else None
