"""Clock: how surprising is the silence so far. Pure.

Theory
    The surprise of a silence is the hazard summed over its minutes: exp(-surprise) is the share of silences of this
    kind that would still go on. Asked is something else: how likely is it that the resident collapsed at some moment of
    it? That is the odds of Shiryaev's detection of a change (Theory Probab. Appl. 8, 1963): the time waited, each
    minute weighted by the share of silences that reach it, over the share that reaches this one. So the level is
    surprise + ln(hours so waited): where silences are long more of a resident's time is at stake, and less surprise is
    enough.
    NIGHT: a silence of the quiet hours gets so much ahead, for a miss costs the hours until the morning. Found
    walk-forward.
The clock ticks in whole minutes since the last sign, whenever it is asked: how often it is asked changes nothing.
"""

from math import exp, log

import msgspec
from msgspec.structs import replace

from gateway.detect.inactivity.hazard import ANY_SLOT, BIN_OF, BINS, EDGES_MIN, SHORT_MIN, SLOT_S, SLOTS

WAITED_MIN = 10.0
"""What the first minutes weigh: most silences end in them."""
NIGHT = 1.75
_LAST = EDGES_MIN[-1]


class Clock(msgspec.Struct, frozen=True):
    """One silence. `since_s`, `local_s`: the last sign. `surprise`, `waited_min`: as counted up to `minutes`.

    `held_s`: so long nothing could be seen meanwhile. `learns`: it is a silence as others, good to be learned from.
    """

    since_s: float
    local_s: float | None
    place: int
    night: bool = False
    minutes: int = SHORT_MIN
    surprise: float = 0.0
    waited_min: float = WAITED_MIN
    held_s: float = 0.0
    learns: bool = True
    told: bool = False

    @property
    def level(self) -> float:
        """What is held against the limit."""
        return self.surprise + log(self.waited_min / 60.0) + (NIGHT if self.night else 0.0)


def advance(clock: Clock, at_s: float, hazards: tuple[float, ...], seen: float = 1.0) -> Clock:
    """Count the minutes up to `at_s`. `seen`: the share of the signs that can come, below 1 while sensors are lost."""
    until = int((at_s - clock.since_s - clock.held_s) / 60.0)
    if until <= clock.minutes:
        return clock
    surprise, waited_min = clock.surprise, clock.waited_min
    for minute in range(clock.minutes, until):
        surprise += _hazard(clock, minute, hazards) * seen
        waited_min += exp(-surprise)
    return replace(clock, minutes=until, surprise=surprise, waited_min=waited_min)


def waits_s(clock: Clock, limit: float, cap_s: float, horizon_s: float, hazards: tuple[float, ...], seen: float = 1.0
            ) -> float | None:
    """Seconds of silence at which the level reaches the limit or the silence the cap; None: later than the horizon."""
    limit -= NIGHT if clock.night else 0.0
    surprise, waited_min = clock.surprise, clock.waited_min
    for minute in range(clock.minutes, int(min(cap_s, horizon_s) / 60.0) + 1):
        if surprise + log(waited_min / 60.0) >= limit:
            return minute * 60.0
        surprise += _hazard(clock, minute, hazards) * seen
        waited_min += exp(-surprise)
    return cap_s if cap_s <= horizon_s else None


def _hazard(clock: Clock, minute: int, hazards: tuple[float, ...]) -> float:
    """Of a sign in this minute of the silence, were all sensors there."""
    slot = ANY_SLOT
    if clock.local_s is not None:
        slot = int((clock.local_s + clock.held_s + 30.0 + minute * 60.0) % 86400.0 / SLOT_S)
    return hazards[(clock.place * (SLOTS + 1) + slot) * BINS + BIN_OF[minute if minute < _LAST else _LAST]]
