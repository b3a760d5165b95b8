"""When something happened, honestly: a Pi has no clock at power-up, so a wall time carries its quality.

Orders and intervals come from the monotonic time of one boot; wall time is for people and for the city. The chronicle,
one Boot after another, says how the boots lie in wall time (gateway/sync/dating.py makes the dates).
"""

from enum import StrEnum

import msgspec

MOVED_S = 1.0
"""A clock that moved by less was slewed or read late; by more it was set."""


class ClockQuality(StrEnum):
    """How far a wall time may be trusted."""

    UNSET = "unset"  # nobody has set the clock since power-up
    RESTORED = "restored"  # put forward from the last known time on disk: late by the length of the power cut
    SYNCED = "synced"  # disciplined by a time server in this boot, and not set by anybody else since
    ESTIMATED = "estimated"  # never read: computed from the boots before and after. No clock has it, only dates


class Stamp(msgspec.Struct, frozen=True):
    """One moment.

    `mono_s`: seconds on CLOCK_MONOTONIC of the boot `boot_id`, the same for every process of this machine.
    `wall_s`: UNIX seconds as the clock stood then, or None where it was never read.
    """

    boot_id: str
    mono_s: float
    wall_s: float | None
    quality: ClockQuality


def earlier(at: Stamp, by_s: float) -> Stamp:
    """Return the moment `by_s` before a stamp, on the same boot and by the same clock."""
    wall_s = None if at.wall_s is None else at.wall_s - by_s
    return Stamp(at.boot_id, at.mono_s - by_s, wall_s, at.quality)


class Boot(msgspec.Struct, frozen=True):
    """What is known of the clock in one boot. Monotonic times count from its beginning.

    `lasted_s`: how long it ran at least. `began_wall_s`: UNIX seconds at monotonic zero by the synced clock; None where
    it never was. `synced_from_s` to `synced_upto_s`: when a time server vouched for that. `restored_wall_s`: at
    monotonic zero by a restored clock, which is late, and so a lower bound.
    """

    id: str
    lasted_s: float
    began_wall_s: float | None = None
    synced_from_s: float = 0.0
    synced_upto_s: float = 0.0
    restored_wall_s: float | None = None


def seen(boot: Boot, at: Stamp) -> Boot:
    """Return the boot with what a stamp of it adds. A synced clock that moved is believed anew, from then on."""
    boot = msgspec.structs.replace(boot, lasted_s=max(boot.lasted_s, at.mono_s))
    if at.wall_s is None:
        return boot
    began_s = at.wall_s - at.mono_s
    if at.quality is ClockQuality.RESTORED and boot.restored_wall_s is None:
        return msgspec.structs.replace(boot, restored_wall_s=began_s)
    if at.quality is not ClockQuality.SYNCED:
        return boot
    if boot.began_wall_s is not None and abs(began_s - boot.began_wall_s) <= MOVED_S:
        return msgspec.structs.replace(boot, synced_from_s=min(boot.synced_from_s, at.mono_s),
                                       synced_upto_s=max(boot.synced_upto_s, at.mono_s))
    return msgspec.structs.replace(boot, began_wall_s=began_s, synced_from_s=at.mono_s, synced_upto_s=at.mono_s)
