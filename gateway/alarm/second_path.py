"""The second path: where the city says nothing, a text message tells the alarm. decide() follows the table. Pure.

    text        due                sent           failed           delivered         no word for WORD_S, or lost
    none        ordered            -              -                -                 -
    ordered     -                  sent, event    failed, event    delivered, event  ordered again where still due
    failed      ordered, later     sent, event    -                delivered, event  -
    sent        -                  -              failed, event    delivered, event  -
    delivered   -                  -              -                -                 -
    Lost: the gateway restarted, or no modem is up any more: what the modem had been given, it will say nothing of.
    One text for each alarm and configured number. "failed, event": told where the reason is another than before.

Theory
    Due: the alarm is open and the centre has acknowledged nothing of it for `after_s`. For an alarm of this boot the
    time runs from its first finding, over every restart; after a reboot it begins anew, as its reminders do (life.py,
    rule 5).
    Once the centre has had the alarm, a repeat that it does not acknowledge is due after `after_s` of its own.
    The text's state is kept on disk with the alarm. Between the moment in which a modem sends a text and the moment in
    which the disk has its "sent" lies a crash that nobody can tell from one a moment earlier: then the text is sent
    once more. It errs so on purpose, rather twice than never; the id in the text shows that both mean one alarm. An
    order also goes out before the disk has noted it: a hanging disk must not silence the last way there is.
    Without a modem that is up nothing is tried and nothing counts as tried; a modem's failures make pauses that double.
    An acknowledgement, the close and "I am fine" end what has not been ordered yet.
"""

import math
from typing import Any

import msgspec

from gateway.alarm.effects import Effect, SendText, Tell
from gateway.alarm.life import Alarms
from gateway.alarm.rules import Rules
from gateway.alarm.text import short, words
from gateway.model.alarm import Alarm, AlarmState, SecondPath, Text, TextState
from gateway.model.event import Event, EventType, Lane
from gateway.model.reading import SmsReport, SmsState
from gateway.model.time import Stamp

WORD_S = 400.0
"""Longer than a modem may take for the three parts of a long text, 120 s each: sooner it may still be at it."""
RETRY_S, RETRY_MAX_S = 30.0, 600.0

NO_MODEM = "no modem is up"
NO_MODEM_CURE = "look at the modem with `anju devices`; without one add a device with driver = \"modem\""

TYPE_OF = {SmsState.SENT: EventType.SMS_SENT, SmsState.FAILED: EventType.SMS_FAILED,
           SmsState.DELIVERED: EventType.SMS_DELIVERED}

MOVES: dict[tuple[TextState, SmsState], TextState] = {
    (TextState.ORDERED, SmsState.SENT): TextState.SENT,
    (TextState.ORDERED, SmsState.FAILED): TextState.FAILED,
    (TextState.ORDERED, SmsState.DELIVERED): TextState.DELIVERED,
    (TextState.FAILED, SmsState.SENT): TextState.SENT,
    (TextState.FAILED, SmsState.DELIVERED): TextState.DELIVERED,
    (TextState.SENT, SmsState.FAILED): TextState.FAILED,
    (TextState.SENT, SmsState.DELIVERED): TextState.DELIVERED,
}
"""What a modem's word does to a text; any other pair changes nothing."""


class Tick(msgspec.Struct, frozen=True):
    """Time went on. `modem`: whether one is up that could send a text."""

    modem: bool


class Reported(msgspec.Struct, frozen=True):
    """The modem `device` said what became of a text."""

    device: str
    report: SmsReport


Input = Tick | Reported


def decide(alarms: Alarms, happened: Input, now: Stamp, rules: Rules) -> tuple[Alarms, list[Effect]]:
    """Return the open alarms after this input and what is to be done."""
    if isinstance(happened, Reported):
        return _reported(alarms, happened, now)
    if not rules.texting.numbers:
        return alarms, []
    effects: list[Effect] = []
    after = {}
    for alarm in alarms.values():
        after[alarm.id], asked = _ticked(alarm, happened, now, rules)
        effects += asked
    return after, effects


def taken_up(alarms: Alarms) -> Alarms:
    """The last run's alarms as this one begins with them: nobody knows what became of a text that was ordered."""
    return {id_: _with(alarm, tuple(msgspec.structs.replace(text, at=None) if text.state is TextState.ORDERED else text
                                    for text in _texts(alarm))) if _texts(alarm) else alarm
            for id_, alarm in alarms.items()}


def _ticked(alarm: Alarm, tick: Tick, now: Stamp, rules: Rules) -> tuple[Alarm, list[Effect]]:
    alarm = _waiting(alarm, now)
    assert alarm.second is not None  # noqa: S101 - _waiting() has just made it
    since = alarm.second.since
    if since is None or now.mono_s - since.mono_s < rules.texting.after_s:
        return alarm, []
    effects: list[Effect] = []
    texts = list(_texts(alarm))
    known = {text.number for text in texts}
    texts += [Text(number) for number in rules.texting.numbers if number not in known]
    orders = [index for index, text in enumerate(texts) if _is_due(text, now, tick)]
    if not orders:
        return alarm, []
    if not tick.modem:
        told = [index for index in orders if texts[index].reason != NO_MODEM]
        for index in told:
            texts[index] = msgspec.structs.replace(texts[index], state=TextState.FAILED, told=texts[index].told + 1,
                                                   reason=NO_MODEM)
        alarm = _with(alarm, tuple(texts))
        events = [_event(alarm, index, SmsState.FAILED, "gateway", now, NO_MODEM_CURE) for index in told]
        return alarm, [Tell(tuple(events), alarm)] if told else []
    for index in orders:
        old = texts[index]
        texts[index] = msgspec.structs.replace(old, state=TextState.ORDERED, at=now, tries=old.tries + 1)
        effects.append(SendText(f"{alarm.id}/sms/{index}", old.number, words(alarm, rules)))
    alarm = _with(alarm, tuple(texts))
    return alarm, [*effects, Tell((), alarm)]


def _waiting(alarm: Alarm, now: Stamp) -> Alarm:
    """The alarm with the time since when the centre has acknowledged nothing."""
    second = alarm.second
    if alarm.state is AlarmState.RECEIVED:
        since = None
    elif second is None:
        since = alarm.finding.at if alarm.finding.at.boot_id == now.boot_id else now
    elif second.since is not None and second.since.boot_id == now.boot_id:
        return alarm
    else:
        since = now
    return msgspec.structs.replace(alarm, second=SecondPath(since, _texts(alarm)))


def _is_due(text: Text, now: Stamp, tick: Tick) -> bool:
    """Tell whether a text is to be ordered (again), its alarm being due."""
    quiet_s: float = now.mono_s - text.at.mono_s if text.at and text.at.boot_id == now.boot_id else math.inf
    match text.state:
        case TextState.WANTED:
            return True
        case TextState.ORDERED:
            return quiet_s >= WORD_S or not tick.modem
        case TextState.FAILED:
            return quiet_s >= min(RETRY_S * 2.0 ** min(max(text.tries - 1, 0), 16), RETRY_MAX_S)
        case _:
            return False


def _reported(alarms: Alarms, reported: Reported, now: Stamp) -> tuple[Alarms, list[Effect]]:
    """Follow MOVES; of an alarm that has ended the event alone is left to tell."""
    report = reported.report
    id_, _, place = report.order.partition("/sms/")
    index = int(place) if place.isascii() and place.isdecimal() and len(place) < 4 else -1
    alarm = alarms.get(id_)
    if alarm is None:
        data = _data(id_, report.number, report.reason, report.cure)
        type_ = TYPE_OF[report.state]
        event = Event(f"{report.order}/{report.state}", type_, Lane.EVENT, reported.device, now, data)
        return alarms, [Tell((event,), None)]
    texts = list(_texts(alarm))
    if not 0 <= index < len(texts) or (texts[index].state, report.state) not in MOVES:
        return alarms, []
    before = texts[index]
    is_news = report.state is not SmsState.FAILED or report.reason != before.reason
    texts[index] = msgspec.structs.replace(before, state=MOVES[before.state, report.state], at=now,
                                           told=before.told + is_news, reason=report.reason)
    alarm = _with(alarm, tuple(texts))
    event = _event(alarm, index, report.state, reported.device, now, report.cure)
    return {**alarms, id_: alarm}, [Tell((event,) if is_news else (), alarm)]


def _event(alarm: Alarm, index: int, state: SmsState, subject: str, now: Stamp, cure: str = "") -> Event:
    text = _texts(alarm)[index]
    data = _data(alarm.id, text.number, text.reason, cure)
    return Event(f"{alarm.id}/sms/{index}/{text.told}", TYPE_OF[state], Lane.EVENT, subject, now, data)


def _data(alarm: str, number: str, reason: str, cure: str) -> dict[str, Any]:
    """Data of the event. Of a number its end is told: enough to know which, too little to call."""
    told = {"alarm": alarm, "short": short(alarm), "number": masked(number)}
    return told | ({"reason": reason, "cure": cure} if reason else {})


def masked(number: str) -> str:
    return f"…{number[-4:]}"


def _texts(alarm: Alarm) -> tuple[Text, ...]:
    return alarm.second.texts if alarm.second else ()


def _with(alarm: Alarm, texts: tuple[Text, ...]) -> Alarm:
    return msgspec.structs.replace(alarm, second=SecondPath(alarm.second.since if alarm.second else None, texts))
