"""The alarm's life as a table, and decide(), which follows it.

    state      Sent           Received         Repeated         Agreed   Closed           CancelPressed in time; late
    raised     sent, "sent"   received, "..."  raised, counted  event    closed, event    cancelled, event; "well noted"
    sent       -              received, "..."  raised, counted  event    closed, event    cancelled, event; "well noted"
    received   -              -                raised, counted  event    closed, event    cancelled, event; "well noted"
    "..." is "received", said only where no open alarm of the same kind is left raised or sent: rule 6
    Counted, and noted: an event tells it, at once or soon: rule 8. As long as none has, Sent and Received move nothing.
    closed and cancelled are the end: the alarm is no longer among the open ones, and what comes about it is ignored.

Theory
    "Sent" is the broker's PUBACK: nobody has promised anything. "Received" is the acknowledgement of the city's
    application, and the only thing on which the voice may say that the centre has it. Both may come in either order.
    They count for the event of the newest finding (Alarm.awaits): whoever presses again while the link is down must
    not hear that the centre has it, though it has the first press. A press that no event has told yet is in nobody's
    hands: from the moment of it until its event is acknowledged the alarm is raised again, whatever was acknowledged
    before. It costs somebody who presses twice some seconds' wait for "received"; the other way round, "received"
    would be said of a press that the centre has not got, and taken back by an event that may never arrive.
    An input for an alarm that is not open is an echo of something already done (a resend's PUBACK, a command sent
    twice): it changes nothing. So decide() may be given every input again after a crash.

Rules
 1. Every finding is told. Of the same kind and device within REPEAT_S of the last while that alarm is open it repeats
    the alarm: one alarm, and the way to the centre begins anew for it. A fall is a person's, not a device's: within
    FALL_S of the last every finding of a fall of the same person (fusion.py) belongs to the alarm, and repeats it where
    its source has noticed the fall before.
 2. "I am fine" ends every open alarm whose kind has a window that is still open; the window runs from the newest
    finding. All others stay open, the centre is told, and the resident hears that it may still call. Smoke, gas,
    carbon monoxide and water have no window.
 3. While an alarm is open and not received the resident hears UNREACHABLE once the centre has acknowledged nothing of
    it for UNREACHABLE_S, then after pauses that double up to UNREACHABLE_MAX_S.
 4. A TEST goes the whole way. Received and not closed by the centre, it is closed by the gateway after TEST_OPEN_S.
 5. After a reboot monotonic time begins anew: an alarm of another boot has no open window, no finding repeats it, and
    its reminder starts again. Nothing is said for it only because the gateway started.
 6. The resident hears an alarm's kind, not which alarm it is: that the centre has it is said only once every open alarm
    of that kind is received, with the last of them to become so.
 7. A close that comes while a repeat is on its way is not obeyed: the centre has not seen that somebody pressed again.
 8. Of one alarm's repeats at most one in THIN_S becomes an event (repeats.py). The others are counted, the first of
    them on disk; the next event tells the newest and the number of all, at the latest with the Tick after THIN_S. While
    the centre does not answer at all the pause grows. The same holds for "I am fine" on an alarm that stays.
 9. A repeat is said if it is told at once, if it is the first for THIN_S, or if the resident has heard more than
    RAISED since, which it takes back. So at most three in THIN_S, however a contact chatters; the light shows each.
10. A source that notices the fall of an open alarm for the first time agrees: that is the same fall seen again, not
    somebody who asks again. It is told at once, for there are no more of them than sources, and says who agree and how
    sure they are together. It changes no state, awaits no answer, takes nothing back and is not spoken; as the newest
    finding it begins the window of rule 2 anew. After the end of the alarm a source that is late raises a new one.
"""

import math
from collections.abc import Mapping

import msgspec

from gateway.alarm import events, fusion, repeats
from gateway.alarm.effects import Append, Effect, Say, Show
from gateway.alarm.repeats import THIN_S
from gateway.alarm.rules import DEFAULT, Rules
from gateway.model.alarm import LONG_AGO_S, Alarm, AlarmState, Well
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt
from gateway.model.time import Stamp

REPEAT_S = 30.0
UNREACHABLE_S = 30.0
"""The centre's answer is due within 10 s (GB 26875.1-2011, 4.1); three times that and the resident must know."""
UNREACHABLE_MAX_S = 600.0
TEST_OPEN_S = 60.0

Alarms = Mapping[str, Alarm]
"""The open alarms by id; never changed in place."""


class Raised(msgspec.Struct, frozen=True):
    """A detector found something. `id`: unique for ever; it becomes the alarm's, should this be a new one."""

    finding: Finding
    id: str


class Sent(msgspec.Struct, frozen=True):
    """The broker has the event of this id (PUBACK)."""

    id: str


class Received(msgspec.Struct, frozen=True):
    """The city's application has the event of this id."""

    id: str


class Closed(msgspec.Struct, frozen=True):
    """The centre has dealt with the alarm. `by`: the command's id, or who else."""

    id: str
    by: str


class CancelPressed(msgspec.Struct, frozen=True):
    """The resident says "I am fine" on this device."""

    device: str


class Tick(msgspec.Struct, frozen=True):
    """Time went on. Once a second is ample."""


Input = Raised | Sent | Received | Closed | CancelPressed | Tick


MOVES: dict[tuple[AlarmState, type[Sent] | type[Received]], tuple[AlarmState, Prompt]] = {
    (AlarmState.RAISED, Sent): (AlarmState.SENT, Prompt.SENT),
    (AlarmState.RAISED, Received): (AlarmState.RECEIVED, Prompt.RECEIVED),
    (AlarmState.SENT, Received): (AlarmState.RECEIVED, Prompt.RECEIVED),
}
"""What the way to the centre does to a state; any other pair changes nothing."""


def decide(alarms: Alarms, happened: Input, now: Stamp, rules: Rules = DEFAULT) -> tuple[Alarms, list[Effect]]:
    """Return the open alarms after this input and what is to be done, the most urgent first."""
    before = {id_: _on_this_boot(alarm, now) for id_, alarm in alarms.items()}
    after, effects = _happened(before, happened, now, rules)
    if light(after) != light(before):
        effects.insert(0, Show(light(after)))
    return after, effects


def light(alarms: Alarms) -> LightPattern:
    """What the status light shows for these open alarms."""
    states = {alarm.state for alarm in alarms.values()}
    if states & {AlarmState.RAISED, AlarmState.SENT}:
        return LightPattern.FAST
    return LightPattern.SLOW if states else LightPattern.STEADY


def of(event_id: str) -> str:
    """The id of the alarm that an event of this id is about, if it is about an alarm."""
    return event_id.partition("/")[0]


def awaited(alarm: Alarm) -> str:
    """The id of the event whose PUBACK and acknowledgement move the alarm."""
    return alarm.awaits or alarm.id


def again(alarm: Alarm, rules: Rules) -> Event:
    """The event that the alarm awaits an answer to, for when nobody knows any more whether it was sent."""
    type_ = EventType.ALARM_REPEATED if alarm.awaits else EventType.ALARM_RAISED
    told = events.data(alarm, alarm.finding, rules)
    return Event(awaited(alarm), type_, Lane.ALARM, alarm.finding.device, alarm.finding.at, told)


def _happened(alarms: Alarms, happened: Input, now: Stamp, rules: Rules) -> tuple[Alarms, list[Effect]]:
    match happened:
        case Raised(finding=finding, id=id_):
            return _raised(alarms, finding, id_, now, rules)
        case Sent(id=id_) | Received(id=id_):
            return _moved(alarms, id_, type(happened), now)
        case Closed(id=id_, by=by):
            return _closed(alarms, id_, by, now, rules)
        case CancelPressed(device=device):
            return _cancelled(alarms, device, now, rules)
        case Tick():
            return _ticked(alarms, now, rules)


def _raised(alarms: Alarms, finding: Finding, id_: str, now: Stamp, rules: Rules) -> tuple[Alarms, list[Effect]]:
    """Rule 1."""
    old = alarms.get(id_) or _fresh(alarms, finding, now, rules)
    if old is None:
        alarm = Alarm(id_, AlarmState.RAISED, finding, now, last_mono_s=now.mono_s, told_mono_s=now.mono_s,
                      remind_mono_s=now.mono_s + UNREACHABLE_S)
        event = events.raised(alarm, rules)
        return _with(alarms, alarm), [Say(Prompt.RAISED, finding.kind, alarm.id), Append((event,), alarm)]
    if fusion.is_new(old, finding):
        return _agreed(alarms, old, finding, now, rules)
    back = old.state is not AlarmState.RAISED
    alarm = msgspec.structs.replace(old, state=AlarmState.RAISED, changed=now, repeats=old.repeats + 1,
                                    last_mono_s=now.mono_s, untold=finding)
    if old.state is AlarmState.RECEIVED:  # else the centre is silent for longer already: repeats put no reminder off
        alarm = _answered(alarm, now)
    told = repeats.is_due(alarm, now)
    effects: list[Effect] = []
    if told or back or now.mono_s - old.last_mono_s >= THIN_S:
        effects.append(Say(Prompt.RAISED, finding.kind, alarm.id))
    if told:
        alarm, event = repeats.told(alarm, now, rules)
        effects.append(Append((event,), alarm))
    elif old.untold is None:
        effects.append(Append((), alarm))
    return _with(alarms, alarm), effects


def _agreed(
    alarms: Alarms, alarm: Alarm, finding: Finding, now: Stamp, rules: Rules
) -> tuple[Alarms, list[Effect]]:
    """Rule 10."""
    alarm = msgspec.structs.replace(alarm, agreed=(*alarm.agreed, fusion.source(finding)), last_mono_s=now.mono_s)
    alarm, event = events.further(alarm, EventType.ALARM_REPEATED, finding.at, rules, finding)
    return _with(alarms, alarm), [Append((event,), alarm)]


def _fresh(alarms: Alarms, finding: Finding, now: Stamp, rules: Rules) -> Alarm | None:
    """The alarm to which the finding belongs, of several one that its device noticed, else the newest."""
    return max((alarm for alarm in alarms.values() if _belongs(alarm, finding, now, rules)),
               key=lambda alarm: (fusion.knows(alarm, finding.device), alarm.last_mono_s), default=None)


def _belongs(alarm: Alarm, finding: Finding, now: Stamp, rules: Rules) -> bool:
    if finding.kind is FindingKind.FALL:
        return fusion.of_one_person(alarm, finding, rules) and _quiet_for_s(alarm, now) <= fusion.FALL_S
    same = (alarm.finding.kind, alarm.finding.device) == (finding.kind, finding.device)
    return same and _quiet_for_s(alarm, now) <= REPEAT_S


def _quiet_for_s(alarm: Alarm, now: Stamp) -> float:
    """How long ago the newest finding of the alarm was; for ever, if that was on another boot."""
    return now.mono_s - alarm.last_mono_s if alarm.finding.at.boot_id == now.boot_id else math.inf


def _moved(
    alarms: Alarms, event_id: str, move: type[Sent] | type[Received], now: Stamp
) -> tuple[Alarms, list[Effect]]:
    """Follow MOVES and rule 6."""
    alarm = alarms.get(of(event_id))
    if alarm is None or (alarm.state, move) not in MOVES:
        return alarms, []
    if alarm.untold is not None or awaited(alarm) != event_id:
        return (_with(alarms, _answered(alarm, now)) if move is Received else alarms), []
    state, prompt = MOVES[alarm.state, move]
    alarm = msgspec.structs.replace(alarm, state=state, changed=now)
    alarms = _with(alarms, alarm)
    saved = Append((), alarm)
    if state is AlarmState.RECEIVED and _unanswered(alarms, alarm.finding.kind):
        return alarms, [saved]
    return alarms, [Say(prompt, alarm.finding.kind, alarm.id), saved]


def _answered(alarm: Alarm, now: Stamp) -> Alarm:
    """Rule 3: the centre is there, though it may lack the newest finding."""
    return msgspec.structs.replace(alarm, unreachable=0, remind_mono_s=now.mono_s + UNREACHABLE_S)


def _unanswered(alarms: Alarms, kind: FindingKind) -> bool:
    """Tell whether the centre lacks any open alarm of this kind."""
    return any(alarm.finding.kind is kind and alarm.state is not AlarmState.RECEIVED for alarm in alarms.values())


def _closed(alarms: Alarms, id_: str, by: str, now: Stamp, rules: Rules) -> tuple[Alarms, list[Effect]]:
    """The centre's word ends an alarm in any state, but not a repeat that it cannot have seen (rule 7)."""
    if id_ not in alarms or (alarms[id_].repeats and alarms[id_].state is not AlarmState.RECEIVED):
        return alarms, []
    return _ended(alarms, alarms[id_], AlarmState.CLOSED, EventType.ALARM_CLOSED, Prompt.CLOSED, now, rules, by=by)


def _cancelled(alarms: Alarms, device: str, now: Stamp, rules: Rules) -> tuple[Alarms, list[Effect]]:
    """Rule 2."""
    says: list[Effect] = []
    appends: list[Effect] = []
    late: list[Alarm] = []
    for alarm in list(alarms.values()):
        window_s = rules.cancel_s.get(alarm.finding.kind)
        if window_s is not None and _quiet_for_s(alarm, now) <= window_s:
            alarms, (say, append) = _ended(alarms, alarm, AlarmState.CANCELLED, EventType.ALARM_CANCELLED,
                                           Prompt.CANCELLED, now, rules, by=device)
            says.append(say)
            appends.append(append)
        else:
            late.append(alarm)
    noted: Alarm | None = None  # said once a press, however many alarms stay
    for alarm in late:
        stays = msgspec.structs.replace(alarm, well=Well(device, now))
        if _not_well_for_s(alarm, now) >= THIN_S or repeats.is_well_due(stays, now):
            noted = alarm
        if repeats.is_well_due(stays, now):
            stays, told = repeats.well_told(stays, now, rules)
            appends.append(Append(tuple(told), stays))
        elif alarm.well is None:
            appends.append(Append((), stays))
        alarms = _with(alarms, stays)
    if noted is not None:
        says.append(Say(Prompt.WELL_NOTED, noted.finding.kind, noted.id))
    return alarms, says + appends


def _not_well_for_s(alarm: Alarm, now: Stamp) -> float:
    """How long ago the newest "I am fine" was for this alarm."""
    untold = alarm.well is not None and alarm.well.at.boot_id == now.boot_id
    return now.mono_s - (alarm.well.at.mono_s if alarm.well and untold else alarm.well_mono_s)


def _ticked(alarms: Alarms, now: Stamp, rules: Rules) -> tuple[Alarms, list[Effect]]:
    """Rules 3, 4 and 8."""
    effects: list[Effect] = []
    for before in alarms.values():
        alarm, told = repeats.caught_up(before, now, rules)
        if told:
            alarms = _with(alarms, alarm)
            effects += told
        if alarm.state is not AlarmState.RECEIVED and now.mono_s >= alarm.remind_mono_s:
            pause_s = min(UNREACHABLE_S * 2 ** min(alarm.unreachable + 1, 16), UNREACHABLE_MAX_S)
            reminded = msgspec.structs.replace(
                alarm, unreachable=alarm.unreachable + 1, remind_mono_s=now.mono_s + pause_s)
            alarms = _with(alarms, reminded)
            effects.append(Say(Prompt.UNREACHABLE, alarm.finding.kind, alarm.id))
        tested = alarm.state is AlarmState.RECEIVED and alarm.finding.kind is FindingKind.TEST
        if tested and now.mono_s - alarm.changed.mono_s >= TEST_OPEN_S:
            alarms, more = _closed(alarms, alarm.id, "gateway", now, rules)
            effects += more
    return alarms, effects


def _ended(
    alarms: Alarms, alarm: Alarm, state: AlarmState, type_: str, prompt: Prompt, now: Stamp, rules: Rules, *, by: str
) -> tuple[Alarms, list[Effect]]:
    """Close or cancel; the end tells the number of findings too."""
    alarm, told = repeats.well_told(alarm, now, rules)
    over, event = events.further(
        msgspec.structs.replace(alarm, state=state, changed=now, untold=None), type_, now, rules, by=by)
    left = {id_: other for id_, other in alarms.items() if id_ != alarm.id}
    return left, [Say(prompt, alarm.finding.kind, alarm.id), Append((*told, event), over)]


def _on_this_boot(alarm: Alarm, now: Stamp) -> Alarm:
    """Rule 5."""
    if alarm.changed.boot_id == now.boot_id:
        return alarm
    alarm = msgspec.structs.replace(alarm, changed=now, told_mono_s=LONG_AGO_S, well_mono_s=LONG_AGO_S)
    return _answered(alarm, now)


def _with(alarms: Alarms, alarm: Alarm) -> Alarms:
    return {**alarms, alarm.id: alarm}
