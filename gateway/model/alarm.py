"""An alarm's record: what the resident hears and the city follows until somebody has answered."""

from enum import StrEnum

import msgspec

from gateway.model.finding import FallSource, Finding
from gateway.model.time import Stamp


class AlarmState(StrEnum):
    """The life of an alarm; gateway/alarm/life.py holds the table."""

    RAISED = "raised"  # the gateway knows
    SENT = "sent"  # the broker has it: nobody is promised anything yet
    RECEIVED = "received"  # the city's application has committed it
    CLOSED = "closed"  # the centre has dealt with it
    CANCELLED = "cancelled"  # the resident said "I am fine" in time


LONG_AGO_S = -1e9
"""A monotonic time before everything on any boot."""

OPEN = frozenset({AlarmState.RAISED, AlarmState.SENT, AlarmState.RECEIVED})


class Well(msgspec.Struct, frozen=True):
    """The resident said "I am fine" on this device, and the alarm stays open all the same."""

    device: str
    at: Stamp


class Source(msgspec.Struct, frozen=True):
    """One that noticed this fall, and how sure it was."""

    device: str
    kind: FallSource | None
    score: float


class TextState(StrEnum):
    """What became of a text message about an alarm; gateway/alarm/second_path.py holds the table."""

    WANTED = "wanted"
    ORDERED = "ordered"  # a modem was told: whether it has sent it nobody knows yet
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"


class Text(msgspec.Struct, frozen=True):
    """One text message to one number.

    `at`: of its last change, None where that is unknown. `tries`: orders so far. `told`: events about it so far.
    """

    number: str
    state: TextState = TextState.WANTED
    at: Stamp | None = None
    tries: int = 0
    told: int = 0
    reason: str = ""  # of a failure


class SecondPath(msgspec.Struct, frozen=True):
    """How an alarm goes its second way. `since`: since when the centre has acknowledged nothing; None: it has."""

    since: Stamp | None
    texts: tuple[Text, ...] = ()


class Alarm(msgspec.Struct, frozen=True):
    """One alarm. Its `id` is the id of the event that first told it, and of every resend."""

    id: str
    state: AlarmState
    finding: Finding
    changed: Stamp  # when the state last changed, or a new boot took the alarm over
    repeats: int = 0  # further findings of the same kind and device that came while it was fresh
    agreed: tuple[Source, ...] = ()  # of a fall: what noticed it besides the first finding's source, in their order
    last_mono_s: float = 0.0  # of the newest finding, on the boot of `finding.at`
    untold: Finding | None = None  # the newest finding, as long as no event has told it: then nothing is awaited
    well: Well | None = None  # the newest "I am fine", as long as no event has told it
    awaits: str = ""  # the newest event that told a finding: its way to the centre is the alarm's; "": `id`, the first
    told: int = 1  # events about it so far; the next one's id is "<id>/<told>"
    second: SecondPath | None = None  # None until the second path has looked at it
    unreachable: int = 0  # times the resident has heard that the centre does not answer
    # On the boot of `changed`:
    remind_mono_s: float = 0.0  # when that is said next
    told_mono_s: float = LONG_AGO_S  # when an event last told a finding
    well_mono_s: float = LONG_AGO_S  # when an event last told an "I am fine"
