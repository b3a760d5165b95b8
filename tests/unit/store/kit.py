"""Events, alarms and commands for the store's tests."""

from gateway.model.alarm import Alarm, AlarmState
from gateway.model.command import Command, Verb
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.time import ClockQuality, Stamp

AT = Stamp("boot-1", 100.0, 1_770_000_000.0, ClockQuality.SYNCED)


def event(event_id: str, lane: Lane = Lane.EVENT, at: Stamp = AT) -> Event:
    return Event(event_id, EventType.SENSOR_CHANGED, lane, "door", at, {"kind": "contact", "active": True})


def alarm(alarm_id: str, state: AlarmState = AlarmState.RAISED) -> Alarm:
    return Alarm(alarm_id, state, Finding(FindingKind.SOS, "pendant", AT, 1.0, "pressed"), AT)


def command(command_id: str) -> Command:
    return Command(command_id, Verb.CLOSE_ALARM, "alarm-1", 1_770_000_060.0)
