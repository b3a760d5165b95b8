"""Contents: the shape of every event type's `data`, for the schema that the city's integrators get.

The values themselves are made where the events are made; tests hold the two together. More keys may come in a later
version: a reader ignores those it does not know.
"""

from typing import Annotated

import msgspec

from gateway.detect.cover import Cover
from gateway.detect.routines import NoticeKind
from gateway.model.alarm import AlarmState, Source, TextState
from gateway.model.command import CommandResult
from gateway.model.device import DeviceState
from gateway.model.event import EventType
from gateway.model.evidence import HeartRate, Piece
from gateway.model.finding import Codes, FindingKind
from gateway.model.reading import BinaryKind, QuantityKind

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class AlarmContents(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Data of every event about an alarm, always whole: whichever arrives first, one can act on it."""

    alarm: Annotated[str, _about("The alarm's id: that of its `anju.alarm.raised` event.")]
    kind: FindingKind
    device: str
    score: Annotated[Share, _about("How sure the gateway is, of a fall by all its sources together.")]
    words: Annotated[str, _about("For people, in English.")]
    evidence: Annotated[dict[str, float], _about("What the detector saw; the unit is the end of each name.")]
    codes: Codes
    repeats: Annotated[Count, _about("Further findings so far of what noticed it before.")]
    state: AlarmState
    test: Annotated[bool, _about("A technician's or resident's test: answer it, send nobody.")]
    room: str = ""
    wearer: Annotated[str, _about("Whose device it is, where the configuration tells several residents apart.")] = ""
    sources: Annotated[list[Source], _about("What noticed this fall; only of a fall.")] = []
    sms: Annotated[list[TextState], _about("How the text messages about it stand, one a number; none where none is.")
                   ] = []
    by: Annotated[str, _about("Who ended it: the device that was pressed, or the command's id.")] = ""


class EvidenceContents(msgspec.Struct, frozen=True):
    """What the bracelet measured from 10 s before a fall's impact to 20 s after it, told once it is complete."""

    alarm: Annotated[str, _about("The alarm's id; it may have been cancelled or closed meanwhile.")]
    device: str
    words: Annotated[str, _about("Those of the finding.")]
    peak_g: Annotated[float, _about("The largest acceleration of all samples, thinned out or not.")]
    thinned: Annotated[int, _about("Each so many-th sample is here: 1 is all, more where all were too many."),
                       msgspec.Meta(ge=1)]
    pieces: Annotated[tuple[Piece, ...], _about(
        "How `samples` are cut: `n` at `rate_hz`, the first at `first_s` seconds from the impact. Without loss: one.")]
    samples: Annotated[str, _about(
        "Base64 of deflated (zlib, RFC 1950) int16, little-endian: x, y, z in milli-g, gravity included.")]
    heart_rate: Annotated[tuple[HeartRate, ...], _about("`at_s`: of its arrival, in seconds from the impact.")]
    holes: Annotated[tuple[tuple[float, float], ...], _about(
        "Where there are no samples, from and to, in seconds from the impact.")]
    missing: Annotated[str, _about("Empty, or why there are no samples at all.")]


class SensorContents(msgspec.Struct, frozen=True):
    """A two-state sensor changed."""

    kind: BinaryKind
    active: Annotated[bool, _about("True is the state worth telling: open, smoke, wet, occupied.")]


class DeviceContents(msgspec.Struct, frozen=True):
    """How a device stands; told when it lasts."""

    state: DeviceState
    covered: Annotated[bool, _about("Whether this device watches over the resident now.")]
    reason: str
    cure: str


class NoticedContents(msgspec.Struct, frozen=True):
    """A change in the resident's day that is no alarm: ask in days, not minutes."""

    kind: NoticeKind
    words: Annotated[str, _about("For people, in English.")]
    evidence: Annotated[dict[str, float], _about("What the rule saw; the unit is the end of each name.")]


class RoutineCoverContents(msgspec.Struct, frozen=True):
    """How far the resident's routine is watched from now on."""

    reduced: Annotated[bool, _about("Less is noticed, or later: `reasons` say why.")]
    reasons: Annotated[tuple[str, ...], _about("For people, in English; none where all is watched.")]


class StartedContents(msgspec.Struct, frozen=True):
    """The gateway's service has started."""

    version: str
    devices: list[str]
    epoch: Annotated[str, _about("The epoch of the outbox from now on.")]


class FaultContents(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something of the gateway itself does not work."""

    reason: str
    cure: str
    what: str = ""


class VitalsContents(msgspec.Struct, frozen=True):
    """Vital signs of one device over one period. A value is null where nothing plausible was measured."""

    kind: QuantityKind
    unit: Annotated[str, _about("UCUM.")]
    loinc: str | None
    span_s: float
    n: Annotated[Count, _about("Plausible samples.")]
    implausible: Count
    min: float | None
    median: float | None
    max: float | None


class MeasuredValue(msgspec.Struct, frozen=True):
    """One value of a measurement."""

    kind: QuantityKind
    value: float
    unit: Annotated[str, _about("UCUM.")]
    loinc: str | None
    plausible: Annotated[bool, _about("False: the measurement failed, or nobody has such a value. Do not act on it.")]


class MeasuredContents(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody measured on purpose with a portable monitor. The event's `time` is when it was taken."""

    values: list[MeasuredValue]
    loinc: Annotated[str | None, _about("Of the whole: the panel of a blood pressure, else that of its first value.")]
    age_s: Annotated[float | None, _about(
        "How long after it was taken it arrived; null: nobody knows, and `time` is that of its arrival.")]
    taken_local: Annotated[str | None, _about("When it was taken by the device's own clock, however wrong.")]
    position: Annotated[str, _about("Where the device sits, where the configuration says so.")] = ""
    wearer: str = ""


class BeyondContents(msgspec.Struct, frozen=True, omit_defaults=True):
    """A vital sign beyond a limit that the family or the city asked for, and no alarm."""

    kind: QuantityKind
    value: float
    limit: Annotated[float, _about("In the same unit; of a change: by how much it may change.")]
    unit: Annotated[str, _about("UCUM.")]
    loinc: str | None
    words: Annotated[str, _about("For people, in English.")]
    wearer: str = ""


class BatteryContents(msgspec.Struct, frozen=True):
    """A battery that somebody should charge or change. The hours are null where nobody can say."""

    percent: float
    flat_in_h: Annotated[float | None, _about("Hours until it is empty, most likely.")]
    earliest_h: float | None
    latest_h: float | None
    words: Annotated[str, _about("For people, in English.")]
    cure: str


class SmsContents(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text message about an alarm that the city had not acknowledged in time."""

    alarm: Annotated[str, _about("The alarm's id; it may have been cancelled or closed meanwhile.")]
    short: Annotated[str, _about("The alarm's short id, as the text tells it.")]
    number: Annotated[str, _about("The last four digits of who gets it.")]
    reason: str = ""
    cure: str = ""


class GapContents(msgspec.Struct, frozen=True):
    """Events that were given up for want of room before they were acknowledged."""

    events: Annotated[Count, _about("How many at most: the numbers from `sequencefrom` to `sequence`.")]
    reason: str
    cure: str


CONTENTS: dict[str, type[msgspec.Struct]] = {
    EventType.ALARM_RAISED: AlarmContents,
    EventType.ALARM_REPEATED: AlarmContents,
    EventType.ALARM_CANCELLED: AlarmContents,
    EventType.ALARM_CLOSED: AlarmContents,
    EventType.RESIDENT_WELL: AlarmContents,
    EventType.FALL_EVIDENCE: EvidenceContents,
    EventType.SENSOR_CHANGED: SensorContents,
    EventType.DEVICE_STATE: DeviceContents,
    EventType.COVER_CHANGED: Cover,
    EventType.ROUTINE_NOTICED: NoticedContents,
    EventType.ROUTINE_COVER: RoutineCoverContents,
    EventType.GATEWAY_STARTED: StartedContents,
    EventType.GATEWAY_FAULT: FaultContents,
    EventType.COMMAND_RESULT: CommandResult,
    EventType.SMS_SENT: SmsContents,
    EventType.SMS_FAILED: SmsContents,
    EventType.SMS_DELIVERED: SmsContents,
    EventType.VITALS_MEASURED: MeasuredContents,
    EventType.VITALS_NOTICED: BeyondContents,
    EventType.BATTERY_LOW: BatteryContents,
    EventType.VITALS_SUMMARY: VitalsContents,
    EventType.OUTBOX_GAP: GapContents,
}
"""Event type -> the shape of its data."""
