"""What the city may ask of a gateway."""

from enum import StrEnum

import msgspec


class Verb(StrEnum):
    """The commands that this version understands."""

    CLOSE_ALARM = "close_alarm"  # target: the alarm's id
    AWAY_UNTIL = "away_until"  # target: local date and time, ISO 8601; empty: somebody is at home again


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command. `expires_s`: UNIX seconds after which it must not be obeyed."""

    id: str
    verb: Verb
    target: str
    expires_s: float


class Outcome(StrEnum):
    """What became of a command; every one but ACCEPTED is final."""

    ACCEPTED = "accepted"  # on disk: it will be done, whatever happens in between
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"  # not now, and not kept: send it again later; `words` says why


class CommandResult(msgspec.Struct, frozen=True):
    """The data of EventType.COMMAND_RESULT."""

    command: str
    outcome: Outcome
    words: str = ""
