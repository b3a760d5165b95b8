"""Rules for vital signs: which value, for how long, is told as a notice or an alarm. Pure.

Rules
 1. A value marked as implausible is none: it neither alarms nor ends what lasts.
 2. A streamed value is judged by the median of the last `for_s`, once there are so many seconds without a hole of
    GAP_S; a spot check by itself. What is judged is remembered: the last HISTORY of each kind, for HISTORY_S.
 3. Beyond an alarm limit is an alarm where `times` spot checks in a row say so; till then, and beyond a notice limit, a
    notice. One that is older than LATE_S is a notice too: it calls nobody out at night for what was at noon. Neither is
    a measurement at a position that is known to be rough (limits.UNSURE).
 4. A measurement older than one that was judged already is remembered and not judged.
 5. What was told is told again when it becomes an alarm, or after AGAIN_S; it begins anew once a judged value is within
    the limits, of a stream not sooner than `for_s` after it was told.
 6. The mean of the last MEAN_S counts from MEAN_N spot checks over MEAN_SPAN_S on, as ESH 2021 counts home pressure.
 7. What is remembered of more than GAP_S ahead is forgotten: the seconds are counted anew, for how far they had come
    could not be read, and nothing measured from now on would be the newest.
"""

from collections.abc import Iterable
from enum import IntEnum
from statistics import fmean, median
from typing import Any

import msgspec

from gateway.detect.vitals.limits import UNSURE, Limit, Person
from gateway.model.reading import UNIT_OF, Quantity, QuantityKind, Reading, SpotCheck
from gateway.model.vocabulary import LOINC_OF

GAP_S = 120.0
HISTORY, HISTORY_S = 64, 30 * 86400.0
CONFIRM_S = 1800.0
LATE_S = 3600.0
AGAIN_S = 86400.0
MEAN_S, MEAN_N, MEAN_SPAN_S = 7 * 86400.0, 12, 2 * 86400.0

_SAID = {"/min": "/min", "%": "%", "mm[Hg]": "mmHg", "Cel": "°C", "mmol/L": "mmol/L", "kg": "kg"}
_ENDING = {"/min": "per_min", "%": "percent", "mm[Hg]": "mmhg", "Cel": "celsius", "mmol/L": "mmol_per_l", "kg": "kg"}


class Level(IntEnum):
    """How urgent it is."""

    NOTICE = 1  # look at it today
    ALARM = 2  # somebody should come or call now


class Stream(msgspec.Struct, frozen=True):
    """The last `for_s` of one device's stream, as (mono_s, value); unbroken since `since_mono_s`."""

    boot_id: str
    since_mono_s: float
    values: tuple[tuple[float, float], ...]


class Judged(msgspec.Struct, frozen=True):
    """One value that was judged; `at_s` counts seconds over all boots (detect/home.py)."""

    at_s: float
    value: float


class Told(msgspec.Struct, frozen=True):
    """What was told last by one rule."""

    level: Level
    at_s: float


class State(msgspec.Struct, frozen=True):
    """device -> kind -> stream, person -> kind -> judged, person -> "kind rule" -> told. Streams need no restart."""

    streams: dict[str, dict[QuantityKind, Stream]] = {}
    judged: dict[str, dict[QuantityKind, tuple[Judged, ...]]] = {}
    told: dict[str, dict[str, Told]] = {}


class Verdict(msgspec.Struct, frozen=True):
    """What is to be told of one kind. `words`: for people, in English."""

    level: Level
    kind: QuantityKind
    value: float
    limit: float
    words: str

    def evidence(self) -> dict[str, float]:
        """Names with their units."""
        ending = _ENDING.get(UNIT_OF[self.kind], "value")
        return {f"{self.kind.value}_{ending}": round(self.value, 2), f"limit_{ending}": self.limit}

    def data(self, wearer: str) -> dict[str, Any]:
        """Data of the notice's event."""
        return {"kind": self.kind.value, "value": round(self.value, 2), "limit": self.limit, "unit": UNIT_OF[self.kind],
                "loinc": LOINC_OF.get(self.kind), "words": self.words} | ({"wearer": wearer} if wearer else {})


def step(state: State, reading: Reading, at_s: float, person: Person) -> tuple[State, tuple[Verdict, ...]]:
    """Take one reading of any kind that arrived at `at_s`; return what is known now and what is to be told."""
    spot = isinstance(reading.value, SpotCheck)
    values = reading.value.values if isinstance(reading.value, SpotCheck) else (reading.value,)
    found: list[Verdict] = []
    for value in values:
        if isinstance(value, Quantity) and value.plausible and (limit := person.limits.get(value.kind)) is not None:
            state, told = _one(state, reading, value, at_s, person, limit, spot=spot)
            found += told
    return state, tuple(found)


def _one(state: State, reading: Reading, value: Quantity, at_s: float, person: Person, limit: Limit, *, spot: bool
         ) -> tuple[State, Iterable[Verdict]]:
    kind, age_s, judged = value.kind, value.age_s or 0.0, value.value
    known = state.judged.get(person.name, {})
    history = tuple(one for one in known.get(kind, ()) if one.at_s <= at_s + GAP_S)  # rule 7
    if not spot:
        streams = state.streams.get(reading.device, {})
        stream = _flow(streams.get(kind), reading, value.value, limit.for_s)
        state = msgspec.structs.replace(state, streams=state.streams | {reading.device: streams | {kind: stream}})
        if reading.at.mono_s - stream.since_mono_s < limit.for_s:
            return state, ()
        judged = median(each for _, each in stream.values)
    taken_s = at_s - age_s
    newest = not history or taken_s >= history[-1].at_s
    if spot or not history or taken_s - history[-1].at_s >= limit.for_s:
        history = _remembered(history, Judged(taken_s, judged))
        state = msgspec.structs.replace(state, judged=state.judged | {person.name: known | {kind: history}})
    if not newest:
        return state, ()
    capped = age_s > LATE_S or (kind, person.position) in UNSURE
    told = {rule: one for rule, one in state.told.get(person.name, {}).items()
            if one.at_s <= at_s + GAP_S}  # rule 7
    found: list[Verdict] = []
    for rule, verdict in _judge(kind, judged, taken_s, history, limit, spot=spot):
        name, before = f"{kind.value} {rule}", told.get(f"{kind.value} {rule}")
        if verdict is None:
            if before is not None and (spot or at_s - before.at_s >= limit.for_s):
                del told[name]
            continue
        level = Level.NOTICE if capped else verdict.level
        if before is None or level > before.level or at_s - before.at_s >= AGAIN_S:
            told[name] = Told(level, at_s)
            found.append(msgspec.structs.replace(verdict, level=level))
    return msgspec.structs.replace(state, told=state.told | {person.name: told}), found


def _flow(stream: Stream | None, reading: Reading, value: float, for_s: float) -> Stream:
    """Rule 2."""
    at = reading.at
    if stream is None or stream.boot_id != at.boot_id or not 0 <= at.mono_s - stream.values[-1][0] <= GAP_S:
        return Stream(at.boot_id, at.mono_s, ((at.mono_s, value),))
    kept = tuple(one for one in stream.values if one[0] >= at.mono_s - for_s)
    return Stream(at.boot_id, stream.since_mono_s, (*kept, (at.mono_s, value)))


def _remembered(history: tuple[Judged, ...], new: Judged) -> tuple[Judged, ...]:
    whole = sorted((*history, new), key=lambda one: one.at_s)
    return tuple(one for one in whole if one.at_s >= whole[-1].at_s - HISTORY_S)[-HISTORY:]


def _judge(kind: QuantityKind, value: float, at_s: float, history: tuple[Judged, ...], limit: Limit, *, spot: bool
           ) -> Iterable[tuple[str, Verdict | None]]:
    """Each rule, and what it has to say; None where all is well."""
    sides: tuple[tuple[str, str, int, float | None, float | None], ...] = (
        ("low", "below", -1, limit.alarm_below, limit.notice_below),
        ("high", "above", 1, limit.alarm_above, limit.notice_above))
    for rule, word, sign, alarm, notice in sides:
        lasting = "" if spot else f" for {limit.for_s / 60:g} min"
        if alarm is not None and sign * (value - alarm) > 0:
            sure = not spot or _in_a_row(history, sign, alarm) >= limit.times
            more = "" if sure else ": it should be measured again"
            words = f"{_named(kind, value)} is {word} {_said(kind, alarm)}{lasting}{more}"
            yield rule, Verdict(Level.ALARM if sure else Level.NOTICE, kind, value, alarm, words)
        elif notice is not None and sign * (value - notice) > 0:
            words = f"{_named(kind, value)} is {word} {_said(kind, notice)}{lasting}"
            yield rule, Verdict(Level.NOTICE, kind, value, notice, words)
        else:
            yield rule, None
    yield "mean", _mean(kind, at_s, history, limit)
    yield "change", _change(kind, value, at_s, history, limit)


def _in_a_row(history: tuple[Judged, ...], sign: int, limit: float) -> int:
    """How many of the newest measurements lie beyond the limit, each within CONFIRM_S of the next."""
    count, next_s = 0, history[-1].at_s
    for one in reversed(history):
        if sign * (one.value - limit) <= 0 or next_s - one.at_s > CONFIRM_S:
            break
        count, next_s = count + 1, one.at_s
    return count


def _mean(kind: QuantityKind, at_s: float, history: tuple[Judged, ...], limit: Limit) -> Verdict | None:
    """Rule 6."""
    week = [one for one in history if at_s - one.at_s <= MEAN_S]
    if limit.mean_above is None or len(week) < MEAN_N or week[-1].at_s - week[0].at_s < MEAN_SPAN_S:
        return None
    mean = fmean(one.value for one in week)
    if mean <= limit.mean_above:
        return None
    words = f"{_named(kind, mean)} is the mean of a week, above {_said(kind, limit.mean_above)}"
    return Verdict(Level.NOTICE, kind, mean, limit.mean_above, words)


def _change(kind: QuantityKind, value: float, at_s: float, history: tuple[Judged, ...], limit: Limit) -> Verdict | None:
    within = [one for one in history if 0 <= at_s - one.at_s <= limit.change_h * 3600]
    if limit.change is None or not within:
        return None
    far = max(within, key=lambda one: abs(value - one.value))
    by = value - far.value
    if abs(by) <= limit.change:
        return None
    hours = (at_s - far.at_s) / 3600
    words = (f"{_named(kind, value)}: {'rose' if by > 0 else 'fell'} by {_said(kind, round(abs(by), 1))} in "
             + (f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"))
    return Verdict(Level.NOTICE, kind, value, limit.change, words)


def _named(kind: QuantityKind, value: float) -> str:
    return f"{kind.value.replace('_', ' ')} {_said(kind, round(value, 1))}"


def _said(kind: QuantityKind, value: float) -> str:
    return f"{value:g} {_SAID.get(UNIT_OF[kind], UNIT_OF[kind])}"
