"""How a configured device stands, as seen from the gateway."""

from enum import StrEnum

import msgspec


class DeviceState(StrEnum):
    """The states of one device's session."""

    SEARCHING = "searching"  # its bus looks for it: out of range, unplugged, asleep
    STARTING = "starting"  # found; not yet delivering
    UP = "up"
    SILENT = "silent"  # connected, but past its silence deadline
    LOST = "lost"  # the last session failed; the next one comes after a pause
    REJECTED = "rejected"  # wrong device or settings, by its own answer
    BLIND = "blind"  # the process that runs its bus is down
    ASLEEP = "asleep"  # portable, and nobody measures now: nothing is amiss


WELL = frozenset({DeviceState.UP, DeviceState.ASLEEP})
"""The states in which nothing is amiss."""

COVERED = frozenset({DeviceState.UP})
"""The states in which a device really watches; in any other the resident's cover is reduced."""


class DeviceStatus(msgspec.Struct, frozen=True):
    """A device's state, since when (CLOCK_MONOTONIC), and if it is not well: why and what to do."""

    device: str
    state: DeviceState
    since_mono_s: float
    reason: str = ""
    cure: str = ""
    sessions: int = 0  # started since the daemon started
    dropped: int = 0  # samples that came too late to be of use
    about: dict[str, str] = {}  # what it said about itself: maker, model, firmware, serial
