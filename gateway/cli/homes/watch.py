"""Watch: all detectors of routine as one state and one step, as a replay runs them. Pure."""

import msgspec

from gateway.cli.homes.course import Told
from gateway.detect import inactivity, routines
from gateway.detect.home import Coverage, Input


class State(msgspec.Struct, frozen=True):
    """What the detectors know of the home; immutable, so that what would have been can branch off anywhere."""

    gaps: inactivity.State = inactivity.State()
    rules: routines.State = routines.State()
    human_only: bool = False


def step(state: State, happened: Input, settings: inactivity.Settings) -> tuple[State, tuple[Told, ...]]:
    """Take one input; return what is known now, and what is to be told."""
    gaps, told = inactivity.step(state.gaps, happened, settings)
    human_only = state.human_only
    for one in told:
        if isinstance(one, Coverage):
            human_only = one.reduced
    rules, found = routines.step(state.rules, happened, routines.Settings(residents=settings.residents),
                                 human_only=human_only)
    return State(gaps, rules, human_only), (*told, *found)
