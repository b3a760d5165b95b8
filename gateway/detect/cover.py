"""Cover: who watches over falls now, and what is amiss with the others. Pure.

A wearable watches while its session is up and it is worn (wear.py), one whose movement the gateway judges only while it
tells acceleration, a radar while its session is up. How each stands is
known at once (`anju status`). Told is what lasts:
 1. A watcher counts from SETTLE_S after it began to watch, and no longer from GRACE_S after it ceased to, for whatever
    reasons in turn. At the start nothing counts; a watcher that has not watched GRACE_S later is told as missing.
 2. It is told whenever it changes who counts: a bracelet that is off is told though a radar still watches.
 3. Each resident's cover is told by itself: a wearable is its wearer's, a radar of nobody watches over all.
 4. A home without watchers is told nothing: nobody counts on it. One that has lost its last is told that.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.detect import wear
from gateway.detect.falls import grid
from gateway.model.device import COVERED, DeviceStatus
from gateway.model.finding import FallSource
from gateway.model.reading import Accel, Reading

GRACE_S = 900.0
"""A wash takes a bracelet off for minutes: told each time, nobody would look any more. A quarter of an hour is more
than a wash and little of a day. Supervision tells a link that is down after seconds, `anju status` everything at once.
"""

SETTLE_S = 60.0
"""Contact that lasts so long is a wrist, not a hand that moves the bracelet from the table into a drawer."""

MEASURED_S = 60.0
"""A bracelet that has told no acceleration for so long does not measure: far longer than any batch."""


class Watcher(msgspec.Struct, frozen=True):
    """A configured device that watches over falls. `wearer`: whose it is; empty: the home's resident's."""

    source: FallSource
    wearer: str = ""


class Standing(StrEnum):
    """How a watcher stands."""

    WATCHES = "watches"
    NOT_WORN = "not_worn"
    ON_CHARGER = "on_charger"
    FLAT = "flat"  # not heard, and its battery was nearly empty
    OUT_OF_RANGE = "out_of_range"  # not heard
    NO_ACCELERATION = "no_acceleration"  # worn, but tells none that can be judged
    UNPROVEN = "unproven"  # heard, but nothing has told yet whether it is worn


WORDS: dict[Standing, tuple[str, str]] = {
    Standing.WATCHES: ("watches again", "none needed"),
    Standing.NOT_WORN: ("is not worn", "put it on"),
    Standing.ON_CHARGER: ("lies on the charger", "put it on"),
    Standing.FLAT: ("is flat", "charge it, then put it on"),
    Standing.OUT_OF_RANGE: ("is not heard", "bring it near, see that it has power"),
    Standing.NO_ACCELERATION: ("tells no acceleration", "switch it off and on; if it stays, update its firmware"),
    Standing.UNPROVEN: ("is heard, but nothing has told yet that it is worn", "put it on"),
}
"""What is amiss, after the device's name, and the cure."""


class Reason(msgspec.Struct, frozen=True):
    """What is amiss with one watcher, and for how long it has been."""

    device: str
    state: Standing
    for_s: float
    words: str
    cure: str


class Cover(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether anybody watches: `by` these devices, not by those of `reasons`. `for_s`: since when it is so, or not."""

    what: str
    covered: bool
    by: tuple[str, ...]
    reasons: tuple[Reason, ...]
    for_s: float
    wearer: str = ""

    def data(self) -> dict[str, Any]:
        """Data of the event."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told


class Watch(msgspec.Struct, frozen=True):
    """How one watcher stands and since when, since when it watches or does not, and whether it counts."""

    standing: Standing
    since_mono_s: float
    flipped_mono_s: float
    counts: bool | None = None  # None: not settled since the start

    @property
    def watching(self) -> bool:
        return self.standing is Standing.WATCHES


class State(msgspec.Struct, frozen=True):
    """What is known: of each wearable, of each watcher, and who was told to count for each wearer.

    `measured`: when each wearable last told acceleration that can be judged.
    """

    worn: dict[str, wear.State] = {}
    measured: dict[str, float] = {}
    watches: dict[str, Watch] = {}
    told: dict[str, dict[str, bool]] = {}


def heard(state: State, reading: Reading, watchers: Mapping[str, Watcher]) -> State:
    """Take one reading of any device."""
    watcher = watchers.get(reading.device)
    if watcher is None or watcher.source is FallSource.RADAR:
        return state
    known = wear.step(state.worn.get(reading.device, wear.State()), reading)
    measured = state.measured
    if isinstance(reading.value, Accel) and reading.value.n and grid.is_sound(reading.value):
        measured = measured | {reading.device: reading.at.mono_s}
    return replace(state, worn=state.worn | {reading.device: known}, measured=measured)


def step(state: State, watchers: Mapping[str, Watcher], statuses: Iterable[DeviceStatus], now_mono_s: float
         ) -> tuple[State, list[Cover]]:
    """Let time pass; return what is known now and the cover of each wearer for whom it changed."""
    up = {status.device for status in statuses if status.state in COVERED}
    worn = {name: wear.tick(known, now_mono_s) for name, known in state.worn.items() if name in watchers}
    measured = {name: mono_s for name, mono_s in state.measured.items() if name in watchers}
    watches = {}
    for name, watcher in watchers.items():
        standing, since_s = _standing(watcher, worn.get(name, wear.State()), measured.get(name), name in up, now_mono_s)
        watches[name] = watch = _follow(state.watches.get(name), standing, since_s, now_mono_s)
        if name in worn and name not in up and now_mono_s - watch.since_mono_s >= GRACE_S:
            worn[name] = wear.away(worn[name])
    told, tell = {}, []
    for wearer in wearers(watchers) or list(state.told):
        told[wearer] = {name: counts for name in _of(wearer, watchers) if (counts := watches[name].counts) is not None}
        if told[wearer] != state.told.get(wearer, {}):
            tell.append(_cover(wearer, watchers, watches, {name for name, counts in told[wearer].items() if counts},
                               {name for name, counts in told[wearer].items() if not counts}, now_mono_s))
    return State(worn, measured, watches, told), tell


def now(state: State, watchers: Mapping[str, Watcher], now_mono_s: float) -> list[Cover]:
    """The cover of each wearer as it is this moment, told or not."""
    known = {name: watcher for name, watcher in watchers.items() if name in state.watches}
    by = {name for name in known if state.watches[name].watching}
    return [_cover(wearer, known, state.watches, by, set(known) - by, now_mono_s) for wearer in wearers(known)]


def wearers(watchers: Mapping[str, Watcher]) -> list[str]:
    """Over whom these watch: the wearers of wearables; where there is none, whoever the radars are for."""
    worn = {watcher.wearer for watcher in watchers.values() if watcher.source is not FallSource.RADAR}
    return sorted(worn or {watcher.wearer for watcher in watchers.values()})


def _of(wearer: str, watchers: Mapping[str, Watcher]) -> list[str]:
    return sorted(name for name, watcher in watchers.items() if watcher.wearer == wearer
                  or (watcher.source is FallSource.RADAR and not watcher.wearer))


def _standing(
    watcher: Watcher, known: wear.State, measured_s: float | None, up: bool, now_s: float
) -> tuple[Standing, float]:
    """How a watcher stands, and since when at the earliest. `measured_s`: when it last told acceleration."""
    if known.charging:
        return Standing.ON_CHARGER, now_s
    if not up:
        return (Standing.FLAT if known.flat else Standing.OUT_OF_RANGE), now_s
    if watcher.source is FallSource.WRIST and known.worn and (measured_s is None or now_s - measured_s > MEASURED_S):
        return Standing.NO_ACCELERATION, now_s if measured_s is None else measured_s
    if watcher.source is FallSource.RADAR or known.worn:
        return Standing.WATCHES, now_s
    if known.worn is None:
        return Standing.UNPROVEN, now_s
    return Standing.NOT_WORN, known.since_mono_s


def _follow(watch: Watch | None, standing: Standing, since_s: float, now_s: float) -> Watch:
    """Rule 1."""
    if watch is None:
        watch = Watch(standing, now_s, now_s)
    elif watch.standing is not standing:
        flips = watch.watching is not (standing is Standing.WATCHES)
        watch = Watch(standing, since_s, since_s if flips else watch.flipped_mono_s, watch.counts)
    if now_s - watch.flipped_mono_s >= (SETTLE_S if watch.watching else GRACE_S):
        return replace(watch, counts=watch.watching)
    return watch


def _cover(wearer: str, watchers: Mapping[str, Watcher], watches: Mapping[str, Watch], by: set[str], amiss: set[str],
           now_s: float) -> Cover:
    """The cover of one wearer, of whose watchers those in `by` count and those in `amiss` do not."""
    mine = _of(wearer, watchers)
    reasons = tuple(Reason(name, watches[name].standing, round(now_s - watches[name].since_mono_s, 1),
                           *WORDS[watches[name].standing]) for name in mine if name in amiss)
    counting = tuple(name for name in mine if name in by)
    ages = [now_s - watches[name].flipped_mono_s for name in counting or mine]
    for_s = max(ages, default=0.0) if counting else min(ages, default=0.0)
    return Cover("falls", bool(counting), counting, reasons, round(for_s, 1), wearer)
