"""What a home tells the detectors of routine: signs of its residents, and when nobody could have seen any.

Time
    `at_s` counts seconds without a step over all boots: time without power that is known is in it, and said by an
    Outage of GATEWAY. Intervals come from it alone. `local_s` is the flat's wall clock as seconds since 1970 without a
    zone, None where nobody set the clock: for the hour of the day and the weekday alone.
"""

from enum import StrEnum

import msgspec

from gateway.model.finding import FindingKind

GATEWAY = "gateway"
"""The sensor of an Outage that means all of them."""


class SignKind(StrEnum):
    """What a sensor watches."""

    MOTION = "motion"  # only its beginning is a sign; a pet makes it too
    DOOR = "door"  # a door to the outside
    INNER_DOOR = "innerdoor"  # a door within, of the fridge or of a cupboard
    BED = "bed"
    CHAIR = "chair"
    APPLIANCE = "appliance"  # used: kettle, stove, iron, television
    LIGHT = "light"
    WATER = "water"  # drawn
    WRIST = "wrist"  # the bracelet is moved by a living arm
    BUTTON = "button"


ROOMS = ("bedroom", "bathroom", "kitchen", "living", "hall", "other")
"""Classes of rooms; a room that the configuration calls otherwise belongs to `other`."""

ROOM_CLASS = {
    "bathroom": ("bath", "toilet", "wc", "shower", "washroom", "卫生间", "浴室", "厕所", "洗手间"),
    "bedroom": ("bed", "sleep", "卧"),
    "kitchen": ("kitchen", "pantry", "dining", "厨房", "餐厅"),
    "living": ("living", "lounge", "sitting", "客厅"),
    "hall": ("hall", "entrance", "entry", "corridor", "stairs", "landing", "玄关", "门厅", "走廊", "过道"),
}
"""What the name of a room holds -> its class, the first that fits."""


class Sign(msgspec.Struct, frozen=True):
    """A sensor told its level. `on`: motion began, door open, bed or chair taken, appliance in use, water running."""

    at_s: float
    local_s: float | None
    sensor: str
    kind: SignKind
    room: str
    on: bool


class Outage(msgspec.Struct, frozen=True):
    """A sensor, or the GATEWAY, was found lost (`lost`, perhaps hours after it happened) or is back."""

    at_s: float
    local_s: float | None
    sensor: str
    lost: bool


class Away(msgspec.Struct, frozen=True):
    """Somebody declared the flat empty until then (holiday, hospital); `until_local_s` None ends what was declared."""

    at_s: float
    local_s: float | None
    until_local_s: float | None


class Tick(msgspec.Struct, frozen=True):
    """Time went on. Once a minute is ample."""

    at_s: float
    local_s: float | None


Input = Sign | Outage | Away | Tick


class Concern(msgspec.Struct, frozen=True):
    """What a detector of routine concluded: a Finding of the home, once the shell has stamped it. `score`: 0..1."""

    kind: FindingKind
    at_s: float
    score: float
    words: str
    evidence: dict[str, float] = {}


class Coverage(msgspec.Struct, frozen=True):
    """How far routine is watched from now on: no alarm, told to the carer. `reasons`: for people, none when full."""

    at_s: float
    reduced: bool
    reasons: tuple[str, ...]


def room_class(name: str) -> str:
    """Class of a room by its English or Chinese name: one of ROOMS."""
    plain = name.lower()
    return next((kind for kind, parts in ROOM_CLASS.items() if any(part in plain for part in parts)), "other")
