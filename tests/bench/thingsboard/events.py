"""The events that both products keep: numbered, and EVENT_BYTES long as they lie in each one's database.

The peer stores the JSON of its converted data, Anju that of its Event: the words differ, the length does not.
"""

import json
import re
from typing import Any

import msgspec

from gateway.model.event import Event, EventType, Lane
from gateway.model.time import ClockQuality, Stamp

EVENT_BYTES = 171
DEVICE, ALARM_DEVICE, PROFILE = "door-1", "sos-1", "contact"
_WALL_S = 1_770_000_000.0
_DIGITS = 9
_TAIL = '],"attributes":{}}'
_NUMBER = re.compile(rf'"id":"e(\d{{{_DIGITS}}})"')


def event(number: int, lane: Lane = Lane.EVENT) -> Event:
    """Return Anju's event of that number."""
    bare = _event(number, lane, "")
    return _event(number, lane, "x" * (EVENT_BYTES - len(msgspec.json.encode(bare))))


def _event(number: int, lane: Lane, room: str) -> Event:
    event_type = EventType.ALARM_RAISED if lane is Lane.ALARM else EventType.SENSOR_CHANGED
    at = Stamp("b", 9.0, _WALL_S, ClockQuality.SYNCED)
    return Event(event_id(number), event_type, lane, "door", at, {"room": room})


def event_id(number: int) -> str:
    return f"e{number:0{_DIGITS}d}"


def number_of(text: str) -> int | None:
    """Return the number of an event's id, None of whatever else."""
    return int(text[1:]) if re.fullmatch(rf"e\d{{{_DIGITS}}}", text) else None


def template() -> str:
    """Return the text that the peer stores, with two places for the number: `template() % (number, number)`.

    Each event has a moment of its own: its client and its server take two of one moment and name for the same.
    """
    head = f'{{"deviceName":"{DEVICE}","deviceType":"{PROFILE}","telemetry":['
    return head + _entry(EVENT_BYTES - len(head) - len(_TAIL)) + _TAIL


def feed(number: int) -> bytes:
    """Return what a sensor would send to the peer's MQTT connector, which stores it as in template()."""
    found = json.loads(template() % (number, number))["telemetry"][0]
    return json.dumps(found).encode()


def _entry(length_bytes: int) -> str:
    """Return a moment and its values, so long once the numbers stand in it."""
    place = f"%0{_DIGITS}d"
    bare = f'{{"ts":1770{place},"values":{{"id":"e{place}","active":true,"room":"%s"}}}}'
    spare = length_bytes - len(bare % (0, 0, ""))
    return bare.replace('"%s"', '"' + "x" * spare + '"')


def numbers_in(payload: bytes) -> list[int]:
    """Return the numbers of the events in what the peer published."""
    text = payload.decode(errors="replace").replace(": ", ":")
    return [int(number) for number in _NUMBER.findall(text)]


def stored_number(message: Any) -> int | None:
    """Return the number of a row of the peer's database, None where it is damaged."""
    found = _NUMBER.search(message) if isinstance(message, str) else None
    return int(found[1]) if found else None
