"""Rules: what the configuration decides about an alarm's life."""

from collections.abc import Mapping

import msgspec

from gateway.detect.routines import URGENCY
from gateway.model.finding import FindingKind

ROUTINE = tuple(kind for kind in FindingKind if kind in URGENCY)
"""The kinds of the detectors of routine: their resident may be slow to get to a button."""

CANCEL_S: dict[FindingKind, float] = {
    FindingKind.SOS: 10.0,
    FindingKind.FALL: 20.0,
    FindingKind.TEST: 10.0,
    **dict.fromkeys(ROUTINE, 120.0),
}
"""In which time "I am fine" ends an alarm; PERS practice (Medical Guardian, ADT) for SOS and fall."""


class Texting(msgspec.Struct, frozen=True):
    """Who gets a text message where the city does not answer for `after_s`; `gateway`: how the text names this home."""

    numbers: tuple[str, ...] = ()
    after_s: float = 30.0
    language: str = "zh"
    gateway: str = ""


class Rules(msgspec.Struct, frozen=True):
    """What the configuration decides.

    `cancel_s`: kind -> window in which "I am fine" ends it; a kind that it cannot end is not in it.
    `rooms`: device -> room. `wearers`: device -> whose it is; of a device that is not in it, the home's resident's.
    """

    cancel_s: Mapping[FindingKind, float] = msgspec.field(default_factory=lambda: dict(CANCEL_S))
    rooms: Mapping[str, str] = {}
    wearers: Mapping[str, str] = {}
    texting: Texting = Texting()


DEFAULT = Rules()
