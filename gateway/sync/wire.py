"""Wire: what travels between gateway and city, as pure functions. docs/protocol.md tells the same in words.

Up: CloudEvents 1.0, structured JSON (cloudevents/spec v1.0.2, JSON event format). Attribute names are lower-case
alphanumerics (spec, "Naming Conventions"); numbers that may pass 2^31 travel as strings, for the type system of
CloudEvents ends there. Down: acknowledgements and commands, small JSON objects of our own.
"""

import math
from collections import abc
from typing import Annotated, Any, Literal

import msgspec

from gateway.model.command import Command
from gateway.model.event import Lane
from gateway.model.time import MOVED_S, Boot, ClockQuality, Stamp
from gateway.store import Row
from gateway.sync.dating import Bound, Dating, dated, rfc3339

MAX_ACK_BYTES = 1024
MAX_COMMAND_BYTES = 16 * 1024
SEQUENCE_DIGITS = 16
CLOSE_S = 2.0  # an uncertainty up to this need not be told

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
    sequencefrom: Sequence | msgspec.UnsetType = msgspec.UNSET
    settledupto: Sequence
    epoch: str
    boot: str
    monotonicms: Digits
    clock: ClockQuality
    stampedtime: Rfc3339 | msgspec.UnsetType = msgspec.UNSET
    stampedclock: ClockQuality | msgspec.UnsetType = msgspec.UNSET
    timeuncertaintyms: Digits | msgspec.UnsetType = msgspec.UNSET
    timebound: Bound | msgspec.UnsetType = msgspec.UNSET
    historical: bool
    dataomittedbytes: Digits | msgspec.UnsetType = msgspec.UNSET
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


def encode(row: Row, *, gateway: str, now: Stamp, online_since_s: float, boots: abc.Sequence[Boot] = ()) -> bytes:
    """Return the envelope of an outbox row's event as JSON.

    `now` and the chronicle `boots` date it; `online_since_s`: CLOCK_MONOTONIC of this boot at which the
    present connection began; what was taken before it is `historical`.
    """
    event, at = row.event, row.event.at
    date = dated(at, now, boots)
    corrected = _corrected(at, date)
    envelope = Envelope(
        specversion="1.0",
        id=event.id,
        source=f"anju/{gateway}",
        type=event.type,
        subject=event.subject,
        datacontenttype="application/json",
        time=rfc3339(date.wall_s),
        lane=_name(event.lane),
        sequence=f"{row.seq:0{SEQUENCE_DIGITS}d}",
        sequencefrom=msgspec.UNSET if row.first is None else f"{row.first:0{SEQUENCE_DIGITS}d}",
        settledupto=f"{row.settled:0{SEQUENCE_DIGITS}d}",
        epoch=row.epoch,
        boot=at.boot_id,
        monotonicms=_milliseconds(at.mono_s),
        clock=date.quality,
        stampedtime=rfc3339(at.wall_s) if corrected else msgspec.UNSET,
        stampedclock=at.quality if corrected else msgspec.UNSET,
        timeuncertaintyms=_uncertainty(date),
        timebound=date.bound or msgspec.UNSET,
        historical=at.boot_id != now.boot_id or at.mono_s < online_since_s,
        data=event.data,
    )
    return _encoder.encode(envelope)


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


def _corrected(at: Stamp, date: Dating) -> bool:
    """Tell whether the date says anything else than the stamp did."""
    if date.quality is not at.quality or date.wall_s is None or at.wall_s is None:
        return date.quality is not at.quality or date.wall_s is not at.wall_s
    return abs(date.wall_s - at.wall_s) > MOVED_S


def _uncertainty(date: Dating) -> str | msgspec.UnsetType:
    if date.uncertainty_s is None or date.uncertainty_s <= CLOSE_S:
        return msgspec.UNSET
    return _milliseconds(date.uncertainty_s)


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1000
    return str(round(milliseconds)) if math.isfinite(milliseconds) else "0"


def _name(lane: Lane) -> Any:
    return lane.name.lower()


_encoder = msgspec.json.Encoder()
_ack_decoder = msgspec.json.Decoder(Ack)
_command_decoder = msgspec.json.Decoder(Command)
