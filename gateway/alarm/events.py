"""What the city hears of an alarm: one event each, all in the alarm lane, so that they keep their order.

The first event's id is the alarm's own; every further one is "<alarm id>/<n>" with n = 1, 2, 3, ... by Alarm.told,
which is committed together with the event: an id is never given twice. The data is that of `anju.alarm.raised`, always
whole, so that a centre which missed the beginning can act on any of them; some events add keys of their own.
"""

from typing import Any

import msgspec

from gateway.alarm import fusion
from gateway.alarm.rules import Rules
from gateway.model.alarm import Alarm
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import CODES_OF, Finding, FindingKind
from gateway.model.time import Stamp


def raised(alarm: Alarm, rules: Rules) -> Event:
    """The event that first tells the alarm."""
    finding = alarm.finding
    return Event(alarm.id, EventType.ALARM_RAISED, Lane.ALARM, finding.device, finding.at, data(alarm, finding, rules))


def further(
    alarm: Alarm, type_: str, at: Stamp, rules: Rules, finding: Finding | None = None, **more: Any
) -> tuple[Alarm, Event]:
    """The alarm, with one event more counted, and that event. `finding`: a newer one than the alarm's own."""
    about = finding or alarm.finding
    event = Event(f"{alarm.id}/{alarm.told}", type_, Lane.ALARM, about.device, at, data(alarm, about, rules) | more)
    return msgspec.structs.replace(alarm, told=alarm.told + 1), event


def data(alarm: Alarm, finding: Finding, rules: Rules) -> dict[str, Any]:
    """Data common to the events of an alarm."""
    told: dict[str, Any] = {
        "alarm": alarm.id,
        "kind": finding.kind.value,
        "device": finding.device,
        "score": fusion.score(alarm, finding),
        "words": fusion.words(alarm, finding),
        "evidence": dict(finding.evidence),
        "codes": msgspec.to_builtins(CODES_OF[finding.kind]),
        "repeats": alarm.repeats,
        "state": alarm.state.value,
        "test": finding.kind is FindingKind.TEST,
    }
    if room := rules.rooms.get(finding.device):
        told["room"] = room
    if finding.kind is FindingKind.FALL:
        told["sources"] = [msgspec.to_builtins(source) for source in fusion.sources(alarm)]
    if alarm.second and alarm.second.texts:
        told["sms"] = [text.state.value for text in alarm.second.texts]
    if wearer := fusion.wearer(alarm, rules):
        told["wearer"] = wearer
    return told
