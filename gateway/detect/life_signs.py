"""Which readings tell that the resident is up and about, as the detectors of routine take them.

A sign is something that a person does: a press, a door that opens or shuts, motion, going to bed or leaving it, an
appliance in use, a bracelet that is moved. No sign is what comes by itself: a level repeated as a heartbeat, the first
level after a start, a battery report, smoke, and a heart rate, for the heart of one who lies helpless beats too.
"""

import math
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from gateway.detect import appliances
from gateway.detect.appliances import TRAITS, Appliance
from gateway.detect.home import SignKind
from gateway.model.reading import Accel, Binary, BinaryKind, Press, Quantity, QuantityKind, Reading

MOVED_G = 0.1
"""RMS distance from the block's mean that only a moved wrist gives: one that lies still stays below (falls.still_g)."""

SIGNS: dict[BinaryKind, SignKind] = {
    BinaryKind.CONTACT: SignKind.INNER_DOOR,
    BinaryKind.BED: SignKind.BED,
    BinaryKind.PRESENCE: SignKind.MOTION,
    BinaryKind.MOTION: SignKind.MOTION,
}
"""Levels of which a change is a sign, and what the sensor watches where the configuration does not say."""

WRIST_S = 60.0
"""A worn bracelet moves all day: it is heard once in so long."""


class Given(msgspec.Struct, frozen=True):
    """A sign: of which kind, and whether it begins or ends."""

    kind: SignKind
    on: bool


class Place(msgspec.Struct, frozen=True):
    """Where a device is: a class of rooms (home.ROOMS), and what the configuration says that it watches.

    `appliance`: what draws the power that it measures.
    """

    room: str = "other"
    watches: SignKind | None = None
    appliance: Appliance | None = None


class State(msgspec.Struct, frozen=True):
    """The last level of each sensor: device -> kind -> level. `wrists`: when each bracelet was last heard.

    `plugs`: the appliance behind each device that measures power.
    """

    levels: dict[str, dict[BinaryKind, bool]] = {}
    wrists: dict[str, float] = {}
    plugs: dict[str, appliances.State] = {}


def step(state: State, reading: Reading, place: Place) -> tuple[State, tuple[Given, ...]]:
    """Take one reading of any kind; return what is known now and the signs that it gives, in order."""
    match reading.value:
        case Press():
            return state, (Given(SignKind.BUTTON, True),)
        case Binary(kind=kind, active=active) if kind in SIGNS:
            known = state.levels.get(reading.device, {})
            before = known.get(kind)
            if before == active:
                return state, ()
            state = replace(state, levels=state.levels | {reading.device: known | {kind: active}})
            watched = _watched(kind, place)
            if before is None and watched is not SignKind.APPLIANCE:  # which may be left on, or off since a restart
                return state, ()
            ended = watched is SignKind.MOTION and not active
            return state, () if ended else (Given(watched, active),)
        case Quantity(kind=QuantityKind.POWER, plausible=True, value=power_w) if place.appliance is not None:
            plug, used = appliances.step(state.plugs.get(reading.device, appliances.State()), power_w,
                                         reading.at.mono_s, TRAITS[place.appliance])
            state = replace(state, plugs=state.plugs | {reading.device: plug})
            return state, tuple(Given(SignKind.APPLIANCE, on) for on in used)
        case Accel() as block:
            heard_s = state.wrists.get(reading.device)
            if (heard_s is not None and 0 <= reading.at.mono_s - heard_s < WRIST_S) or not moved(block):
                return state, ()
            state = replace(state, wrists=state.wrists | {reading.device: reading.at.mono_s})
            return state, (Given(SignKind.WRIST, True),)
        case _:
            return state, ()


def tick(state: State, mono_s: float, places: Mapping[str, Place]) -> tuple[State, tuple[tuple[str, Given], ...]]:
    """Let time pass; return what is known now, and each device whose appliance is out of use."""
    ended: tuple[tuple[str, Given], ...] = ()
    for device, plug in state.plugs.items():
        appliance = places.get(device, Place()).appliance
        after, used = (plug, ()) if appliance is None else appliances.tick(plug, mono_s, TRAITS[appliance])
        if used:
            state = replace(state, plugs=state.plugs | {device: after})
            ended += tuple((device, Given(SignKind.APPLIANCE, on)) for on in used)
    return state, ended


def _watched(kind: BinaryKind, place: Place) -> SignKind:
    """A contact in the hall is the door to the outside, unless the configuration says otherwise."""
    if place.watches is not None:
        return place.watches
    return SignKind.DOOR if kind is BinaryKind.CONTACT and place.room == "hall" else SIGNS[kind]


def moved(block: Accel) -> bool:
    """Tell whether the bracelet was moved within this block."""
    samples = block.samples()
    if not samples:
        return False
    count = len(samples)
    spread2 = 0.0
    for axis in zip(*samples, strict=True):
        middle = sum(axis) / count
        spread2 += sum((value - middle) ** 2 for value in axis)
    return math.sqrt(spread2 / count) >= MOVED_G * 1000
