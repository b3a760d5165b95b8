"""Reception: how well a place hears each device, from signal samples. Pure.

A place is as good as its weakest device, and a device as its bad moments: the 10th percentile, for a body that turns
away costs more than the median shows. The bounds of the words are ours and have not been checked in homes.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GOOD_DBM, POOR_DBM = -75.0, -85.0

Heard = Mapping[str, Sequence[int]]
"""Device -> its samples, RSSI in dBm."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One device at one place."""

    median_dbm: float
    p10_dbm: float
    samples: int

    @property
    def word(self) -> str:
        return "good" if self.p10_dbm >= GOOD_DBM else "fair" if self.p10_dbm >= POOR_DBM else "poor"


def signal(rssi_dbm: Sequence[int]) -> Signal | None:
    """Sum up samples; None where there are none. The 10th percentile is a sample (nearest rank)."""
    if not rssi_dbm:
        return None
    lowest = sorted(rssi_dbm)
    return Signal(statistics.median(lowest), lowest[math.ceil(len(lowest) / 10) - 1], len(lowest))


def weakest(heard: Heard) -> tuple[str, Signal] | None:
    """The device that a place hears worst, of those that it hears."""
    signals = [(name, one) for name, samples in heard.items() if (one := signal(samples))]
    return min(signals, key=lambda entry: (entry[1].p10_dbm, entry[1].median_dbm), default=None)


def best(rooms: Mapping[str, Heard]) -> str | None:
    """The room to place the gateway in: it hears the most devices, and its weakest one best. None where nothing is."""
    worst = {room: entry for room, heard in rooms.items() if (entry := weakest(heard))}
    return max(worst, default=None, key=lambda room: (
        sum(bool(samples) for samples in rooms[room].values()), worst[room][1].p10_dbm, worst[room][1].median_dbm))


def verdict(rooms: Mapping[str, Heard]) -> str:
    """Where to place the gateway, and what to do if that is not good enough."""
    room = best(rooms)
    if room is None:
        return "no known device was heard in any room: switch them on, and take those that are connected " \
               "out of the configuration for the survey"
    name, one = weakest(rooms[room]) or ("", Signal(0, 0, 0))
    told = (f"place the gateway in: {room}; the weakest there, {name}, has {one.p10_dbm:.0f} dBm in bad moments: "
            f"{one.word}")
    everybody = {device for heard in rooms.values() for device, samples in heard.items() if samples}
    missed = sorted(device for device in everybody if not rooms[room].get(device))
    if missed:
        told += f"; not heard there: {', '.join(missed)}"
    if missed or one.word == "poor":
        told += "; measure a place between, higher up and away from metal"
    return told
