"""Supervision: which devices really watch, told when it changes and not at every flutter of a radio link. Pure.

A return of cover is told at once, a loss after GRACE_S: a bracelet's link drops for seconds many times a day, and
EN 50134-2 asks for supervision over hours, not seconds. A portable monitor that is asleep is well: it is no loss.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from gateway.model.device import WELL, DeviceState, DeviceStatus

GRACE_S = 10.0

_ABSENT = frozenset({DeviceState.SEARCHING, DeviceState.STARTING, DeviceState.LOST})


class Watch(msgspec.Struct, frozen=True):
    """How one device stands: its kind of cover, since when, which kind was told last; since when it has no cover."""

    kind: str
    since_mono_s: float
    told: str | None = None
    bare_mono_s: float = 0.0


State = dict[str, Watch]


def kind_of(state: DeviceState) -> str:
    """Name the kind of cover: up (or asleep), absent (searching, starting or lost), silent, rejected or blind."""
    return "up" if state in WELL else "absent" if state in _ABSENT else state.value


def step(state: State, statuses: Iterable[DeviceStatus], now_mono_s: float) -> tuple[State, list[DeviceStatus]]:
    """Look at every device's status; return the new state and the statuses that are worth telling."""
    new: State = {}
    tell: list[DeviceStatus] = []
    for status in statuses:
        kind = kind_of(status.state)
        watch = state.get(status.device) or Watch(kind, now_mono_s, bare_mono_s=now_mono_s)
        if watch.kind != kind:
            bare_mono_s = now_mono_s if watch.kind == "up" else watch.bare_mono_s
            watch = Watch(kind, now_mono_s, watch.told, bare_mono_s)
        # A loss lasts from its beginning, whatever became of it since; only then what it has become must last too.
        lasts_s = now_mono_s - (watch.bare_mono_s if watch.told in (None, "up") else watch.since_mono_s)
        if watch.told != kind and (kind == "up" or lasts_s >= GRACE_S):
            watch = replace(watch, told=kind)
            tell.append(status)
        new[status.device] = watch
    return new, tell
