"""What fills an outbox: events as a home makes them, with ids that grow, and files with many of them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from gateway.model.event import Event, EventType, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime.ids import new_id
from gateway.store import Limits, Store

BOOT = "0b0e7a52-6b7f-4f0e-9d3e-6f3f8f1f2a10"
BEGAN_WALL_S = 1_770_000_000.0
AT_ONCE = Limits(telemetry_delay_s=0.0)

_encode = msgspec.json.Encoder().encode


def events(lane: Lane, count: int, first: int = 0) -> Iterator[Event]:
    """Yield events of a lane, a millisecond apart: what the gateway makes of readings, alarms and summaries."""
    for number in range(first, first + count):
        past_s = number / 1000
        at = Stamp(BOOT, past_s, BEGAN_WALL_S + past_s, ClockQuality.SYNCED)
        yield event(lane, number, at)


def event(lane: Lane, number: int, at: Stamp) -> Event:
    event_id = new_id(at.wall_s or 0.0)
    if lane is Lane.ALARM:
        data = {"kind": "sos", "room": "bedroom", "confidence": 1.0, "reason": "the SOS button was pressed",
                "test": False, "state": "raised"}
        return Event(event_id, EventType.ALARM_RAISED, lane, "sos-bedroom", at, data)
    if lane is Lane.EVENT:
        data = {"kind": "contact", "active": number % 2 == 0, "room": "hall"}
        return Event(event_id, EventType.SENSOR_CHANGED, lane, f"door-{number % 20}", at, data)
    middle = 60 + number * 7 % 30
    data = {"kind": "heart_rate", "unit": "/min", "loinc": "8867-4", "span_s": 60.012, "n": 58, "implausible": 2,
            "min": middle - 6.5, "median": float(middle), "max": middle + 11.5}
    return Event(event_id, EventType.VITALS_SUMMARY, lane, f"bracelet-{number % 4}", at, data)


async def filled(folder: Path, lanes: Sequence[Lane], count: int) -> None:
    """Make a closed store with `count` events, parted evenly over the lanes: row by row as the store itself writes."""
    await (await Store.open(folder, AT_ONCE)).close()
    with closing(sqlite3.connect(folder / "anju.db", isolation_level=None)) as base:
        base.execute("PRAGMA synchronous = OFF")
        base.execute("BEGIN")
        for place, lane in enumerate(lanes):
            share = count // len(lanes)
            rows = ((lane, seq, found.id, _encode(found))
                    for seq, found in enumerate(events(lane, share, place * share), start=1))
            base.executemany("INSERT INTO outbox (lane, seq, id, body) VALUES (?, ?, ?, ?)", rows)
        base.execute("COMMIT")
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
