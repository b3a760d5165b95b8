"""Watch: all detectors of routine as one state and one step, as a replay runs them. Pure."""

import msgspec

from gateway.detect import inactivity, noticing
from gateway.detect.home import Concern, Coverage, Input

Told = Concern | Coverage
HORIZON_S = 48 * 3600.0
"""How far `How soon would anyone notice?` looks ahead."""


class State(msgspec.Struct, frozen=True):
    """What the detectors know of the home; immutable, so that what would have been can branch off anywhere."""

    gaps: inactivity.State = inactivity.State()
    waits: noticing.State = noticing.State()


def step(state: State, happened: Input, settings: inactivity.Settings) -> tuple[State, tuple[Told, ...]]:
    """Take one input; return what is known now, and what is to be told."""
    gaps, told = inactivity.step(state.gaps, happened, settings)
    return State(gaps, state.waits), told
