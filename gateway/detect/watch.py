"""Watch: every detector of routine as one state and one step, in the daemon and in a replay alike. Pure."""

import msgspec

from gateway.detect import inactivity, noticing, routines
from gateway.detect.home import Concern, Coverage, Input, Sign
from gateway.detect.inactivity import watched
from gateway.detect.routines import Notice

Told = Concern | Coverage | Notice


class Settings(msgspec.Struct, frozen=True):
    """What the configuration decides. `asks`: how soon anyone would notice; a replay that need not know is quicker."""

    gaps: inactivity.Settings = inactivity.Settings()
    rules: routines.Settings = routines.Settings()
    asks: bool = True


class State(msgspec.Struct, frozen=True):
    """What is known of the home; immutable, so that what would have been can branch off anywhere."""

    gaps: inactivity.State = inactivity.State()
    rules: routines.State = routines.State()
    waits: noticing.State = noticing.State()


def step(state: State, happened: Input, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    """Take one input; return what is known now, and what is to be told."""
    gaps, told = inactivity.step(state.gaps, happened, settings.gaps)
    others = gaps.watched.others
    certain = others and isinstance(happened, Sign) and watched.is_human(gaps.watched, happened)
    rules, found = routines.step(state.rules, happened, settings.rules, human_only=others, certain=certain)
    waits = noticing.step(state.waits, happened, gaps, settings.gaps) if settings.asks else state.waits
    return State(gaps, rules, waits), (*told, *found)
