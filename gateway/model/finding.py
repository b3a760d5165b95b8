"""What a detector concluded from readings."""

from enum import StrEnum

import msgspec

from gateway.model.time import Stamp


class FindingKind(StrEnum):
    """Why somebody should look. Codes of IEEE 11073-10471, NOW-IP and SCAIP stand in CODES_OF."""

    SOS = "sos"
    FALL = "fall"
    SMOKE = "smoke"
    CO = "co"
    GAS = "gas"
    WATER = "water"
    INACTIVITY = "inactivity"
    NOT_RETURNED = "not_returned"  # went out and is long overdue
    NOT_UP = "not_up"  # no sign by the usual time of rising
    NIGHT_EXIT = "night_exit"  # went out at night and has not come back
    BATHROOM_OVERSTAY = "bathroom_overstay"
    BED_EXIT = "bed_exit_no_return"  # left the bed at night, and is neither back nor seen elsewhere
    LEFT_ON = "left_on"  # a stove or an iron, with nobody in its room
    VITAL_SIGN = "vital_sign"  # beyond a limit that the family or the city asked for
    TEST = "test"


class FallSource(StrEnum):
    """What noticed a fall."""

    WRIST = "wrist"  # the gateway, in the acceleration that a wearable sends
    WEARABLE = "wearable"  # the wearable itself, by its own fall flag
    RADAR = "radar"


class Codes(msgspec.Struct, frozen=True):
    """Event codes of the field, None where a vocabulary has no word (sources: docs/protocol.md, Vocabularies)."""

    ieee_11073_10471: int | None
    now_ip: str | None
    scaip: str | None


CODES_OF: dict[FindingKind, Codes] = {
    FindingKind.SOS: Codes(2, "019", "0003"),
    FindingKind.FALL: Codes(1, "021", "0005"),
    FindingKind.SMOKE: Codes(3, "016", None),
    FindingKind.CO: Codes(4, "026", None),
    FindingKind.GAS: Codes(6, "027", None),
    FindingKind.WATER: Codes(5, "047", None),
    FindingKind.INACTIVITY: Codes(11, "043", None),
    FindingKind.NOT_RETURNED: Codes(11, "043", None),
    FindingKind.NOT_UP: Codes(11, "043", None),
    FindingKind.NIGHT_EXIT: Codes(8, "013", None),
    FindingKind.BATHROOM_OVERSTAY: Codes(11, "043", None),
    FindingKind.BED_EXIT: Codes(11, "043", None),
    FindingKind.LEFT_ON: Codes(12, None, None),
    FindingKind.VITAL_SIGN: Codes(None, None, None),
    FindingKind.TEST: Codes(None, "058", None),
}


class Finding(msgspec.Struct, frozen=True):
    """One conclusion of one detector about one device or the home.

    `score`: 0..1, how sure. `words`: for people, in English. `evidence`: feature name with its unit -> value.
    `source`: what noticed a fall; None for every other kind.
    """

    kind: FindingKind
    device: str
    at: Stamp
    score: float
    words: str
    evidence: dict[str, float] = {}
    source: FallSource | None = None
