"""Routine: readings, lost devices and passing time as the detectors of routine take them, and what they tell.

The shell around gateway/detect/watch.py: it counts the time (timeline.py), knows where each device is, and keeps what
was learned over a restart. No I/O.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from gateway.detect import inactivity, life_signs, noticing, watch
from gateway.detect.home import GATEWAY, Away, Concern, Coverage, Input, Outage, Sign, SignKind, Tick
from gateway.detect.life_signs import Given, Place
from gateway.model.device import COVERED, DeviceStatus
from gateway.model.event import EventType, Lane
from gateway.model.finding import Finding
from gateway.model.reading import Reading
from gateway.model.time import Stamp
from gateway.runtime.outcome import Draft, Outcome
from gateway.runtime.timeline import Kept, Moment, Timeline

HOME = "home"
"""The device of a finding that no single device made."""

_WORN = frozenset({SignKind.WRIST, SignKind.BUTTON})  # out of range is no outage: it went for a walk


class BadAway(Exception):
    """What was said of an absence cannot be understood; `cure` says what to do."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.cure = cure


class Saved(msgspec.Struct, frozen=True):
    """What is kept over a restart, each part by itself: one that a newer version cannot read loses no other."""

    kept: Kept | None
    sensors: frozenset[str]
    parts: dict[str, msgspec.Raw]


class SilenceSoFar(msgspec.Struct, frozen=True):
    """All that earlier versions kept: how long it had been silent, counted up to this moment."""

    quiet_s: float = 0.0
    counted: Stamp | None = None


class Routine:
    """One home's routine. `places`: device -> where it is; `zone`: the flat's, None for the machine's own."""

    def __init__(self, settings: watch.Settings, zone: tzinfo | None = None,
                 places: Callable[[], Mapping[str, Place]] = dict) -> None:
        self._settings, self._zone, self._places = settings, zone, places
        self._line = Timeline(zone)
        self._signs = life_signs.State()
        self._sensors: frozenset[str] = frozenset()  # those fixed in the flat that have given a sign
        self.state = watch.State()

    def reading(self, reading: Reading, outcome: Outcome) -> None:
        """Take a reading of any kind."""
        self._signs, given = life_signs.step(self._signs, reading, self._place(reading.device))
        for one in given:
            self._sign(reading.device, one, reading.at, outcome)

    def tick(self, now: Stamp, outcome: Outcome) -> None:
        """Let time pass."""
        self._signs, ended = life_signs.tick(self._signs, now.mono_s, self._places())
        for device, one in ended:
            self._sign(device, one, now, outcome)
        at = self._moment(now, outcome)
        self._step(Tick(at.at_s, at.local_s), now, outcome)

    def device(self, status: DeviceStatus, now: Stamp, outcome: Outcome) -> None:
        """Take a device's new standing, as supervision tells it."""
        if status.device in self._sensors:
            lost = status.state not in COVERED
            if not lost and status.device not in self.state.rules.scene.lost:
                return  # each start tells of all
            at = self._moment(now, outcome)
            self._step(Outage(at.at_s, at.local_s, status.device, lost), now, outcome)

    def away(self, until: str, now: Stamp, outcome: Outcome) -> float | None:
        """Note that nobody is at home until this local time, ISO 8601; empty: somebody is. Raises BadAway."""
        until_local_s = local_s(until) if until else None
        at = self._moment(now, outcome)
        if until_local_s is not None and at.local_s is not None and until_local_s <= at.local_s:
            raise BadAway(f"{date(until_local_s)} is past already", "give a later date")
        self._step(Away(at.at_s, at.local_s, until_local_s), now, outcome)
        return until_local_s

    def told(self, now: Stamp) -> dict[str, Any]:
        """What `anju routine` shows (docs/control.md)."""
        at, rules, gaps = Timeline(self._zone, self._line.kept).moment(now), self.state.rules, self.state.gaps
        inside_s, until_s = rules.scene.inside_at_s, rules.scene.away_until_local_s
        return {
            "days": rules.scene.night.days, "cover": self.cover(),
            "away_until": None if until_s is None else date(until_s),
            "budget_days": self._settings.gaps.budget_days, "quiet_s": None if inside_s is None else at.at_s - inside_s,
            "alert_in_s": inactivity.notice(gaps, at.at_s, at.local_s, noticing.HORIZON_S, self._settings.gaps),
            "notice": msgspec.to_builtins(noticing.by_hour(self.state.waits)),
        }

    def cover(self) -> dict[str, Any]:
        """How far the routine is watched: reduced or not, and why."""
        reasons = self.state.gaps.told
        return {"reduced": bool(reasons), "reasons": list(reasons)}

    def seconds(self, stamp: Stamp) -> float:
        """The seconds over all boots at a moment of this one (detect/home.py)."""
        return Timeline(self._zone, self._line.kept).moment(stamp).at_s

    def saved(self) -> bytes:
        """What must be known again after a restart."""
        parts = {name: msgspec.Raw(msgspec.msgpack.encode(getattr(self.state, name)))
                 for name in watch.State.__struct_fields__}
        return msgspec.msgpack.encode(Saved(self._line.kept, self._sensors, parts))

    def restore(self, saved: bytes) -> list[msgspec.MsgspecError]:
        """Take up what saved() said; return why parts of it begin anew."""
        if saved.startswith(b"{"):
            return self._restore_silence(saved)
        failed: list[msgspec.MsgspecError] = []
        try:
            whole = msgspec.msgpack.decode(saved, type=Saved)
        except msgspec.MsgspecError as error:
            return [error]
        types = {field.name: field.type for field in msgspec.structs.fields(watch.State)}
        for name, part in whole.parts.items():
            try:
                known = {name: msgspec.msgpack.decode(part, type=types[name])} if name in types else {}
                self.state = msgspec.structs.replace(self.state, **known)
            except msgspec.MsgspecError as error:
                failed.append(error)
        self._sensors, self._line = whole.sensors | self._sensors, Timeline(self._zone, whole.kept)
        return failed

    def _restore_silence(self, saved: bytes) -> list[msgspec.MsgspecError]:
        try:
            known = msgspec.json.decode(saved, type=SilenceSoFar)
        except msgspec.MsgspecError as error:
            return [error]
        if known.counted is not None:
            self._line = Timeline(self._zone, Kept(known.quiet_s, known.counted.boot_id, known.counted.mono_s, None))
            last = Sign(0.0, None, "", SignKind.BUTTON, "other", True)
            self.state, _ = watch.step(self.state, last, self._settings)
        return []

    def _place(self, device: str) -> Place:
        return self._places().get(device, Place())

    def _sign(self, device: str, given: Given, stamp: Stamp, outcome: Outcome) -> None:
        if given.kind not in _WORN and device not in self._sensors:
            self._sensors |= {device}
        at = self._moment(stamp, outcome)
        self._step(Sign(at.at_s, at.local_s, device, given.kind, self._place(device).room, given.on), stamp, outcome)

    def _moment(self, stamp: Stamp, outcome: Outcome) -> Moment:
        at = self._line.moment(stamp)
        if at.unseen_s:
            self._step(Outage(at.at_s - at.unseen_s, None, GATEWAY, True), stamp, outcome)
            self._step(Outage(at.at_s, at.local_s, GATEWAY, False), stamp, outcome)
        return at

    def _step(self, happened: Input, at: Stamp, outcome: Outcome) -> None:
        try:
            self.state, told = watch.step(self.state, happened, self._settings)
        except Exception:  # whatever a rule does, silence must be counted
            gaps, found = inactivity.step(self.state.gaps, happened, self._settings.gaps)
            self.state = msgspec.structs.replace(self.state, gaps=gaps)
            self._tell(found, at, outcome)
            raise
        self._tell(told, at, outcome)

    def _tell(self, told: Iterable[watch.Told], at: Stamp, outcome: Outcome) -> None:
        for one in told:
            if isinstance(one, Concern):
                outcome.findings.append(Finding(one.kind, HOME, at, one.score, one.words, one.evidence))
            elif isinstance(one, Coverage):
                outcome.drafts.append(Draft(EventType.ROUTINE_COVER, Lane.EVENT, HOME, at, self.cover()))
            else:
                data = {"kind": one.kind.value, "words": one.words, "evidence": dict(one.evidence)}
                outcome.drafts.append(Draft(EventType.ROUTINE_NOTICED, Lane.EVENT, one.sensor or HOME, at, data))


def local_s(text: str) -> float:
    """Seconds since 1970 without a zone of a local date or time, ISO 8601. Raises BadAway."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadAway(f"{text!r} is no date", "write it as 2026-12-24 or 2026-12-24T18:00") from None
    if moment.tzinfo is not None:
        raise BadAway(f"{text} has a zone", "write the flat's local time, without a zone")
    return moment.replace(tzinfo=UTC).timestamp()


def date(at_local_s: float) -> str:
    """A local time for people: "2026-12-24 18:00"."""
    return datetime.fromtimestamp(at_local_s, UTC).strftime("%Y-%m-%d %H:%M")
