"""Which readings tell that the resident is up and about.

A sign is something that only a person does: a press, a door that opens or shuts, motion that begins, going to bed or
leaving it, a bracelet that is moved. No sign is what comes by itself: a level repeated as a heartbeat, motion that
times out, a battery report, smoke, and a heart rate, for the heart of one who lies helpless beats too.
"""

import math
from struct import iter_unpack

import msgspec

from gateway.model.reading import Accel, Binary, BinaryKind, Press, Reading

MOVED_G = 0.1
"""RMS distance from the block's mean that only a moved wrist gives: one that lies still stays below (falls.still_g)."""

SIGNS: dict[BinaryKind, frozenset[bool]] = {
    BinaryKind.CONTACT: frozenset({True, False}),
    BinaryKind.BED: frozenset({True, False}),
    BinaryKind.PRESENCE: frozenset({True, False}),
    BinaryKind.MOTION: frozenset({True}),
}
"""The levels whose beginning is a sign of life."""


class State(msgspec.Struct, frozen=True):
    """The last level of each sensor: device -> kind -> level."""

    levels: dict[str, dict[BinaryKind, bool]] = {}


def step(state: State, reading: Reading) -> tuple[State, bool]:
    """Take one reading of any kind; return what is known now and whether it was a sign of life."""
    match reading.value:
        case Press():
            return state, True
        case Binary(kind=kind, active=active) if kind in SIGNS:
            known = state.levels.get(reading.device, {})
            before = known.get(kind)
            if before == active:
                return state, False
            levels = state.levels | {reading.device: known | {kind: active}}
            return State(levels), before is not None and active in SIGNS[kind]
        case Accel() as block:
            return state, moved(block)
        case _:
            return state, False


def moved(block: Accel) -> bool:
    """Tell whether the bracelet was moved within this block."""
    samples = list(iter_unpack("<3h", block.samples_mg[: len(block.samples_mg) // 6 * 6]))
    if not samples:
        return False
    count = len(samples)
    spread2 = 0.0
    for axis in zip(*samples, strict=True):
        middle = sum(axis) / count
        spread2 += sum((value - middle) ** 2 for value in axis)
    return math.sqrt(spread2 / count) >= MOVED_G * 1000
