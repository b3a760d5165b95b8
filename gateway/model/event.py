"""What goes to the city: an event, in one of three lanes."""

from enum import IntEnum
from typing import Any

import msgspec

from gateway.model.time import Stamp


class Lane(IntEnum):
    """Order of departure: a lower lane overtakes every higher one. Each lane is ordered in itself."""

    ALARM = 0
    EVENT = 1
    TELEMETRY = 2


class EventType:
    """The `type` of every event that the gateway sends; docs/protocol.md describes their data."""

    ALARM_RAISED = "anju.alarm.raised"
    ALARM_REPEATED = "anju.alarm.repeated"
    ALARM_CANCELLED = "anju.alarm.cancelled"
    ALARM_CLOSED = "anju.alarm.closed"
    RESIDENT_WELL = "anju.resident.well"  # "I am fine" came after the cancel window
    FALL_EVIDENCE = "anju.fall.evidence"  # what the bracelet measured around a fall, after the alarm; in the event lane
    SENSOR_CHANGED = "anju.sensor.changed"
    DEVICE_STATE = "anju.device.state"
    COVER_CHANGED = "anju.cover.changed"  # who watches over falls, and who does not
    ROUTINE_NOTICED = "anju.routine.noticed"  # a change of habits that is no alarm
    ROUTINE_COVER = "anju.routine.cover"  # how far the routine is watched
    GATEWAY_STARTED = "anju.gateway.started"
    GATEWAY_FAULT = "anju.gateway.fault"
    COMMAND_RESULT = "anju.command.result"
    SMS_SENT = "anju.sms.sent"  # an alarm that the city had not acknowledged was told by text message
    SMS_FAILED = "anju.sms.failed"
    SMS_DELIVERED = "anju.sms.delivered"
    VITALS_MEASURED = "anju.vitals.measured"  # what somebody measured on purpose
    VITALS_NOTICED = "anju.vitals.noticed"  # a vital sign beyond a limit that was asked for, no alarm
    BATTERY_LOW = "anju.battery.low"  # charge it: how long it still lasts
    VITALS_SUMMARY = "anju.vitals.summary"
    OUTBOX_GAP = "anju.outbox.gap"  # events that were given up for want of room; in the lane where they stood


class Event(msgspec.Struct, frozen=True):
    """One thing to tell. `id` is unique for ever and the same on every resend; `subject` is a device or "gateway"."""

    id: str
    type: str
    lane: Lane
    subject: str
    at: Stamp
    data: dict[str, Any]
