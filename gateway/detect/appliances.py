"""Use of an appliance from the power that its plug measures: in use or not, with hysteresis in power and in time. Pure.

A plug tells its power when it changes, or is asked now and then; nothing is known between two readings. Rules
 1. At `on_w` or more the appliance runs, at `off_w` or less it rests; between the two it is as it was.
 2. It is in use once it has run for `least_s`: what re-heats by itself for a moment was used by nobody.
 3. It is out of use once it has rested for `rest_s`: a thermostat's pauses are no end. tick() tells it, for a plug at
    nought says nothing more.
 4. Two readings further apart than SEEN_S do not show that it ran in between.
 5. The first reading is told either way: what is on may be left on, and what was on before a restart may be off.

There is no fridge here. A compressor starts by itself, and a door shows in its run times only over hours and in a warm
room alike; the lamp inside draws 1-2 W, below what a plug reports. Let a contact on its door watch it (`innerdoor`).

The figures are assumptions from what the appliances are rated for, not measured in homes; each says from what.
"""

from enum import StrEnum

import msgspec
from msgspec.structs import replace

SEEN_S = 300.0
"""Plugs report a change within seconds, and are asked at least every few minutes where they do not."""


class Appliance(StrEnum):
    """What hangs on a plug."""

    KETTLE = "kettle"
    STOVE = "stove"  # plugged hob or induction cooker
    IRON = "iron"
    MICROWAVE = "microwave"
    TELEVISION = "television"


class Traits(msgspec.Struct, frozen=True):
    """How an appliance draws power."""

    on_w: float
    off_w: float
    least_s: float = 0.0
    rest_s: float = 0.0


TRAITS: dict[Appliance, Traits] = {
    # Rated 1.5-3 kW. A cup (0.25 L) from 20 to 100 °C takes 84 kJ, 28 s at 3 kW; keeping warm takes short bursts.
    Appliance.KETTLE: Traits(1000, 500, least_s=25, rest_s=5),
    # Rated 0.8-2.2 kW, simmering in bursts with pauses of up to two minutes; clock, fan and standby stay below 30 W.
    Appliance.STOVE: Traits(100, 40, rest_s=180),
    # Rated 1-2.6 kW; a hot iron that is left alone is heated again every few minutes.
    Appliance.IRON: Traits(500, 50, rest_s=300),
    # Rated 1-1.5 kW at the plug, less power by pausing for up to 30 s; its clock and lamp stay below 100 W.
    Appliance.MICROWAVE: Traits(500, 100, rest_s=40),
    # Standby is at most 2 W (Regulation (EU) 2019/2021, annex II B, networked standby); small sets draw 20 W.
    Appliance.TELEVISION: Traits(15, 8, rest_s=60),
}


class State(msgspec.Struct, frozen=True):
    """One appliance. `used`: what was told last. Times in seconds of one monotonic clock, None for not so now."""

    used: bool | None = None
    runs_from_s: float | None = None
    rests_from_s: float | None = None
    heard_s: float | None = None


def step(state: State, power_w: float, at_s: float, traits: Traits) -> tuple[State, tuple[bool, ...]]:
    """Take one reading of the plug; return what is known now, and each beginning (True) and end of use, in order."""
    heard_s = at_s if state.heard_s is None else state.heard_s
    at_s = max(at_s, heard_s)
    unseen = at_s - heard_s > SEEN_S
    state = replace(state, heard_s=at_s)
    if power_w >= traits.on_w:
        begins = state.runs_from_s is None or (unseen and not state.used)
        return _runs(replace(state, runs_from_s=at_s if begins else state.runs_from_s, rests_from_s=None), at_s, traits)
    if power_w > traits.off_w:
        return state, ()
    begun: tuple[bool, ...] = ()
    if not unseen:
        state, begun = _runs(state, at_s, traits)
    if not state.used:
        return State(False, None, None, at_s), (False,) if state.used is None else ()
    rests_from_s = at_s if state.rests_from_s is None else state.rests_from_s
    state, ended = tick(replace(state, rests_from_s=rests_from_s), at_s, traits)
    return state, (*begun, *ended)


def _runs(state: State, at_s: float, traits: Traits) -> tuple[State, tuple[bool, ...]]:
    """The state of an appliance that has run up to now, and the beginning of use if this makes it one."""
    if state.used or state.runs_from_s is None or at_s - state.runs_from_s < traits.least_s:
        return state, ()
    return replace(state, used=True), (True,)


def tick(state: State, at_s: float, traits: Traits) -> tuple[State, tuple[bool, ...]]:
    """Let time pass; return what is known now, and the end of use if it is due."""
    if state.used and state.rests_from_s is not None and at_s - state.rests_from_s >= traits.rest_s:
        return State(False, None, None, state.heard_s), (False,)
    return state, ()
