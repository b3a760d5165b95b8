"""When something happened, honestly: a Pi has no clock at power-up, so a wall time carries its quality.

Orders and intervals come from the monotonic time of one boot; wall time is for people and for the city.
"""

from enum import StrEnum

import msgspec


class ClockQuality(StrEnum):
    """How far a wall time may be trusted."""

    UNSET = "unset"  # nobody has set the clock since power-up
    RESTORED = "restored"  # put forward from the last known time on disk: late by the length of the power cut
    SYNCED = "synced"  # disciplined by a time server


class Stamp(msgspec.Struct, frozen=True):
    """One moment.

    `mono_s`: seconds on CLOCK_MONOTONIC of the boot `boot_id`, the same for every process of this machine.
    `wall_s`: UNIX seconds as the clock stood then, or None where it was never read.
    """

    boot_id: str
    mono_s: float
    wall_s: float | None
    quality: ClockQuality
