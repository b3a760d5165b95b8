"""Dating: the wall time of a stamp, as far as the chronicle of boots lets it be known, and how far that is.

The boot of the stamp                   its date
was synced at any time                  began + monotonic time, SYNCED, whatever was done to the clock since
lies between two boots of known times   after the end of the one before, before the beginning of the one after, both
                                        moved by the durations in between: the middle, ESTIMATED
has a known boot after it alone         the restored clock, if there is one, stands for the boot before: the middle,
                                        RESTORED, as good as what was restored and no better
has a known boot on one side alone      that bound, ESTIMATED, or the restored clock where it is later, RESTORED; nobody
                                        knows the other side, and `bound` says so
has nothing of that                     none, UNSET

Within a boot all dates come from one line over its monotonic time, so their order never turns. What a boot ran after
its last note makes the span wider than it must be, never too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from gateway.model.time import MOVED_S, Boot, ClockQuality, Stamp, seen

DRIFT = 100e-6
"""How far CLOCK_MONOTONIC runs from the truth while no server steers it. Quartz for such boards is sold within 20 to 50
ppm at 25 degrees; temperature and age take as much again. The kernel itself steers by 500 ppm at most (adjtimex(2)).
"""

SYNC_S = MOVED_S + 0.5
"""How far a synced clock may be off: by a move too small to be noted, and by what the kernel still has to slew away
while it calls itself synced (adjtimex(2): an offset of up to half a second)."""


class Bound(StrEnum):
    """Which side of a one-sided date is known."""

    EARLIEST = "earliest"  # then or later
    LATEST = "latest"  # then or earlier


@dataclass(frozen=True, slots=True)
class Dating:
    """A date: the truth lies within `wall_s` +- `uncertainty_s`, or on one side of it (`bound`), or nobody knows."""

    wall_s: float | None
    quality: ClockQuality
    uncertainty_s: float | None = None
    bound: Bound | None = None


@dataclass(frozen=True, slots=True)
class _Edge:
    """One side of when a boot began, and how far that may be off."""

    wall_s: float
    slack_s: float


def dated(at: Stamp, now: Stamp, boots: Sequence[Boot] = ()) -> Dating:
    """Return the best date known now for a stamp. `boots`: the chronicle, in order."""
    chain = _with(boots, now)
    place = next((n for n, boot in enumerate(chain) if boot.id == at.boot_id), None)
    boot = Boot(at.boot_id, at.mono_s) if place is None else chain[place]
    if boot.began_wall_s is None:
        boot = seen(boot, at)
    drift_s = DRIFT * at.mono_s
    if boot.began_wall_s is not None:
        return Dating(boot.began_wall_s + at.mono_s, ClockQuality.SYNCED, _off_s(boot, at.mono_s))
    low = None if place is None else _after_those(chain[:place])
    high = None if place is None else _before_those(chain[place + 1:], boot.lasted_s)
    quality = ClockQuality.ESTIMATED
    restored_s = boot.restored_wall_s
    if restored_s is not None and _fits(restored_s, low, high):
        low, quality = _Edge(restored_s, 0.0), ClockQuality.RESTORED
    if low is not None and high is not None:
        half_s = abs(high.wall_s - low.wall_s) / 2
        off_s = half_s + max(low.slack_s, high.slack_s) + drift_s
        return Dating((low.wall_s + high.wall_s) / 2 + at.mono_s, quality, off_s)
    if low is not None and quality is ClockQuality.RESTORED:
        return Dating(low.wall_s + at.mono_s, quality, None, Bound.EARLIEST)
    if low is not None:
        return Dating(low.wall_s - low.slack_s - drift_s + at.mono_s, quality, None, Bound.EARLIEST)
    if high is not None:
        return Dating(high.wall_s + high.slack_s + drift_s + at.mono_s, quality, None, Bound.LATEST)
    return Dating(None, ClockQuality.UNSET)


def _fits(restored_s: float, low: _Edge | None, high: _Edge | None) -> bool:
    """Tell whether a restored clock adds a lower bound to what the chronicle knows, and does not contradict it."""
    if high is None:
        return low is None or restored_s > low.wall_s
    return low is None and restored_s <= high.wall_s


def rfc3339(wall_s: float | None) -> str | msgspec.UnsetType:
    """Return UNIX seconds as RFC 3339 in UTC with milliseconds; UNSET where there is no such moment."""
    if wall_s is None:
        return msgspec.UNSET
    try:
        moment = datetime.fromtimestamp(wall_s, UTC)
    except (ValueError, OverflowError, OSError):
        return msgspec.UNSET
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with(boots: Sequence[Boot], now: Stamp) -> list[Boot]:
    """The chronicle with what is known this moment of the boot that runs."""
    own = next((boot for boot in boots if boot.id == now.boot_id), Boot(now.boot_id, now.mono_s))
    if own.began_wall_s is None:
        own = seen(own, now)
    return [*(boot for boot in boots if boot.id != now.boot_id), own]


def _off_s(boot: Boot, mono_s: float) -> float:
    """How far began + monotonic time may be off at a moment of a synced boot."""
    away_s = max(boot.synced_from_s - mono_s, mono_s - boot.synced_upto_s, 0.0)
    return SYNC_S + DRIFT * away_s


def _after_those(before: Sequence[Boot]) -> _Edge | None:
    """When a boot after these can have begun at the earliest."""
    between_s = 0.0
    for boot in reversed(before):
        if boot.began_wall_s is not None:
            slack_s = _off_s(boot, boot.lasted_s) + DRIFT * between_s
            return _Edge(boot.began_wall_s + boot.lasted_s + between_s, slack_s)
        between_s += boot.lasted_s
    return None


def _before_those(after: Sequence[Boot], lasted_s: float) -> _Edge | None:
    """When a boot before these that lasted so long can have begun at the latest."""
    for boot in after:
        if boot.began_wall_s is not None:
            return _Edge(boot.began_wall_s - lasted_s, _off_s(boot, 0.0) + DRIFT * lasted_s)
        lasted_s += boot.lasted_s
    return None
