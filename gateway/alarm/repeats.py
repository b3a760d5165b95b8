"""Repeats: what of the same again becomes an event, and when, so that a chattering contact floods nobody. Pure.

What came again is told at once if the last telling is pause_s() ago. Else it waits in the alarm (Alarm.untold,
Alarm.well) for the next of its kind or for a Tick, whichever comes first after the pause, and everything in between is
told by that one event: it carries the newest finding and the number of all.
"""

import msgspec

from gateway.alarm import events
from gateway.alarm.effects import Append
from gateway.alarm.rules import Rules
from gateway.model.alarm import Alarm
from gateway.model.event import Event, EventType
from gateway.model.time import Stamp

THIN_S = 5.0
"""Half of the time within which the centre's answer is due (10 s, GB 26875.1-2011, 4.1): sooner nobody can have acted
on the event before, and whoever pressed twice waits no longer for "received" than a slow centre lets him anyway."""

PAUSE_MAX_S = 600.0


def pause_s(alarm: Alarm) -> float:
    """How long after an event that told of it the same again waits.

    The pause doubles each time the resident has heard that the centre does not answer: such events only pile up before
    the next alarm's, and the answer, when it comes, ends the pause.
    """
    return min(THIN_S * 2.0 ** min(alarm.unreachable, 16), PAUSE_MAX_S)


def is_due(alarm: Alarm, now: Stamp) -> bool:
    """Tell whether a finding that no event has told may be told now."""
    return alarm.untold is not None and now.mono_s - alarm.told_mono_s >= pause_s(alarm)


def is_well_due(alarm: Alarm, now: Stamp) -> bool:
    """Tell whether an "I am fine" that no event has told may be told now."""
    return alarm.well is not None and now.mono_s - alarm.well_mono_s >= pause_s(alarm)


def told(alarm: Alarm, now: Stamp, rules: Rules) -> tuple[Alarm, Event]:
    """The alarm once its untold findings are told, and the event that does it: what the alarm awaits from now on."""
    newest = alarm.untold or alarm.finding
    alarm = msgspec.structs.replace(alarm, untold=None, told_mono_s=now.mono_s)
    alarm, event = events.further(alarm, EventType.ALARM_REPEATED, newest.at, rules, newest)
    return msgspec.structs.replace(alarm, awaits=event.id), event


def well_told(alarm: Alarm, now: Stamp, rules: Rules) -> tuple[Alarm, list[Event]]:
    """The alarm once its "I am fine" is told, and the event that does it; none where none waits."""
    if (well := alarm.well) is None:
        return alarm, []
    alarm = msgspec.structs.replace(alarm, well=None, well_mono_s=now.mono_s)
    alarm, event = events.further(alarm, EventType.RESIDENT_WELL, well.at, rules, by=well.device)
    return alarm, [event]


def caught_up(alarm: Alarm, now: Stamp, rules: Rules) -> tuple[Alarm, list[Append]]:
    """The alarm with everything told that has waited long enough."""
    told_events: list[Event] = []
    if is_due(alarm, now):
        alarm, event = told(alarm, now, rules)
        told_events.append(event)
    if is_well_due(alarm, now):
        alarm, more = well_told(alarm, now, rules)
        told_events += more
    return alarm, [Append(tuple(told_events), alarm)] if told_events else []
