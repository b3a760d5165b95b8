"""What the city may ask of a gateway."""

from enum import StrEnum

import msgspec


class Verb(StrEnum):
    """The commands that this version understands."""

    CLOSE_ALARM = "close_alarm"  # target: the alarm's id


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command. `expires_s`: UNIX seconds after which it must not be obeyed."""

    id: str
    verb: Verb
    target: str
    expires_s: float
