"""Retention: what the outbox gives up where there is no room for it. Decides first, then others delete. Pure.

Room is what the file may still take: up to `max_bytes` of rows, and of the disk all but `min_free_bytes`; space inside
the file that is free again counts, the disk need not give it. Without room the oldest telemetry goes, then the oldest
events, up to STEP rows at a time, until a share of the file is free: so what comes in pushes out as much of the oldest,
and a disk that others filled costs little. Alarms never go: for them the file grows as long as the disk lets it. Each
time one gap record remains, which the city gets.

Wall clocks play no part: the oldest is what has the lowest number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.model.event import Lane

STEP = 256
SHARE = 1 / 8  # of a lane in one step; of the file's used bytes that are to be free afterwards
HEADROOM_BYTES = 4 * 2**20  # at most
SMALL_DISK = 1 / 10  # the disk's share that stands in for `min_free_bytes` where that would be more


@dataclass(frozen=True, slots=True)
class Limits:
    """What the outbox may take, and the evidence of falls. `telemetry_delay_s`: how late telemetry may be committed."""

    max_bytes: float = 1024e6
    min_free_bytes: float = 256e6
    telemetry_delay_s: float = 30.0
    evidence_count: int = 50
    evidence_bytes: float = 2e6


@dataclass(frozen=True, slots=True)
class Usage:
    """How things stand. `used_bytes`: of the file, without what is free in it (`spare_bytes`); then the disk's."""

    used_bytes: int
    spare_bytes: int
    disk_free_bytes: int
    disk_bytes: int
    waiting: Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """Give up the `rows` oldest of a lane."""

    lane: Lane
    rows: int
    reason: str
    cure: str


def decide(limits: Limits, usage: Usage, cutting: bool) -> Cut | None:
    """Return the next cut, None where there is room. `cutting`: the last answer was a cut."""
    full, scarce = room_bytes(limits, usage)
    wanted_bytes = min(HEADROOM_BYTES, usage.used_bytes * SHARE) if cutting else 0.0
    if min(full, scarce) > wanted_bytes:
        return None
    lane = next((lane for lane in (Lane.TELEMETRY, Lane.EVENT) if usage.waiting[lane] > 1), None)
    if lane is None:
        return None
    rows = min(STEP, max(2, int(usage.waiting[lane] * SHARE)))
    if full <= scarce:
        return Cut(lane, rows, f"the outbox had reached {limits.max_bytes / 1e6:.0f} MB",
                   "restore the link to the city, or raise store.max_mb")
    return Cut(lane, rows, "the disk had no space left for the outbox", "free space on the disk that holds state_dir")


def room_bytes(limits: Limits, usage: Usage) -> tuple[float, float]:
    """Return what the cap leaves, and what the disk does."""
    floor_bytes = min(limits.min_free_bytes, usage.disk_bytes * SMALL_DISK)
    return limits.max_bytes - usage.used_bytes, usage.spare_bytes + max(0.0, usage.disk_free_bytes - floor_bytes)
