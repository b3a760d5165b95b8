"""Hours without a sign of life.

Rules
 1. Silence is counted in monotonic time, from tick to tick. Over a restart of the machine the count goes on where it
    stood: the time without power saw no sensor, so it counts for nothing, and nobody is forgotten by a reboot.
 2. When the silence reaches the limit that is a finding, once; the next sign of life arms it again.
"""

import msgspec

from gateway.model.finding import Finding, FindingKind
from gateway.model.time import Stamp

HOME = "home"
"""The device of a finding that no single device made."""

SCORE = 0.5
"""Silence that just reaches the limit may as well be a long sleep."""


class SignOfLife(msgspec.Struct, frozen=True):
    """The resident did something at this moment."""

    at: Stamp


class Tick(msgspec.Struct, frozen=True):
    """Time went on."""

    at: Stamp


Input = SignOfLife | Tick


class State(msgspec.Struct, frozen=True):
    """The silence so far. `counted`: up to which moment; None before the first input. Good to be saved and restored."""

    quiet_s: float = 0.0
    counted: Stamp | None = None
    told: bool = False


def step(state: State, happened: Input, limit_s: float) -> tuple[State, tuple[Finding, ...]]:
    """Take a sign of life or a tick; return the silence so far, and the finding if it has just become too long."""
    at = happened.at
    if state.counted is not None and state.counted.boot_id == at.boot_id and at.mono_s < state.counted.mono_s:
        at = state.counted  # an input that was queued while a later one was taken
    if isinstance(happened, SignOfLife):
        return State(0.0, at), ()
    quiet_s = state.quiet_s
    if state.counted is not None and state.counted.boot_id == at.boot_id:
        quiet_s += at.mono_s - state.counted.mono_s
    if state.told or quiet_s < limit_s:
        return State(quiet_s, at, state.told), ()
    words = f"no sign of life for {quiet_s / 3600:.1f} hours"
    evidence = {"quiet_s": round(quiet_s, 1), "limit_s": limit_s}
    finding = Finding(FindingKind.INACTIVITY, HOME, at, SCORE, words, evidence)
    return State(quiet_s, at, told=True), (finding,)
