"""Stamps, rows and events for the tests of the wire."""

from gateway.model.event import Event, EventType, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Row

BOOT = "boot-1"
NOW = Stamp(BOOT, 1000.0, 1_770_000_000.0, ClockQuality.SYNCED)


def event(event_id: str = "e1", lane: Lane = Lane.EVENT, at: Stamp = NOW) -> Event:
    return Event(event_id, EventType.SENSOR_CHANGED, lane, "door", at, {"kind": "contact", "active": True})


def row(taken: Event, seq: int = 7, settled: int = 6) -> Row:
    return Row("epoch-1", taken.lane, seq, settled, taken)
