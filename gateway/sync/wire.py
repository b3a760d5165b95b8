"""Wire: what travels between gateway and city, as pure functions. docs/protocol.md tells the same in words.

Up: CloudEvents 1.0, structured JSON (cloudevents/spec v1.0.2, JSON event format). Attribute names are lower-case
alphanumerics (spec, "Naming Conventions"); numbers that may pass 2^31 travel as strings, for the type system of
CloudEvents ends there. Down: acknowledgements and commands, small JSON objects of our own.
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from gateway.model.command import Command
from gateway.model.event import Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Row

MAX_ACK_BYTES = 1024
MAX_COMMAND_BYTES = 16 * 1024
SEQUENCE_DIGITS = 16

LaneName = Literal["alarm", "event", "telemetry"]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Digits = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+$")]
Sequence = Annotated[str, msgspec.Meta(pattern=rf"^[0-9]{{{SEQUENCE_DIGITS}}}$")]
Rfc3339 = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]

_LANE_OF: dict[str, Lane] = {lane.name.lower(): lane for lane in Lane}


class WireError(Exception):
    """What came is not what docs/protocol.md describes: permanent, the sender must be mended."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}: have the city's integrator compare it with docs/protocol.md")


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to the city (content mode "structured", JSON)."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    datacontenttype: Literal["application/json"]
    time: Rfc3339 | msgspec.UnsetType = msgspec.UNSET
    lane: LaneName
    sequence: Sequence
    settledupto: Sequence
    epoch: str
    boot: str
    monotonicms: Digits
    clock: ClockQuality
    stampedtime: Rfc3339 | msgspec.UnsetType = msgspec.UNSET
    stampedclock: ClockQuality | msgspec.UnsetType = msgspec.UNSET
    historical: bool
    data: dict[str, Any]


class Ack(msgspec.Struct, frozen=True):
    """The city's application has everything of this epoch and lane up to `upto`; `id` is the event at that number."""

    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    lane: LaneName
    upto: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    id: Annotated[str, msgspec.Meta(max_length=256)] = ""

    @property
    def of_lane(self) -> Lane:
        return _LANE_OF[self.lane]


class _Order(msgspec.Struct, frozen=True):
    """The bounds of a command's texts, checked besides the model's own types."""

    id: Word
    target: Word


def up_topic(gateway: str, lane: Lane) -> str:
    """Where this lane's events go."""
    return f"anju/v1/{gateway}/up/{lane.name.lower()}"


def ack_topic(gateway: str) -> str:
    return f"anju/v1/{gateway}/down/ack"


def command_topic(gateway: str) -> str:
    return f"anju/v1/{gateway}/down/command"


def encode(row: Row, *, gateway: str, now: Stamp, online_since_s: float) -> bytes:
    """Return the envelope of an outbox row's event as JSON.

    `now` dates what was taken before the clock was set; `online_since_s`: CLOCK_MONOTONIC of this boot at which the
    present connection began; what was taken before it is `historical`.
    """
    event, at = row.event, row.event.at
    wall_s, quality = dated(at, now)
    time = rfc3339(wall_s)
    corrected = (wall_s, quality) != (at.wall_s, at.quality)
    envelope = Envelope(
        specversion="1.0",
        id=event.id,
        source=f"anju/{gateway}",
        type=event.type,
        subject=event.subject,
        datacontenttype="application/json",
        time=time,
        lane=_name(event.lane),
        sequence=f"{row.seq:0{SEQUENCE_DIGITS}d}",
        settledupto=f"{row.settled:0{SEQUENCE_DIGITS}d}",
        epoch=row.epoch,
        boot=at.boot_id,
        monotonicms=_milliseconds(at.mono_s),
        clock=quality,
        stampedtime=rfc3339(at.wall_s) if corrected else msgspec.UNSET,
        stampedclock=at.quality if corrected else msgspec.UNSET,
        historical=at.boot_id != now.boot_id or at.mono_s < online_since_s,
        data=event.data,
    )
    return _encoder.encode(envelope)


def dated(at: Stamp, now: Stamp) -> tuple[float | None, ClockQuality]:
    """Return the best wall time known now for a stamp, and its quality.

    A stamp of this boot taken before the clock was synced is dated from the synced clock by the monotonic distance.
    One taken while nobody had set the clock has no wall time worth telling.
    """
    if at.quality is ClockQuality.SYNCED:
        return at.wall_s, at.quality
    if now.quality is ClockQuality.SYNCED and now.wall_s is not None and at.boot_id == now.boot_id:
        return now.wall_s - (now.mono_s - at.mono_s), now.quality
    return (None if at.quality is ClockQuality.UNSET else at.wall_s), at.quality


def rfc3339(wall_s: float | None) -> str | msgspec.UnsetType:
    """Return UNIX seconds as RFC 3339 in UTC with milliseconds; UNSET where there is no such moment."""
    if wall_s is None:
        return msgspec.UNSET
    try:
        moment = datetime.fromtimestamp(wall_s, UTC)
    except (ValueError, OverflowError, OSError):
        return msgspec.UNSET
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode_ack(payload: bytes) -> Ack:
    """Raises WireError."""
    if len(payload) > MAX_ACK_BYTES:
        raise WireError(f"an acknowledgement of {len(payload)} bytes, at most {MAX_ACK_BYTES} are allowed")
    try:
        return _ack_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"no acknowledgement ({error})") from error


def decode_command(payload: bytes) -> Command:
    """Raises WireError."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise WireError(f"a command of {len(payload)} bytes, at most {MAX_COMMAND_BYTES} are allowed")
    try:
        command = _command_decoder.decode(payload)
        msgspec.convert({"id": command.id, "target": command.target}, _Order)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"no command ({error})") from error
    return command


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1000
    return str(round(milliseconds)) if math.isfinite(milliseconds) else "0"


def _name(lane: Lane) -> Any:
    return lane.name.lower()


_encoder = msgspec.json.Encoder()
_ack_decoder = msgspec.json.Decoder(Ack)
_command_decoder = msgspec.json.Decoder(Command)
