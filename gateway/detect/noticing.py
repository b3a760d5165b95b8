"""How soon anyone would notice: for each hour of the last DAYS days, the wait for an alert had the resident collapsed.

Rules
 1. One figure an hour of the flat's wall clock, in whole minutes: the first that is said of an hour stands.
 2. A figure is kept DAYS days. What was not said (no power, no clock, nobody in, an alert given already) is
    UNKNOWN and counts for nothing.
 3. A clock that falls back by more than a day was wrong before: what it dated is forgotten.
Two bytes a figure, 1,344 in all.
"""

import statistics
from math import inf

import msgspec

from gateway.detect import inactivity
from gateway.detect.home import Input
from gateway.detect.inactivity.place import OUT

DAYS, HOURS = 28, 24
UNKNOWN = 0xFFFF
HORIZON_S = 48 * 3600.0
"""So far ahead the daemon says when an alert would come if nothing more happens."""
_HOUR_S, _MINUTE_S = 3600.0, 60.0
_SIZE = DAYS * HOURS


class State(msgspec.Struct, frozen=True):
    """`hour`: the newest known, in hours since 1970 of the wall clock. `minutes`: a ring of uint16, hour by hour."""

    hour: int | None = None
    minutes: bytes = UNKNOWN.to_bytes(2, "big") * _SIZE


class Hour(msgspec.Struct, frozen=True):
    """One hour of the day (0 to 23) over the `days` days that tell of it."""

    hour: int
    days: int
    median_s: float
    worst_s: float


def step(state: State, happened: Input, gaps: inactivity.State, settings: inactivity.Settings) -> State:
    """Once an hour, ask what the detector of inactivity would do from now on; `gaps`: its state after this input."""
    if happened.local_s is None or not due(state, happened.local_s):
        return state
    at_home = gaps.all.clock is not None and gaps.all.clock.place != OUT
    wait_s = inactivity.notice(gaps, happened.at_s, happened.local_s, inf, settings) if at_home else None
    return note(state, happened.local_s, wait_s)


def due(state: State, local_s: float) -> bool:
    """Tell whether nothing was said of this hour yet."""
    hour = int(local_s // _HOUR_S)
    return state.hour is None or hour > state.hour or _fell_back(state.hour, hour)


def note(state: State, local_s: float, wait_s: float | None) -> State:
    """Keep the wait of this hour; None: nothing can be said of it."""
    if not due(state, local_s):
        return state
    hour = int(local_s // _HOUR_S)
    if state.hour is None or _fell_back(state.hour, hour):
        state = State(hour - 1)
    minutes, newest = bytearray(state.minutes), hour - 1 if state.hour is None else state.hour
    for unsaid in range(max(newest + 1, hour - _SIZE + 1), hour):
        _put(minutes, unsaid, UNKNOWN)
    _put(minutes, hour, UNKNOWN if wait_s is None else min(round(wait_s / _MINUTE_S), UNKNOWN - 1))
    return State(hour, bytes(minutes))


def by_hour(state: State) -> list[Hour]:
    """Every hour of the day of which something is known, from midnight on."""
    known: dict[int, list[int]] = {}
    for hour in range(state.hour - _SIZE + 1, state.hour + 1) if state.hour is not None else ():
        wait = int.from_bytes(state.minutes[_place(hour) : _place(hour) + 2], "big")
        if wait != UNKNOWN:
            known.setdefault(hour % HOURS, []).append(wait)
    return [Hour(hour, len(waits), statistics.median_low(waits) * _MINUTE_S, max(waits) * _MINUTE_S)
            for hour, waits in sorted(known.items())]


def _fell_back(newest: int, hour: int) -> bool:
    return hour < newest - HOURS


def _place(hour: int) -> int:
    return 2 * (hour % _SIZE)


def _put(minutes: bytearray, hour: int, value: int) -> None:
    minutes[_place(hour) : _place(hour) + 2] = value.to_bytes(2, "big")
